//! The figures: error over epochs, error along the axes of a sweep, convergence to the p-sphere, receptive fields.
//!
//! Over seeds a curve is the mean, at the epochs that every seed was evaluated at. A figure holds as many lines as there are
//! colours; more of them make more figures.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, PreEscaped, html};

use super::page::void;
use super::part::{Part, symbol};
use super::search::Run;
use crate::config::Hidden;
use crate::plot::lines::{Chart, Dot, Layout, Line, PALETTE, Stroke};
use crate::rows::MetricsRow;
use crate::summary::Summary;

/// More points than a figure has pixels for would only make the page longer.
const MOST_POINTS: usize = 320;

/// A line with its name in the legend.
struct Named {
    name: String,
    line: Line,
}

/// A chart before it is put anywhere: into the page, which has a legend of its own, or into a file.
pub(super) struct Figure {
    /// The setting of a sweep, for the name of a file.
    pub(super) key: String,
    caption: String,
    x: String,
    y: String,
    layout: Layout,
    named: Vec<Named>,
}

impl Figure {
    /// Lines without a point are left out.
    fn new(caption: String, [x, y]: [&str; 2], layout: Layout, mut named: Vec<Named>) -> Self {
        named.retain(|named| !named.line.points.is_empty());
        Self { key: x.to_owned(), caption, x: x.to_owned(), y: y.to_owned(), layout, named }
    }

    /// The picture; with `legend`, one that stands alone: names beside it, on white.
    ///
    /// # Errors
    /// No point, or one that is no finite number.
    pub(super) fn svg(&self, legend: bool) -> anyhow::Result<String> {
        let lines: Vec<Line> = self.named.iter().map(|named| named.line.clone()).collect();
        let names: Vec<&str> = self.named.iter().map(|named| named.name.as_str()).collect();
        let title = if legend { "" } else { &self.caption };
        let legend = legend.then_some(&names[..]);
        Chart { title, x: &self.x, y: &self.y, layout: self.layout, lines: &lines, legend }.svg()
    }

    /// The picture with its caption and legend.
    fn html(&self) -> anyhow::Result<Markup> {
        let svg = self.svg(false)?;
        let last = |line: &Line| line.points.last().filter(|_| self.layout != Layout::Sweep).map(|dot| dot.y);
        let stroke = |line: &Line| match line.stroke {
            Stroke::Thin => "thin",
            Stroke::Thick => "thick",
            Stroke::Triangles => "triangle",
        };
        Ok(html! {
            figure {
                div role="img" aria-label=(self.caption) { (PreEscaped(svg)) }
                figcaption {
                    (self.caption)
                    ul.legend {
                        @for Named { name, line } in &self.named {
                            li {
                                span class=(format!("key {} colour-{}", stroke(line), line.colour % PALETTE.len())) {}
                                (name)
                                @if let Some(error) = last(line) { (format!(" ({error:.2} %)")) }
                            }
                        }
                    }
                }
            }
        })
    }
}

/// All line plots of a part.
pub(super) fn plots(part: &Part<'_>) -> anyhow::Result<Markup> {
    let figures = sweeps(part).into_iter().chain(curves(part)).chain(convergence(part));
    let drawn = figures.map(|figure| figure.html()).collect::<anyhow::Result<Vec<Markup>>>()?;
    Ok(html! { @if !drawn.is_empty() { div.figures { @for figure in &drawn { (figure) } } } })
}

/// Error along each axis of a sweep.
pub(super) fn sweeps(part: &Part<'_>) -> Vec<Figure> {
    let mut figures = Vec::new();
    let error = if part.is_held_out { "validation error" } else { "test error" };
    for sweep in part.sweeps() {
        let along: Vec<String> = sweep.along.iter().map(|key| symbol(key)).collect();
        let along = if along.is_empty() { String::new() } else { format!(", along with {}", along.join(", ")) };
        let caption = format!(
            "{}: {error} against {}{along}. Mean over seeds, bars of one sample standard deviation; the axis need not start at zero.",
            part.heading(),
            symbol(sweep.key)
        );
        for chunk in sweep.lines.chunks(PALETTE.len() - 1) {
            let mut named = Vec::new();
            let mut published: Vec<Dot> = Vec::new();
            for (colour, (label, points)) in chunk.iter().enumerate() {
                let dot = |(x, summary): &(f64, &Summary<'_>)| {
                    summary.error().map(|error| Dot { x: *x, y: error.mean, sd: error.sd })
                };
                let line = Line { colour, stroke: Stroke::Thick, points: points.iter().filter_map(dot).collect() };
                named.push(Named { name: label.clone(), line });
                let theirs = points.iter().filter_map(|(x, one)| Some(Dot { x: *x, y: one.published()?.0, sd: None }));
                published.extend(theirs);
            }
            let line = Line { colour: PALETTE.len() - 1, stroke: Stroke::Triangles, points: published };
            named.push(Named { name: "published".to_owned(), line });
            let axes = [&*symbol(sweep.key), &format!("{error} (%)")];
            let figure = Figure::new(caption.clone(), axes, Layout::Sweep, named);
            figures.push(Figure { key: sweep.key.to_owned(), ..figure });
        }
    }
    figures
}

/// Training and held-out error over epochs, the methods beside one another.
fn curves(part: &Part<'_>) -> Vec<Figure> {
    let held_out = if part.is_held_out { "validation" } else { "test" };
    let mut lines: Vec<[Named; 2]> = Vec::new();
    for summary in &part.summaries {
        let label = part.label(summary);
        let train = curve(part, summary, false, |row, _| row.train_error_pct);
        let other = curve(part, summary, false, |row, _| row.validation_error_pct.or(row.test_error_pct));
        if train.is_empty() && other.is_empty() {
            continue;
        }
        let named = |name: &str, stroke, points| Named {
            name: format!("{label}: {name}"),
            line: Line { colour: lines.len(), stroke, points },
        };
        lines.push([named("training", Stroke::Thin, train), named(held_out, Stroke::Thick, other)]);
    }
    let caption = format!(
        "{}: error over epochs of the readout or of the whole network; mean over seeds. Early epochs above the upper edge are cut off.",
        part.heading()
    );
    let mut figures = Vec::new();
    while !lines.is_empty() {
        let rest = lines.split_off(lines.len().min(PALETTE.len()));
        let named = std::mem::replace(&mut lines, rest).into_iter().flatten().collect();
        figures.push(Figure::new(caption.clone(), ["epoch", "error (%)"], Layout::Curves, named));
    }
    figures
}

/// Units on the p-sphere, negative and dead ones, in per cent of all, over the unsupervised epochs.
fn convergence(part: &Part<'_>) -> Vec<Figure> {
    type Units = (&'static str, fn(&MetricsRow) -> Option<usize>);
    const UNITS: [Units; 3] = [
        ("on the p-sphere", |row| row.on_sphere),
        ("negative mean weight", |row| row.negative_units),
        ("never ranked first in the epoch", |row| row.silent_units),
    ];
    let share = |summary: &Summary<'_>, units: fn(&MetricsRow) -> Option<usize>| {
        curve(part, summary, true, |row, hidden| Some(100.0 * units(row)? as f64 / hidden? as f64))
    };
    let learned = |summary: &&Summary<'_>| UNITS.iter().any(|(_, units)| !share(summary, *units).is_empty());
    let summaries: Vec<&Summary<'_>> = part.summaries.iter().filter(learned).collect();
    let line = |colour, name: String, points| Named { name, line: Line { colour, stroke: Stroke::Thick, points } };
    let axes = ["unsupervised epoch", "units (%)"];
    if let [summary] = summaries[..] {
        let caption = format!(
            "{}, {}: hidden units over the unsupervised epochs; mean over seeds.",
            part.heading(),
            part.label(summary)
        );
        let each = UNITS.iter().enumerate();
        let lines = each.map(|(colour, (name, units))| line(colour, (*name).to_owned(), share(summary, *units)));
        return vec![Figure::new(caption, axes, Layout::Shares, lines.collect())];
    }
    let mut figures = Vec::new();
    for chunk in summaries.chunks(PALETTE.len()) {
        for (name, units) in UNITS {
            let caption =
                format!("{}: hidden units over the unsupervised epochs, {name}; mean over seeds.", part.heading());
            let each = chunk.iter().enumerate();
            let lines = each.map(|(colour, summary)| line(colour, part.label(summary), share(summary, units)));
            figures.push(Figure::new(caption, axes, Layout::Shares, lines.collect()));
        }
    }
    figures.retain(|figure| !figure.named.is_empty());
    figures
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
