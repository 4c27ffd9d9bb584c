//! What learning runs on: worker threads, kernels, how work is divided among them, and the barrier at which they meet.
//!
//! A minibatch takes a fraction of a millisecond, so workers are not woken for each: they enter one long piece of work
//! together and meet at a [`Barrier`], which spins for a bounded number of turns, then gives the core away, then sleeps.

use crate::error::{Error, Result};
use crate::isa::Kernels;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// A fixed number of worker threads, and the kernels that they run.
///
/// # Example
/// ```
/// use rivalry_core::{Compute, Kernels};
/// let compute = Compute::new(Some(3), Kernels::best())?;
/// assert_eq!(compute.map(|worker| worker * 10), [0, 10, 20]);
/// # Ok::<(), rivalry_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Compute {
    pool: rayon::ThreadPool,
    kernels: &'static Kernels,
}

impl Compute {
    /// Starts the threads; `None` is one per core that the system grants.
    ///
    /// # Errors
    /// [`Error::Value`] for no thread or more than 1024; [`Error::Threads`] if the system refuses.
    pub fn new(threads: Option<usize>, kernels: &'static Kernels) -> Result<Compute> {
        let threads = threads.unwrap_or_else(cores);
        if !(1..=1024).contains(&threads) {
            return Err(Error::value("the number of threads", "1 to 1024", threads));
        }
        let name = |worker| format!("rivalry-{worker}");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build();
        let pool = pool.map_err(|error| Error::Threads { threads, found: error.to_string() })?;
        Ok(Compute { pool, kernels })
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// The kernels of one instruction set.
    pub fn kernels(&self) -> &'static Kernels {
        self.kernels
    }

    /// Runs `work(worker)` on every thread at once and returns the results in the order of the workers.
    pub fn map<R: Send>(&self, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
        self.pool.broadcast(|context| work(context.index()))
    }

    /// A barrier for all threads.
    pub fn barrier(&self) -> Barrier {
        Barrier::new(self.threads())
    }
}

/// The contiguous part of `0 .. total` that belongs to `worker` of `workers`, its ends on multiples of `grain`.
///
/// # Example
/// ```
/// assert_eq!(rivalry_core::range_of(2000, 256, 0, 2), 0..1024);
/// assert_eq!(rivalry_core::range_of(2000, 256, 1, 2), 1024..2000);
/// ```
pub fn range_of(total: usize, grain: usize, worker: usize, workers: usize) -> Range<usize> {
    let grains = total.div_ceil(grain);
    let bound = |worker: usize| (grains * worker / workers * grain).min(total);
    bound(worker)..bound(worker + 1)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How often the core is given away before sleeping: the last one may be kept from its core by other programs, for whole
/// slices of time, and giving away again and again would only burn this core.
const YIELDS: u32 = 100;
/// How long a worker sleeps before it looks again.
const NAP: Duration = Duration::from_micros(20);

/// Where all workers wait for the last one. It may be passed any number of times.
#[derive(Debug)]
pub struct Barrier {
    workers: usize,
    patience: u32,
    arrived: AtomicUsize,
    round: AtomicUsize,
    broken: AtomicBool,
}

/// Rounds of spinning before a worker yields: some tens of microseconds. Where workers outnumber the cores no worker spins,
/// since the last one may need this core.
pub(crate) fn patience(workers: usize) -> u32 {
    if workers > cores() { 0 } else { 400 }
}

impl Barrier {
    /// A barrier for that many workers.
    fn new(workers: usize) -> Barrier {
        assert!(workers > 0, "a barrier without workers would never open");
        let patience = patience(workers);
        let (arrived, round) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Barrier { workers, patience, arrived, round, broken: AtomicBool::new(false) }
    }

    /// Waits until every worker has arrived. What any of them wrote before, all of them see behind it.
    ///
    /// # Panics
    /// If another worker panicked, so that a bug ends the program instead of hanging it.
    pub fn wait(&self) {
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.workers {
            self.arrived.store(0, Ordering::Relaxed);
            self.round.store(round.wrapping_add(1), Ordering::Release);
            return;
        }
        let mut turns = 0;
        while self.round.load(Ordering::Acquire) == round {
            assert!(!self.broken.load(Ordering::Relaxed), "another worker panicked");
            turns += 1;
            if turns <= self.patience {
                std::hint::spin_loop();
            } else if turns <= self.patience + YIELDS {
                std::thread::yield_now();
            } else {
                std::thread::sleep(NAP);
            }
        }
    }

    /// A guard that breaks the barrier for the others if this worker unwinds while holding it.
    pub fn guard(&self) -> impl Drop {
        struct Guard<'a>(&'a AtomicBool);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    self.0.store(true, Ordering::Relaxed);
                }
            }
        }
        Guard(&self.broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_everything_once() {
        for (total, grain, workers) in [(0, 1, 3), (5, 1, 7), (2000, 256, 3), (100, 16, 2), (17, 4, 4)] {
            let mut next = 0;
            for worker in 0..workers {
                let range = range_of(total, grain, worker, workers);
                assert_eq!(range.start, next);
                next = range.end;
            }
            assert_eq!(next, total);
        }
    }

    #[test]
    fn nobody_passes_a_barrier_early() {
        for threads in [1, 2, 5] {
            let compute = Compute::new(Some(threads), Kernels::best()).unwrap();
            let (barrier, count) = (compute.barrier(), AtomicUsize::new(0));
            compute.map(|_| {
                for round in 1..=200 {
                    count.fetch_add(1, Ordering::Relaxed);
                    barrier.wait();
                    assert_eq!(count.load(Ordering::Relaxed), round * threads);
                    barrier.wait();
                }
            });
        }
    }

    #[test]
    #[should_panic(expected = "without workers")]
    fn a_barrier_without_workers_is_refused() {
        Barrier::new(0).wait();
    }

    #[test]
    fn a_panic_reaches_the_caller_instead_of_hanging() {
        let compute = Compute::new(Some(2), Kernels::best()).unwrap();
        let barrier = compute.barrier();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            compute.map(|worker| {
                let _guard = barrier.guard();
                assert_ne!(worker, 1, "on purpose");
                barrier.wait();
            })
        }));
        assert!(outcome.is_err());
        assert!(Compute::new(Some(0), Kernels::best()).is_err());
    }
}
