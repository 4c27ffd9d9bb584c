//! Work for measuring the machine's f32 peak. The caller holds the clock.

use crate::compute::Compute;

/// Runs `turns` turns of fused multiply-adds in registers on every thread and returns the number of
/// floating-point operations that all of them did together (a multiply-add is two).
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Kernels, peak};
/// let compute = Compute::new(Some(1), Kernels::best())?;
/// let start = std::time::Instant::now();
/// let operations = peak::run(&compute, 10_000);
/// println!("{:.1} GFLOP/s", operations as f64 / start.elapsed().as_nanos() as f64);
/// # Ok::<(), rivalry_core::Error>(())
/// ```
pub fn run(compute: &Compute, turns: u64) -> u64 {
    let work = compute.map(|_| {
        let (operations, result) = compute.kernels().peak(turns);
        std::hint::black_box(result);
        operations
    });
    work.into_iter().sum()
}
