//! The cases of the anti-Hebbian balance that were made elsewhere: `RIVALRY_LEARNERS` names the folder that holds
//! `biological/<case>/{in,out}.safetensors`.

use std::path::Path;

use rivalry_core::{Compute, Inputs, Kernels, Layer, Learner, Rates, Rule};
use safetensors::{Dtype, SafeTensors};

/// A tensor of f32 and its shape.
fn floats(tensors: &SafeTensors<'_>, name: &str) -> (Vec<f32>, Vec<usize>) {
    let tensor = tensors.tensor(name).expect(name);
    assert_eq!(tensor.dtype(), Dtype::F32, "{name}");
    let values = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    (values, tensor.shape().to_vec())
}

fn check(case: &Path) {
    let [given, expected] =
        ["in", "out"].map(|name| std::fs::read(case.join(name).with_extension("safetensors")).unwrap());
    let (_, metadata) = SafeTensors::read_metadata(&given).unwrap();
    let settings = metadata.metadata().as_ref().expect("metadata")["settings"].clone();
    let settings: serde_json::Value = serde_json::from_str(&settings).unwrap();
    let number = |name: &str| settings[name].as_f64().expect(name);
    let rule = Rule::new(number("p"), number("k") as usize, number("delta")).unwrap();
    let rule = rule.with_balance(Some(number("balance") as f32)).unwrap();

    let (given, expected) = (SafeTensors::deserialize(&given).unwrap(), SafeTensors::deserialize(&expected).unwrap());
    let ((weights, shape), rates) = (floats(&given, "weights"), floats(&given, "rates").0);
    let pixels = given.tensor("inputs").unwrap();
    let inputs = Inputs::u8(pixels.data(), shape[1]).unwrap();
    let order: Vec<u32> = (0..inputs.samples() as u32).collect();
    for threads in [1, 2] {
        let compute = Compute::new(Some(threads), Kernels::best()).unwrap();
        let layer = Layer::from_rows(shape[0], shape[1], &weights).unwrap();
        let mut learner = Learner::new(layer, rule, number("batch") as usize, &compute).unwrap();
        learner.learn(&compute, &inputs, &order, Rates::PerMinibatch(&rates)).unwrap();
        let found = learner.layer().to_rows();
        assert_ne!(found, weights, "nothing was learned");
        for (found, expected) in found.iter().zip(floats(&expected, "weights").0) {
            assert!((found - expected).abs() <= 2e-5, "{found} for {expected} in {}", case.display());
        }
    }
}

#[test]
fn weights_are_those_of_the_cases() {
    let Some(folder) = std::env::var_os("RIVALRY_LEARNERS").filter(|folder| !folder.is_empty()) else {
        eprintln!("SKIPPED: RIVALRY_LEARNERS names no folder of cases");
        return;
    };
    let cases = std::fs::read_dir(Path::new(&folder).join("biological")).expect("RIVALRY_LEARNERS has biological/");
    let cases: Vec<_> = cases.map(|case| case.unwrap().path()).collect();
    assert!(!cases.is_empty(), "no case");
    cases.iter().for_each(|case| check(case));
}
