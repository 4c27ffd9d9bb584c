//! `rivalry bench`: benchmarks that check their results, and what is made of their times.

use std::path::{Path, PathBuf};

use rivalry_core::Kernels;
use serde::Serialize;
use serde_json::json;

use super::record::{RECORDS, ROWS, Record, write_files};
use crate::bench::definition::{Case, Definition, Start, Work, select};
use crate::bench::examples::Sets;
use crate::bench::limits;
use crate::bench::measure::{Measured, Verdict, measure};
use crate::bench::peers::{INSTALL, Session, suits};
use crate::bench::rows::{BenchRow, SampleRow, read};
use crate::bench::tables::{Comparison, NAMES, tables, text};
use crate::cli::{BenchAction, BenchArgs, BenchRunArgs, Common, PeersArgs, Place, Selection};
use crate::compute::Compute;
use crate::env::Environment;
use crate::error::{Failure, failure};
use crate::files;
use crate::output;
use crate::report::splice::{Mode, splice_file};
use crate::rows::to_csv;
use crate::run::Existing;
use crate::table::Table;

/// A peak that moves by more than this factor within one benchmark is noted.
const STEADY: f64 = 1.1;

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
        cases.iter().map(|case| format!("{:<36}{}\n", case.name, about(&case.definition))).collect()
    })
}

/// A benchmark in a few words.
fn about(definition: &Definition) -> String {
    let kind = match &definition.work {
        Work::Epoch(epoch) => {
            let start = if epoch.start == Start::Pretrained { ", pretrained" } else { "" };
            format!("epoch, p {}, k {}{start}", epoch.p, epoch.k)
        }
        Work::Score(_) => "score".to_owned(),
        Work::Features(_) => "features".to_owned(),
        Work::Readout(_) => "readout".to_owned(),
        Work::Learner(learner) => learner.method.name().to_owned(),
        Work::Patches(patches) => format!("patches of {0} × {0}, {1} × {1} cells", patches.side, patches.cells),
        Work::Bandwidth => "memory bandwidth".to_owned(),
    };
    definition.work.product().map_or(kind.clone(), |product| {
        let (hidden, inputs, batch) = (product.hidden, product.data.inputs(), product.batch);
        format!("{kind}, {hidden} units, {inputs} inputs, minibatch {batch}")
    })
}

/// `rivalry bench run`: every benchmark checked, then timed.
fn run_all(args: &BenchRunArgs, common: &Common) -> anyhow::Result<()> {
    let cases = cases(&args.selection, common)?;
    let Begun { compute, environment, destination, bandwidth_gbs } = Begun::new("bench", &args.place, common)?;
    let kernels = compute.core.kernels();
    // Each benchmark starts its own threads.
    drop(compute);

    let (mut sets, mut all) = (Sets::new(common), Vec::new());
    for case in &cases {
        let measured = measure(case, kernels, &mut sets, &environment, true);
        output::note(common, &progress(&measured));
        all.push(measured);
    }
    let rows: Vec<BenchRow> = all.iter().map(|measured| measured.row.clone()).collect();
    let samples: Vec<SampleRow> =
        all.iter().flat_map(|measured| SampleRow::of(&measured.row.name, "", &measured.samples)).collect();
    let bandwidth = bandwidth_text(bandwidth_gbs);
    let value = json!({ "rows": rows, "bandwidth_gbs": (bandwidth_gbs * 10.0).round() / 10.0 });
    print(common, &value, || format!("{}memory bandwidth {bandwidth}\n", text(&rows)))?;
    destination.write(environment.to_text(), &[("bandwidth", bandwidth)], &rows, &samples, common)?;
    if let Some(wrong) = first(&all, &[Verdict::Wrong]) {
        return Err(Failure::gate(wrong, "a kernel computes something else; run the tests").into());
    }
    if let Some(failed) = first(&all, &[Verdict::Failed]) {
        return Err(failure(failed, "the other benchmarks were measured all the same"));
    }
    match rows.iter().all(|row| row.median_ns.is_none()) {
        true => Err(failure("there is no data for any of the benchmarks", "`rivalry data fetch` gets data")),
        false => Ok(()),
    }
}

/// The first benchmark with one of these outcomes, and why.
fn first(all: &[Measured], verdicts: &[Verdict]) -> Option<String> {
    let found = all.iter().find(|measured| verdicts.contains(&measured.verdict))?;
    Some(format!("{}: {}", found.row.name, found.row.err))
}

/// What timing anything begins with.
struct Begun {
    compute: Compute,
    environment: Environment,
    destination: Destination,
    bandwidth_gbs: f64,
}

impl Begun {
    /// Finds out before the first benchmark whether the results can be written. `what` names the kind of record.
    fn new(what: &str, place: &Place, common: &Common) -> anyhow::Result<Self> {
        let compute = Compute::new(common)?;
        let environment = Environment::of(&compute);
        let destination = Destination::open(what, place, &environment)?;
        if environment.build.is_debug() {
            output::note(common, "note: this is a debug build; its times are not comparable");
        }
        Ok(Self { bandwidth_gbs: limits::bandwidth_gbs(&compute.core), compute, environment, destination })
    }
}

fn bandwidth_text(gbs: f64) -> String {
    format!("{gbs:.1} GB/s (triad, all threads)")
}

/// One line as soon as a benchmark is measured.
fn progress(measured: &Measured) -> String {
    let row = &measured.row;
    let Some(median_ns) = row.median_ns else { return format!("{:<36}{}", row.name, row.err) };
    let mut line = format!("{:<36}{:.1} µs", row.name, median_ns as f64 / 1e3);
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
    let all: Vec<Measured> = cases.iter().map(|case| measure(case, kernels, &mut sets, &environment, false)).collect();
    let word = |measured: &Measured| match measured.verdict {
        Verdict::Right => "ok",
        Verdict::NoData => "SKIPPED",
        Verdict::Wrong | Verdict::Failed => "WRONG",
    };
    let [right, wrong, skipped] =
        ["ok", "WRONG", "SKIPPED"].map(|of| all.iter().filter(|measured| word(measured) == of).count());
    let json = all.iter().map(|measured| {
        let BenchRow { name, threads, err, .. } = &measured.row;
        json!({ "name": name, "threads": threads, "verdict": word(measured), "reason": err })
    });
    let line = |measured: &Measured| {
        let line = format!("{:<9}{:<36}{}", word(measured), measured.row.name, measured.row.err);
        format!("{}\n", line.trim_end())
    };
    print(common, &json.collect::<Vec<_>>(), || {
        format!("{}{right} right, {wrong} wrong, {skipped} skipped\n", all.iter().map(line).collect::<String>())
    })?;
    if let Some(first) = first(&all, &[Verdict::Wrong, Verdict::Failed]) {
        let message = format!("{wrong} of {} benchmarks are wrong: {first}", cases.len());
        let hint = "results have the same bits everywhere; run the tests, or change the definition with the rule";
        return Err(Failure::gate(message, hint).into());
    }
    match skipped == cases.len() {
        true => Err(failure(
            "there is no data for any of the benchmarks",
            "`rivalry data fetch` gets data, or filter for benchmarks on generated data",
        )),
        false => Ok(()),
    }
}

/// `rivalry bench peers`: other programs on the same work.
fn peers(args: &PeersArgs, common: &Common) -> anyhow::Result<()> {
    let mut cases = cases(&args.selection, common)?;
    cases.retain(suits);
    if cases.is_empty() {
        let message = "--filter matches no benchmark that peers can do: an epoch from random weights, a score, a learner or patches";
        return Err(failure(message, "`rivalry bench list` shows every name"));
    }
    let Begun { compute, environment, destination, bandwidth_gbs } = Begun::new("bench-peers", &args.place, common)?;
    let mut session = Session::new(args, common, &environment);
    for case in &cases {
        session.case(case, &case.compute(compute.core.kernels())?);
    }
    print(common, &session.rows, || text(&session.rows))?;
    let mut facts = vec![("bandwidth", bandwidth_text(bandwidth_gbs))];
    facts.extend(session.versions.iter().map(|(name, version)| ("peer", format!("{name}: {version}"))));
    destination.write(environment.to_text(), &facts, &session.rows, &session.samples, common)?;
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

/// Where results go: to a folder, to a record, to both, or nowhere.
struct Destination {
    folder: Option<PathBuf>,
    record: Option<Record>,
}

impl Destination {
    fn open(what: &str, place: &Place, environment: &Environment) -> anyhow::Result<Self> {
        let record = Record::open(place.record, what, environment, Existing::Refuse)?;
        if let Some(folder) = &place.out {
            if folder.join(ROWS).exists() {
                let message = format!("{} already has results ({ROWS})", folder.display());
                return Err(failure(message, "name another folder with --out"));
            }
            files::create_folder(folder)?;
            files::check_writable(&folder.join(ROWS))?;
        }
        Ok(Self { folder: place.out.clone(), record })
    }

    /// Writes rows, samples and the machine with more facts about it.
    fn write(
        &self,
        machine: String,
        facts: &[(&str, String)],
        rows: &[BenchRow],
        samples: &[SampleRow],
        common: &Common,
    ) -> anyhow::Result<()> {
        let facts = facts.iter().map(|(name, value)| format!("{name:<12}{value}\n"));
        let machine = [machine].into_iter().chain(facts).collect();
        let content = [("machine.txt", machine), ("samples.csv", to_csv(samples)), (ROWS, to_csv(rows))];
        if let Some(folder) = &self.folder {
            write_files(folder, &content)?;
            output::note(common, &format!("written to {}", folder.display()));
        }
        self.record.iter().try_for_each(|record| record.write(&content, common))
    }
}
