//! How the workers of a network divide it among them, and how they exchange numbers within a minibatch.
//!
//! Each worker owns a part of the network and is the only one to change it. What another worker needs it publishes in an
//! [`Exchange`]; behind a barrier everybody reads it. Sums over parts are taken in the order of fixed blocks and not of
//! workers, so they do not depend on who owns which block.

use crate::error::{Error, Result};
use rivalry_core::{Barrier, Compute, Inputs, Kernels, Matrix, Panel};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The parts of a network, one per worker.
#[derive(Debug)]
pub(crate) struct Workers<T> {
    parts: Vec<Mutex<T>>,
}

impl<T: Send> Workers<T> {
    /// Lets every worker create its own part, so that the memory is near it.
    pub(crate) fn new(compute: &Compute, part: impl Fn(usize) -> T + Sync) -> Workers<T> {
        Workers { parts: compute.map(|worker| Mutex::new(part(worker))) }
    }

    /// The number of workers.
    pub(crate) fn count(&self) -> usize {
        self.parts.len()
    }

    /// Checks that these are the threads that the network was divided for.
    pub(crate) fn check(&self, compute: &Compute) -> Result<()> {
        match (self.count(), compute.threads()) {
            (made, given) if made == given => Ok(()),
            (made, given) => {
                Err(Error::invalid(format!("the network was made for {made} threads and is given {given}")))
            }
        }
    }

    /// Lets all workers work on their parts at once.
    pub(crate) fn run(&self, compute: &Compute, work: impl Fn(&mut T, &Barrier) + Sync) {
        self.run_numbered(compute, |_, part, barrier| work(part, barrier));
    }

    /// As [`Workers::run`], and tells each worker its number. Returns what the first worker returns.
    pub(crate) fn run_numbered<R: Send>(
        &self,
        compute: &Compute,
        work: impl Fn(usize, &mut T, &Barrier) -> R + Sync,
    ) -> R {
        // A new one for every call: after a panic that somebody caught, workers would stand at different turns of it.
        let barrier = compute.barrier();
        let results = compute.map(|worker| {
            let _guard = barrier.guard();
            work(worker, &mut lock(&self.parts[worker]), &barrier)
        });
        results.into_iter().next().expect("there is a worker")
    }

    /// All parts, to read from.
    pub(crate) fn lock(&self) -> Vec<MutexGuard<'_, T>> {
        self.parts.iter().map(lock).collect()
    }

    /// All parts, to write to.
    pub(crate) fn parts_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.parts.iter_mut().map(|part| part.get_mut().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A part is locked only by its own worker while learning, and by one reader otherwise; a panic elsewhere says nothing
/// about its numbers.
fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rows of numbers that one worker each writes, and all read behind the next barrier.
#[derive(Debug)]
pub(crate) struct Exchange {
    columns: usize,
    values: Vec<AtomicU32>,
}

impl Exchange {
    pub(crate) fn new(rows: usize, columns: usize) -> Exchange {
        Exchange { columns, values: (0..rows * columns).map(|_| AtomicU32::new(0)).collect() }
    }

    fn row(&self, row: usize) -> &[AtomicU32] {
        &self.values[row * self.columns..][..self.columns]
    }

    /// Publishes the first rows and columns of a matrix as the rows from `first` on.
    pub(crate) fn publish(&self, first: usize, matrix: &Matrix, [rows, columns]: [usize; 2]) {
        for row in 0..rows {
            for (to, value) in self.row(first + row).iter().zip(&matrix.row(row)[..columns]) {
                to.store(value.to_bits(), Relaxed);
            }
        }
    }

    /// Adds up some columns of some rows, rows in the given order.
    pub(crate) fn sum(&self, rows: impl Iterator<Item = usize>, columns: Range<usize>, sums: &mut [f32]) {
        sums.fill(0.0);
        for row in rows {
            for (sum, value) in sums.iter_mut().zip(&self.row(row)[columns.clone()]) {
                *sum += f32::from_bits(value.load(Relaxed));
            }
        }
    }

    /// Stores numbers in a row, from a column on.
    pub(crate) fn store(&self, row: usize, first: usize, values: &[f32]) {
        for (to, value) in self.row(row)[first..].iter().zip(values) {
            to.store(value.to_bits(), Relaxed);
        }
    }

    /// The largest number of a column; NaN where there is one.
    pub(crate) fn largest(&self, column: usize) -> f32 {
        let numbers = self.values.iter().skip(column).step_by(self.columns).map(|it| f32::from_bits(it.load(Relaxed)));
        numbers.fold(f32::NEG_INFINITY, |most, number| if most >= number || most.is_nan() { most } else { number })
    }

    /// Loads numbers of a row, from a column on.
    pub(crate) fn load(&self, row: usize, first: usize, values: &mut [f32]) {
        for (value, from) in values.iter_mut().zip(&self.row(row)[first..]) {
            *value = f32::from_bits(from.load(Relaxed));
        }
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Copies the first columns into the rows of a matrix, as many of the rows of the exchange as that has columns.
    pub(crate) fn transpose(&self, columns: usize, to: &mut Matrix) {
        for column in 0..columns {
            let values = self.values[column..].iter().step_by(self.columns);
            for (to, value) in to.row_mut(column).iter_mut().zip(values) {
                *to = f32::from_bits(value.load(Relaxed));
            }
        }
    }
}

/// A value that its owner writes and all workers read after the next barrier, so that none waits for the lock.
#[derive(Debug, Default)]
pub(crate) struct Shared<T>(RwLock<T>);

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Shared<T> {
        Shared(RwLock::new(value))
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A matrix of which every worker writes its own columns, and all read the whole behind the next barrier.
#[derive(Debug)]
pub(crate) struct SharedColumns(Vec<(Range<usize>, Shared<Matrix>)>);

impl SharedColumns {
    /// Zeros [rows × columns], the columns of each worker given.
    pub(crate) fn new(rows: usize, columns: impl Iterator<Item = Range<usize>>) -> SharedColumns {
        SharedColumns(columns.map(|own| (own.clone(), Shared::new(Matrix::zeros(rows, own.len())))).collect())
    }

    /// The columns of a worker, to write to.
    pub(crate) fn write(&self, worker: usize) -> RwLockWriteGuard<'_, Matrix> {
        self.0[worker].1.write()
    }

    /// Copies some rows to the first rows of a matrix.
    pub(crate) fn gather(&self, rows: Range<usize>, to: &mut Matrix) {
        for (columns, part) in &self.0 {
            let part = part.read();
            for (to_row, row) in rows.clone().enumerate() {
                to.row_mut(to_row)[columns.clone()].copy_from_slice(part.row(row));
            }
        }
    }
}

/// The samples of a minibatch as rows for the kernels: in place where the inputs are rows of a matrix without scales, else
/// copied into `staged` and scaled.
pub(crate) fn rows<'m>(
    kernels: &Kernels,
    inputs: &Inputs<'m>,
    samples: &'m [u32],
    staged: &'m mut Matrix,
) -> Panel<'m> {
    match inputs.panel() {
        Some(panel) => panel.gather(samples),
        None => {
            stage(kernels, inputs, samples.iter().map(|&sample| sample as usize), staged);
            staged.panel(0, samples.len())
        }
    }
}

/// All samples as rows for the kernels, as [`rows`].
pub(crate) fn all_rows<'m>(kernels: &Kernels, inputs: &Inputs<'m>, staged: &'m mut Matrix) -> Panel<'m> {
    inputs.panel().unwrap_or_else(|| {
        stage(kernels, inputs, 0..inputs.samples(), staged);
        staged.panel(0, inputs.samples())
    })
}

/// The rows that [`rows`] gave for samples that are staged already.
pub(crate) fn staged_rows<'m>(inputs: &Inputs<'m>, samples: &'m [u32], staged: &'m Matrix) -> Panel<'m> {
    inputs.panel().map_or_else(|| staged.panel(0, samples.len()), |panel| panel.gather(samples))
}

/// Copies samples, scaled, into the first rows of a matrix.
pub(crate) fn stage(kernels: &Kernels, inputs: &Inputs<'_>, samples: impl Iterator<Item = usize>, rows: &mut Matrix) {
    for (row, sample) in samples.enumerate() {
        inputs.stage(kernels, sample, rows, row);
        let scale = inputs.scale(sample);
        rows.row_mut(row).iter_mut().for_each(|x| *x *= scale);
    }
}
