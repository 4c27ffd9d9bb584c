//! Work for measuring the machine's f32 peak. The caller holds the clock.

use crate::isa::Kernels;
use crate::team::Team;

/// Runs `turns` turns of fused multiply-adds in registers on every thread of the team and returns the number of
/// floating-point operations that all of them did together (a multiply-add is two).
///
/// # Example
/// ```
/// use rivalry_core::{Kernels, Team, peak};
/// let team = Team::new(Some(1))?;
/// let start = std::time::Instant::now();
/// let operations = peak::run(&team, Kernels::best(), 10_000);
/// println!("{:.1} GFLOP/s", operations as f64 / start.elapsed().as_nanos() as f64);
/// # Ok::<(), rivalry_core::Error>(())
/// ```
pub fn run(team: &Team, kernels: &'static Kernels, turns: u64) -> u64 {
    let work = team.map(|_| {
        let (operations, result) = kernels.peak(turns);
        std::hint::black_box(result);
        operations
    });
    work.into_iter().sum()
}
