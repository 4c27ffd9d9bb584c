//! `rivalry bench`: benchmarks that check their results, and what is made of their times.

use std::path::{Path, PathBuf};

use rivalry_core::Kernels;
use serde::Serialize;
use serde_json::json;

use super::record::{RECORDS, ROWS, Record};
use crate::bench::definition::{Case, Definition, Start, Work, select};
use crate::bench::measure::{Measured, Verdict, measure};
use crate::bench::peers::{INSTALL, Session, suits};
use crate::bench::rows::{BenchRow, SampleRow, read};
use crate::bench::tables::{Comparison, NAMES, tables, text};
use crate::bench::{Sets, limits};
use crate::cli::{BenchAction, BenchArgs, BenchRunArgs, Common, PeersArgs, Place, Selection};
use crate::compute::Compute;
use crate::env::{Environment, Profile};
use crate::error::{Failure, failure};
use crate::files;
use crate::output;
use crate::report::splice::{Mode, splice_file};
use crate::rows::to_csv;
use crate::run::Existing;
use crate::table::Table;

/// A peak that moves by more than this factor within one benchmark is noted.
const STEADY: f64 = 1.1;

/// Runs the command.
pub(crate) fn run(args: &BenchArgs, common: &Common) -> anyhow::Result<()> {
    match &args.action {
        BenchAction::List(selection) => list(selection, common),
        BenchAction::Run(args) => run_all(args, common),
        BenchAction::Verify(selection) => verify(selection, common),
        BenchAction::Cmp { before, after } => {
            let comparison = Comparison::of(&read(before)?, &read(after)?);
            print(common, &comparison, || comparison.text())
        }
        BenchAction::Peers(args) => peers(args, common),
        BenchAction::Report { folder: Some(folder), .. } => {
            let rows = read(folder)?;
            let text = || tables(&rows).iter().map(|(_, table)| with_origin(table, &rows, folder)).collect();
            print(common, &rows, text)
        }
        BenchAction::Report { folder: None, splice, check } => {
            let mode = if *check { Mode::Check } else { Mode::Write };
            splice_tables(splice.as_deref().unwrap_or(Path::new("README.md")), mode, common)
        }
    }
}

/// Prints JSON with `--json`, else the text.
fn print(common: &Common, value: &impl Serialize, text: impl FnOnce() -> String) -> anyhow::Result<()> {
    output::result(&if common.json { serde_json::to_string_pretty(value)? + "\n" } else { text() })
}

/// The benchmarks that the flags select, on as many threads as they say.
fn cases(selection: &Selection, common: &Common) -> anyhow::Result<Vec<Case>> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    select(selection, common.engine, common.threads.map_or_else(cores, usize::from))
}

fn list(selection: &Selection, common: &Common) -> anyhow::Result<()> {
    let cases = cases(selection, common)?;
    let json: Vec<_> = cases.iter().map(|case| json!({ "name": case.name, "threads": case.threads })).collect();
    print(common, &json, || {
        cases.iter().map(|case| format!("{:<32}{}\n", case.name, about(&case.definition))).collect()
    })
}

/// A benchmark in a few words.
fn about(definition: &Definition) -> String {
    let mut words = Vec::new();
    words.push(match &definition.work {
        Work::Epoch(epoch) => {
            let start = if epoch.start == Start::Pretrained { ", pretrained" } else { "" };
            format!("epoch, p {}, k {}{start}", epoch.p, epoch.k)
        }
        Work::Score(_) => "score".to_owned(),
        Work::Features(_) => "features".to_owned(),
        Work::Readout(_) => "readout".to_owned(),
        Work::Bandwidth => "memory bandwidth".to_owned(),
    });
    if let Some(product) = definition.work.product() {
        let (hidden, inputs, batch) = (product.hidden, product.data.inputs(), product.batch);
        words.push(format!("{hidden} units, {inputs} inputs, minibatch {batch}"));
    }
    words.join(", ")
}

/// `rivalry bench run`: every benchmark checked, then timed.
fn run_all(args: &BenchRunArgs, common: &Common) -> anyhow::Result<()> {
    let cases = cases(&args.selection, common)?;
    let Compute { core, .. } = Compute::new(common)?;
    let kernels = core.kernels();
    let environment = Environment::collect(kernels.name(), core.threads());
    let destination = Destination::open("bench", &args.place, &environment)?;
    note_debug_build(&environment, common);
    let bandwidth_gbs = limits::bandwidth_gbs(&core);
    drop(core);

    let (mut sets, mut rows, mut samples) = (Sets::new(common), Vec::new(), Vec::new());
    let (mut wrong, mut failed) = (None, None);
    for case in &cases {
        let measured = measure(case, kernels, &mut sets, &environment, true);
        output::note(common, &progress(&measured));
        let problem = || format!("{}: {}", case.name, measured.row.err);
        match measured.verdict {
            Verdict::Right | Verdict::NoData => {}
            Verdict::Wrong => wrong = wrong.or_else(|| Some(problem())),
            Verdict::Failed => failed = failed.or_else(|| Some(problem())),
        }
        samples.extend(SampleRow::of(&case.name, "", &measured.samples));
        rows.push(measured.row);
    }
    let bandwidth = format!("{bandwidth_gbs:.1} GB/s (triad, all threads)");
    let value = json!({ "rows": rows, "bandwidth_gbs": (bandwidth_gbs * 10.0).round() / 10.0 });
    print(common, &value, || format!("{}memory bandwidth {bandwidth}\n", text(&rows)))?;
    destination.write(&rows, &samples, &[("bandwidth", bandwidth)], common)?;
    match (wrong, failed) {
        (Some(wrong), _) => Err(Failure::gate(wrong, "a kernel computes something else; run the tests").into()),
        (None, Some(failed)) => Err(failure(failed, "the other benchmarks were measured all the same")),
        (None, None) if rows.iter().all(|row| row.median_ns.is_none()) => {
            Err(failure("there is no data for any of the benchmarks", "`rivalry data fetch` gets data"))
        }
        (None, None) => Ok(()),
    }
}

fn note_debug_build(environment: &Environment, common: &Common) {
    if environment.build.profile == Profile::Debug {
        output::note(common, "note: this is a debug build; its times are not comparable");
    }
}

/// One line as soon as a benchmark is measured.
fn progress(measured: &Measured) -> String {
    let row = &measured.row;
    let Some(median_ns) = row.median_ns else { return format!("{:<32}{}", row.name, row.err) };
    let mut line = format!("{:<32}{:.1} µs", row.name, median_ns as f64 / 1e3);
    if let Some(pct) = row.pct_of_peak {
        line.push_str(&format!(", {pct} % of the peak"));
    }
    if let Some([a, b]) = measured.peaks.filter(|[a, b]| a.max(*b) > STEADY * a.min(*b)) {
        line.push_str(&format!("; the peak moved from {a:.0} to {b:.0} GFLOP/s meanwhile"));
    }
    line
}

/// `rivalry bench verify`: the result of every benchmark, checked once.
fn verify(selection: &Selection, common: &Common) -> anyhow::Result<()> {
    let cases = cases(selection, common)?;
    let kernels = Kernels::named(common.isa.name())?;
    let environment = Environment::collect(kernels.name(), 0);
    let mut sets = Sets::new(common);
    let (mut text, mut json, mut wrong, mut skipped) = (String::new(), Vec::new(), Vec::new(), 0);
    for case in &cases {
        let Measured { verdict, row, .. } = measure(case, kernels, &mut sets, &environment, false);
        let word = match verdict {
            Verdict::Right => "ok",
            Verdict::NoData => "SKIPPED",
            Verdict::Wrong | Verdict::Failed => "WRONG",
        };
        text.push_str(format!("{word:<9}{:<32}{}", case.name, row.err).trim_end());
        text.push('\n');
        match word {
            "WRONG" => wrong.push(format!("{}: {}", case.name, row.err)),
            "SKIPPED" => skipped += 1,
            _ => {}
        }
        json.push(json!({ "name": case.name, "threads": case.threads, "verdict": word, "reason": row.err }));
    }
    let right = cases.len() - wrong.len() - skipped;
    print(common, &json, || format!("{text}{right} right, {} wrong, {skipped} skipped\n", wrong.len()))?;
    match wrong.first() {
        Some(first) => {
            let message = format!("{} of {} benchmarks are wrong: {first}", wrong.len(), cases.len());
            let hint = "results have the same bits everywhere; run the tests, or change the definition with the rule";
            Err(Failure::gate(message, hint).into())
        }
        None if skipped == cases.len() => Err(failure(
            "there is no data for any of the benchmarks",
            "`rivalry data fetch` gets data, or filter for benchmarks on generated data",
        )),
        None => Ok(()),
    }
}

/// `rivalry bench peers`: other programs on the same work.
fn peers(args: &PeersArgs, common: &Common) -> anyhow::Result<()> {
    let mut cases = cases(&args.selection, common)?;
    cases.retain(suits);
    if cases.is_empty() {
        let message = "--filter matches no benchmark that peers can do: an epoch from random weights, or a score";
        return Err(failure(message, "`rivalry bench list` shows every name"));
    }
    let compute = Compute::new(common)?;
    let environment = Environment::collect(compute.core.kernels().name(), compute.core.threads());
    let destination = Destination::open("bench-peers", &args.place, &environment)?;
    note_debug_build(&environment, common);
    let bandwidth_gbs = limits::bandwidth_gbs(&compute.core);
    let mut session = Session::new(args, common, &environment);
    for case in &cases {
        session.case(case, &case.compute(compute.core.kernels())?);
    }
    print(common, &session.rows, || text(&session.rows))?;
    let mut machine = vec![("bandwidth", format!("{bandwidth_gbs:.1} GB/s (triad, all threads)"))];
    machine.extend(session.versions.iter().map(|(name, version)| ("peer", format!("{name}: {version}"))));
    destination.write(&session.rows, &session.samples, &machine, common)?;
    if let Some(wrong) = session.wrong {
        return Err(Failure::gate(wrong, "one of the two programs does not compute the rule").into());
    }
    if session.versions.is_empty() {
        return Err(failure("none of the peers could be measured", INSTALL));
    }
    Ok(())
}

/// Renews the tables of a document whose markers name records of benchmarks.
fn splice_tables(document: &Path, mode: Mode, common: &Common) -> anyhow::Result<()> {
    let command = format!("rivalry bench report --splice {}", document.display());
    let done = splice_file(document, "bench", Path::new(RECORDS), mode, &command, |marker| {
        let refuse = |what: String| failure(format!("{}: {what}", document.display()), "correct the marker");
        if !NAMES.contains(&marker.name) {
            return Err(refuse(format!("there is no table `{}`, only {}", marker.name, NAMES.join(", "))));
        }
        let [record] = marker.records[..] else {
            return Err(refuse(format!("the table `{}` is made from one record, not several", marker.name)));
        };
        let folder = Path::new(RECORDS).join(record);
        let mut rows = read(&folder)?;
        if let Some(name) = marker.only.iter().find(|name| !rows.iter().any(|row| row.name == **name)) {
            return Err(refuse(format!("the record {record} has no row {name}")));
        }
        rows.retain(|row| marker.shows(&row.name));
        match tables(&rows).iter().find(|(name, _)| *name == marker.name) {
            Some((_, table)) => Ok(with_origin(table, &rows, &folder)),
            None => Err(refuse(format!("the record {record} has no table `{}`", marker.name))),
        }
    })?;
    output::note(common, &done);
    Ok(())
}

/// A table, the machine and the revision, and the command that prints it again.
fn with_origin(table: &Table, rows: &[BenchRow], folder: &Path) -> String {
    let origin = rows.first().map_or(String::new(), |row| {
        let state = if row.dirty == "false" { "" } else { " with uncommitted changes" };
        format!("{}, revision {}{state}, {}", row.cpu, row.revision, row.rustc)
    });
    let folder = folder.display();
    format!("\n{}\n{origin}. Rows: {folder}/{ROWS}. Command: `rivalry bench report {folder}`\n", table.markdown())
}

/// Where results go: nowhere, to a folder, to a record, or to both.
struct Destination {
    folder: Option<PathBuf>,
    record: Option<Record>,
    environment: Environment,
}

impl Destination {
    /// Finds out before the first benchmark whether the results can be written. `what` names the kind of record.
    fn open(what: &str, place: &Place, environment: &Environment) -> anyhow::Result<Self> {
        let open = || Record::open(what, environment.clone(), Existing::Refuse);
        let record = place.record.then(open).transpose()?;
        if let Some(folder) = &place.out {
            if folder.join(ROWS).exists() {
                let message = format!("{} already has results ({ROWS})", folder.display());
                return Err(failure(message, "name another folder with --out"));
            }
            files::create_folder(folder)?;
            files::check_writable(&folder.join(ROWS))?;
        }
        Ok(Self { folder: place.out.clone(), record, environment: environment.clone() })
    }

    /// Writes rows, samples and the machine with more `facts`. The rows come last: a folder that has them is complete.
    fn write(
        &self,
        rows: &[BenchRow],
        samples: &[SampleRow],
        facts: &[(&str, String)],
        common: &Common,
    ) -> anyhow::Result<()> {
        let mut machine = self.environment.to_text();
        machine.extend(facts.iter().map(|(name, value)| format!("{name:<12}{value}\n")));
        let content = [("machine.txt", machine), ("samples.csv", to_csv(samples)), (ROWS, to_csv(rows))];
        if let Some(folder) = &self.folder {
            for (name, content) in &content {
                files::write(&folder.join(name), content.as_bytes())?;
            }
            output::note(common, &format!("written to {}", folder.display()));
        }
        self.record.as_ref().map_or(Ok(()), |record| record.write(&content, common))
    }
}
