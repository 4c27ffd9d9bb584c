//! `rivalry reproduce`: the paper's tables, ours beside the published numbers.
//!
//! 1. Open the data once. MNIST that is nowhere and cannot be fetched is replaced by the synthetic digits, which is said
//!    above and below the table and in every row.
//! 2. Look at every run folder and at the place of a record before the first minute is spent.
//! 3. One run for each method and seed; `table.csv` is rewritten after each, so what is finished is never lost.
//! 4. The table to stdout; with `--record` the rows also to `bench-results/`.
//!
//! Tables over several experiments and the sweeps have their place in [`Part`].

mod table;

use std::path::{Path, PathBuf};

use rivalry_data::Dataset;

use super::record::Record;
use super::train::RUNS;
use crate::cli::{Common, ReproduceArgs, Reproducible};
use crate::compute::Compute;
use crate::dataset::{self, Splits};
use crate::experiment::{Experiment, Method, Protocol};
use crate::failure::failure;
use crate::output;
use crate::provenance::Provenance;
use crate::record::{ResultRow, to_csv};
use crate::run::{Existing, RunFolder, files};
use crate::training::{self, Job};
use table::Table;

/// Runs the command.
pub(crate) fn run(args: &ReproduceArgs, common: &Common) -> anyhow::Result<()> {
    let protocol = if args.paper { Protocol::Paper } else { Protocol::Quick };
    let compute = Compute::new(common)?;
    let provenance = Provenance::collect(compute.kernels.name(), compute.team.threads());
    let part = Part::open(args.what, protocol, common)?;
    let name = format!("{}-{}", part.what, protocol.name());
    let record = if args.record { Some(Record::open(&name, provenance)?) } else { None };

    let path = args.out.clone().unwrap_or_else(|| PathBuf::from(RUNS).join(format!("reproduce-{name}")));
    let existing = Existing::from_flags(args.resume, args.force);
    let first = common.seed.unwrap_or(1);
    let mut runs = Vec::new();
    for (i, &method) in args.methods.iter().enumerate() {
        if args.methods[..i].contains(&method) {
            continue;
        }
        for offset in 0..u64::from(args.seeds.unwrap_or(1)) {
            let experiment = Experiment::named(part.experiment, method, protocol, first.saturating_add(offset))?;
            runs.push(Run::open(&part, experiment, &path, existing)?);
        }
    }
    let file = path.join("table.csv");
    begin(&path, &file, existing)?;
    part.announce(common);

    let mut rows = Vec::new();
    let mut unwritten = None;
    for run in &runs {
        let (row, error) = run.finish(&part, &compute, record.as_ref(), common)?;
        rows.push(row);
        let written = files::write(&file, to_csv(&rows).as_bytes());
        unwritten = unwritten.or(error).or(written.err());
    }
    let experiments: Vec<&Experiment> = runs.iter().map(|run| &run.experiment).collect();
    let table = Table { part: &part, protocol, rows: &rows, experiments: &experiments, folder: &path };
    // Printed before anything is said of files: a full disk does not take finished results away.
    output::result(&if common.json { table.json()? } else { table.text() })?;
    if let Some(error) = unwritten {
        return Err(error);
    }
    match record {
        Some(record) => {
            let machine = record.provenance().to_text();
            record.write(&[("machine.txt", machine), ("rows.csv", to_csv(&rows))], common)
        }
        None => Ok(()),
    }
}

/// One table: which experiment, on which data.
#[derive(Debug)]
struct Part {
    /// Its name on the command line.
    what: &'static str,
    /// The named experiment that is run.
    experiment: &'static str,
    data: Dataset,
    /// Why the data is not what the table is about; empty when it is.
    remark: String,
}

impl Part {
    fn open(what: Reproducible, protocol: Protocol, common: &Common) -> anyhow::Result<Self> {
        match what {
            Reproducible::Mnist => Self::mnist(protocol, common),
        }
    }

    fn mnist(protocol: Protocol, common: &Common) -> anyhow::Result<Self> {
        let open = |name| dataset::open(&Experiment::named(name, Method::Biological, protocol, 1)?, common);
        match open("mnist") {
            Ok(data) => Ok(Self { what: "mnist", experiment: "mnist", data, remark: String::new() }),
            Err(error) if dataset::is_missing(&error) => {
                let remark = format!("synthetic digits instead of MNIST, which is not here: {error}");
                Ok(Self { what: "mnist", experiment: "synthetic", data: open("synthetic")?, remark })
            }
            Err(error) => Err(error),
        }
    }

    fn announce(&self, common: &Common) {
        if !self.remark.is_empty() {
            output::note(common, &format!("note: {}", self.remark));
        }
    }
}

/// One method and seed.
#[derive(Debug)]
struct Run {
    experiment: Experiment,
    folder: RunFolder,
    finished: Option<ResultRow>,
}

impl Run {
    fn open(part: &Part, experiment: Experiment, path: &Path, existing: Existing) -> anyhow::Result<Self> {
        let path = path.join(experiment.run_name());
        let folder = RunFolder::open(&path, existing, &experiment)?;
        let finished = folder.finished()?;
        if let Some(row) = &finished
            && row.dataset_sha256 != part.data.sha256
        {
            let (expected, found) = (&part.data.sha256, &row.dataset_sha256);
            let message = format!("output {}: expected a run on data {expected}, found {found}", path.display());
            return Err(failure(message, "give another --out, or --force"));
        }
        Ok(Self { experiment, folder, finished })
    }

    /// The row, and the first file that could not be written.
    fn finish(
        &self,
        part: &Part,
        compute: &Compute,
        record: Option<&Record>,
        common: &Common,
    ) -> anyhow::Result<(ResultRow, Option<anyhow::Error>)> {
        if let Some(row) = &self.finished {
            if let Some(record) = record {
                record.refuse_other_revision(row, self.folder.path())?;
            }
            let place = self.folder.path().display();
            let (method, seed, revision) = (&row.method, row.seed, &row.revision);
            output::note(common, &format!("{method}, seed {seed}: kept, {place} holds it (revision {revision})"));
            return Ok((row.clone(), None));
        }
        let Experiment { method, seed, .. } = self.experiment;
        output::note(common, &format!("{method}, seed {seed}: {}", self.folder.path().display()));
        let splits = Splits::new(&part.data, &self.experiment)?;
        let outcome = training::run(&Job {
            experiment: &self.experiment,
            splits: &splits,
            dataset_sha256: &part.data.sha256,
            folder: &self.folder,
            compute,
            remark: &part.remark,
            common,
        })?;
        Ok((outcome.row, outcome.unwritten))
    }
}

/// The folder of the table, found to be writable before the first run.
fn begin(path: &Path, file: &Path, existing: Existing) -> anyhow::Result<()> {
    if file.exists() && existing == Existing::Refuse {
        let message = format!("output {}: expected a folder without a table, found table.csv", path.display());
        return Err(failure(
            message,
            "--resume keeps finished seeds, --force replaces them, --out names another folder",
        ));
    }
    files::create_folder(path)?;
    files::remove_temporary(path)?;
    files::check_writable(file)
}
