//! `rivalry bench run`: every benchmark checked, then timed.

use rivalry_core::Kernels;

use super::destination::Destination;
use crate::bench::Sets;
use crate::bench::limits;
use crate::bench::measure::{Measured, Verdict, measure};
use crate::bench::tables::tables;
use crate::cli::{BenchRunArgs, Common};
use crate::env::{Environment, Profile};
use crate::failure::{Failure, failure};
use crate::output;
use crate::rows::bench::{BenchRow, SampleRow};

/// A peak that moves by more than this within one benchmark is said.
const STEADY: f64 = 1.1;

/// Runs the command.
pub(super) fn run(args: &BenchRunArgs, common: &Common) -> anyhow::Result<()> {
    let cases = super::cases(&args.selection, common)?;
    let kernels = Kernels::named(common.isa.name())?;
    let compute = rivalry_core::Compute::new(common.threads.map(usize::from), kernels)?;
    let environment = Environment::collect(kernels.name(), compute.threads());
    let destination = Destination::open("bench", &args.place, environment.clone())?;
    warn_of_debug(&environment, common);
    let bandwidth_gbs = limits::bandwidth_gbs(&compute);
    drop(compute);

    let (mut sets, mut rows, mut samples) = (Sets::new(common), Vec::new(), Vec::new());
    let (mut wrong, mut failed) = (None, None);
    for case in &cases {
        let measured = measure(case, kernels, &mut sets, &environment);
        output::note(common, &line(&measured));
        let problem = || format!("{}: {}", case.name, measured.row.err);
        match &measured.verdict {
            Verdict::Holds | Verdict::NoData(_) => {}
            Verdict::Differs(_) => wrong = wrong.or_else(|| Some(problem())),
            Verdict::Failed(_) => failed = failed.or_else(|| Some(problem())),
        }
        samples.extend(SampleRow::of(&case.name, "", &measured.samples));
        rows.push(measured.row);
    }
    print(&rows, bandwidth_gbs, common)?;
    destination.write(
        &rows,
        &samples,
        &[("bandwidth", format!("{bandwidth_gbs:.1} GB/s (triad, all threads)"))],
        common,
    )?;
    match (wrong, failed) {
        (Some(wrong), _) => {
            Err(anyhow::Error::new(Failure::gate(wrong, "its result is not the expected one: run the tests")))
        }
        (None, Some(failed)) => Err(failure(failed, "the other benchmarks were measured all the same")),
        (None, None) if rows.iter().all(|row| row.median_ns.is_none()) => Err(failure(
            "benchmarks: expected one that can run here, found no data for any",
            "`rivalry data fetch` gets data",
        )),
        (None, None) => Ok(()),
    }
}

/// Timings of a debug build mean little.
pub(super) fn warn_of_debug(environment: &Environment, common: &Common) {
    if environment.build.profile == Profile::Debug {
        output::note(common, "note: this is a debug build, its times mean little");
    }
}

/// A line for each benchmark as soon as it is measured.
fn line(measured: &Measured) -> String {
    let row = &measured.row;
    let Some(median_ns) = row.median_ns else { return format!("{:<32}{}", row.name, row.err) };
    let share = row.pct_of_peak.map_or(String::new(), |pct| format!(", {pct} % of the peak"));
    let moved = measured.peaks.filter(|[a, b]| a.max(*b) > STEADY * a.min(*b));
    let moved =
        moved.map_or(String::new(), |[a, b]| format!("; the peak moved from {a:.0} to {b:.0} GFLOP/s meanwhile"));
    format!("{:<32}{:.1} µs{share}{moved}", row.name, median_ns as f64 / 1e3)
}

fn print(rows: &[BenchRow], bandwidth_gbs: f64, common: &Common) -> anyhow::Result<()> {
    if common.json {
        let value = serde_json::json!({ "rows": rows, "bandwidth_gbs": (bandwidth_gbs * 10.0).round() / 10.0 });
        return output::result(&(serde_json::to_string_pretty(&value)? + "\n"));
    }
    let mut text: String = tables(rows).iter().map(|table| table.text() + "\n").collect();
    text.push_str(&format!("memory bandwidth {bandwidth_gbs:.1} GB/s (triad, all threads)\n"));
    output::result(&text)
}
