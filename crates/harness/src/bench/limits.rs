//! The limits of this machine, measured: f32 peak and memory bandwidth, on all threads at once.
//!
//! - **Peak**: fused multiply-adds that never leave the registers. The amount of work is doubled until one trial takes
//!   long enough for the clock; the median of several trials counts. The best one would make every share of the peak
//!   look worse than it is, and a disturbed one must not count.
//! - **Bandwidth**: the triad a = b + 3 c of STREAM, over arrays much larger than the caches. Each thread fills its own
//!   arrays, so that their pages are near it. The bytes that the program reads and writes are counted, twelve for each
//!   element; the cache line that is read before it is written is not (as in STREAM).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rivalry_core::{Compute, ops};

use crate::env::Machine;
use crate::statistics::median;

/// Trials of which the median is taken.
const TRIALS: usize = 9;
/// A trial of the peak takes at least this long, so that starting and joining threads does not show.
const TRIAL: Duration = Duration::from_millis(30);
const FIRST_ITERATIONS: u64 = 1 << 12;

/// The arrays of the triad are this many times as large as the largest cache …
const CACHES: u64 = 4;
/// … but not smaller than this …
const LEAST: u64 = 192 << 20;
/// … and, on a machine with little memory, at most this share of it.
const SHARE_OF_MEMORY: u64 = 8;
/// Bytes of the three arrays for one element.
const BYTES: usize = 12;

/// The time since `start` in ns.
pub(crate) fn elapsed_ns(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Measures the f32 peak in GFLOP/s; a fused multiply-add counts as two operations. Takes about half a second.
pub(crate) fn peak_gflops(compute: &Compute) -> f64 {
    let trial = |iterations| {
        let start = Instant::now();
        let operations = ops::peak(compute, iterations);
        (start.elapsed(), operations as f64)
    };
    let mut iterations = FIRST_ITERATIONS;
    while trial(iterations).0 < TRIAL {
        iterations *= 2;
    }
    let trials: Vec<(Duration, f64)> = (0..TRIALS).map(|_| trial(iterations)).collect();
    let gflops: Vec<f64> = trials.iter().map(|(time, operations)| operations / time.as_secs_f64() / 1e9).collect();
    median(&gflops).expect("there are trials")
}

/// Measures the memory bandwidth in GB/s.
pub(crate) fn bandwidth_gbs(compute: &Compute) -> f64 {
    let triad = Triad::new(compute);
    triad.pass(compute, 1);
    let times: Vec<f64> = (0..TRIALS).map(|_| triad.pass(compute, 1) as f64).collect();
    let median_ns = median(&times).expect("there are trials").max(1.0);
    (triad.elements() * BYTES) as f64 / median_ns
}

pub(crate) struct Triad {
    /// a, b and c of each thread.
    arrays: Vec<Mutex<[Vec<f32>; 3]>>,
    elements: usize,
}

impl Triad {
    /// Allocates and fills arrays that suit the caches of this machine.
    pub(crate) fn new(compute: &Compute) -> Self {
        Self::of_bytes(compute, triad_bytes(&Machine::current()))
    }

    fn of_bytes(compute: &Compute, bytes: u64) -> Self {
        let each = usize::try_from(bytes).unwrap_or(usize::MAX) / BYTES / compute.threads();
        let arrays = compute.map(|_| {
            // Small integers, so that the sums are exact and the same on every machine.
            let b = (0..each).map(|i| (i % 1024) as f32).collect();
            let c = (0..each).map(|i| (i % 7) as f32).collect();
            Mutex::new([vec![f32::NAN; each], b, c])
        });
        Self { arrays, elements: each * compute.threads() }
    }

    /// Computes all sums `times` times and returns the time of it in ns.
    pub(crate) fn pass(&self, compute: &Compute, times: usize) -> u64 {
        let start = Instant::now();
        compute.map(|worker| {
            let [a, b, c] = &mut *self.arrays[worker].lock().unwrap_or_else(PoisonError::into_inner);
            for _ in 0..times {
                for ((a, b), c) in a.iter_mut().zip(&*b).zip(&*c) {
                    *a = 3.0_f32 * c + b;
                }
                std::hint::black_box(&mut *a);
            }
        });
        elapsed_ns(start)
    }

    /// The first `count` sums of each thread, or all if there are fewer.
    pub(crate) fn sums(&self, count: usize) -> Vec<Vec<f32>> {
        let of = |arrays: &Mutex<[Vec<f32>; 3]>| {
            let sums = &arrays.lock().unwrap_or_else(PoisonError::into_inner)[0];
            sums[..count.min(sums.len())].to_vec()
        };
        self.arrays.iter().map(of).collect()
    }

    pub(crate) fn elements(&self) -> usize {
        self.elements
    }
}

fn triad_bytes(machine: &Machine) -> u64 {
    let largest = machine.caches.iter().map(|cache| cache.size_kib << 10).max().unwrap_or(0);
    let most = machine.memory_mib.map_or(LEAST, |mib| (mib << 20) / SHARE_OF_MEMORY);
    (CACHES * largest).max(LEAST).min(most)
}

#[cfg(test)]
mod tests {
    use rivalry_core::Kernels;

    use super::*;
    use crate::env::Cache;

    #[test]
    fn every_instruction_set_has_a_peak() {
        for kernels in Kernels::all() {
            let gflops = peak_gflops(&Compute::new(Some(1), kernels).unwrap());
            // A software multiply-add still does a million operations a second, and no core does 10¹³.
            assert!((1e-3..1e4).contains(&gflops), "{}: {gflops}", kernels.name());
        }
    }

    #[test]
    fn sums_of_the_triad_are_exact_on_every_thread() {
        let compute = Compute::new(Some(3), Kernels::best()).unwrap();
        let triad = Triad::of_bytes(&compute, 3 * 12 * 5000);
        assert!(triad.sums(usize::MAX).iter().flatten().all(|sum| sum.is_nan()));
        assert!(triad.pass(&compute, 2) > 0);
        assert_eq!(triad.elements(), 15_000);
        for sums in triad.sums(usize::MAX) {
            assert_eq!(sums.len(), 5000);
            assert!(sums.iter().enumerate().all(|(i, &sum)| sum == (3 * (i % 7) + i % 1024) as f32));
        }
    }

    #[test]
    fn the_triad_exceeds_the_caches_but_not_the_memory() {
        let mut machine = Machine::current();
        machine.memory_mib = Some(64 << 10);
        machine.caches = vec![Cache { level: 1, size_kib: 48 }, Cache { level: 3, size_kib: 260 << 10 }];
        assert_eq!(triad_bytes(&machine), (4 * 260) << 20);
        machine.caches.pop();
        assert_eq!(triad_bytes(&machine), LEAST);
        machine.memory_mib = Some(512);
        assert_eq!(triad_bytes(&machine), 64 << 20);
    }
}
