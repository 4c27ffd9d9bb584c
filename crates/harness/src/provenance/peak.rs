//! The f32 peak of this machine, measured: fused multiply-adds that never leave the registers, on all threads at once.
//!
//! 1. Double the amount of work until one turn takes long enough for the clock.
//! 2. Time several turns and take the median: a turn that the scheduler disturbed must not count, and neither must the
//!    luckiest one, since every share of the peak that is quoted would then look worse than it is.

use std::time::{Duration, Instant};

use rivalry_core::{Kernels, Team, peak};

use crate::statistics::median;

/// Turns of which the median is taken.
const TURNS: usize = 9;
/// A turn is long enough when starting and joining threads no longer shows.
const TURN: Duration = Duration::from_millis(30);
const FIRST_ITERATIONS: u64 = 1 << 12;

/// Measures the peak in GFLOP/s (10⁹ floating-point operations per second, a fused multiply-add counting as two).
///
/// Takes about half a second.
pub fn measure_gflops(team: &Team, kernels: &'static Kernels) -> f64 {
    let mut iterations = FIRST_ITERATIONS;
    while turn(team, kernels, iterations).0 < TURN {
        iterations *= 2;
    }
    let turns: Vec<f64> = (0..TURNS).map(|_| turn(team, kernels, iterations)).map(gflops).collect();
    median(&turns).expect("there are turns")
}

fn turn(team: &Team, kernels: &'static Kernels, iterations: u64) -> (Duration, u64) {
    let start = Instant::now();
    let operations = peak::run(team, kernels, iterations);
    (start.elapsed(), operations)
}

fn gflops((elapsed, operations): (Duration, u64)) -> f64 {
    operations as f64 / elapsed.as_secs_f64() / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disturbed_turn_does_not_count() {
        assert_eq!(median(&[200.0, 1.0, 201.0, 199.0, 900.0]), Some(200.0));
        assert_eq!(gflops((Duration::from_secs(2), 6_000_000_000)), 3.0);
    }

    #[test]
    fn every_instruction_set_has_a_peak() {
        let team = Team::new(Some(1)).unwrap();
        for kernels in Kernels::all() {
            let gflops = measure_gflops(&team, kernels);
            // A slow software multiply-add still does a million a second, and no core does ten million million.
            assert!((1e-3..1e4).contains(&gflops), "{}: {gflops}", kernels.name());
        }
    }
}
