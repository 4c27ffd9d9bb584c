//! The examples of benchmarks: bytes and labels, found or generated once for all benchmarks of a process.
//!
//! Nothing is downloaded here: a benchmark that waits for a network is no benchmark.

use std::collections::HashMap;
use std::sync::Arc;

use rivalry_core::{Inputs, Random};
use rivalry_data::{Dataset, Name, Network, Values, synthetic};

use super::definition::{Data, Definition};
use crate::cli::Common;
use crate::dataset;
use crate::failure::failure;
use crate::progress::Bytes;

/// Seed of everything random in a benchmark.
pub(super) const SEED: u64 = 1;

/// Examples with labels.
#[derive(Debug)]
pub(super) struct Examples {
    source: Source,
    inputs: usize,
    samples: usize,
}

#[derive(Debug)]
enum Source {
    Set(Dataset),
    Generated { pixels: Vec<u8>, labels: Vec<u8> },
}

/// What has been opened so far.
#[derive(Debug)]
pub struct Sets<'a> {
    common: &'a Common,
    opened: HashMap<(Data, Option<usize>, usize), Arc<Examples>>,
}

impl<'a> Sets<'a> {
    /// Nothing yet.
    pub fn new(common: &'a Common) -> Self {
        Self { common, opened: HashMap::new() }
    }

    /// The examples of a benchmark.
    ///
    /// # Errors
    /// The data is not here, or damaged, or has not the shape that the definition says.
    pub(super) fn get(&mut self, definition: &Definition) -> anyhow::Result<Arc<Examples>> {
        let (Some(data), Some(inputs)) = (definition.data, definition.inputs) else {
            return Err(failure(
                format!("`{}`: expected data, found none", definition.name),
                "give `data` and `inputs`",
            ));
        };
        let key = (data, definition.samples, inputs);
        if let Some(examples) = self.opened.get(&key) {
            return Ok(Arc::clone(examples));
        }
        let examples = Arc::new(Examples::open(data, definition, inputs, self.common)?);
        self.opened.insert(key, Arc::clone(&examples));
        Ok(examples)
    }
}

impl Sets<'_> {
    /// The share of inputs of a benchmark that are not zero, to four decimals; nothing for one without data.
    ///
    /// # Errors
    /// The data is not here, or damaged, or has not the shape that the definition says.
    pub fn rounded_density(&mut self, definition: &Definition) -> anyhow::Result<Option<f64>> {
        if definition.data.is_none() {
            return Ok(None);
        }
        Ok(Some((self.get(definition)?.density() * 1e4).round() / 1e4))
    }
}

impl Examples {
    fn open(data: Data, definition: &Definition, inputs: usize, common: &Common) -> anyhow::Result<Self> {
        let wanted = definition.samples;
        let source = match data {
            Data::Mnist => Source::Set(open_set(Name::Mnist, common)?),
            Data::Cifar10 => Source::Set(open_set(Name::Cifar10, common)?),
            Data::Digits => digits(wanted.unwrap_or(1)),
            Data::Noise => noise(wanted.unwrap_or(1), inputs),
        };
        let (found, there) = match &source {
            Source::Set(set) => (set.train.inputs(), set.train.samples()),
            Source::Generated { labels, pixels } => (pixels.len() / labels.len(), labels.len()),
        };
        let refuse = |key, expected: String, found| {
            let message = format!("key `{key}` of `{}`: expected {expected}, found {found}", definition.name);
            failure(message, "the shape of a benchmark is that of its data")
        };
        if found != inputs {
            return Err(refuse("inputs", format!("{found} as the data has"), inputs));
        }
        let samples = wanted.unwrap_or(there);
        let batch = definition.batch.unwrap_or(1);
        if samples > there || batch > samples {
            return Err(refuse("samples", format!("{batch} (a minibatch) to {there} (all)"), samples));
        }
        Ok(Self { source, inputs, samples })
    }

    fn pixels(&self) -> &[u8] {
        match &self.source {
            Source::Set(set) => match set.train.values() {
                Values::U8(pixels) => &pixels[..self.samples * self.inputs],
                Values::F32(_) => unreachable!("both sets are bytes"),
            },
            Source::Generated { pixels, .. } => pixels,
        }
    }

    /// As the rule takes them.
    pub(super) fn view(&self) -> rivalry_core::Result<Inputs<'_>> {
        Inputs::u8(self.pixels(), self.inputs)
    }

    /// The first so many of them.
    pub(super) fn first(&self, samples: usize) -> rivalry_core::Result<Inputs<'_>> {
        Inputs::u8(&self.pixels()[..samples * self.inputs], self.inputs)
    }

    /// The class of each.
    pub(super) fn labels(&self) -> &[u8] {
        match &self.source {
            Source::Set(set) => &set.train.labels()[..self.samples],
            Source::Generated { labels, .. } => labels,
        }
    }

    /// How many there are.
    pub(super) fn samples(&self) -> usize {
        self.samples
    }

    /// The bytes of one.
    pub(super) fn row(&self, sample: usize) -> &[u8] {
        &self.pixels()[sample * self.inputs..][..self.inputs]
    }

    /// The share of bytes that are not zero.
    pub(super) fn density(&self) -> f64 {
        let pixels = self.pixels();
        pixels.iter().filter(|&&pixel| pixel > 0).count() as f64 / pixels.len() as f64
    }
}

fn open_set(name: Name, common: &Common) -> anyhow::Result<Dataset> {
    let mut lookup = dataset::lookup(common)?;
    lookup.network = Network::Offline;
    let mut bytes = Bytes::new(common);
    let opened = rivalry_data::open(name, &lookup, &mut |step| bytes.update(step));
    bytes.clear();
    Ok(opened?)
}

fn digits(samples: usize) -> Source {
    let mut state = 0;
    let digits = synthetic::digits(samples, &mut || synthetic::split_mix(&mut state));
    Source::Generated { pixels: digits.images, labels: digits.labels }
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
