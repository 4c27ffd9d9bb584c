//! Where the results of benchmarks go: nowhere, to a folder, to a record, or to both.

use std::path::PathBuf;

use crate::cli::{Common, Place};
use crate::cmd::record::{ROWS, Record};
use crate::env::Environment;
use crate::failure::failure;
use crate::output;
use crate::rows::bench::{BenchRow, SampleRow};
use crate::rows::to_csv;
use crate::run::{Existing, files};

const SAMPLES: &str = "samples.csv";
const MACHINE: &str = "machine.txt";

/// Found to be writable before the first benchmark.
pub(super) struct Destination {
    folder: Option<PathBuf>,
    record: Option<Record>,
    environment: Environment,
}

impl Destination {
    /// Everything that can be refused is refused here. `what` names the kind of record.
    pub(super) fn open(what: &str, place: &Place, environment: Environment) -> anyhow::Result<Self> {
        let record = match place.record {
            true => Some(Record::open(what, environment.clone(), Existing::Refuse)?),
            false => None,
        };
        if let Some(folder) = &place.out {
            if folder.join(ROWS).exists() {
                let message = format!("output {}: expected a folder without results, found {ROWS}", folder.display());
                return Err(failure(message, "name another folder with --out"));
            }
            files::create_folder(folder)?;
            files::check_writable(&folder.join(ROWS))?;
        }
        Ok(Self { folder: place.out.clone(), record, environment })
    }

    /// Writes rows, samples and the machine; `measured` are lines for the machine sheet. The rows come last: a folder that
    /// has them is complete.
    pub(super) fn write(
        &self,
        rows: &[BenchRow],
        samples: &[SampleRow],
        measured: &[(&str, String)],
        common: &Common,
    ) -> anyhow::Result<()> {
        let mut machine = self.environment.to_text();
        machine.extend(measured.iter().map(|(name, value)| format!("{name:<12}{value}\n")));
        let content = [(MACHINE, machine), (SAMPLES, to_csv(samples)), (ROWS, to_csv(rows))];
        if let Some(folder) = &self.folder {
            for (name, content) in &content {
                files::write(&folder.join(name), content.as_bytes())?;
            }
            output::note(common, &format!("written to {}", folder.display()));
        }
        match &self.record {
            Some(record) => record.write(&content, common),
            None => Ok(()),
        }
    }
}
