//! Memory bandwidth of this machine, measured: a = b + 3 c over arrays much larger than the caches, on all threads at once.
//!
//! 1. Every thread fills arrays of its own, so that their pages are near it.
//! 2. Several passes, each timed as a whole; the median counts, as for the f32 peak.
//!
//! Counted are the bytes that the program asks for, twelve for each number: two read, one written. The line that is written
//! may be read first, which is not counted (as in STREAM).

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rivalry_core::Team;

use super::statistics::Summary;
use crate::provenance::Machine;

/// Passes of which the median is taken.
const PASSES: usize = 7;
/// The arrays are this many times the largest cache …
const CACHES: u64 = 4;
/// … but not smaller than this …
const LEAST: u64 = 192 << 20;
/// … and, on a machine with little memory, at most this share of it.
const SHARE_OF_MEMORY: u64 = 8;
/// Bytes of the three arrays for one number.
const BYTES: usize = 12;

/// The arrays of all threads.
#[derive(Debug)]
pub struct Triad {
    parts: Vec<Mutex<Part>>,
    numbers: usize,
}

#[derive(Debug)]
struct Part {
    a: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
}

impl Triad {
    /// Allocates and fills arrays that suit the caches of this machine.
    pub fn new(team: &Team) -> Self {
        Self::of_bytes(team, bytes(&Machine::current()))
    }

    fn of_bytes(team: &Team, bytes: u64) -> Self {
        let each = usize::try_from(bytes).unwrap_or(usize::MAX) / BYTES / team.threads();
        let parts = team.map(|_| {
            // Small whole numbers: the sums are exact, and the same on every machine.
            let b = (0..each).map(|i| (i % 1024) as f32).collect();
            let c = (0..each).map(|i| (i % 7) as f32).collect();
            Mutex::new(Part { a: vec![f32::NAN; each], b, c })
        });
        Self { parts, numbers: each * team.threads() }
    }

    /// Goes through all arrays some times and says how long it took, in ns.
    pub fn pass(&self, team: &Team, times: usize) -> u64 {
        let start = Instant::now();
        team.map(|worker| {
            let part = &mut *self.parts[worker].lock().unwrap_or_else(PoisonError::into_inner);
            for _ in 0..times {
                for ((a, b), c) in part.a.iter_mut().zip(&part.b).zip(&part.c) {
                    *a = 3.0_f32 * c + b;
                }
                std::hint::black_box(&mut part.a);
            }
        });
        u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Forgets the sums.
    pub fn clear(&mut self) {
        for part in &mut self.parts {
            part.get_mut().unwrap_or_else(PoisonError::into_inner).a.fill(f32::NAN);
        }
    }

    /// The first so many sums of each thread, fewer where there are fewer.
    pub fn sums(&self, first: usize) -> Vec<Vec<f32>> {
        let of = |part: &Mutex<Part>| {
            let sums = &part.lock().unwrap_or_else(PoisonError::into_inner).a;
            sums[..first.min(sums.len())].to_vec()
        };
        self.parts.iter().map(of).collect()
    }

    /// How many sums a pass makes, over all threads.
    pub fn numbers(&self) -> usize {
        self.numbers
    }
}

/// Measures the bandwidth in GB/s (10⁹ bytes per second), median of some passes.
pub fn measure_gbs(team: &Team) -> f64 {
    let triad = Triad::new(team);
    triad.pass(team, 1);
    let samples: Vec<u64> = (0..PASSES).map(|_| triad.pass(team, 1)).collect();
    let median_ns = Summary::of(&samples).map_or(0, |summary| summary.median_ns).max(1);
    (triad.numbers() * BYTES) as f64 / median_ns as f64
}

fn bytes(machine: &Machine) -> u64 {
    let largest = machine.caches.iter().map(|cache| cache.size_kib << 10).max().unwrap_or(0);
    let most = machine.memory_mib.map_or(LEAST, |mib| (mib << 20) / SHARE_OF_MEMORY);
    (CACHES * largest).max(LEAST).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::Cache;

    #[test]
    fn sums_are_exact_on_every_thread() {
        let team = Team::new(Some(3)).unwrap();
        let triad = Triad::of_bytes(&team, 3 * 12 * 5000);
        assert!(triad.sums(usize::MAX).iter().flatten().all(|sum| sum.is_nan()));
        assert!(triad.pass(&team, 2) > 0);
        assert_eq!(triad.numbers(), 15_000);
        for sums in triad.sums(usize::MAX) {
            assert_eq!(sums.len(), 5000);
            assert!(sums.iter().enumerate().all(|(i, &sum)| sum == (3 * (i % 7) + i % 1024) as f32));
        }
    }

    #[test]
    fn arrays_exceed_the_caches_but_not_the_memory() {
        let mut machine = Machine::current();
        machine.memory_mib = Some(64 << 10);
        machine.caches = vec![Cache { level: 1, size_kib: 48 }, Cache { level: 3, size_kib: 260 << 10 }];
        assert_eq!(bytes(&machine), (4 * 260) << 20);
        machine.caches.pop();
        assert_eq!(bytes(&machine), LEAST);
        machine.memory_mib = Some(512);
        assert_eq!(bytes(&machine), 64 << 20);
    }
}
