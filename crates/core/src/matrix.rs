//! Rows of f32, each padded with zeros to whole vectors and aligned to one.
//!
//! A row takes ⌈columns / 16⌉ vectors. One vector more separates rows whose length would be a multiple of 4096 bytes. Such rows
//! fall on the same cache sets, and a tile of eight of them would evict itself from the cache.
//!
//! Kernels read whole vectors, so a number in the padding would count as an input. Code outside of this crate cannot write
//! there: it sees rows without their padding.

use crate::vector::{LANES, Lanes};
use std::ops::Range;
use wide::f32x16;

/// A row-major matrix [rows × columns] with padded, aligned rows. The padding is always zero.
#[derive(Debug, Clone)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    stride: usize,
    memory: Vec<f32x16>,
}

impl Matrix {
    /// Allocates a matrix of zeros.
    ///
    /// # Allocates
    /// rows · (columns rounded up to 16, plus at most 16) floats.
    pub fn zeros(rows: usize, columns: usize) -> Matrix {
        let width = columns.div_ceil(LANES);
        let stride = if width > 0 && (width * LANES * 4).is_multiple_of(4096) { width + 1 } else { width };
        Matrix { rows, columns, stride, memory: vec![f32x16::splat(0.0); rows * stride] }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns, without padding.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// One row, without its padding.
    ///
    /// # Panics
    /// If `row` is not below [`Matrix::rows`].
    pub fn row(&self, row: usize) -> &[f32] {
        &self.lanes(row).as_flattened()[..self.columns]
    }

    /// One row to write to, without its padding.
    ///
    /// # Panics
    /// If `row` is not below [`Matrix::rows`].
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        let columns = self.columns;
        &mut self.lanes_mut(row).as_flattened_mut()[..columns]
    }

    /// Copies a row to another.
    ///
    /// # Panics
    /// If one of them is not below [`Matrix::rows`].
    pub fn copy_row(&mut self, from: usize, to: usize) {
        assert!(from.max(to) < self.rows, "rows {from} and {to} of a matrix of {} rows", self.rows);
        self.memory.copy_within(from * self.stride..(from + 1) * self.stride, to * self.stride);
    }

    /// All rows to write to, without their padding: what several threads write at once, each its own rows.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let (columns, stride) = (self.columns, (self.stride * LANES).max(1));
        let memory: &mut [f32] = bytemuck::cast_slice_mut(&mut self.memory);
        memory.chunks_exact_mut(stride).map(move |row| &mut row[..columns])
    }

    /// Copies the rows one after another, without padding.
    pub fn to_rows(&self) -> Vec<f32> {
        (0..self.rows).flat_map(|row| self.row(row).iter().copied()).collect()
    }

    /// One row as vectors, padding included.
    ///
    /// # Panics
    /// If `row` is not below [`Matrix::rows`].
    pub(crate) fn lanes(&self, row: usize) -> &[Lanes] {
        assert!(row < self.rows, "row {row} of a matrix of {} rows", self.rows);
        &bytemuck::cast_slice(&self.memory)[row * self.stride..][..self.width()]
    }

    /// One row as vectors to write to, padding included. The caller keeps the padding zero, or calls
    /// [`Matrix::clear_padding`].
    ///
    /// # Panics
    /// If `row` is not below [`Matrix::rows`].
    pub(crate) fn lanes_mut(&mut self, row: usize) -> &mut [Lanes] {
        assert!(row < self.rows, "row {row} of a matrix of {} rows", self.rows);
        let width = self.width();
        &mut bytemuck::cast_slice_mut(&mut self.memory)[row * self.stride..][..width]
    }

    /// The width of a row in vectors of 16.
    pub(crate) fn width(&self) -> usize {
        self.columns.div_ceil(LANES)
    }

    /// All rows with their padding, and the number of floats from one row to the next.
    pub(crate) fn padded(&self) -> (&[f32], usize) {
        (bytemuck::cast_slice(&self.memory), self.stride * LANES)
    }

    /// Vectors from the start of one row to the start of the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// All rows with their padding.
    pub(crate) fn memory_mut(&mut self) -> &mut [Lanes] {
        bytemuck::cast_slice_mut(&mut self.memory)
    }

    /// Sets the padding of some rows to zero, after a kernel that may have written to it.
    pub(crate) fn clear_padding(&mut self, rows: Range<usize>) {
        let (stride, columns) = (self.stride * LANES, self.columns);
        let memory: &mut [f32] = bytemuck::cast_slice_mut(&mut self.memory);
        for row in rows {
            memory[row * stride + columns..(row + 1) * stride].fill(0.0);
        }
    }

    /// Rows `first .. first + rows` as a panel for the score kernel.
    pub fn panel(&self, first: usize, rows: usize) -> Panel<'_> {
        assert!(first + rows <= self.rows, "rows {first} + {rows} of a matrix of {} rows", self.rows);
        let all: &[Lanes] = bytemuck::cast_slice(&self.memory);
        Panel { memory: &all[first * self.stride..], stride: self.stride, width: self.width(), rows, gathered: None }
    }
}

/// Rows of a [`Matrix`] that a kernel reads: consecutive ones, or those that a list names.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    memory: &'a [Lanes],
    stride: usize,
    width: usize,
    rows: usize,
    gathered: Option<&'a [u32]>,
}

impl<'a> Panel<'a> {
    /// The rows that `order` names, in its order; each is counted from this panel's first row.
    ///
    /// # Panics
    /// If the panel lacks one of them, or is gathered already.
    pub fn gather(self, order: &'a [u32]) -> Panel<'a> {
        assert!(self.gathered.is_none(), "a panel gathered twice");
        assert!(order.iter().all(|&row| (row as usize) < self.rows), "a gathered row is outside the panel");
        Panel { rows: order.len(), gathered: Some(order), ..self }
    }

    /// Columns `first · 16 .. (first + width) · 16` of every row.
    ///
    /// # Panics
    /// If the rows are not that wide.
    pub fn columns(self, first: usize, width: usize) -> Panel<'a> {
        assert!(first + width <= self.width, "vectors {first} + {width} of rows of {} vectors", self.width);
        Panel { memory: self.memory.get(first..).unwrap_or(&[]), width, ..self }
    }

    /// The number of rows.
    pub fn rows(self) -> usize {
        self.rows
    }

    /// The width of a row in vectors of 16.
    pub(crate) fn width(self) -> usize {
        self.width
    }

    /// One row as vectors.
    #[inline(always)]
    pub(crate) fn lanes(&self, row: usize) -> &'a [Lanes] {
        let row = self.gathered.map_or(row, |order| order[row] as usize);
        &self.memory[row * self.stride..][..self.width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_padded_aligned_and_never_a_multiple_of_4096_bytes_apart() {
        for columns in [0, 1, 15, 16, 17, 784, 1024, 2048, 3072] {
            let mut matrix = Matrix::zeros(3, columns);
            for row in 0..3 {
                matrix.row_mut(row).fill(row as f32 + 1.0);
            }
            for row in 0..3 {
                assert_eq!(matrix.row(row), vec![row as f32 + 1.0; columns]);
                let lanes = matrix.lanes(row).as_flattened();
                assert!(lanes[columns..].iter().all(|&pad| pad == 0.0));
                assert_eq!(lanes.as_ptr() as usize % 64, 0);
            }
            assert_eq!(matrix.to_rows().len(), 3 * columns);
            let rows: Vec<&mut [f32]> = matrix.rows_mut().collect();
            assert_eq!(rows.len(), if columns > 0 { 3 } else { 0 });
            for (row, values) in rows.into_iter().enumerate() {
                assert_eq!(values, vec![row as f32 + 1.0; columns]);
            }
            assert!(columns == 0 || !(matrix.stride * 64).is_multiple_of(4096));
        }
    }

    #[test]
    fn panels_gather_rows_and_narrow_columns() {
        let mut matrix = Matrix::zeros(4, 40);
        for row in 0..4 {
            for (column, value) in matrix.row_mut(row).iter_mut().enumerate() {
                *value = (100 * row + column) as f32;
            }
        }
        let panel = matrix.panel(1, 3).gather(&[2, 0, 2]).columns(1, 2);
        assert_eq!((panel.rows(), panel.width()), (3, 2));
        assert_eq!(panel.lanes(0)[0][0], 316.0);
        assert_eq!(panel.lanes(1)[1][7], 139.0);
        assert_eq!(panel.lanes(1)[1][8], 0.0);
    }
}
