//! Some examples of a data set: a run of them borrowed where they are, or a selection copied together.

use std::borrow::Cow;

use rivalry_core::Inputs;
use rivalry_data::Values;

/// Examples and their labels, [samples, inputs], contiguous.
#[derive(Debug, Clone)]
pub struct Examples<'a> {
    values: Numbers<'a>,
    inputs: usize,
    labels: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Numbers<'a> {
    U8(Cow<'a, [u8]>),
    F32(Cow<'a, [f32]>),
}

impl<'a> Examples<'a> {
    /// The examples `start..end` of a split.
    pub(super) fn range(values: Values<'a>, inputs: usize, labels: &[u8], start: usize, end: usize) -> Self {
        let values = match values {
            Values::U8(values) => Numbers::U8(Cow::Borrowed(&values[start * inputs..end * inputs])),
            Values::F32(values) => Numbers::F32(Cow::Borrowed(&values[start * inputs..end * inputs])),
        };
        Self { values, inputs, labels: labels[start..end].to_vec() }
    }

    /// Only the examples whose label `accept` accepts, in order; borrowed still when that is all of them.
    pub(super) fn only(self, mut accept: impl FnMut(u8) -> bool) -> Self {
        let kept: Vec<usize> = (0..self.labels.len()).filter(|&sample| accept(self.labels[sample])).collect();
        if kept.len() == self.labels.len() {
            return self;
        }
        let values = match &self.values {
            Numbers::U8(values) => Numbers::U8(Cow::Owned(gather(values, self.inputs, &kept))),
            Numbers::F32(values) => Numbers::F32(Cow::Owned(gather(values, self.inputs, &kept))),
        };
        let labels = kept.iter().map(|&sample| self.labels[sample]).collect();
        Self { values, labels, ..self }
    }

    /// The same examples with other labels.
    pub(super) fn relabelled(mut self, label: impl Fn(u8) -> u8) -> Self {
        for old in &mut self.labels {
            *old = label(*old);
        }
        self
    }

    /// How many there are.
    pub fn samples(&self) -> usize {
        self.labels.len()
    }

    /// Inputs of each.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The label of each.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The values of examples of bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.values {
            Numbers::U8(values) => values,
            Numbers::F32(_) => &[],
        }
    }

    /// As the rule and the readout take them: u8 by 1/255 and f32 as they are, or scaled to unit length.
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

/// What happens to the length of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Nothing.
    AsItIs,
    /// It becomes 1.
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

fn gather<T: Copy>(values: &[T], inputs: usize, samples: &[usize]) -> Vec<T> {
    samples.iter().flat_map(|&sample| &values[sample * inputs..(sample + 1) * inputs]).copied().collect()
}
