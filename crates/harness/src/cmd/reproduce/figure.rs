//! The sweeps behind the paper's figures: a named sweep, its rows in `<sweep>.csv`, and mean ± s.d. of each point.

use std::path::{Path, PathBuf};

use super::super::record::Record;
use super::sources::{Source, Sources};
use super::{Plan, Printed};
use crate::cli::Common;
use crate::cmd::sweep::conclude;
use crate::compute::Compute;
use crate::config::Protocol;
use crate::output;
use crate::run::Existing;
use crate::sweep::run::{Finished, Opened, Sweep};
use crate::sweep::{Definition, Point, Shard, grid, summary};

/// One sweep spread out into its points.
#[derive(Debug)]
pub(super) struct Figure {
    definition: Definition,
    points: Vec<Point>,
    protocol: Protocol,
    /// Whether the data is missing.
    skipped: bool,
    /// Why the data is not what the figure is about, or is missing; empty when it is.
    remark: String,
    out: PathBuf,
    existing: Existing,
}

impl Figure {
    /// The points of a named sweep, on the data that there is.
    pub(super) fn new(name: &str, folder: &Path, plan: &Plan<'_>, sources: &mut Sources) -> anyhow::Result<Self> {
        let mut definition = Definition::load(name, plan.protocol)?;
        definition.seeds = plan.args.seeds.unwrap_or(definition.seeds);
        let (skipped, remark) = match sources.find(&definition.base, plan.common)? {
            Source::Ready { experiment, remark } => {
                definition.rebase(&experiment);
                (false, remark)
            }
            Source::Missing(reason) => (true, reason),
        };
        let points = grid::points(&definition, plan.first_seed)?;
        let out = folder.join(format!("{name}.csv"));
        Ok(Self { definition, points, protocol: plan.protocol, skipped, remark, out, existing: plan.existing })
    }

    fn sweep(&self) -> Sweep<'_> {
        Sweep {
            name: &self.definition.name,
            points: &self.points,
            shard: Shard::WHOLE,
            out: &self.out,
            existing: self.existing,
            remark: &self.remark,
        }
    }

    /// Looks at everything, and changes nothing; nothing to open where the data is missing.
    pub(super) fn open<'a>(&'a self, sources: &Sources, record: Option<&Record>) -> anyhow::Result<Option<Opened<'a>>> {
        if self.skipped {
            return self.sweep().check_skippable().map(|()| None);
        }
        let opened = self.sweep().open(&sources.data)?;
        if let Some(record) = record {
            opened.kept().try_for_each(|(row, folder)| record.refuse_other_revision(row, folder))?;
        }
        Ok(Some(opened))
    }

    /// Runs what is not finished, or writes down that it was skipped.
    pub(super) fn run(
        &self,
        opened: Option<Opened<'_>>,
        sources: &Sources,
        compute: &Compute,
        common: &Common,
    ) -> anyhow::Result<Printed> {
        let name = &self.definition.name;
        output::note(common, &format!("{name}: {}", self.out.display()));
        let finished = match opened {
            Some(opened) => opened.run(&sources.data, compute, common)?,
            None => Finished { rows: self.sweep().skip(&self.remark)?, failed: Vec::new(), unwritten: None },
        };
        let summaries = summary::summaries(self.points.iter().zip(&finished.rows));
        let seeds = self.definition.seeds;
        let mut text = String::new();
        let notice = match (self.skipped, self.remark.is_empty()) {
            (true, _) => format!("SKIPPED: {}\n", self.remark),
            (false, false) => format!("NOT MNIST: {}\n", self.remark),
            (false, true) => String::new(),
        };
        text.push_str(&notice);
        text.push_str(&format!(
            "{name} on {}, {} protocol: {} points, {seeds} {}\n",
            self.points[0].experiment.dataset,
            self.protocol.name(),
            summaries.len(),
            if seeds == 1 { "seed" } else { "seeds" }
        ));
        if !self.skipped {
            let held_out = finished.rows.iter().any(|row| row.validation_error_pct.is_some());
            text.push_str(&format!("\n{}", summary::table(&summaries, held_out)));
        }
        text.push_str(&format!("rows: {}\n{notice}", self.out.display()));
        let json = serde_json::json!({
            "sweep": name,
            "protocol": self.protocol.name(),
            "note": (!self.remark.is_empty()).then_some(&self.remark),
            "points": summaries,
            "rows": finished.rows,
        });
        let rows = finished.rows.clone();
        let error = conclude(name, finished, &self.out.display().to_string()).err();
        Ok(Printed { text, json, rows, error, recordable: !self.skipped })
    }
}
