//! `rivalry bench peers`: other programs on the same work, in turn with ours in the same run.
//!
//! 1. Our start weights, examples and rates are written to a temporary folder.
//! 2. In every round ours takes its turn, then each program; everybody starts from the same weights each time.
//! 3. A program's result is compared with ours: what computes something else is not compared in speed.

mod program;

use std::collections::BTreeMap;

use super::destination::Destination;
use crate::bench::Sets;
use crate::bench::definition::{Case, Kind, Start, Threads};
use crate::bench::limits;
use crate::bench::measure::{Totals, fill, row};
use crate::bench::statistics::Summary;
use crate::bench::tables::tables;
use crate::bench::turn::{Turn, deviation, hand_over, ours};
use crate::cli::{Common, PeersArgs};
use crate::compute::Compute;
use crate::dataset;
use crate::env::Environment;
use crate::failure::{Failure, failure};
use crate::output;
use crate::rows::bench::{BenchRow, SampleRow};
use program::{Answer, INSTALL, PEERS, Peer};

/// Weights of a program may be apart from ours by this share of the way they moved: units whose scores are nearly equal
/// may rank differently when rounded differently. A wrong rule is apart by far more (METHODOLOGY.md).
const WEIGHTS_TOLERANCE: f64 = 1e-3;
/// Scores may be apart by this share of the largest: rounding of sums of some thousand products.
const SCORES_TOLERANCE: f64 = 1e-5;

/// Runs the command.
pub(super) fn run(args: &PeersArgs, common: &Common) -> anyhow::Result<()> {
    let mut cases = super::cases(&args.selection, common)?;
    cases.retain(suits);
    if cases.is_empty() {
        let message = "--filter: expected an epoch from random weights, or a score, found neither";
        return Err(failure(message, "`rivalry bench list` shows every name"));
    }
    let compute = Compute::new(common)?;
    let environment = Environment::collect(compute.core.kernels().name(), compute.core.threads());
    let destination = Destination::open("bench-peers", &args.place, environment.clone())?;
    super::run::warn_of_debug(&environment, common);
    let bandwidth = format!("{:.1} GB/s (triad, all threads)", limits::bandwidth_gbs(&compute.core));
    let mut session = Session {
        args,
        common,
        compute,
        environment,
        sets: Sets::new(common),
        versions: BTreeMap::new(),
        wrong: None,
        rows: Vec::new(),
        samples: Vec::new(),
    };
    for case in &cases {
        session.case(case)?;
    }
    let text: String = tables(&session.rows).iter().map(|table| table.text() + "\n").collect();
    output::result(&if common.json { serde_json::to_string_pretty(&session.rows)? + "\n" } else { text })?;
    let mut machine = vec![("bandwidth", bandwidth)];
    machine.extend(session.versions.iter().map(|(name, version)| ("peer", format!("{name}: {version}"))));
    destination.write(&session.rows, &session.samples, &machine, common)?;
    if let Some(wrong) = session.wrong {
        return Err(anyhow::Error::new(Failure::gate(wrong, "one of the two programs does not compute the rule")));
    }
    if session.versions.is_empty() {
        return Err(failure("peers: expected at least one program that can be measured here, found none", INSTALL));
    }
    Ok(())
}

/// Other programs start from the weights that are handed over, so those that ours has to make first are left out.
fn suits(case: &Case) -> bool {
    let definition = &case.definition;
    matches!(definition.kind, Kind::Epoch | Kind::Score)
        && definition.start == Start::Random
        && definition.threads == Threads::All
}

struct Session<'a> {
    args: &'a PeersArgs,
    common: &'a Common,
    compute: Compute,
    environment: Environment,
    sets: Sets<'a>,
    /// What each program that answered says of itself.
    versions: BTreeMap<&'static str, String>,
    /// The first result that is not ours.
    wrong: Option<String>,
    rows: Vec<BenchRow>,
    samples: Vec<SampleRow>,
}

/// What a program has done so far in a benchmark.
struct Standing {
    peer: Peer,
    samples: Vec<u64>,
    /// How far its last result was from ours.
    apart: f64,
    err: String,
}

impl Session<'_> {
    /// All rounds of one benchmark.
    fn case(&mut self, case: &Case) -> anyhow::Result<()> {
        let empty = row(case, &self.environment);
        let (turns, standings, peaks) = match self.rounds(case) {
            Ok(measured) => measured,
            Err(error) => {
                let word = if dataset::is_missing(&error) { "no data: " } else { "" };
                let err = format!("{word}{error:#}").split_whitespace().collect::<Vec<_>>().join(" ");
                output::note(self.common, &format!("{:<32}{err}", case.name));
                self.rows.push(BenchRow { err, ..empty });
                return Ok(());
            }
        };
        let ours: Vec<u64> = turns.iter().map(|turn| turn.ns).collect();
        let mut row = empty;
        let first = &turns[0];
        row.engine = first.engine.to_owned();
        row.checksum.clone_from(&first.checksum);
        row.density = self.sets.rounded_density(&case.definition)?;
        fill(&mut row, &ours, Totals { operations: first.operations, peaks });
        self.samples.extend(SampleRow::of(&case.name, "", &ours));
        for Standing { peer, samples, apart, err } in standings {
            let mut row = BenchRow { peer: peer.name.to_owned(), err, ..row.clone() };
            if let Some(theirs) = Summary::of(&samples).filter(|_| row.err.is_empty()) {
                row.peer_median_ns = Some(theirs.median_ns);
                let ratio = theirs.median_ns as f64 / row.median_ns.unwrap_or(0).max(1) as f64;
                row.ratio = Some((ratio * 1e3).round() / 1e3);
                self.samples.extend(SampleRow::of(&case.name, peer.name, &samples));
            }
            let said =
                row.ratio.map_or(row.err.clone(), |ratio| format!("{ratio} times our time, result {apart:.1e} apart"));
            output::note(self.common, &format!("{:<32}{:<16}{said}", case.name, peer.name));
            self.rows.push(row);
        }
        Ok(())
    }

    fn rounds(&mut self, case: &Case) -> anyhow::Result<(Vec<Turn>, Vec<Standing>, [f64; 2])> {
        let kernels = self.compute.core.kernels();
        let folder = tempfile::tempdir()?;
        let handover = hand_over(case, kernels, &mut self.sets)?;
        program::write(&handover, case, folder.path())?;
        let peers = PEERS.into_iter().filter(|peer| peer.kind == case.definition.kind);
        let mut standings: Vec<Standing> =
            peers.map(|peer| Standing { peer, samples: Vec::new(), apart: 0.0, err: String::new() }).collect();
        let mut turns = Vec::new();
        let before = limits::peak_gflops(&self.compute.core);
        for _ in 0..self.args.rounds {
            let turn = ours(case, kernels, &mut self.sets)?;
            for standing in standings.iter_mut().filter(|standing| standing.err.is_empty()) {
                let answer = standing.peer.turn(case, folder.path(), self.args);
                match answer {
                    Ok(answer) => self.take(case, &handover.weights, &turn, answer, standing),
                    Err(error) => standing.err = format!("{error:#}"),
                }
            }
            turns.push(turn);
        }
        Ok((turns, standings, [before, limits::peak_gflops(&self.compute.core)]))
    }

    /// Takes the samples of a program whose result is ours.
    fn take(&mut self, case: &Case, start: &[f32], turn: &Turn, answer: Answer, standing: &mut Standing) {
        self.versions.insert(standing.peer.name, answer.version);
        let kind = case.definition.kind;
        let tolerance = if kind == Kind::Epoch { WEIGHTS_TOLERANCE } else { SCORES_TOLERANCE };
        let apart = deviation(kind, start, &turn.result, &answer.result);
        standing.apart = apart;
        if apart <= tolerance {
            standing.samples.extend(answer.samples_ns);
            return;
        }
        standing.err = format!("wrong result: expected ours within {tolerance}, found {apart:.6} apart");
        let message = format!("{}: {}: {}", case.name, standing.peer.name, standing.err);
        self.wrong.get_or_insert(message);
    }
}
