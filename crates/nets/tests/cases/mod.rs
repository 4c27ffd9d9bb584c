//! Cases made by other programs: `$RIVALRY_LEARNERS/LEARNER/CASE/{in,out}.safetensors`.

#![allow(dead_code, unreachable_pub, reason = "every test binary compiles its own copy and uses a part of it")]

use rivalry_nets::{State, Tensor, Values};
use safetensors::SafeTensors;
use std::io::Write;
use std::path::{Path, PathBuf};

/// One case: its name, settings and tensors.
pub struct Case {
    pub name: String,
    pub settings: serde_json::Value,
    input: Vec<u8>,
    output: Vec<u8>,
}

/// All cases of a learner; none, and a line that says so, where no folder of cases is named.
pub fn cases(learner: &str) -> Vec<Case> {
    let Some(folder) = std::env::var_os("RIVALRY_LEARNERS").filter(|folder| !folder.is_empty()) else {
        // Not by `eprintln!`, which the test runner would swallow.
        let line = "\n!! SKIPPED conformance of the learners: RIVALRY_LEARNERS is not set\n";
        let _ = std::io::stderr().write_all(line.as_bytes());
        return Vec::new();
    };
    let folder = PathBuf::from(folder).join(learner);
    let entries = std::fs::read_dir(&folder).expect("RIVALRY_LEARNERS has a folder for each learner");
    let cases: Vec<Case> = entries.map(|entry| Case::read(&entry.unwrap().path())).collect();
    assert!(!cases.is_empty(), "no case in {}", folder.display());
    cases
}

impl Case {
    fn read(folder: &Path) -> Case {
        let input = std::fs::read(folder.join("in.safetensors")).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&input).unwrap();
        let settings = &metadata.metadata().as_ref().expect("metadata")["settings"];
        Case {
            name: folder.display().to_string(),
            settings: serde_json::from_str(settings).unwrap(),
            output: std::fs::read(folder.join("out.safetensors")).unwrap(),
            input,
        }
    }

    pub fn number(&self, key: &str) -> f64 {
        self.settings[key].as_f64().unwrap_or_else(|| panic!("{}: no number {key}", self.name))
    }

    pub fn size(&self, key: &str) -> usize {
        self.number(key) as usize
    }

    pub fn shape(&self, tensor: &str) -> Vec<usize> {
        SafeTensors::deserialize(&self.input).unwrap().tensor(tensor).unwrap().shape().to_vec()
    }

    /// The bytes of a u8 tensor, if it is one.
    pub fn bytes(&self, tensor: &str) -> Option<Vec<u8>> {
        let file = SafeTensors::deserialize(&self.input).unwrap();
        let tensor = file.tensor(tensor).unwrap();
        (tensor.dtype() == safetensors::Dtype::U8).then(|| tensor.data().to_vec())
    }

    pub fn f32(&self, tensor: &str) -> Vec<f32> {
        floats(&self.input, tensor)
    }

    /// The tensors before and after the step; labels, which are i32, as u32.
    pub fn states(&self) -> [State; 2] {
        [&self.input, &self.output].map(|file| {
            let mut state = State::default();
            for (name, view) in SafeTensors::deserialize(file).unwrap().iter() {
                let words = view.data().chunks_exact(4).map(|word| <[u8; 4]>::try_from(word).unwrap());
                let values = match view.dtype() {
                    safetensors::Dtype::F32 => Values::F32(words.map(f32::from_le_bytes).collect()),
                    safetensors::Dtype::I32 => Values::U32(words.map(u32::from_le_bytes).collect()),
                    other => panic!("{}: {name} is {other:?}", self.name),
                };
                state.insert(name, Tensor::new(view.shape(), values));
            }
            state
        })
    }

    /// The numbers of a list among the settings.
    pub fn numbers(&self, key: &str) -> Vec<f64> {
        let list = self.settings[key].as_array().unwrap_or_else(|| panic!("{}: no list {key}", self.name));
        list.iter().map(|value| value.as_f64().unwrap()).collect()
    }

    /// Compares with a tensor of the expected output; NaN is never close.
    pub fn assert_close(&self, tensor: &str, found: &[f32], tolerance: f32) {
        let expected = floats(&self.output, tensor);
        assert_eq!(found.len(), expected.len(), "{}", self.name);
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let difference = (found - expected).abs();
            assert!(difference <= tolerance, "{}: {tensor}[{i}] is {found}, not {expected}", self.name);
        }
    }
}

fn floats(file: &[u8], tensor: &str) -> Vec<f32> {
    let file = SafeTensors::deserialize(file).unwrap();
    let tensor = file.tensor(tensor).unwrap();
    assert_eq!(tensor.dtype(), safetensors::Dtype::F32);
    tensor.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}
