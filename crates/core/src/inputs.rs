//! A borrowed view of the examples that a layer sees: [samples × inputs] of u8 or f32, and a scale per example.
//!
//! The examples stand in a plain array, or in the padded rows of a [`Matrix`] (the features of a layer below). Kernels
//! read the rows of a matrix where they are ([`Inputs::panel`]); all other examples are first copied into padded rows
//! ([`Inputs::stage`]).

use crate::error::{Error, Result};
use crate::isa::Kernels;
use crate::matrix::{Matrix, Panel};
use std::ops::Range;

/// Examples, row by row. The current of a unit is I = c · Σ w′ x, with x the element as it stands and c the scale.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    elements: Elements<'a>,
    inputs: usize,
    /// Elements from the start of one example to the start of the next.
    stride: usize,
    samples: usize,
    scales: Option<&'a [f32]>,
    /// Where the elements are rows of a matrix: the matrix, and the row of the first example.
    matrix: Option<(&'a Matrix, usize)>,
}

/// What the examples are made of, one every [`Inputs::stride`] elements.
#[derive(Debug, Clone, Copy)]
pub enum Elements<'a> {
    /// Pixels 0 … 255; the scale is 1/255 unless given.
    U8(&'a [u8]),
    /// Any finite numbers; the scale is 1 unless given.
    F32(&'a [f32]),
}

impl<'a> Inputs<'a> {
    /// Views pixels as examples of `inputs` bytes; the scale is f32(1/255).
    ///
    /// # Errors
    /// [`Error::Shape`] if `inputs` is zero or the length is no multiple of it.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::Inputs;
    /// assert_eq!(Inputs::u8(&[0; 12], 4)?.samples(), 3);
    /// assert!(Inputs::u8(&[0; 12], 5).is_err());
    /// # Ok::<(), rivalry_core::Error>(())
    /// ```
    pub fn u8(pixels: &'a [u8], inputs: usize) -> Result<Inputs<'a>> {
        Inputs::new(Elements::U8(pixels), pixels.len(), inputs)
    }

    /// Views floats as examples of `inputs` numbers; the scale is 1.
    ///
    /// # Errors
    /// [`Error::Shape`] as [`Inputs::u8`]; [`Error::Value`] if a number is not finite.
    pub fn f32(values: &'a [f32], inputs: usize) -> Result<Inputs<'a>> {
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let found = format!("{} at sample {}, input {}", values[at], at / inputs.max(1), at % inputs.max(1));
            return Err(Error::value("an input", "a finite number", found));
        }
        Inputs::new(Elements::F32(values), values.len(), inputs)
    }

    fn new(elements: Elements<'a>, length: usize, inputs: usize) -> Result<Inputs<'a>> {
        if inputs == 0 {
            return Err(Error::shape("inputs", "at least 1 in an example", inputs));
        }
        if !length.is_multiple_of(inputs) {
            return Err(Error::shape("inputs", format!("a multiple of {inputs} elements"), length));
        }
        let samples = length / inputs;
        if u32::try_from(samples).is_err() {
            return Err(Error::value("the number of samples", "at most 4294967295", samples));
        }
        Ok(Inputs { elements, inputs, stride: inputs, samples, scales: None, matrix: None })
    }

    /// Views the rows of a matrix as examples, without a copy; the scale is 1.
    ///
    /// # Numerics
    /// Whoever computed the matrix answers for finite numbers: they are not looked at again.
    ///
    /// # Errors
    /// [`Error::Shape`] if the matrix has no columns; [`Error::Value`] if it has more than 2³² − 1 rows.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::{Inputs, Matrix};
    /// let features = Matrix::zeros(3, 20);
    /// let inputs = Inputs::matrix(&features)?;
    /// assert_eq!((inputs.samples(), inputs.inputs()), (3, 20));
    /// # Ok::<(), rivalry_core::Error>(())
    /// ```
    pub fn matrix(matrix: &'a Matrix) -> Result<Inputs<'a>> {
        let (values, stride) = matrix.padded();
        let checked = Inputs::new(Elements::F32(values), matrix.rows() * matrix.columns(), matrix.columns())?;
        Ok(Inputs { stride, matrix: Some((matrix, 0)), ..checked })
    }

    /// The examples `samples.start .. samples.end`, which are numbered from 0 again.
    ///
    /// # Panics
    /// If they are not all there.
    pub fn range(&self, samples: Range<usize>) -> Inputs<'a> {
        assert!(samples.start <= samples.end && samples.end <= self.samples, "{samples:?} of {} samples", self.samples);
        let place = samples.start * self.stride..samples.end * self.stride;
        let elements = match self.elements {
            Elements::U8(pixels) => Elements::U8(&pixels[place]),
            Elements::F32(values) => Elements::F32(&values[place]),
        };
        let scales = self.scales.map(|scales| &scales[samples.clone()]);
        let matrix = self.matrix.map(|(matrix, first)| (matrix, first + samples.start));
        Inputs { elements, samples: samples.len(), scales, matrix, ..*self }
    }

    /// Replaces the scale by one per example, for instance [`Inputs::unit_length_scales`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one per sample; [`Error::Value`] unless all are finite and at least 0.
    pub fn with_scales(self, scales: &'a [f32]) -> Result<Inputs<'a>> {
        if scales.len() != self.samples {
            return Err(Error::shape("scales", self.samples, scales.len()));
        }
        if let Some(scale) = scales.iter().find(|scale| !(scale.is_finite() && **scale >= 0.0)) {
            return Err(Error::value("scale of an example", "a finite number of at least 0", scale));
        }
        Ok(Inputs { scales: Some(scales), ..self })
    }

    /// The scales that give every example unit Euclidean length: 1/‖x‖₂, and 0 for a blank example.
    ///
    /// # Numerics
    /// Summed in f64 in the order of the elements, rounded once. An example so faint that f32 cannot hold its scale (a
    /// norm below 3·10⁻³⁹) counts as blank.
    ///
    /// # Allocates
    /// One f32 per sample.
    pub fn unit_length_scales(&self) -> Vec<f32> {
        fn scale<T: Copy + Into<f64>>(example: &[T]) -> f32 {
            let squares: f64 = example.iter().map(|&x| x.into() * x.into()).sum();
            let scale = (1.0 / squares.sqrt()) as f32;
            if scale.is_finite() { scale } else { 0.0 }
        }
        let examples = (0..self.samples).map(|sample| self.place(sample));
        match self.elements {
            Elements::U8(pixels) => examples.map(|place| scale(&pixels[place])).collect(),
            Elements::F32(values) => examples.map(|place| scale(&values[place])).collect(),
        }
    }

    /// The number of examples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The length of an example.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The elements of all examples, [`Inputs::stride`] from the start of one to the start of the next.
    pub fn elements(&self) -> Elements<'a> {
        self.elements
    }

    /// Elements from the start of one example to the start of the next: their length, or more in a matrix, where zeros
    /// follow each.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The examples as rows that kernels read in place, where they stand in a matrix and have no scales.
    pub fn panel(&self) -> Option<Panel<'a>> {
        let (matrix, first) = self.matrix.filter(|_| self.scales.is_none())?;
        Some(matrix.panel(first, self.samples))
    }

    /// Where the elements of an example stand.
    fn place(&self, sample: usize) -> Range<usize> {
        sample * self.stride..sample * self.stride + self.inputs
    }

    /// The scale c of one example.
    ///
    /// # Panics
    /// If scales were given and `sample` is not below [`Inputs::samples`].
    pub fn scale(&self, sample: usize) -> f32 {
        match (self.scales, self.elements) {
            (Some(scales), _) => scales[sample],
            (None, Elements::U8(_)) => (1.0_f64 / 255.0) as f32,
            (None, Elements::F32(_)) => 1.0,
        }
    }

    /// Copies examples, unscaled, into the first rows of a matrix with as many columns, and returns those rows.
    ///
    /// # Panics
    /// If a sample does not exist, there are more than rows, or the widths differ.
    pub fn stage_all<'m>(
        &self,
        kernels: &Kernels,
        samples: impl ExactSizeIterator<Item = usize>,
        rows: &'m mut Matrix,
    ) -> Panel<'m> {
        let examples = samples.len();
        for (row, sample) in samples.enumerate() {
            self.stage(kernels, sample, rows, row);
        }
        rows.panel(0, examples)
    }

    /// Copies one example, unscaled, into a row of a matrix with as many columns.
    ///
    /// # Panics
    /// If the sample or the row does not exist or the widths differ.
    pub fn stage(&self, kernels: &Kernels, sample: usize, rows: &mut Matrix, row: usize) {
        assert_eq!(rows.columns(), self.inputs, "a row of another width");
        let place = self.place(sample);
        match self.elements {
            Elements::U8(pixels) => kernels.stage_u8(&pixels[place], rows.lanes_mut(row)),
            Elements::F32(values) => kernels.stage_f32(&values[place], rows.lanes_mut(row)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staged_rows_are_the_elements_on_every_instruction_set() {
        for inputs in 1..=33 {
            let pixels: Vec<u8> = (0..2 * inputs).map(|i| (i * 37 % 256) as u8).collect();
            let values: Vec<f32> = pixels.iter().map(|&pixel| f32::from(pixel)).collect();
            for kernels in Kernels::all() {
                let mut rows = Matrix::zeros(2, inputs);
                Inputs::u8(&pixels, inputs).unwrap().stage(kernels, 1, &mut rows, 0);
                Inputs::f32(&values, inputs).unwrap().stage(kernels, 1, &mut rows, 1);
                assert_eq!(rows.row(0), &values[inputs..]);
                assert_eq!(rows.row(1), &values[inputs..]);
                assert!(rows.lanes(0).as_flattened()[inputs..].iter().all(|&pad| pad == 0.0));
            }
        }
    }

    #[test]
    fn scales_are_one_over_the_length_and_zero_for_a_blank_example() {
        let inputs = Inputs::u8(&[3, 4, 0, 0], 2).unwrap();
        assert_eq!(inputs.unit_length_scales(), [0.2, 0.0]);
        assert_eq!(inputs.scale(0), 1.0 / 255.0);
        assert!(inputs.with_scales(&[1.0]).is_err());
        assert!(inputs.with_scales(&[1.0, f32::NAN]).is_err());
        assert!(Inputs::f32(&[1.0, f32::INFINITY], 2).is_err());
    }

    #[test]
    fn a_scale_is_finite_however_faint_the_example() {
        let faint = [1e-39, 0.0, 1e-30, 0.0];
        let inputs = Inputs::f32(&faint, 2).unwrap();
        let scales = inputs.unit_length_scales();
        assert_eq!(scales[0], 0.0);
        assert!((scales[1] / 1e30 - 1.0).abs() <= 1e-6, "{}", scales[1]);
        assert!(inputs.with_scales(&scales).is_ok());
    }

    #[test]
    fn rows_of_a_matrix_are_examples_like_those_of_an_array() {
        for columns in [1, 16, 20, 1024] {
            let mut matrix = Matrix::zeros(5, columns);
            for row in 0..5 {
                matrix.row_mut(row).fill(row as f32 + 1.0);
            }
            let rows = matrix.to_rows();
            let (viewed, plain) = (Inputs::matrix(&matrix).unwrap(), Inputs::f32(&rows, columns).unwrap());
            assert_eq!(viewed.unit_length_scales(), plain.unit_length_scales());
            assert!(plain.panel().is_none());
            for range in [0..5, 2..4, 4..5, 3..3] {
                let (viewed, plain) = (viewed.range(range.clone()), plain.range(range.clone()));
                assert_eq!((viewed.samples(), plain.samples()), (range.len(), range.len()));
                assert_eq!(viewed.panel().unwrap().rows(), range.len());
                let mut staged = Matrix::zeros(2, columns);
                for sample in 0..range.len() {
                    viewed.stage(Kernels::best(), sample, &mut staged, 0);
                    plain.stage(Kernels::best(), sample, &mut staged, 1);
                    assert_eq!(staged.row(0), matrix.row(range.start + sample));
                    assert_eq!(staged.row(1), matrix.row(range.start + sample));
                    let panel = viewed.panel().unwrap();
                    assert_eq!(&panel.lanes(sample).as_flattened()[..columns], staged.row(0));
                }
            }
            let scales = [1.0, 2.0, 3.0, 4.0, 5.0];
            let scaled = viewed.with_scales(&scales).unwrap().range(3..5);
            assert_eq!([scaled.scale(0), scaled.scale(1)], [4.0, 5.0]);
            assert!(scaled.panel().is_none(), "a panel knows no scales");
        }
        assert!(Inputs::matrix(&Matrix::zeros(3, 0)).is_err());
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn samples_are_counted_in_32_bits() {
        let huge = Inputs::new(Elements::U8(&[]), 1 << 33, 2).unwrap_err();
        assert_eq!(huge.to_string(), "the number of samples is 4294967296, but must be at most 4294967295");
        assert!(Inputs::new(Elements::U8(&[]), (1 << 33) - 2, 2).is_ok());
    }
}
