//! The checkpoint: everything that the rest of a run depends on, in one safetensors file.
//!
//! Its tensors are those of the learners' states: of the phase that is going on, and what finished phases learned
//! (`weights`, `wins`, `readout`, …), and `epoch_ms`. The header's metadata holds the rest as text, and a SHA-256 over all
//! of it, because the format itself only checks lengths.
//!
//! The order of the samples and the rates follow from seed and epoch, and features from the weights, so they are not here.

use std::collections::{BTreeMap, HashMap};

use rivalry_nets::{State, Tensor, Values};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use crate::error::failure;
use crate::files::hex;
use crate::rows::{MetricsRow, Phase, from_csv, to_csv};

/// A run between two epochs.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The phase that is going on, or the last one.
    pub phase: Phase,
    /// Its finished epochs.
    pub epoch: u32,
    /// What has been learned, and all that learning goes on from.
    pub state: State,
    /// The rows of `metrics.csv` so far.
    pub metrics: Vec<MetricsRow>,
    /// The time of each epoch of learning hidden layers.
    pub epoch_ms: Vec<f64>,
    /// The time of the readout so far.
    pub readout_s: f64,
    /// What the run is.
    pub identity: Identity,
    /// The revisions that trained it, in order.
    pub revisions: Vec<String>,
}

/// What a checkpoint must agree on with the run that goes on from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Digest of the resolved settings.
    pub config_sha256: String,
    /// Digest of the data.
    pub dataset_sha256: String,
}

const VERSION: &str = "2";
const EPOCH_MS: &str = "epoch_ms";
const COUNTER: &str = "counter.";

impl Checkpoint {
    /// A run before its first epoch.
    pub fn new(phase: Phase, state: State, identity: Identity) -> Self {
        let (metrics, epoch_ms, revisions) = Default::default();
        Self { phase, epoch: 0, state, metrics, epoch_ms, readout_s: 0.0, identity, revisions }
    }

    /// The learned layer as the start of another run, whose settings differ in the readout alone. None when the layer is not
    /// finished, or when what is learned is not a layer alone.
    pub fn into_layer_of(self, identity: Identity, is_of_readout: impl Fn(&str) -> bool) -> Option<Self> {
        if self.phase != Phase::Readout {
            return None;
        }
        let mut state = State::default();
        let of_layer = |name: &str| !is_of_readout(name);
        state.tensors.extend(self.state.tensors.into_iter().filter(|(name, _)| of_layer(name)));
        state.counters.extend(self.state.counters.into_iter().filter(|(name, _)| of_layer(name)));
        let metrics = self.metrics.into_iter().filter(|row| row.phase == Phase::Unsupervised).collect();
        Some(Self { epoch: 0, state, metrics, readout_s: 0.0, identity, ..self })
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let epoch_ms = Tensor::new([self.epoch_ms.len()], self.epoch_ms.clone());
        let tensors: BTreeMap<&str, &Tensor> = self
            .state
            .tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
            .chain([(EPOCH_MS, &epoch_ms)])
            .collect();
        let mut metadata = BTreeMap::from([
            ("version".to_owned(), VERSION.to_owned()),
            ("phase".to_owned(), self.phase.name().to_owned()),
            ("epoch".to_owned(), self.epoch.to_string()),
            ("metrics".to_owned(), to_csv(&self.metrics)),
            ("readout_s".to_owned(), self.readout_s.to_string()),
            ("config_sha256".to_owned(), self.identity.config_sha256.clone()),
            ("dataset_sha256".to_owned(), self.identity.dataset_sha256.clone()),
            ("revisions".to_owned(), self.revisions.join("+")),
        ]);
        let counters = self.state.counters.iter();
        metadata.extend(counters.map(|(name, count)| (format!("{COUNTER}{name}"), count.to_string())));
        let data = tensors.iter().map(|(name, tensor)| (*name, bytes(tensor))).collect();
        metadata.insert("sha256".to_owned(), digest(&metadata, &data));
        serialize(tensors, metadata)
    }

    /// Reads the file back.
    ///
    /// # Errors
    /// One line that says what is wrong with it: truncated, altered, or of another version.
    pub fn from_bytes(bytes: &[u8], place: &str) -> anyhow::Result<Self> {
        parse(bytes).map_err(|found| {
            failure(format!("the checkpoint {place} cannot be used: {found}"), "start the run again with --force")
        })
    }
}

/// Tensors and metadata as a safetensors file.
pub(crate) fn serialize<'a>(
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    metadata: BTreeMap<String, String>,
) -> Vec<u8> {
    let views = tensors.into_iter().map(|(name, tensor)| {
        let dtype = match tensor.values {
            Values::F32(_) => Dtype::F32,
            Values::F64(_) => Dtype::F64,
            Values::U32(_) => Dtype::U32,
            Values::U64(_) => Dtype::U64,
        };
        (name, TensorView::new(dtype, tensor.shape.clone(), bytes(tensor)).expect("as many numbers as the shape holds"))
    });
    safetensors::serialize(views, Some(metadata.into_iter().collect())).expect("few names, short header")
}

/// The tensors of a safetensors file.
pub(crate) fn tensors(file: &SafeTensors<'_>) -> Result<BTreeMap<String, Tensor>, String> {
    // The file's bytes are aligned by chance only.
    fn numbers<T: bytemuck::AnyBitPattern>(data: &[u8]) -> Vec<T> {
        data.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
    }
    let read = |(name, view): (String, TensorView<'_>)| {
        let values = match view.dtype() {
            Dtype::F32 => Values::F32(numbers(view.data())),
            Dtype::F64 => Values::F64(numbers(view.data())),
            Dtype::U32 => Values::U32(numbers(view.data())),
            Dtype::U64 => Values::U64(numbers(view.data())),
            other => return Err(format!("the tensor `{name}` is of type {other:?}")),
        };
        Ok((name, Tensor { shape: view.shape().to_vec(), values }))
    };
    file.tensors().into_iter().map(read).collect()
}

fn bytes(tensor: &Tensor) -> &[u8] {
    match &tensor.values {
        Values::F32(values) => bytemuck::cast_slice(values),
        Values::F64(values) => bytemuck::cast_slice(values),
        Values::U32(values) => bytemuck::cast_slice(values),
        Values::U64(values) => bytemuck::cast_slice(values),
    }
}

fn parse(bytes: &[u8]) -> Result<Checkpoint, String> {
    let text = |error: safetensors::SafeTensorError| error.to_string();
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(text)?;
    let file = SafeTensors::deserialize(bytes).map_err(text)?;
    let none = HashMap::new();
    let header = header.metadata().as_ref().unwrap_or(&none);
    let mut metadata: BTreeMap<String, String> =
        header.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let named = metadata.remove("sha256").ok_or("it has no digest")?;
    let data = file.iter().map(|(name, view)| (name, view.data())).collect();
    if digest(&metadata, &data) != named {
        return Err("its content is not what its digest says".to_owned());
    }
    let field = |key: &str| metadata.get(key).map(String::as_str).ok_or(format!("it has no `{key}`"));
    if field("version")? != VERSION {
        return Err(format!("it is of version {}, this program writes version {VERSION}", field("version")?));
    }
    let mut state = State { tensors: tensors(&file)?, ..State::default() };
    for (key, value) in &metadata {
        if let Some(name) = key.strip_prefix(COUNTER) {
            state.counters.insert(name.to_owned(), number(value)?);
        }
    }
    let Some(Tensor { values: Values::F64(epoch_ms), .. }) = state.tensors.remove(EPOCH_MS) else {
        return Err("it has no times".to_owned());
    };
    let phases = [Phase::Unsupervised, Phase::Readout, Phase::EndToEnd];
    let phase = field("phase")?;
    Ok(Checkpoint {
        phase: phases.into_iter().find(|known| known.name() == phase).ok_or(format!("there is no phase `{phase}`"))?,
        epoch: number(field("epoch")?)?,
        state,
        metrics: from_csv(field("metrics")?, "its metrics").map_err(|error| error.to_string())?,
        epoch_ms,
        readout_s: number(field("readout_s")?)?,
        identity: Identity {
            config_sha256: field("config_sha256")?.to_owned(),
            dataset_sha256: field("dataset_sha256")?.to_owned(),
        },
        revisions: field("revisions")?.split('+').filter(|one| !one.is_empty()).map(str::to_owned).collect(),
    })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
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
        let mut state = State::default();
        state.insert("weights", Tensor::new([3, 2], vec![0.1_f32, -0.2, 3.5, f32::MIN_POSITIVE, -0.0, 1e30]));
        state.insert("wins", Tensor::new([3], vec![5_u32, 0, 2]));
        state.insert("readout", Tensor::new([1, 3], vec![1.0_f32, 2.0, 3.0]));
        state.insert("current_scale", Tensor::new([1], vec![0.1 + 0.2]));
        state.counters.insert("readout_steps".to_owned(), 4200);
        let row = MetricsRow { epoch: 1, rate: 0.04, on_sphere: Some(1), epoch_ms: 0.1 + 0.2, ..MetricsRow::default() };
        Checkpoint {
            epoch: 7,
            metrics: vec![row.clone(), MetricsRow { phase: Phase::Readout, ..row }],
            epoch_ms: vec![1.5, 0.1 + 0.2],
            readout_s: 0.1 + 0.2,
            revisions: vec!["0123".to_owned(), "4567".to_owned()],
            ..Checkpoint::new(Phase::Readout, state, identity("c"))
        }
    }

    fn identity(config: &str) -> Identity {
        Identity { config_sha256: config.to_owned(), dataset_sha256: "d".to_owned() }
    }

    #[test]
    fn what_is_written_is_read() {
        let new = Checkpoint::new(Phase::EndToEnd, State::default(), identity("c"));
        for whole in [checkpoint(), new] {
            assert_eq!(Checkpoint::from_bytes(&whole.to_bytes(), "x").unwrap(), whole);
        }
    }

    #[test]
    fn a_layer_is_handed_on_without_its_readout() {
        let of_readout = |name: &str| crate::methods::paper().is_of_readout(name);
        let layer = checkpoint().into_layer_of(identity("other"), of_readout).unwrap();
        assert_eq!(layer.state.tensors.keys().collect::<Vec<_>>(), ["weights", "wins"]);
        assert_eq!((layer.epoch, layer.metrics.len(), layer.state.counters.len()), (0, 1, 0));
        assert_eq!((layer.epoch_ms.len(), layer.revisions.len()), (2, 2));
        let unfinished = Checkpoint { phase: Phase::Unsupervised, ..checkpoint() };
        assert!(unfinished.into_layer_of(identity("other"), of_readout).is_none());
    }

    #[test]
    fn every_truncation_is_one_clear_error() {
        let bytes = checkpoint().to_bytes();
        for length in 0..bytes.len() {
            let error = Checkpoint::from_bytes(&bytes[..length], "DIR/checkpoint").unwrap_err().to_string();
            assert!(error.starts_with("the checkpoint DIR/checkpoint cannot be used: "), "{length}: {error}");
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
