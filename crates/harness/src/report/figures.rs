//! The figures: error over epochs, error along the axes of a sweep, convergence to the p-sphere, receptive fields.
//!
//! Over seeds a curve is the mean, at the epochs that every seed was evaluated at. A figure holds as many lines as there are
//! colours; more of them make more figures.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, PreEscaped, html};

use super::part::{Part, symbol};
use super::search::Run;
use crate::config::Hidden;
use crate::plot::lines::{Chart, Dot, Layout, Line, PALETTE, Stroke};
use crate::rows::MetricsRow;
use crate::summary::Summary;
use crate::table::void;

/// More points than a figure has pixels for would only make the page longer.
const MOST_POINTS: usize = 320;

/// All line plots of a part.
pub(super) fn plots(part: &Part<'_>) -> anyhow::Result<Markup> {
    let sweeps = sweeps(part).into_iter().map(|(_, chart)| chart);
    let figures = sweeps.chain(curves(part)).chain(convergence(part)).filter(|chart| !chart.lines.is_empty());
    let drawn = figures.map(|chart| figure(&chart)).collect::<anyhow::Result<Vec<Markup>>>()?;
    Ok(html! { @if !drawn.is_empty() { div.figures { @for figure in &drawn { (figure) } } } })
}

/// A chart with its caption and legend.
fn figure(chart: &Chart) -> anyhow::Result<Markup> {
    let svg = chart.svg(false)?;
    let key = |line: &Line| match line.stroke {
        Stroke::Thin => "thin",
        Stroke::Thick => "thick",
        Stroke::Triangles => "triangle",
    };
    let last = |line: &Line| line.points.last().filter(|_| chart.layout != Layout::Sweep).map(|dot| dot.y);
    Ok(html! {
        figure {
            div role="img" aria-label=(chart.title) { (PreEscaped(svg)) }
            figcaption {
                (chart.title)
                ul.legend {
                    @for line in &chart.lines {
                        li {
                            span class=(format!("key {} colour-{}", key(line), line.colour % PALETTE.len())) {}
                            (line.name)
                            @if let Some(error) = last(line) { (format!(" ({error:.2} %)")) }
                        }
                    }
                }
            }
        }
    })
}

/// Lines without a point are left out.
fn chart(title: String, [x, y]: [&str; 2], layout: Layout, mut lines: Vec<Line>) -> Chart {
    lines.retain(|line| !line.points.is_empty());
    Chart { title, x: x.to_owned(), y: y.to_owned(), layout, lines }
}

/// Error along each axis of a sweep, with the setting of the axis.
pub(super) fn sweeps<'p>(part: &'p Part<'_>) -> Vec<(&'p str, Chart)> {
    let mut figures = Vec::new();
    let error = if part.is_held_out { "validation error" } else { "test error" };
    for axis in &part.axes {
        let symbols: Vec<String> = axis.iter().map(|key| symbol(key)).collect();
        let along = if axis.len() > 1 { format!(", along with {}", symbols[1..].join(", ")) } else { String::new() };
        for chunk in part.lines(axis).chunks(PALETTE.len() - 1) {
            let mut lines = Vec::new();
            let mut published: Vec<Dot> = Vec::new();
            for (colour, (name, points)) in chunk.iter().enumerate() {
                let ours = |(x, one): &(f64, &Summary<'_>)| one.error().map(|it| Dot { x: *x, y: it.mean, sd: it.sd });
                let points_of_ours = points.iter().filter_map(ours).collect();
                lines.push(Line { name: name.clone(), colour, stroke: Stroke::Thick, points: points_of_ours });
                let theirs = points.iter().filter_map(|(x, one)| Some(Dot { x: *x, y: one.published()?.0, sd: None }));
                published.extend(theirs);
            }
            let (name, colour) = ("published".to_owned(), PALETTE.len() - 1);
            lines.push(Line { name, colour, stroke: Stroke::Triangles, points: published });
            let title = format!(
                "{}: {error} against {}{along}. Mean over seeds, bars of one sample standard deviation; the axis need not start at zero.",
                part.heading(),
                symbols[0]
            );
            figures.push((&*axis[0], chart(title, [&symbols[0], &format!("{error} (%)")], Layout::Sweep, lines)));
        }
    }
    figures
}

/// Training and held-out error over epochs, the methods beside one another.
fn curves(part: &Part<'_>) -> Vec<Chart> {
    let held_out = if part.is_held_out { "validation" } else { "test" };
    let mut lines: Vec<[Line; 2]> = Vec::new();
    for summary in &part.summaries {
        let both = [
            ("training", Stroke::Thin, curve(part, summary, false, |row, _| row.train_error_pct)),
            (
                held_out,
                Stroke::Thick,
                curve(part, summary, false, |row, _| row.validation_error_pct.or(row.test_error_pct)),
            ),
        ];
        if both.iter().any(|(.., points)| !points.is_empty()) {
            let (label, colour) = (part.label(summary), lines.len());
            let line = |(name, stroke, points)| Line { name: format!("{label}: {name}"), colour, stroke, points };
            lines.push(both.map(line));
        }
    }
    let title = format!(
        "{}: error over epochs of the readout or of the whole network; mean over seeds. Early epochs above the upper edge are cut off.",
        part.heading()
    );
    let of_chunk = |chunk: &[_]| chart(title.clone(), ["epoch", "error (%)"], Layout::Curves, chunk.concat());
    lines.chunks(PALETTE.len()).map(of_chunk).collect()
}

/// Units on the p-sphere, negative and dead ones, in per cent of all, over the unsupervised epochs: of one summary in one
/// figure, of several in one each.
fn convergence(part: &Part<'_>) -> Vec<Chart> {
    type Units = (&'static str, fn(&MetricsRow) -> Option<usize>);
    const UNITS: [Units; 3] = [
        ("on the p-sphere", |row| row.on_sphere),
        ("negative mean weight", |row| row.negative_units),
        ("never ranked first in the epoch", |row| row.silent_units),
    ];
    let shares = |summary| {
        UNITS.map(|(_, units)| {
            curve(part, summary, true, |row, hidden| Some(100.0 * units(row)? as f64 / hidden? as f64))
        })
    };
    let all = part.summaries.iter().map(|summary| (part.label(summary), shares(summary)));
    let all: Vec<(String, [Vec<Dot>; 3])> = all.filter(|(_, shares)| shares.iter().any(|it| !it.is_empty())).collect();
    let figure = |of: String, lines: Vec<(&str, Vec<Dot>)>| {
        let of_name = |(colour, (name, points)): (usize, (&str, Vec<Dot>))| Line {
            name: name.to_owned(),
            colour,
            stroke: Stroke::Thick,
            points,
        };
        let lines = lines.into_iter().enumerate().map(of_name).collect();
        chart(
            format!("{}{of}; mean over seeds.", part.heading()),
            ["unsupervised epoch", "units (%)"],
            Layout::Shares,
            lines,
        )
    };
    const OVER: &str = "hidden units over the unsupervised epochs";
    if let [(label, shares)] = &all[..] {
        let lines = UNITS.iter().zip(shares).map(|((name, _), points)| (*name, points.clone()));
        return vec![figure(format!(", {label}: {OVER}"), lines.collect())];
    }
    let each = all.chunks(PALETTE.len()).flat_map(|chunk| (0..UNITS.len()).map(move |units| (chunk, units)));
    each.map(|(chunk, units)| {
        let lines = chunk.iter().map(|(label, shares)| (label.as_str(), shares[units].clone()));
        figure(format!(": {OVER}, {}", UNITS[units].0), lines.collect())
    })
    .collect()
}

/// A column of `metrics.csv` over epochs, mean over the runs that have it.
fn curve(
    part: &Part<'_>,
    summary: &Summary<'_>,
    unsupervised: bool,
    value: impl Fn(&MetricsRow, Option<usize>) -> Option<f64>,
) -> Vec<Dot> {
    let mut epochs: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for run in part.runs(summary) {
        let hidden = run.row.hidden.as_ref().map(Hidden::first);
        for row in run.folder.iter().flat_map(|folder| folder.epochs(unsupervised)) {
            if let Some(value) = value(row, hidden.filter(|hidden| *hidden > 0)) {
                epochs.entry(row.epoch).or_default().push(value);
            }
        }
    }
    // A curve that changes who it is of would step where nothing happened.
    let most = epochs.values().map(Vec::len).max().unwrap_or(0);
    let whole = epochs.iter().filter(|(_, values)| values.len() == most);
    let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / most as f64;
    let dots: Vec<Dot> = whole.map(|(epoch, values)| Dot { x: f64::from(*epoch), y: mean(values), sd: None }).collect();
    let (step, last) = (dots.len().div_ceil(MOST_POINTS).max(1), dots.len().saturating_sub(1));
    dots.into_iter().enumerate().filter(|(index, _)| index % step == 0 || *index == last).map(|(_, dot)| dot).collect()
}

/// The receptive fields of one run.
pub(super) fn fields(label: &str, run: &Run) -> Option<Markup> {
    let folder = run.folder.as_ref()?;
    let picture = folder.fields.as_ref()?;
    let name = format!("{label}, seed {}", run.row.seed);
    let alt = format!("Receptive fields: {name}, {}", units(run));
    let source = format!("data:image/png;base64,{}", STANDARD.encode(&picture.png));
    Some(html! {
        figure {
            (void("img", &[
                ("alt", &alt),
                ("width", &picture.width.to_string()),
                ("height", &picture.height.to_string()),
                ("src", &source),
            ]))
            figcaption { (format!("{name}: {}. ", units(run))) code { (folder.name) } }
        }
    })
}

/// What the pictures of receptive fields show.
pub(super) const FIELDS: &str = "The first units on the p-sphere (of all, where none is there), in one symmetric range for each \
    picture, whose ends stand below it. Grey images: blue is negative, white zero, red positive. Colour images: each colour \
    channel from dark (negative) over mid grey (zero) to full (positive).";

fn units(run: &Run) -> String {
    let row = &run.row;
    let mut told: Vec<String> = Vec::new();
    match (row.on_sphere, &row.hidden) {
        (Some(units), Some(hidden)) => told.push(format!("{units} of {hidden} units on the sphere")),
        (None, Some(hidden)) => told.push(format!("{hidden} units")),
        _ => {}
    }
    told.extend(row.test_error_pct.map(|error| format!("test error {error:.2} %")));
    told.join(", ")
}
