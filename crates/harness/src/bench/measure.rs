//! One benchmark: its result is checked, then its iterations are timed between two measurements of the peak.

use std::fmt;

use rivalry_core::Kernels;

use super::definition::{Case, Definition, Work};
use super::examples::Sets;
use super::limits;
use super::rows::BenchRow;
use super::workload::Workload;
use crate::dataset;
use crate::env::Environment;
use crate::error::line;

/// The outcome of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    Wrong,
    NoData,
    /// It could not be computed.
    Failed,
}

/// A benchmark that was measured, or could not be.
pub(crate) struct Measured {
    pub(crate) row: BenchRow,
    /// The time of each iteration, divided by its minibatches.
    pub(crate) samples: Vec<u64>,
    pub(crate) verdict: Verdict,
    /// The f32 peak before and after, GFLOP/s; nothing where nothing was timed.
    pub(crate) peaks: Option<[f64; 2]>,
}

/// Checks a benchmark; if its result is right and `timed` is set, times it.
pub(crate) fn measure(
    case: &Case,
    kernels: &'static Kernels,
    sets: &mut Sets<'_>,
    environment: &Environment,
    timed: bool,
) -> Measured {
    let row = row(case, environment);
    let mut measured = Measured { row, samples: Vec::new(), verdict: Verdict::Right, peaks: None };
    if let Err(error) = measured.attempt(case, kernels, sets, timed) {
        measured.verdict = match error.is::<WrongResult>() {
            true => Verdict::Wrong,
            false if dataset::is_missing(&error) => Verdict::NoData,
            false => Verdict::Failed,
        };
        measured.row.err = cell(&error);
    }
    measured
}

impl Measured {
    fn attempt(
        &mut self,
        case: &Case,
        kernels: &'static Kernels,
        sets: &mut Sets<'_>,
        timed: bool,
    ) -> anyhow::Result<()> {
        let (definition, compute, row) = (&case.definition, case.compute(kernels)?, &mut self.row);
        let mut work = Workload::new(definition, &compute, sets)?;
        row.engine = work.engine.to_owned();
        if let Some(product) = definition.work.product() {
            row.density = Some(sets.get(product)?.density);
        }
        row.checksum = work.check(definition)?;
        refuse_other(definition, &row.checksum)?;
        if !timed {
            return Ok(());
        }
        let before = limits::peak_gflops(&compute.core);
        self.samples = (0..definition.iterations).map(|_| work.iteration(definition)).collect::<anyhow::Result<_>>()?;
        let after = limits::peak_gflops(&compute.core);
        work.finish(&row.checksum)?;
        row.fill(&self.samples, work.operations, (before + after) / 2.0);
        self.peaks = Some([before, after]);
        Ok(())
    }
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
    format!("{}{}", if dataset::is_missing(error) { "no data: " } else { "" }, line(error))
}

/// Refuses a result of the warm-up that is not what the definition says.
pub(super) fn refuse_other(definition: &Definition, found: &str) -> anyhow::Result<()> {
    match definition.checksum == found {
        true => Ok(()),
        false => Err(WrongResult(format!("checksum {found}, not {}", definition.checksum)).into()),
    }
}

#[derive(Debug)]
struct WrongResult(String);

impl fmt::Display for WrongResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wrong result: {}", self.0)
    }
}

impl std::error::Error for WrongResult {}
