//! One benchmark: its result is checked, then its iterations are timed between two measurements of the peak.

use rivalry_core::Kernels;

use super::definition::{Case, Work};
use super::examples::Sets;
use super::rows::BenchRow;
use super::{limits, workload};
use crate::dataset;
use crate::env::Environment;

/// The outcome of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The result has the expected checksum.
    Right,
    /// It has another checksum.
    Wrong,
    /// The data is missing.
    NoData,
    /// It could not be computed.
    Failed,
}

/// A benchmark that was measured, or could not be.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The row of `rows.csv`.
    pub row: BenchRow,
    /// The time of each iteration, divided by its minibatches.
    pub samples: Vec<u64>,
    /// The outcome of the check.
    pub verdict: Verdict,
    /// The f32 peak before and after, GFLOP/s; nothing where nothing was timed.
    pub peaks: Option<[f64; 2]>,
}

/// Checks a benchmark; if its result is right and `timed` is set, times it.
pub fn measure(
    case: &Case,
    kernels: &'static Kernels,
    sets: &mut Sets<'_>,
    environment: &Environment,
    timed: bool,
) -> Measured {
    let mut measured =
        Measured { row: row(case, environment), samples: Vec::new(), verdict: Verdict::Right, peaks: None };
    if let Err(error) = attempt(case, kernels, sets, timed, &mut measured) {
        measured.verdict = match error.is::<WrongResult>() {
            true => Verdict::Wrong,
            false if dataset::is_missing(&error) => Verdict::NoData,
            false => Verdict::Failed,
        };
        measured.row.err = cell(&error);
    }
    measured
}

fn attempt(
    case: &Case,
    kernels: &'static Kernels,
    sets: &mut Sets<'_>,
    timed: bool,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    let (definition, compute, row) = (&case.definition, case.compute(kernels)?, &mut measured.row);
    let mut work = workload::prepare(definition, &compute, sets)?;
    row.engine = work.engine().to_owned();
    row.density = match definition.work.product() {
        Some(product) => Some(sets.get(product)?.density()),
        None => None,
    };
    row.checksum = check(case, work.as_mut())?;
    if definition.checksum != row.checksum {
        return Err(WrongResult { expected: definition.checksum.clone(), found: row.checksum.clone() }.into());
    }
    if !timed {
        return Ok(());
    }
    let before = limits::peak_gflops(&compute.core);
    let samples: Vec<u64> =
        (0..definition.iterations).map(|_| iteration(case, work.as_mut())).collect::<anyhow::Result<_>>()?;
    let after = limits::peak_gflops(&compute.core);
    workload::finish(work.as_ref(), &row.checksum)?;
    row.fill(&samples, work.operations(), (before + after) / 2.0);
    (measured.samples, measured.peaks) = (samples, Some([before, after]));
    Ok(())
}

/// Runs the warm-up and returns the checksum of its result.
pub(super) fn check(case: &Case, work: &mut dyn workload::Workload) -> anyhow::Result<String> {
    work.run(case.definition.check)?;
    Ok(workload::sha256(&work.result()))
}

/// Runs one iteration and returns the time of one of its minibatches.
pub(super) fn iteration(case: &Case, work: &mut dyn workload::Workload) -> anyhow::Result<u64> {
    let minibatches = case.definition.minibatches;
    Ok((work.run(minibatches)? + minibatches as u64 / 2) / minibatches as u64)
}

/// The row of a benchmark, as far as it is known before it runs.
pub(super) fn row(case: &Case, environment: &Environment) -> BenchRow {
    let product = case.definition.work.product();
    let (p, k) = match case.definition.work {
        Work::Epoch(epoch) => (Some(epoch.p), Some(epoch.k)),
        _ => (None, None),
    };
    BenchRow {
        name: case.name.clone(),
        hidden: product.map(|product| product.hidden),
        inputs: product.map(|product| product.data.inputs()),
        batch: product.map(|product| product.batch),
        p,
        k,
        isa: environment.isa.clone(),
        threads: case.threads,
        cpu: environment.machine.cpu.clone(),
        rustc: environment.build.rustc.to_owned(),
        revision: environment.build.revision.to_owned(),
        dirty: environment.build.dirty_cell().to_owned(),
        date: environment.date.clone(),
        ..BenchRow::default()
    }
}

/// The cell `err`: why there are no times, in one line. What stands before the first colon is the note of a table.
pub(super) fn cell(error: &anyhow::Error) -> String {
    let word = if dataset::is_missing(error) { "no data: " } else { "" };
    format!("{word}{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A result with another checksum than that of the definition.
#[derive(Debug)]
pub(super) struct WrongResult {
    pub(super) expected: String,
    pub(super) found: String,
}

impl std::fmt::Display for WrongResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "wrong result: checksum {}, not {}", self.found, self.expected)
    }
}

impl std::error::Error for WrongResult {}
