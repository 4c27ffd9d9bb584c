//! The runs of a table: one for each method and seed, each in a folder of its own beside `table.csv`.

use std::path::{Path, PathBuf};

use rivalry_data::Dataset;

use super::super::record::Record;
use super::sources::{Source, Sources};
use super::table::Table;
use super::{Plan, Printed};
use crate::cli::Common;
use crate::compute::Compute;
use crate::config::{Config, Method, Protocol};
use crate::dataset::Splits;
use crate::failure::failure;
use crate::output;
use crate::rows::{ResultRow, to_csv};
use crate::run::{Existing, RunFolder, files};
use crate::training::{self, Job};

/// One table: which experiment, on which data, by which methods and seeds.
#[derive(Debug)]
pub(super) struct Runs<'a> {
    /// Its name on the command line, which is that of the experiment it is about.
    pub(super) what: &'static str,
    pub(super) protocol: Protocol,
    /// Nothing where the data is missing.
    pub(super) data: Option<&'a Dataset>,
    /// Why the data is not what the table is about, or is missing; empty when it is.
    pub(super) remark: String,
    runs: Vec<Run>,
    folder: PathBuf,
    existing: Existing,
}

/// One method and seed.
#[derive(Debug)]
struct Run {
    experiment: Config,
    folder: RunFolder,
    finished: Option<ResultRow>,
}

impl<'a> Runs<'a> {
    /// Looks at every folder, and changes nothing.
    pub(super) fn open(
        what: &'static str,
        folder: &Path,
        plan: &Plan<'_>,
        source: Source,
        sources: &'a Sources,
    ) -> anyhow::Result<Self> {
        let (name, data, remark) = match source {
            Source::Ready { experiment, remark } => {
                let data = sources.data.get(&Config::resolve(&experiment, &[], None)?)?;
                (experiment, Some(data), remark)
            }
            Source::Missing(reason) => (what.to_owned(), None, reason),
        };
        let mut runs = Vec::new();
        for (i, &method) in plan.methods.iter().enumerate() {
            if plan.methods[..i].contains(&method) {
                continue;
            }
            for offset in 0..u64::from(plan.args.seeds.unwrap_or(1)) {
                let seed = plan.first_seed.saturating_add(offset);
                let experiment = Config::named(&name, method, plan.protocol, seed)?;
                runs.push(Run::open(data, experiment, folder, plan.existing)?);
            }
        }
        let (protocol, existing) = (plan.protocol, plan.existing);
        Ok(Self { what, protocol, data, remark, runs, folder: folder.to_owned(), existing })
    }

    /// Runs what is not finished; `table.csv` is rewritten after each run, so what is finished is never lost.
    pub(super) fn run(self, compute: &Compute, record: Option<&Record>, common: &Common) -> anyhow::Result<Printed> {
        let file = self.folder.join("table.csv");
        self.begin(&file)?;
        let (mut rows, mut unwritten) = (Vec::new(), None);
        for run in &self.runs {
            let (row, error) = run.finish(&self, compute, record, common)?;
            rows.push(row);
            let written = files::write(&file, to_csv(&rows).as_bytes());
            unwritten = unwritten.or(error).or(written.err());
        }
        let experiments: Vec<&Config> = self.runs.iter().map(|run| &run.experiment).collect();
        let table = Table { part: &self, rows: &rows, experiments: &experiments, folder: &self.folder };
        let recordable = self.data.is_some();
        Ok(Printed { text: table.text(), json: table.json(), rows, error: unwritten, recordable })
    }

    /// The folder of the table, found to be writable before the first run.
    fn begin(&self, file: &Path) -> anyhow::Result<()> {
        if file.exists() && self.existing == Existing::Refuse {
            let place = self.folder.display();
            let message = format!("output {place}: expected a folder without a table, found table.csv");
            return Err(failure(
                message,
                "--resume keeps finished seeds, --force replaces them, --out names another folder",
            ));
        }
        files::create_folder(&self.folder)?;
        files::remove_temporary(&self.folder)?;
        files::check_writable(file)
    }
}

impl Run {
    fn open(data: Option<&Dataset>, experiment: Config, path: &Path, existing: Existing) -> anyhow::Result<Self> {
        let path = path.join(experiment.run_name());
        let folder = RunFolder::open(&path, existing, &experiment)?;
        let finished = folder.finished()?;
        if let (Some(row), Some(data)) = (&finished, data)
            && row.dataset_sha256 != data.sha256
        {
            let (expected, found) = (&data.sha256, &row.dataset_sha256);
            let message = format!("output {}: expected a run on data {expected}, found {found}", path.display());
            return Err(failure(message, "give another --out, or --force"));
        }
        Ok(Self { experiment, folder, finished })
    }

    /// The row, and the first file that could not be written.
    fn finish(
        &self,
        part: &Runs<'_>,
        compute: &Compute,
        record: Option<&Record>,
        common: &Common,
    ) -> anyhow::Result<(ResultRow, Option<anyhow::Error>)> {
        let Some(data) = part.data else {
            let skipped = ResultRow { err: part.remark.clone(), ..ResultRow::of_settings(&self.experiment) };
            return Ok((skipped, None));
        };
        if let Some(row) = &self.finished {
            if let Some(record) = record {
                record.refuse_other_revision(row, self.folder.path())?;
            }
            let place = self.folder.path().display();
            let (method, seed, revision) = (&row.method, row.seed, &row.revision);
            output::note(common, &format!("{method}, seed {seed}: kept, {place} holds it (revision {revision})"));
            return Ok((row.clone(), None));
        }
        let Config { method, seed, .. } = self.experiment;
        output::note(common, &format!("{method}, seed {seed}: {}", self.folder.path().display()));
        let splits = Splits::new(data, &self.experiment)?;
        let outcome = training::run(&Job {
            experiment: &self.experiment,
            splits: &splits,
            dataset_sha256: &data.sha256,
            folder: &self.folder,
            compute,
            remark: &part.remark,
            common,
        })?;
        Ok((outcome.row, outcome.unwritten))
    }
}

/// The methods of a table unless `--methods` says otherwise.
pub(super) fn default_methods(of_everything: bool, protocol: Protocol) -> Vec<Method> {
    match (of_everything, protocol) {
        // Everything is the paper's pair and the controls; in ten minutes there is time for the paper's method alone.
        (true, Protocol::Paper) => vec![Method::Biological, Method::EndToEnd, Method::Random, Method::Shallow],
        _ => vec![Method::Biological],
    }
}
