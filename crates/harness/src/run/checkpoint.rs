//! The checkpoint: everything that the rest of a run depends on, in one safetensors file.
//!
//! Tensors: `weights` (hidden × inputs), `wins` (hidden: times ranked first in the last epoch), `epoch_ms` (epochs done),
//! during the readout and end to end `readout_weights`, `readout_first_moment`, `readout_second_moment` (classes × hidden
//! kept), and end to end `first_moment`, `second_moment` (hidden × inputs). A network without a hidden layer has 0 × 0 weights.
//! The header's metadata holds the rest, as text, and a SHA-256 over all of it, because the format itself only checks
//! lengths.
//!
//! The order of examples and the rates follow from seed and epoch, and features from the weights, so they are not here.

use std::collections::{BTreeMap, HashMap};

use rivalry_nets::{State, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use super::hex;
use crate::failure::failure;
use crate::rows::{self, MetricsRow, Phase};

/// A run between two epochs.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The phase that is going on.
    pub phase: Phase,
    /// Its finished epochs.
    pub epoch: u32,
    /// Hidden units.
    pub hidden: usize,
    /// Inputs of each.
    pub inputs: usize,
    /// [hidden, inputs].
    pub weights: Vec<f32>,
    /// Times each unit was ranked first in the last unsupervised epoch.
    pub wins: Vec<u32>,
    /// Adam's two moments of the weights, where backpropagation learns them.
    pub moments: Option<[Vec<f32>; 2]>,
    /// The readout, once it has begun.
    pub readout: Option<ReadoutState>,
    /// The rows of `metrics.csv` so far.
    pub metrics: Vec<MetricsRow>,
    /// What each epoch of learning the hidden layer took.
    pub epoch_ms: Vec<f64>,
    /// What the readout took so far.
    pub readout_s: f64,
    /// What the run is.
    pub identity: Identity,
}

/// The readout with Adam's moments, [classes × hidden kept] each, and the steps taken.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadoutState {
    /// S.
    pub weights: Vec<f32>,
    /// Adam's mean of the gradient.
    pub first_moment: Vec<f32>,
    /// Adam's mean of its square.
    pub second_moment: Vec<f32>,
    /// Steps taken.
    pub steps: u64,
}

impl ReadoutState {
    /// The part of a learner's state that is the readout.
    ///
    /// # Errors
    /// It has none.
    pub fn of(state: &State) -> anyhow::Result<Self> {
        let [weights, first_moment, second_moment] = NAMES.map(|name| floats(state, name));
        let steps = state.counter("readout_steps")?;
        Ok(Self { weights: weights?, first_moment: first_moment?, second_moment: second_moment?, steps })
    }

    /// Adds it to a learner's state.
    pub fn insert(&self, classes: usize, state: &mut State) {
        for (name, values) in NAMES.into_iter().zip([&self.weights, &self.first_moment, &self.second_moment]) {
            state.insert(name, Tensor::new([classes, values.len() / classes], values.clone()));
        }
        state.counters.insert("readout_steps".to_owned(), self.steps);
    }
}

/// Copies an f32 tensor of a state.
///
/// # Errors
/// There is none of that name.
pub fn floats(state: &State, name: &str) -> anyhow::Result<Vec<f32>> {
    let shape = state.tensors.get(name).map_or(&[][..], |tensor| &tensor.shape);
    Ok(state.f32(name, shape)?.to_vec())
}

/// The tensors of a readout in a learner's state.
const NAMES: [&str; 3] = ["readout", "readout_first_moment", "readout_second_moment"];

/// What a checkpoint must agree on with the run that goes on from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Digest of the resolved settings.
    pub config_sha256: String,
    /// Digest of the data.
    pub dataset_sha256: String,
}

const VERSION: &str = "1";
const MOMENTS: [&str; 2] = ["first_moment", "second_moment"];
const READOUT: [&str; 3] = ["readout_weights", "readout_first_moment", "readout_second_moment"];

impl Checkpoint {
    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut tensors: Vec<(&str, Dtype, Vec<usize>, &[u8])> = vec![
            ("weights", Dtype::F32, vec![self.hidden, self.inputs], bytemuck::cast_slice(&self.weights)),
            ("wins", Dtype::U32, vec![self.wins.len()], bytemuck::cast_slice(&self.wins)),
            ("epoch_ms", Dtype::F64, vec![self.epoch_ms.len()], bytemuck::cast_slice(&self.epoch_ms)),
        ];
        for (name, values) in MOMENTS.into_iter().zip(self.moments.iter().flatten()) {
            tensors.push((name, Dtype::F32, vec![values.len()], bytemuck::cast_slice(values)));
        }
        if let Some(state) = &self.readout {
            let parts = [&state.weights, &state.first_moment, &state.second_moment];
            for (name, values) in READOUT.into_iter().zip(parts) {
                tensors.push((name, Dtype::F32, vec![values.len()], bytemuck::cast_slice(values)));
            }
        }
        let mut metadata = BTreeMap::from([
            ("version".to_owned(), VERSION.to_owned()),
            ("phase".to_owned(), self.phase.name().to_owned()),
            ("epoch".to_owned(), self.epoch.to_string()),
            ("metrics".to_owned(), rows::to_csv(&self.metrics)),
            ("readout_s".to_owned(), self.readout_s.to_string()),
            ("config_sha256".to_owned(), self.identity.config_sha256.clone()),
            ("dataset_sha256".to_owned(), self.identity.dataset_sha256.clone()),
        ]);
        if let Some(state) = &self.readout {
            metadata.insert("readout_steps".to_owned(), state.steps.to_string());
        }
        let data = tensors.iter().map(|(name, _, _, data)| (*name, *data)).collect();
        metadata.insert("sha256".to_owned(), digest(&metadata, &data));
        let views = tensors.into_iter().map(|(name, dtype, shape, data)| {
            (name, TensorView::new(dtype, shape, data).expect("shapes are those of the values"))
        });
        safetensors::serialize(views, Some(metadata.into_iter().collect())).expect("few names, short header")
    }

    /// Reads the file back.
    ///
    /// # Errors
    /// One line that says what is wrong with it: truncated, altered, or of another version.
    pub fn from_bytes(bytes: &[u8], place: &str) -> anyhow::Result<Self> {
        parse(bytes).map_err(|found| {
            failure(
                format!("checkpoint {place}: expected a whole checkpoint of this version, found {found}"),
                "start the run again with --force; the file cannot be used",
            )
        })
    }
}

fn parse(bytes: &[u8]) -> Result<Checkpoint, String> {
    let text = |error: safetensors::SafeTensorError| error.to_string();
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(text)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(text)?;
    let none = HashMap::new();
    let mut metadata: BTreeMap<String, String> =
        header.metadata().as_ref().unwrap_or(&none).iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let named = metadata.remove("sha256").ok_or("no digest")?;
    let data: BTreeMap<&str, &[u8]> = tensors.iter().map(|(name, view)| (name, view.data())).collect();
    if digest(&metadata, &data) != named {
        return Err("another content than its digest says".to_owned());
    }
    let field = |key: &str| metadata.get(key).map(String::as_str).ok_or(format!("no `{key}`"));
    if field("version")? != VERSION {
        return Err(format!("version {}", field("version")?));
    }
    let shape = tensors.tensor("weights").map_err(text)?.shape().to_vec();
    let [hidden, inputs] = shape[..] else { return Err(format!("weights of shape {shape:?}")) };
    let readout = match metadata.get("readout_steps") {
        Some(steps) => Some(ReadoutState {
            weights: values(&tensors, READOUT[0], Dtype::F32)?,
            first_moment: values(&tensors, READOUT[1], Dtype::F32)?,
            second_moment: values(&tensors, READOUT[2], Dtype::F32)?,
            steps: number(steps)?,
        }),
        None => None,
    };
    let moments = match tensors.tensor(MOMENTS[0]) {
        Ok(_) => Some([values(&tensors, MOMENTS[0], Dtype::F32)?, values(&tensors, MOMENTS[1], Dtype::F32)?]),
        Err(_) => None,
    };
    let phases = [Phase::Unsupervised, Phase::Readout, Phase::EndToEnd];
    let phase = field("phase")?;
    let checkpoint = Checkpoint {
        phase: phases.into_iter().find(|known| known.name() == phase).ok_or(format!("phase `{phase}`"))?,
        epoch: number(field("epoch")?)?,
        hidden,
        inputs,
        weights: values(&tensors, "weights", Dtype::F32)?,
        wins: values(&tensors, "wins", Dtype::U32)?,
        moments,
        readout,
        metrics: rows::from_csv(field("metrics")?, "its metrics").map_err(|error| error.to_string())?,
        epoch_ms: values(&tensors, "epoch_ms", Dtype::F64)?,
        readout_s: number(field("readout_s")?)?,
        identity: Identity {
            config_sha256: field("config_sha256")?.to_owned(),
            dataset_sha256: field("dataset_sha256")?.to_owned(),
        },
    };
    if checkpoint.wins.len() != hidden {
        return Err(format!("{} units won, of {hidden}", checkpoint.wins.len()));
    }
    Ok(checkpoint)
}

fn values<T: bytemuck::AnyBitPattern>(tensors: &SafeTensors<'_>, name: &str, dtype: Dtype) -> Result<Vec<T>, String> {
    let view = tensors.tensor(name).map_err(|error| error.to_string())?;
    if view.dtype() != dtype {
        return Err(format!("{name} of type {:?}", view.dtype()));
    }
    // The file's bytes are aligned by chance only.
    Ok(view.data().chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` for a number"))
}

/// Every name and value, each with its length before it so that no two contents look alike.
fn digest(metadata: &BTreeMap<String, String>, tensors: &BTreeMap<&str, &[u8]>) -> String {
    let mut sha256 = Sha256::new();
    let mut add = |bytes: &[u8]| {
        sha256.update((bytes.len() as u64).to_le_bytes());
        sha256.update(bytes);
    };
    for (key, value) in metadata {
        add(key.as_bytes());
        add(value.as_bytes());
    }
    for (name, data) in tensors {
        add(name.as_bytes());
        add(data);
    }
    hex(&sha256.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            phase: Phase::Readout,
            epoch: 7,
            hidden: 3,
            inputs: 2,
            weights: vec![0.1, -0.2, 3.5, f32::MIN_POSITIVE, -0.0, 1e30],
            wins: vec![5, 0, 2],
            moments: None,
            readout: Some(ReadoutState {
                weights: vec![1.0, 2.0, 3.0],
                first_moment: vec![0.1, 0.2, 0.3],
                second_moment: vec![0.01, 0.02, 0.03],
                steps: 4200,
            }),
            metrics: vec![MetricsRow {
                phase: Phase::Unsupervised,
                epoch: 1,
                rate: 0.04,
                train_error_pct: None,
                validation_error_pct: None,
                test_error_pct: None,
                on_sphere: Some(1),
                negative_units: Some(2),
                silent_units: Some(0),
                epoch_ms: 0.1 + 0.2,
            }],
            epoch_ms: vec![1.5, 0.1 + 0.2],
            readout_s: 0.1 + 0.2,
            identity: Identity { config_sha256: "c".to_owned(), dataset_sha256: "d".to_owned() },
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let whole = checkpoint();
        assert_eq!(Checkpoint::from_bytes(&whole.to_bytes(), "x").unwrap(), whole);
        let young = Checkpoint { readout: None, phase: Phase::Unsupervised, epoch_ms: vec![], ..checkpoint() };
        assert_eq!(Checkpoint::from_bytes(&young.to_bytes(), "x").unwrap(), young);
        let moments = Some([vec![0.5, -0.5], vec![0.25, 1e-30]]);
        let rival = Checkpoint { phase: Phase::EndToEnd, moments, ..checkpoint() };
        assert_eq!(Checkpoint::from_bytes(&rival.to_bytes(), "x").unwrap(), rival);
        let shallow = Checkpoint { hidden: 0, inputs: 0, weights: vec![], wins: vec![], ..whole };
        assert_eq!(Checkpoint::from_bytes(&shallow.to_bytes(), "x").unwrap(), shallow);
    }

    #[test]
    fn every_truncation_is_one_clear_error() {
        let bytes = checkpoint().to_bytes();
        for length in 0..bytes.len() {
            let error = Checkpoint::from_bytes(&bytes[..length], "DIR/checkpoint").unwrap_err().to_string();
            assert!(error.starts_with("checkpoint DIR/checkpoint: expected a whole checkpoint"), "{length}: {error}");
        }
    }

    #[test]
    fn every_flipped_bit_is_an_error() {
        let bytes = checkpoint().to_bytes();
        for position in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[position] ^= 1;
            // Blanks that pad the header are the only bytes that mean nothing.
            let error = Checkpoint::from_bytes(&altered, "x");
            assert!(error.is_err() || bytes[position] == b' ', "byte {position} of {}", bytes.len());
        }
    }
}
