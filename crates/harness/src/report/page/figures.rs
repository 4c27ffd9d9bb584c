//! Figures of a part: errors over epochs, sweeps, convergence to the p-sphere, receptive fields.
//!
//! Over seeds a curve is the mean, at the epochs that every seed was evaluated at. A figure holds as many lines as there are
//! colours; more groups make more figures.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::figure::{self, Figure, Named};
use super::super::group::{Group, Part};
use super::super::html::Html;
use super::super::search::Run;
use super::count;
use crate::plot::lines::{Dot, Layout, Line, PALETTE, Stroke};
use crate::rows::MetricsRow;

/// More points than a figure has pixels for would only make the page longer.
const MOST_POINTS: usize = 320;

/// Train and held-out error against epoch, the methods beside one another.
pub(super) fn curves(html: &mut Html, part: &Part<'_>) -> anyhow::Result<()> {
    let train = |group: &Group<'_>| curve(group, false, |row, _| row.train_error_pct);
    let held_out = |group: &Group<'_>| curve(group, false, |row, _| row.test_error_pct.or(row.validation_error_pct));
    let groups: Vec<&Group<'_>> =
        part.groups.iter().filter(|group| !(train(group).is_empty() && held_out(group).is_empty())).collect();
    for chunk in groups.chunks(PALETTE.len()) {
        let mut lines = Vec::new();
        for (colour, group) in chunk.iter().enumerate() {
            let (test, validation) =
                (has(group, |row| row.test_error_pct.is_some()), has(group, |row| row.validation_error_pct.is_some()));
            let held_out_name = match (test, validation) {
                (true, true) => "test or validation",
                (false, true) => "validation",
                _ => "test",
            };
            for (what, stroke, points) in
                [("train", Stroke::Thin, train(group)), (held_out_name, Stroke::Thick, held_out(group))]
            {
                lines.push(Named { name: format!("{}: {what}", group.label), line: Line { colour, stroke, points } });
            }
        }
        let caption = format!(
            "Error against epoch, {} of the readout or of the whole network; mean over seeds. Early epochs above the upper edge are cut off.",
            part.experiment
        );
        put(html, &Figure::new(caption, ["epoch", "error (%)"], Layout::Curves, lines))?;
    }
    Ok(())
}

/// Units on the p-sphere, negative and silent ones, in per cent of all, over the unsupervised epochs.
pub(super) fn convergence(html: &mut Html, part: &Part<'_>) -> anyhow::Result<()> {
    type Units = (&'static str, fn(&MetricsRow) -> Option<usize>);
    const UNITS: [Units; 3] = [
        ("on the p-sphere", |row| row.on_sphere),
        ("negative mean weight", |row| row.negative_units),
        ("never ranked first in the epoch", |row| row.silent_units),
    ];
    let share = |group: &Group<'_>, units: fn(&MetricsRow) -> Option<usize>| {
        curve(group, true, |row, hidden| Some(100.0 * units(row)? as f64 / hidden? as f64))
    };
    let learned = |group: &&Group<'_>| UNITS.iter().any(|(_, units)| !share(group, *units).is_empty());
    let groups: Vec<&Group<'_>> = part.groups.iter().filter(learned).collect();
    let axes = ["unsupervised epoch", "units (%)"];
    if let [group] = groups[..] {
        let line = |(colour, (name, units)): (usize, &Units)| Named {
            name: (*name).to_owned(),
            line: Line { colour, stroke: Stroke::Thick, points: share(group, *units) },
        };
        let caption = format!(
            "Hidden units over the unsupervised epochs: {}, {}; mean over seeds.",
            part.experiment, group.label
        );
        let lines = UNITS.iter().enumerate().map(line).collect();
        return put(html, &Figure::new(caption, axes, Layout::Shares, lines));
    }
    for chunk in groups.chunks(PALETTE.len()) {
        for (name, units) in UNITS {
            let line = |(colour, group): (usize, &&Group<'_>)| Named {
                name: group.label.clone(),
                line: Line { colour, stroke: Stroke::Thick, points: share(group, units) },
            };
            let caption =
                format!("Hidden units over the unsupervised epochs, {}: {name}; mean over seeds.", part.experiment);
            let lines = chunk.iter().enumerate().map(line).collect();
            put(html, &Figure::new(caption, axes, Layout::Shares, lines))?;
        }
    }
    Ok(())
}

/// Error against each setting that was varied.
pub(super) fn sweeps(html: &mut Html, part: &Part<'_>) -> anyhow::Result<()> {
    figure::sweeps(part).iter().try_for_each(|(_, figure)| put(html, figure))
}

/// The picture of every run that has one.
pub(super) fn fields(html: &mut Html, part: &Part<'_>) {
    let runs = || part.groups.iter().flat_map(|group| group.runs.iter().map(move |run| (group, *run)));
    let pictures: Vec<_> = runs().filter_map(|(group, run)| Some((group, run, run.folder.as_ref()?))).collect();
    let missing: Vec<&str> = pictures
        .iter()
        .filter(|(_, run, folder)| run.row.hidden.is_some() && folder.fields.is_none())
        .map(|(.., folder)| folder.name.as_str())
        .collect();
    if pictures.iter().all(|(.., folder)| folder.fields.is_none()) && missing.is_empty() {
        return;
    }
    html.line("h3", &[], "Receptive fields");
    let legend = "The first units on the p-sphere (of all, where none is there), in one symmetric range for each picture, whose ends stand below it. Grey \
        images: blue is negative, white zero, red positive. Colour images: each colour channel from dark (negative) over \
        mid grey (zero) to full (positive).";
    html.line("p", &[], legend);
    html.block("div", &[("class", "fields")], |html| {
        for (group, run, folder) in &pictures {
            let Some(picture) = &folder.fields else { continue };
            let name = format!("{}, seed {}", group.label, run.row.seed);
            html.block("figure", &[], |html| {
                html.void(
                    "img",
                    &[
                        ("alt", &format!("Receptive fields: {name}, {}", units(run))),
                        ("width", &picture.width.to_string()),
                        ("height", &picture.height.to_string()),
                        ("src", &format!("data:image/png;base64,{}", STANDARD.encode(&picture.png))),
                    ],
                );
                html.element("figcaption", &[], |html| {
                    html.text(&format!("{name}: {}. ", units(run)));
                    html.leaf("code", &[], &folder.name);
                });
            });
        }
    });
    if !missing.is_empty() {
        html.line("p", &[], &format!("No picture in {}: {}.", count(missing.len(), "run folder"), missing.join(", ")));
    }
}

fn units(run: &Run) -> String {
    let row = &run.row;
    let mut told: Vec<String> = Vec::new();
    if let (Some(units), Some(hidden)) = (row.on_sphere, &row.hidden) {
        told.push(format!("{units} of {hidden} units on the sphere"));
    } else if let Some(hidden) = &row.hidden {
        told.push(format!("{hidden} units"));
    }
    told.extend(row.test_error_pct.map(|error| format!("test error {error:.2} %")));
    told.join(", ")
}

fn has(group: &Group<'_>, what: impl Fn(&MetricsRow) -> bool) -> bool {
    group.runs.iter().filter_map(|run| run.folder.as_ref()).any(|folder| folder.metrics.iter().any(&what))
}

/// A column of `metrics.csv` over epochs, mean over the runs that have it.
fn curve(group: &Group<'_>, unsupervised: bool, value: impl Fn(&MetricsRow, Option<usize>) -> Option<f64>) -> Vec<Dot> {
    let mut epochs: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for run in &group.runs {
        for row in run.folder.iter().flat_map(|folder| folder.epochs(unsupervised)) {
            if let Some(value) =
                value(row, run.row.hidden.as_ref().map(crate::config::Hidden::first).filter(|hidden| *hidden > 0))
            {
                epochs.entry(row.epoch).or_default().push(value);
            }
        }
    }
    // A curve that changes who it is of would step where nothing happened.
    let most = epochs.values().map(Vec::len).max().unwrap_or(0);
    let whole: Vec<Dot> = epochs
        .iter()
        .filter(|(_, values)| values.len() == most)
        .map(|(epoch, values)| Dot { x: f64::from(*epoch), y: values.iter().sum::<f64>() / most as f64, sd: None })
        .collect();
    let step = whole.len().div_ceil(MOST_POINTS).max(1);
    let last = whole.len().saturating_sub(1);
    whole.into_iter().enumerate().filter(|(index, _)| index % step == 0 || *index == last).map(|(_, dot)| dot).collect()
}

fn put(html: &mut Html, figure: &Figure) -> anyhow::Result<()> {
    let svg = figure.svg(false)?;
    html.block("figure", &[], |html| {
        html.element("div", &[("role", "img"), ("aria-label", &figure.caption)], |html| html.own_markup(&svg));
        html.block("figcaption", &[], |html| {
            html.text(&figure.caption);
            html.block("ul", &[("class", "legend")], |html| {
                for Named { name, line } in &figure.named {
                    let stroke = match line.stroke {
                        Stroke::Thin => "thin",
                        Stroke::Thick => "thick",
                        Stroke::Triangles => "triangle",
                    };
                    let key = format!("key {stroke} colour-{}", line.colour % PALETTE.len());
                    html.block("li", &[], |html| {
                        html.leaf("span", &[("class", &key)], "");
                        let last = line.points.last().filter(|_| figure.layout != Layout::Sweep);
                        html.text(&last.map_or(name.clone(), |dot| format!("{name} ({:.2} %)", dot.y)));
                    });
                }
            });
        });
    });
    Ok(())
}
