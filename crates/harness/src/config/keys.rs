//! Every key of a TOML file and of `--set`: its name, its range, and where it goes.
//!
//! Adding a key = one field of [`Config`], one name in [`KEYS`], one arm of [`assign`].

use rivalry_nets::Schedule;

use super::Config;
use super::value::Given;
use crate::failure::failure;

/// Every key, in the order of a resolved file.
pub(super) const KEYS: [&str; 25] = [
    "experiment",
    "dataset",
    "method",
    "task",
    "hidden",
    "p",
    "k",
    "delta",
    "epochs",
    "batch",
    "rate",
    "init_sigma",
    "unit_length",
    "power_n",
    "current_scale",
    "off_sphere",
    "loss_m",
    "beta",
    "readout_epochs",
    "readout_batch",
    "readout_rates",
    "train_samples",
    "labels_per_class",
    "validation",
    "seed",
];

/// Large enough for every network that fits in memory, small enough that sizes never overflow.
const MOST_UNITS: u64 = 1 << 24;
const MOST_EPOCHS: u64 = 1_000_000;
/// TOML's whole numbers are i64.
pub(super) const LARGEST_SEED: u64 = i64::MAX as u64;

/// Puts one value into the experiment.
pub(super) fn assign(experiment: &mut Config, given: &Given<'_>) -> anyhow::Result<()> {
    let positive = |number: f64| number > 0.0;
    match given.key {
        "experiment" => {
            let name = given.text()?;
            if !name.chars().all(may_name_a_folder) || name.starts_with('.') {
                return Err(given.refuse("a name of letters, digits, - _ and ."));
            }
            experiment.experiment = name;
        }
        "dataset" => experiment.dataset = given.text()?,
        "method" => experiment.method = given.choice()?,
        "task" => experiment.task = given.choice()?,
        "hidden" => experiment.hidden = given.whole(2..=MOST_UNITS)? as usize,
        "p" => experiment.p = given.real("a number of at least 1", |p| p >= 1.0)?,
        "k" => experiment.k = given.whole(2..=MOST_UNITS)? as usize,
        "delta" => experiment.delta = given.real("a number of at least 0", |delta| delta >= 0.0)?,
        "epochs" => experiment.epochs = given.whole(0..=MOST_EPOCHS)? as u32,
        "batch" => experiment.batch = given.whole(1..=MOST_UNITS)? as usize,
        "rate" => experiment.rate = given.real("a number above 0", positive)?,
        "init_sigma" => experiment.init_sigma = given.real("a number above 0", positive)?,
        "unit_length" => experiment.unit_length = given.choice()?,
        "power_n" => experiment.power_n = given.real("a number above 0", positive)?,
        "current_scale" => experiment.current_scale = given.current_scale()?,
        "off_sphere" => experiment.off_sphere = given.choice()?,
        "loss_m" => experiment.loss_m = given.real("a number above 1", |m| m > 1.0)?,
        "beta" => experiment.beta = given.real("a number above 0", positive)?,
        "readout_epochs" => experiment.readout_epochs = given.whole(0..=MOST_EPOCHS)? as u32,
        "readout_batch" => experiment.readout_batch = given.whole(1..=MOST_UNITS)? as usize,
        "readout_rates" => {
            let text = given.text()?;
            if Schedule::parse(&text).is_err() {
                return Err(given.refuse("rates with increasing end epochs, as in 1e-3:100,5e-4:150"));
            }
            experiment.readout_rates = text;
        }
        "train_samples" => experiment.train_samples = given.amount()?,
        "labels_per_class" => experiment.labels_per_class = given.amount()?,
        "validation" => {
            let share = "a share of at least 0 and below 1";
            experiment.validation = given.real(share, |share| (0.0..1.0).contains(&share))?;
        }
        "seed" => experiment.seed = given.whole(0..=LARGEST_SEED)?,
        unknown => return Err(unknown_key(unknown, &KEYS, given.place)),
    }
    Ok(())
}

/// The experiment's name is part of the name of its run folder.
pub(super) fn may_name_a_folder(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_.".contains(character)
}

/// The error for a key that does not exist; its hint names the nearest one.
pub(crate) fn unknown_key(found: &str, keys: &[&str], place: &str) -> anyhow::Error {
    let hint = match nearest(found, keys) {
        Some(key) => format!("did you mean `{key}`?"),
        None => format!("the keys are {}", keys.join(", ")),
    };
    failure(format!("key in {place}: expected a known one, found `{found}`"), hint)
}

/// The word that `found` most likely meant, if any is close.
pub(crate) fn nearest<'a>(found: &str, words: &[&'a str]) -> Option<&'a str> {
    let distance = |word: &str| strsim::damerau_levenshtein(&found.to_lowercase(), word);
    let best = words.iter().min_by_key(|word| distance(word))?;
    (distance(best) <= 1 + best.len() / 4).then_some(best)
}
