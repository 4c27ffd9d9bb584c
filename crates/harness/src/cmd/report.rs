//! `rivalry report`: one page about the runs and tables of a folder.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::{Common, ReportArgs};
use crate::files;
use crate::output;
use crate::report::Report;
use crate::report::splice::{Mode, splice_file};

/// The page goes here when `--html` does not say where.
const PAGE: &str = "report.html";

/// Runs the command.
pub(crate) fn run(args: &ReportArgs, common: &Common) -> anyhow::Result<()> {
    let report = Report::read(&args.dir)?;
    if let Some(document) = &args.splice {
        return splice(&report, args, document, common);
    }
    if let Some(folder) = &args.pictures {
        return pictures(&report, folder, common);
    }
    let out = args.html.clone().unwrap_or_else(|| PathBuf::from(&args.dir).join(PAGE));
    files::check_writable(&out)?;
    files::write(&out, report.to_html()?.as_bytes())?;
    for (place, reason) in report.set_aside() {
        output::note(common, &format!("note: {place} is not used: {reason}"));
    }
    let (runs, unfinished) = (report.runs(), report.unfinished());
    if common.json {
        return output::result(&format!("{}\n", json!({ "out": out.display().to_string(), "runs": runs })));
    }
    let plural = if runs == 1 { "run" } else { "runs" };
    output::result(&format!("report      {} ({runs} {plural}, {unfinished} unfinished)\n", out.display()))
}

/// Puts tables into a document, or checks those that are there.
fn splice(report: &Report, args: &ReportArgs, document: &Path, common: &Common) -> anyhow::Result<()> {
    let mode = if args.check { Mode::Check } else { Mode::Write };
    let command = format!("rivalry report {} --splice {}", args.dir.display(), document.display());
    let told = splice_file(document, "results", &args.dir, mode, &command, |marker| {
        Ok(format!("\n{}\n", report.table(marker)?.markdown()))
    })?;
    output::note(common, &told);
    Ok(())
}

/// Writes the sweeps as pictures.
fn pictures(report: &Report, folder: &Path, common: &Common) -> anyhow::Result<()> {
    let pictures = report.pictures()?;
    files::create_folder(folder)?;
    for (name, svg) in &pictures {
        let file = folder.join(format!("{name}.svg"));
        files::write(&file, svg.as_bytes())?;
        output::note(common, &format!("picture     {}", file.display()));
    }
    if pictures.is_empty() {
        output::note(common, "no pictures: there is no sweep in these results");
    }
    Ok(())
}
