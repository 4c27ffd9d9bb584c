//! Some examples of a data set: borrowed where they lie side by side, else copied.

use std::borrow::Cow;

use rivalry_core::Inputs;
use rivalry_data::{ByClass, Split, Values};

/// Examples and their labels, [samples, inputs], contiguous.
#[derive(Debug, Clone)]
pub struct Examples<'a> {
    values: Numbers<'a>,
    inputs: usize,
    samples: usize,
    labels: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Numbers<'a> {
    U8(Cow<'a, [u8]>),
    F32(Cow<'a, [f32]>),
}

impl<'a> Examples<'a> {
    /// The selected examples in file order; without labels where the split has none.
    pub(super) fn of(split: &'a Split, selected: &ByClass) -> Self {
        let (inputs, selected) = (split.inputs(), selected.in_file_order());
        let values = match split.values() {
            Values::U8(values) => Numbers::U8(gather(values, inputs, &selected)),
            Values::F32(values) => Numbers::F32(gather(values, inputs, &selected)),
        };
        let labels = match split.labels() {
            [] => Vec::new(),
            labels => selected.iter().map(|&sample| labels[sample]).collect(),
        };
        Self { values, inputs, samples: selected.len(), labels }
    }

    /// All examples of a split.
    pub fn all(split: &'a Split) -> Self {
        Self::of(split, &ByClass::new(split.labels(), 0..split.samples()))
    }

    /// The same examples with other labels.
    pub(super) fn relabelled(mut self, label: impl Fn(u8) -> u8) -> Self {
        for old in &mut self.labels {
            *old = label(*old);
        }
        self
    }

    /// Number of examples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Inputs of each.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The label of each; empty where the data has none.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The values of u8 examples; nothing where they are f32.
    pub fn pixels(&self) -> Option<&[u8]> {
        match &self.values {
            Numbers::U8(values) => Some(values),
            Numbers::F32(_) => None,
        }
    }

    /// The inputs that the rule and the readout take: u8 by 1/255 and f32 as they are, or scaled to unit length.
    ///
    /// # Errors
    /// Values that are not finite.
    pub fn scaled(&self, length: Length) -> rivalry_core::Result<Scaled<'_>> {
        let inputs = match &self.values {
            Numbers::U8(values) => Inputs::u8(values, self.inputs)?,
            Numbers::F32(values) => Inputs::f32(values, self.inputs)?,
        };
        let scales = (length == Length::Unit).then(|| inputs.unit_length_scales());
        Ok(Scaled { inputs, scales })
    }
}

/// Whether examples are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Not scaled.
    AsItIs,
    /// Scaled to Euclidean length 1.
    Unit,
}

/// Examples with their scales.
#[derive(Debug, Clone)]
pub struct Scaled<'a> {
    inputs: Inputs<'a>,
    scales: Option<Vec<f32>>,
}

impl Scaled<'_> {
    /// The view that is computed with.
    ///
    /// # Errors
    /// Scales that are not finite.
    pub fn view(&self) -> rivalry_core::Result<Inputs<'_>> {
        match &self.scales {
            Some(scales) => self.inputs.with_scales(scales),
            None => Ok(self.inputs),
        }
    }
}

/// The rows of the samples, which ascend; borrowed where they are consecutive.
fn gather<'a, T: Copy>(values: &'a [T], inputs: usize, samples: &[usize]) -> Cow<'a, [T]> {
    match samples {
        [] => Cow::Borrowed(&[]),
        [first, .., last] if last - first + 1 == samples.len() => {
            Cow::Borrowed(&values[first * inputs..(last + 1) * inputs])
        }
        _ => samples.iter().flat_map(|&sample| &values[sample * inputs..(sample + 1) * inputs]).copied().collect(),
    }
}
