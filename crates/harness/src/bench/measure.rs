//! One benchmark: its answer is checked, then its iterations are timed between two measurements of the peak.

use rivalry_core::Kernels;

use super::definition::{Case, Definition};
use super::examples::Sets;
use super::statistics::Summary;
use super::workload;
use crate::bench::limits;
use crate::dataset;
use crate::env::Environment;
use crate::rows::bench::BenchRow;

/// What became of the answer of a benchmark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the expected one.
    Holds,
    /// It is another; this is its checksum.
    Differs(String),
    /// Its data is not here.
    NoData(String),
    /// It could not be computed.
    Failed(String),
}

/// A benchmark that was measured, or could not be.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The row of `rows.csv`.
    pub row: BenchRow,
    /// What each timed iteration took, divided by its minibatches.
    pub samples: Vec<u64>,
    /// What became of its answer.
    pub verdict: Verdict,
    /// The f32 peak before and after, GFLOP/s; nothing where nothing was timed.
    pub peaks: Option<[f64; 2]>,
}

/// Checks the answer of a benchmark.
pub fn verify(case: &Case, kernels: &'static Kernels, sets: &mut Sets<'_>) -> Verdict {
    let checked = case.compute(kernels).and_then(|compute| {
        let mut work = workload::prepare(&case.definition, &compute, sets)?;
        work.check()
    });
    match checked {
        Ok(found) => judge(&case.definition, found),
        Err(error) => refused(&error),
    }
}

/// Checks a benchmark and, if its answer holds, times it.
pub fn measure(case: &Case, kernels: &'static Kernels, sets: &mut Sets<'_>, environment: &Environment) -> Measured {
    let mut row = row(case, environment);
    match timed(case, kernels, sets, &mut row) {
        Ok(Some((samples, peaks))) => Measured { row, samples, verdict: Verdict::Holds, peaks: Some(peaks) },
        Ok(None) => {
            let verdict = Verdict::Differs(row.checksum.clone());
            Measured { row: BenchRow { err: verdict.text(case), ..row }, samples: Vec::new(), verdict, peaks: None }
        }
        Err(error) => {
            let verdict = refused(&error);
            Measured { row: BenchRow { err: verdict.text(case), ..row }, samples: Vec::new(), verdict, peaks: None }
        }
    }
}

impl Verdict {
    /// What the column `err` says; nothing for an answer that holds.
    pub fn text(&self, case: &Case) -> String {
        match self {
            Self::Holds => String::new(),
            Self::Differs(found) => format!("checksum: expected {}, found {found}", case.definition.checksum),
            Self::NoData(why) => format!("no data: {why}"),
            Self::Failed(why) => why.clone(),
        }
    }
}

type Samples = (Vec<u64>, [f64; 2]);

/// Samples and peaks, or nothing where the answer does not hold.
fn timed(
    case: &Case,
    kernels: &'static Kernels,
    sets: &mut Sets<'_>,
    row: &mut BenchRow,
) -> anyhow::Result<Option<Samples>> {
    let compute = case.compute(kernels)?;
    let definition = &case.definition;
    let mut work = workload::prepare(definition, &compute, sets)?;
    row.engine = work.engine().to_owned();
    row.density = sets.rounded_density(definition)?;
    row.checksum = work.check()?;
    if row.checksum != definition.checksum {
        return Ok(None);
    }
    let before = limits::peak_gflops(&compute.core);
    let minibatches = definition.minibatches as u64;
    let samples = (0..definition.iterations)
        .map(|_| Ok((work.iterate()? + minibatches / 2) / minibatches))
        .collect::<anyhow::Result<Vec<u64>>>()?;
    let after = limits::peak_gflops(&compute.core);
    work.finish()?;
    fill(row, &samples, Totals { operations: work.operations(), peaks: [before, after] });
    Ok(Some((samples, [before, after])))
}

/// What a row's rates are made from.
#[derive(Debug, Clone, Copy)]
pub struct Totals {
    /// Floating-point operations of one minibatch.
    pub operations: f64,
    /// The f32 peak before and after, GFLOP/s.
    pub peaks: [f64; 2],
}

/// Fills in what follows from the samples.
pub fn fill(row: &mut BenchRow, samples: &[u64], totals: Totals) {
    let Some(summary) = Summary::of(samples) else { return };
    let peak = (totals.peaks[0] + totals.peaks[1]) / 2.0;
    let gflops = totals.operations / summary.median_ns.max(1) as f64;
    row.iterations = samples.len();
    row.median_ns = Some(summary.median_ns);
    row.mad_ns = Some(summary.mad_ns);
    row.min_ns = Some(summary.min_ns);
    row.gflops = Some(tenths(gflops));
    row.peak_gflops = Some(tenths(peak));
    row.pct_of_peak = Some(tenths(100.0 * gflops / peak));
}

/// The row of a benchmark, as far as it is known before it runs.
pub fn row(case: &Case, environment: &Environment) -> BenchRow {
    let definition = &case.definition;
    BenchRow {
        name: case.name.clone(),
        hidden: definition.hidden,
        inputs: definition.inputs,
        batch: definition.batch,
        p: definition.p,
        k: definition.k,
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

fn judge(definition: &Definition, found: String) -> Verdict {
    if found == definition.checksum { Verdict::Holds } else { Verdict::Differs(found) }
}

fn refused(error: &anyhow::Error) -> Verdict {
    let why = format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ");
    if dataset::is_missing(error) { Verdict::NoData(why) } else { Verdict::Failed(why) }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_the_median_beside_the_mean_of_the_two_peaks() {
        let mut row = BenchRow::default();
        fill(&mut row, &[100, 90, 5000], Totals { operations: 5_000.0, peaks: [190.0, 210.0] });
        assert_eq!((row.iterations, row.median_ns, row.mad_ns, row.min_ns), (3, Some(100), Some(10), Some(90)));
        assert_eq!((row.gflops, row.peak_gflops, row.pct_of_peak), (Some(50.0), Some(200.0), Some(25.0)));
    }
}
