//! Other programs on the same work, in turn with ours in the same run.
//!
//! ```text
//! write initial weights, samples, rates and settings to a temporary folder
//! for every round:
//!     wait until the machine is idle          (so that no worker of a peer spins into our time)
//!     run ours once untimed, peak, ours timed, peak
//!     run each peer, which starts from the same weights; compare its result with ours
//! ```
//!
//! A peer whose result differs is not compared in speed. A peer that takes too long is killed and says so in `err`.

mod handover;
mod program;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use sysinfo::System;

use super::definition::{Case, Start, Threads, Work};
use super::examples::Sets;
use super::limits;
use super::measure::{cell, refuse_other, row};
use super::rows::{BenchRow, SampleRow};
use super::workload::Workload;
use crate::cli::{Common, PeersArgs};
use crate::compute::Compute;
use crate::env::Environment;
use crate::output;
use crate::statistics::{Times, median};
use handover::Handover;
pub(crate) use program::INSTALL;
use program::{PEERS, Peer};

/// Weights of a peer may differ from ours by this share of the way they moved: units whose scores are nearly equal may
/// rank differently when rounded differently. A wrong rule differs by far more (METHODOLOGY.md).
const WEIGHTS_TOLERANCE: f64 = 1e-3;
/// Scores may differ by this share of the largest: rounding of sums of some thousand products.
const SCORES_TOLERANCE: f64 = 1e-5;
/// The machine is idle when its CPUs are used less than this, in per cent, over one interval of sysinfo.
const IDLE_PCT: f32 = 10.0;
/// After this time our turn begins all the same, with a note.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether peers can do the work of a benchmark: they start from the weights that are handed over, on all threads or
/// on one.
pub(crate) fn suits(case: &Case) -> bool {
    let random = match case.definition.work {
        Work::Epoch(epoch) => epoch.start == Start::Random,
        Work::Score(_) | Work::Learner(_) | Work::Patches(_) => true,
        Work::Features(_) | Work::Readout(_) | Work::Bandwidth => false,
    };
    random && case.definition.threads == Threads::All
}

/// Everything that a run of peers has found so far.
pub(crate) struct Session<'a> {
    args: &'a PeersArgs,
    common: &'a Common,
    environment: &'a Environment,
    sets: Sets<'a>,
    /// What each peer that answered says of itself.
    pub(crate) versions: BTreeMap<&'static str, String>,
    /// The first result that differs from ours.
    pub(crate) wrong: Option<String>,
    pub(crate) rows: Vec<BenchRow>,
    pub(crate) samples: Vec<SampleRow>,
}

/// What a peer has done so far in a benchmark.
struct Standing {
    peer: Peer,
    samples: Vec<u64>,
    /// The difference of its last result from ours.
    deviation: f64,
    err: String,
}

impl<'a> Session<'a> {
    pub(crate) fn new(args: &'a PeersArgs, common: &'a Common, environment: &'a Environment) -> Self {
        let (versions, rows, samples) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { args, common, environment, sets: Sets::new(common), versions, wrong: None, rows, samples }
    }

    pub(crate) fn case(&mut self, case: &Case, compute: &Compute) {
        let mut row = row(case, self.environment);
        let standings = match self.rounds(case, compute, &mut row) {
            Ok(standings) => standings,
            Err(error) => {
                row.err = cell(&error);
                output::note(self.common, &format!("{:<36}{}", case.name, row.err));
                self.rows.push(row);
                return;
            }
        };
        for Standing { peer, samples, deviation, err } in standings {
            let mut row = BenchRow { peer: peer.name.to_owned(), err, ..row.clone() };
            if let Some(theirs) = Times::of(&samples).filter(|_| row.err.is_empty()) {
                row.peer_median_ns = Some(theirs.median_ns);
                let ratio = theirs.median_ns as f64 / row.median_ns.unwrap_or(0).max(1) as f64;
                row.ratio = Some((ratio * 1e3).round() / 1e3);
                self.samples.extend(SampleRow::of(&case.name, peer.name, &samples));
            }
            let note = match row.ratio {
                Some(ratio) => format!("{ratio} times our time, result differs by {deviation:.1e}"),
                None => row.err.clone(),
            };
            output::note(self.common, &format!("{:<36}{:<16}{note}", case.name, peer.name));
            self.rows.push(row);
        }
    }

    /// Runs every round and puts our times into the row.
    fn rounds(&mut self, case: &Case, compute: &Compute, row: &mut BenchRow) -> anyhow::Result<Vec<Standing>> {
        let folder = tempfile::tempdir()?;
        let (common, work) = (self.common, &case.definition.work);
        let Handover { start, settings } = handover::write(case, compute, &mut self.sets, folder.path())?;
        let tolerance = if work.learns() { WEIGHTS_TOLERANCE } else { SCORES_TOLERANCE };
        let peers = PEERS.into_iter().filter(|peer| peer.does(case));
        let new = |peer| Standing { peer, samples: Vec::new(), deviation: 0.0, err: String::new() };
        let mut standings: Vec<Standing> = peers.map(new).collect();
        let (mut times, mut peaks, mut operations) = (Vec::new(), [Vec::new(), Vec::new()], 0.0);
        for _ in 0..self.args.rounds {
            if !wait_until_idle(PATIENCE) {
                let name = &case.name;
                output::note(
                    common,
                    &format!("note: other programs are using the CPUs, which disturbs the times of {name}"),
                );
            }
            let (ns, [before, after], ours) = self.ours(case, compute)?;
            times.push(ns);
            peaks[0].push(before);
            peaks[1].push(after);
            (row.engine, operations) = (ours.engine.to_owned(), ours.operations);
            let result = ours.result();
            for standing in standings.iter_mut().filter(|standing| standing.err.is_empty()) {
                let name = standing.peer.name;
                match standing.peer.run(case, folder.path(), &settings, self.args) {
                    Err(error) => standing.err = format!("{error:#}"),
                    Ok(answer) => {
                        self.versions.insert(name, answer.version);
                        standing.deviation = deviation(work, &start, &result, &answer.result);
                        // A NaN is not within the tolerance.
                        if standing.deviation <= tolerance {
                            standing.samples.extend(answer.samples_ns);
                        } else {
                            let differs = standing.deviation;
                            standing.err =
                                format!("wrong result: it differs from ours by {differs:.6}, more than {tolerance}");
                            self.wrong.get_or_insert(format!("{}: {name}: {}", case.name, standing.err));
                        }
                    }
                }
            }
        }
        let [before, after] = peaks.map(|peaks| median(&peaks).unwrap_or(f64::NAN));
        row.checksum = case.definition.checksum.clone();
        row.density = work.product().and_then(|product| Some(self.sets.get(product).ok()?.density));
        row.fill(&times, operations, (before + after) / 2.0);
        self.samples.extend(SampleRow::of(&case.name, "", &times));
        let micros = row.median_ns.unwrap_or(0) as f64 / 1e3;
        let peaks = format!("f32 peak {before:.1} GFLOP/s before, {after:.1} after");
        output::note(common, &format!("{:<36}{:<16}{micros:.1} µs, {peaks}", case.name, "rivalry"));
        Ok(standings)
    }

    /// Ours from the start, twice: the time of an iteration, and the f32 peak right before and right after it. The first
    /// pass is not timed: it brings the samples into memory and wakes the threads.
    fn ours<'c>(&mut self, case: &Case, compute: &'c Compute) -> anyhow::Result<(u64, [f64; 2], Workload<'c>)> {
        let definition = &case.definition;
        let mut rehearsal = Workload::new(definition, compute, &mut self.sets)?;
        refuse_other(definition, &rehearsal.check(definition)?)?;
        rehearsal.iteration(definition)?;
        let mut work = Workload::new(definition, compute, &mut self.sets)?;
        let before = limits::peak_gflops(&compute.core);
        work.check(definition)?;
        let ns = work.iteration(definition)?;
        Ok((ns, [before, limits::peak_gflops(&compute.core)], work))
    }
}

/// How far a result is from ours: for weights Σ|theirs − ours| as a share of the way ours moved, Σ|ours − start|; for
/// scores and features max|theirs − ours| as a share of max|ours|. NaN if there is a NaN, infinite for another length.
fn deviation(work: &Work, start: &[f32], ours: &[f32], theirs: &[f32]) -> f64 {
    if ours.len() != theirs.len() {
        return f64::INFINITY;
    }
    let distances = |a: &[f32], b: &[f32]| -> Vec<f64> {
        a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).abs()).collect()
    };
    // `f64::max` would drop a NaN.
    let largest = |values: &[f64]| values.iter().copied().fold(0.0, |a, b| if b.is_nan() || b > a { b } else { a });
    if work.learns() {
        return distances(theirs, ours).iter().sum::<f64>() / distances(ours, start).iter().sum::<f64>();
    }
    let sizes: Vec<f64> = ours.iter().map(|&score| f64::from(score).abs()).collect();
    largest(&distances(theirs, ours)) / largest(&sizes)
}

/// Waits until the CPUs of the machine are idle; false when they are not in time.
fn wait_until_idle(patience: Duration) -> bool {
    let Ok(mut system) = System::new() else { return true };
    let start = Instant::now();
    system.refresh_cpu_usage();
    loop {
        thread::sleep(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL);
        system.refresh_cpu_usage();
        if system.global_cpu_usage() < IDLE_PCT {
            return true;
        }
        if start.elapsed() > patience {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::bench::definition::{Data, Epoch, Product};

    fn kinds() -> [Work; 2] {
        let (data, hidden, batch) = (Data::Mnist, 1, 1);
        let epoch = Epoch { data, hidden, batch, p: 2.0, k: 2, delta: 0.4, rate: 0.1, start: Start::Random };
        [Work::Epoch(epoch), Work::Score(Product { data, hidden, batch })]
    }

    #[test]
    fn weights_differ_by_a_share_of_their_way_and_scores_by_one_of_the_largest() {
        let [epoch, score] = kinds();
        assert_eq!(deviation(&epoch, &[0.0, 0.0], &[1.0, 3.0], &[1.0, 2.0]), 0.25);
        assert_eq!(deviation(&score, &[], &[1.0, -4.0], &[1.0, -3.0]), 0.25);
        assert_eq!(deviation(&score, &[], &[1.0], &[1.0, 2.0]), f64::INFINITY);
        for work in kinds() {
            for theirs in [[f32::NAN, 1.0], [1.0, f32::NAN]] {
                let apart = deviation(&work, &[0.0, 0.0], &[1.0, 1.0], &theirs);
                assert!(apart.is_nan(), "{work:?} {theirs:?}: {apart}");
            }
        }
    }

    #[test]
    fn a_machine_with_spinning_threads_is_not_idle() {
        let stop = AtomicBool::new(false);
        let threads = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            let idle = wait_until_idle(Duration::from_millis(500));
            stop.store(true, Ordering::Relaxed);
            assert!(!idle);
        });
    }
}
