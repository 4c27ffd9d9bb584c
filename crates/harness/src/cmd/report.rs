//! `rivalry report`: one page about the runs and tables of a folder.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::{Common, ReportArgs};
use crate::output;
use crate::report::Report;
use crate::run::files;

/// The page goes here when `--html` does not say where.
const PAGE: &str = "report.html";

/// Runs the command.
pub(crate) fn run(args: &ReportArgs, common: &Common) -> anyhow::Result<()> {
    let report = Report::read(&args.dir)?;
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
