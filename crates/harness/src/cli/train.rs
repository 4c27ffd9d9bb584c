//! `rivalry train`.

use std::path::PathBuf;

use clap::Args;

use crate::methods::METHODS;

/// The keys of `--set` and of a TOML file, as `train --help` lists them.
const KEYS: &str = "\
Keys of --set and of a TOML file (a file starts from the protocol of its dataset; config.toml of a run is such a file):
  dataset           mnist, cifar10, synthetic, a directory with your own images and labels (IDX or npy), or one X.npy
  method            how the network learns (below); it sets the defaults of its protocol, and refuses keys without effect
  task              class, parity, half (layer on the lower half of the classes, readout on the upper)
  hidden            hidden units, or filters of patches; 500,500 for two layers
  p k delta         exponent of the Lebesgue norm >= 1; rank >= 2 of the unit that gets the anti-Hebbian update, and its
                    strength >= 0
  balance           off, or a number above 0: anti-Hebbian updates of a unit per win (1 prevents that all units collapse)
  epochs batch rate init_sigma              the unsupervised phase; the rate falls linearly to 0
  unit_length       none, readout, both: where images are scaled to unit length
  power_n           power n of the features, h = (max(I, 0) / current_scale)^n
  current_scale     a number, or auto = mean of the largest current over the training samples
  off_sphere        keep, drop: units that never converged
  loss_m beta       power m of the loss, gain of the readout
  readout_epochs readout_batch              the readout, or all of an end-to-end network; 0 epochs stops after the layer
  readout_rates     such as 1e-3:100,5e-4:150; the end epochs are scaled to readout_epochs
  train_samples     all, or how many (both phases)
  labels_per_class  all, or how many of each class (readout only)
  validation        share of the training set held out; above 0 the test set is not touched
  split             shuffled (seeded, the same share of every class) or file-order: which samples these take
  seed              of every random number
  experiment        the name in the CSV files

Keys of one method (METHODOLOGY.md has their equations):
  w_inh h_star h_star_of                    slow: inhibition, plasticity threshold, max (a share of the largest h) or value
  readout_on                                stacked: top, all
  layer_p layer_k layer_delta layer_n       stacked: p, k, delta and n of each layer, as 3,2; auto: the same for all
  patch patches cells mirrored              patches*: side of a patch, how many are drawn, cells along a side of the image,
                                            mirrored=on: features of the image and its mirror image together
  activation readout lambda steps           patches*: triangle or relu; svm or ridge, its penalty, the steps of the svm
  features_in                               the same: memory, file (of the run folder), auto: a file above a quarter of memory
  recipe updates free_steps nudged_steps    equilibrium-propagation: ours or paper; layers move together or in-turn; steps
  nudging layer_rates tolerance             the same: beta; a rate for each layer; the largest change that ends the free phase
  lambdas layer_rates warm_up               dendritic-microcircuit: the strength of the dendrite and the rate, for each layer;
                                            epochs of growing rates
  average_from                              both: the share of the epochs after which weights are averaged for predictions

Methods:
";

/// The help behind the flags: the keys, then the methods of the registry.
fn keys() -> String {
    let methods = METHODS.iter().map(|method| format!("  {:<24}{}\n", method.name(), method.summary()));
    methods.fold(KEYS.to_owned(), |text, line| text + &line)
}

/// Arguments of `rivalry train`.
#[derive(Debug, Args)]
#[command(after_help = keys())]
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
    /// Draw the receptive fields at N moments of learning, as an animation: fields-animated.png of the run folder
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=500))]
    pub frames: Option<u32>,
}
