//! `rivalry train`.

use std::path::PathBuf;

use clap::Args;

/// The keys of `--set` and of a TOML file, as `train --help` lists them.
const KEYS: &str = "\
Keys of --set and of a TOML file (a file starts from the protocol of its dataset; config.toml of a run is such a file):
  dataset           mnist, cifar10, synthetic, or a directory with train/t10k images and labels (IDX or npy)
  method            biological, end-to-end (backpropagation), end-to-end-softmax, random (a layer that learns nothing),
                    shallow (no layer); sets the defaults of its protocol, and keys that it ignores are refused
  task              class, parity, half (layer on the lower half of the classes, readout on the upper)
  hidden p k delta  hidden units, Lebesgue norm >= 1, rank that is pushed away >= 2, strength of the push >= 0
  epochs batch rate init_sigma              the unsupervised phase; the rate falls linearly to 0
  unit_length       none, readout, both: where images are scaled to unit length
  power_n           power n of the features, h = (max(I, 0) / current_scale)^n
  current_scale     a number, or auto = mean of the largest current over the training examples
  off_sphere        keep, drop: units that never converged
  loss_m beta       power m of the loss, gain of the readout
  readout_epochs readout_batch              the readout, or all of an end-to-end network; 0 epochs stops after the layer
  readout_rates     such as 1e-3:100,5e-4:150; the end epochs are scaled to readout_epochs
  train_samples     all, or the first so many (both phases)
  labels_per_class  all, or the first so many of each class (readout only)
  validation        share of the training set held out; above 0 the test set is not touched
  seed              of every random number
  experiment        the name in the CSV files";

/// Arguments of `rivalry train`.
#[derive(Debug, Args)]
#[command(after_help = KEYS)]
pub struct TrainArgs {
    /// A named experiment (mnist, cifar10, synthetic) or a TOML file
    #[arg(value_name = "NAME|FILE.toml")]
    pub experiment: String,
    /// Change one key, for example --set hidden=500 (may be given often)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Run folder (data/runs/EXPERIMENT-seedN when left out)
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with the run in the folder; one that is finished is left as it is
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,
    /// Replace the run in the folder
    #[arg(long)]
    pub force: bool,
}
