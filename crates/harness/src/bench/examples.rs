//! The samples of benchmarks: bytes and labels, opened or generated once for all benchmarks of a process.
//!
//! Nothing is downloaded here: a benchmark must not wait for a network.

use std::collections::HashMap;
use std::sync::Arc;

use rivalry_core::{Inputs, Random};
use rivalry_data::{Dataset, Lookup, Name, Network, Values, synthetic};

use super::definition::{Data, Product};
use crate::common::Common;
use crate::dataset;
use crate::error::failure;
use crate::progress;

/// Seed of everything random in a benchmark.
pub(super) const SEED: u64 = 1;
/// Classes of every data set here.
pub(super) const CLASSES: usize = 10;

/// Samples with labels.
pub(super) struct Examples {
    source: Source,
    pub(super) inputs: usize,
    /// The share of bytes that are not zero, to four decimals.
    pub(super) density: f64,
}

enum Source {
    Set(Dataset),
    Generated { pixels: Vec<u8>, labels: Vec<u8> },
}

/// The samples that have been opened so far.
pub(crate) struct Sets<'a> {
    common: &'a Common,
    opened: HashMap<Data, Arc<Examples>>,
}

impl<'a> Sets<'a> {
    pub(crate) fn new(common: &'a Common) -> Self {
        Self { common, opened: HashMap::new() }
    }

    /// The samples of a benchmark, at least one minibatch.
    pub(super) fn get(&mut self, product: Product) -> anyhow::Result<Arc<Examples>> {
        let Product { data, batch, .. } = product;
        let examples = match self.opened.get(&data) {
            Some(examples) => Arc::clone(examples),
            None => Arc::new(Examples::open(data, self.common)?),
        };
        self.opened.insert(data, Arc::clone(&examples));
        if batch > examples.samples() {
            let message = format!("a minibatch of {batch} is more than the {} samples of the data", examples.samples());
            return Err(failure(message, "choose a smaller `batch`, or more `samples`"));
        }
        Ok(examples)
    }
}

impl Examples {
    fn open(data: Data, common: &Common) -> anyhow::Result<Self> {
        let source = match data {
            Data::Mnist => Source::Set(open_set(Name::Mnist, common)?),
            Data::Cifar10 => Source::Set(open_set(Name::Cifar10, common)?),
            Data::Digits { samples } => {
                let mut state = 0;
                let digits = synthetic::digits(samples, &mut || synthetic::split_mix(&mut state));
                Source::Generated { pixels: digits.images, labels: digits.labels }
            }
            Data::Noise { samples, inputs } => noise(samples, inputs),
        };
        let mut examples = Self { source, inputs: data.inputs(), density: 0.0 };
        let pixels = examples.pixels();
        let density = pixels.iter().filter(|&&pixel| pixel > 0).count() as f64 / pixels.len() as f64;
        examples.density = (density * 1e4).round() / 1e4;
        Ok(examples)
    }

    fn pixels(&self) -> &[u8] {
        match &self.source {
            Source::Set(set) => match set.train.values() {
                Values::U8(pixels) => pixels,
                Values::F32(_) => unreachable!("both sets are bytes"),
            },
            Source::Generated { pixels, .. } => pixels,
        }
    }

    /// The samples as the rule takes them.
    pub(super) fn view(&self) -> rivalry_core::Result<Inputs<'_>> {
        Inputs::u8(self.pixels(), self.inputs)
    }

    /// The first so many samples.
    pub(super) fn first(&self, samples: usize) -> rivalry_core::Result<Inputs<'_>> {
        Inputs::u8(&self.pixels()[..samples * self.inputs], self.inputs)
    }

    pub(super) fn labels(&self) -> &[u8] {
        match &self.source {
            Source::Set(set) => set.train.labels(),
            Source::Generated { labels, .. } => labels,
        }
    }

    pub(super) fn samples(&self) -> usize {
        self.pixels().len() / self.inputs
    }

    /// The bytes of one sample.
    pub(super) fn row(&self, sample: usize) -> &[u8] {
        &self.pixels()[sample * self.inputs..][..self.inputs]
    }
}

fn open_set(name: Name, common: &Common) -> anyhow::Result<Dataset> {
    let lookup = Lookup { network: Network::Offline, ..dataset::lookup(common)? };
    Ok(rivalry_data::open(name, &lookup, &mut progress::bytes(common))?)
}

fn noise(samples: usize, inputs: usize) -> Source {
    let mut random = Random::keyed(SEED, "synthetic", 0);
    let mut pixels: Vec<u8> = Vec::with_capacity(samples * inputs + 8);
    while pixels.len() < samples * inputs {
        pixels.extend(random.next_u64().to_le_bytes());
    }
    pixels.truncate(samples * inputs);
    Source::Generated { pixels, labels: (0..samples).map(|sample| (sample % 10) as u8).collect() }
}
