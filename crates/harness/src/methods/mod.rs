//! The methods: ways to train a network, a file each. Nothing outside of here asks which method a run is by.
//!
//! A method says which keys it uses, which phases a run has, and how each phase begins: its learner, its data, its epochs
//! and its rates. [`run`](crate::run) drives all of them with one loop. Defaults and published numbers are in
//! `experiments/*.toml`, under `[methods.NAME]`.
//!
//! Adding a method = one file here, one line in [`METHODS`], one table in each experiment.

mod backprop;
mod biological;
mod equilibrium;
mod microcircuit;
mod own;
mod patches;
mod random;
mod shallow;
mod slow;
mod stacked;

use std::fmt;

use rivalry_core::Compute;
use rivalry_data::Shape;
use rivalry_nets::{Classifier, Encoder, Learner, State};
use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};

use own::{OrAuto, average_after, own, refuse};
pub(crate) use slow::ThresholdOf;

use crate::config::{Config, nearest};
use crate::error::failure;
use crate::rows::Phase;
use crate::run::phases::{Data, Job, PhaseRun, Rates, readout_length, trained_readout};

/// The keys of every method.
const EVERYWHERE: &[&str] = &[
    "experiment",
    "dataset",
    "method",
    "task",
    "train_samples",
    "labels_per_class",
    "validation",
    "split",
    "seed",
    "published",
];
/// The keys of the fast rule.
const RULE: &[&str] = &["p", "k", "delta", "balance", "epochs", "batch", "rate", "init_sigma"];
/// The keys of the features of a layer of competing units.
const FEATURES: &[&str] = &["power_n", "current_scale", "off_sphere"];
/// The key of the length of samples.
const LENGTH: &[&str] = &["unit_length"];
/// The keys of a readout, and of all that learns like one.
const READOUT: &[&str] = &["readout_epochs", "readout_batch", "readout_rates"];
/// The keys of the power loss.
const LOSS: &[&str] = &["loss_m", "beta"];

/// One way to train a network.
pub trait Method: fmt::Debug + Sync {
    /// The value of the key `method`.
    fn name(&self) -> &'static str;

    /// What it is, in one line of `--help`.
    fn summary(&self) -> &'static str;

    /// The keys that have an effect beside those of every method.
    fn keys(&self) -> &'static [&'static [&'static str]];

    /// The keys that only this method has, or few others; every experiment gives them in `[methods.NAME]`.
    fn own_keys(&self) -> &'static [&'static str] {
        &[]
    }

    /// Checks the values of [`Method::own_keys`].
    ///
    /// # Errors
    /// One of them has no such value.
    fn check_own(&self, _config: &Config) -> Result<(), toml::de::Error> {
        Ok(())
    }

    /// The keys that only the readout reads: the hidden layer, where it is learned without labels, does not depend on them.
    fn readout_keys(&self) -> Vec<&'static str> {
        [FEATURES, READOUT, LOSS, &["labels_per_class"]].concat()
    }

    /// Whether a tensor of the state belongs to the readout: the hidden layer does not depend on it.
    fn is_of_readout(&self, tensor: &str) -> bool {
        tensor.starts_with("readout") || ["units", "current_scale"].contains(&tensor)
    }

    /// The phases of a run, in order.
    fn phases(&self) -> &'static [Phase];

    /// What there is before the first phase.
    ///
    /// # Errors
    /// The settings do not fit the data.
    fn start(&self, _job: &Job<'_>) -> anyhow::Result<State> {
        Ok(State::default())
    }

    /// Begins a phase. `state` holds what the phases before it learned.
    ///
    /// # Errors
    /// The settings do not fit the data.
    fn begin<'a>(&self, phase: Phase, job: &Job<'a>, state: &State) -> anyhow::Result<PhaseRun<'a>>;

    /// How the inputs of the first layer form an image.
    fn fields_shape(&self, _config: &Config, image: Shape) -> Shape {
        image
    }

    /// What turns samples into the inputs of the classifier, from trained tensors; none where those are the samples.
    ///
    /// # Errors
    /// The tensors are not those of this method.
    fn encoder(&self, _config: &Config, _trained: &State) -> anyhow::Result<Option<Box<dyn Encoder>>> {
        Ok(None)
    }

    /// What turns them into classes, from trained tensors.
    ///
    /// # Errors
    /// The tensors are not those of this method.
    fn classifier(&self, config: &Config, trained: &State, compute: &Compute) -> anyhow::Result<Box<dyn Classifier>> {
        Ok(Box::new(trained_readout(config, trained, compute)?))
    }

    /// The f32 numbers that a run holds at once, about. `features` counts the samples whose features are kept.
    fn numbers(&self, config: &Config, inputs: usize, features: usize) -> u64;

    /// How long a run takes beside others, in passes over the training samples.
    fn passes(&self, config: &Config) -> f64;

    /// The engine that scores the samples of the unsupervised phase; empty where there is none.
    ///
    /// # Errors
    /// The engine that was asked for cannot work on these samples.
    fn engine(&self, _job: &Job<'_>) -> anyhow::Result<&'static str> {
        Ok("")
    }

    /// The epochs of a phase.
    fn epochs(&self, config: &Config, phase: Phase) -> u32 {
        if phase == Phase::Unsupervised { config.epochs } else { config.readout_epochs }
    }

    /// Whether a run learns from labels, in a readout or in all layers.
    fn learns_from_labels(&self, config: &Config) -> bool {
        self.phases().iter().any(|&phase| phase != Phase::Unsupervised && self.epochs(config, phase) > 0)
    }

    /// Whether a key has an effect; the cells of one that has none stay empty.
    fn uses(&self, key: &str) -> bool {
        [EVERYWHERE, self.own_keys()].iter().chain(self.keys()).any(|keys| keys.contains(&key))
    }

    /// Whether units converge to a p-sphere.
    fn has_sphere(&self) -> bool {
        self.uses("p")
    }

    /// Whether a hidden layer is learned without labels, before anything that depends on them.
    fn learns_a_layer(&self) -> bool {
        self.phases()[0] == Phase::Unsupervised
    }

    /// The most hidden layers.
    fn most_layers(&self) -> usize {
        1
    }

    /// What one key cannot know alone.
    ///
    /// # Errors
    /// Settings that contradict each other.
    fn check(&self, config: &Config) -> anyhow::Result<()> {
        if self.uses("k") && config.k > config.hidden.first() {
            let message = format!("k = {} needs as many hidden units, there are {}", config.k, config.hidden.first());
            return Err(failure(message, "the unit of rank k gets the anti-Hebbian update, so there must be k units"));
        }
        Ok(())
    }
}

/// Every method; the paper's first.
pub static METHODS: [&dyn Method; 12] = [
    &biological::Biological,
    &backprop::END_TO_END,
    &backprop::END_TO_END_SOFTMAX,
    &random::Random,
    &shallow::Shallow,
    &slow::Slow,
    &stacked::Stacked,
    &patches::COMPETING,
    &patches::K_MEANS,
    &patches::RANDOM,
    &equilibrium::Equilibrium,
    &microcircuit::Dendritic,
];

/// The paper's method.
pub fn paper() -> &'static dyn Method {
    METHODS[0]
}

/// The method of a name.
///
/// # Errors
/// There is none; the message says which there are, or which was meant.
pub fn method(name: &str) -> Result<&'static dyn Method, String> {
    METHODS.into_iter().find(|method| method.name() == name).ok_or_else(|| {
        let names = METHODS.map(Method::name);
        let meant = nearest(name, &names).map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
        format!("there is no method `{name}`{meant} (the methods are {})", names.join(", "))
    })
}

/// The phase of a network that learns from labels in all layers.
fn labelled_phase<'a>(job: &Job<'a>, learner: Box<dyn Learner + 'a>, rates: Rates) -> anyhow::Result<PhaseRun<'a>> {
    let length = readout_length(job.config);
    Ok(PhaseRun {
        phase: Phase::EndToEnd,
        rates,
        order: "readout-order",
        learner,
        train: Data::samples(&job.splits.labelled, length)?,
        evaluate: Some(Data::samples(&job.splits.evaluate, length)?),
        kept: State::default(),
    })
}

/// Trained tensors with counters that were not kept.
fn with_counters<const N: usize>(trained: &State, counters: [(&str, u64); N]) -> State {
    let mut state = trained.clone();
    state.counters.extend(counters.map(|(name, count)| (name.to_owned(), count)));
    state
}

/// Why a method without an unsupervised layer needs epochs.
const NO_LAYER: &str = "this method has no hidden layer to stop after";

/// Refuses 0 epochs; the hint says why.
fn needs_epochs(method: &dyn Method, key: &str, epochs: u32, hint: &str) -> anyhow::Result<()> {
    if epochs > 0 {
        return Ok(());
    }
    Err(failure(format!("method {} needs {key} of at least 1", method.name()), hint))
}

/// Checks what one key cannot know alone.
///
/// # Errors
/// More hidden layers than the method can have; otherwise as [`Method::check`].
pub fn check(config: &Config) -> anyhow::Result<()> {
    let method = config.method;
    let (layers, most) = (config.hidden.sizes().len(), method.most_layers());
    if !method.uses("hidden") || layers <= most {
        return method.check(config);
    }
    let (name, hidden) = (method.name(), &config.hidden);
    let has = if most == 1 { "one hidden layer".to_owned() } else { format!("at most {most} hidden layers") };
    let message = format!("method {name} has {has}, hidden = {hidden} names {layers}");
    Err(failure(message, "hidden=500 is one layer of 500 units; end-to-end and stacked take any number of layers"))
}

impl PartialEq for dyn Method {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for dyn Method {}

impl fmt::Display for dyn Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for dyn Method {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for &'static dyn Method {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        method(&name).map_err(de::Error::custom)
    }
}

impl std::str::FromStr for &'static dyn Method {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        method(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_names_of_their_own_and_phases() {
        for (index, one) in METHODS.into_iter().enumerate() {
            assert_eq!(method(one.name()).unwrap(), one);
            assert!(!one.phases().is_empty() && !one.summary().is_empty());
            assert!(METHODS[..index].iter().all(|other| *other != one));
        }
        assert!(paper().learns_a_layer() && paper().has_sphere());
        assert!(method("shalow").unwrap_err().contains("did you mean `shallow`?"));
    }
}
