//! One line plot, as an SVG: errors over epochs, shares of units over epochs, errors over a setting with error bars.
//!
//! 1. [`Layout`] chooses the axes: epochs from zero, per cent of units, or the values of a setting (logarithmic where they
//!    are far apart), with ticks where something was measured.
//! 2. Lines are drawn in the order in which they are given, each in a colour of [`PALETTE`].
//! 3. A page has its own legend and its own background: there the chart is transparent, and its greys are two fixed ones
//!    that the page's style sheet can turn for a dark screen. With a legend the chart stands alone, on white.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
use plotters::style::FontFamily;

use crate::error::failure;

/// Text and axes.
const INK: RGBColor = RGBColor(60, 60, 60);
/// Lines behind the curves.
const GRID: RGBColor = RGBColor(225, 225, 225);
/// The axis of errors ends at this many times the last error.
const HEADROOM: f64 = 4.0;

/// Okabe & Ito's palette, made to be told apart with any colour vision, without the yellow that paper swallows.
pub const PALETTE: [(u8, u8, u8); 6] = [
    (0x00, 0x72, 0xb2),
    (0xd5, 0x5e, 0x00),
    (0x00, 0x9e, 0x73),
    (0xcc, 0x79, 0xa7),
    (0xe6, 0x9f, 0x00),
    (0x56, 0xb4, 0xe9),
];

/// Points whose values of x differ by more than this factor stand on a logarithmic axis.
const FAR_APART: f64 = 20.0;
/// More ticks than this would run into each other.
const MOST_TICKS: usize = 12;
const SIZE: (u32, u32) = (640, 380);
/// Beside the chart, where the legend covers none of it.
const LEGEND_WIDTH: u32 = 240;

/// What is drawn, and on which axes.
#[derive(Debug, Clone)]
pub struct Chart<'a> {
    /// What the picture shows; a chart with a legend has it as its title.
    pub title: &'a str,
    /// Name of the horizontal axis.
    pub x: &'a str,
    /// Name of the vertical axis.
    pub y: &'a str,
    /// How the axes are laid out.
    pub layout: Layout,
    /// The lines.
    pub lines: &'a [Line],
    /// The names of the lines, for a legend beside the chart.
    pub legend: Option<&'a [&'a str]>,
}

/// How the axes are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Errors over epochs: from zero, the first epochs cut off where they dwarf the rest.
    Curves,
    /// Shares of all units over epochs: 0 to 100 %.
    Shares,
    /// Errors over a setting: ticks at its values, dots with error bars, the axis around the dots.
    Sweep,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Index of its colour in [`PALETTE`]; counted round.
    pub colour: usize,
    /// How it is drawn.
    pub stroke: Stroke,
    /// Its points from left to right.
    pub points: Vec<Dot>,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// Thin: the training examples.
    Thin,
    /// Thick: the held-out examples, and everything else.
    Thick,
    /// Triangles without a line: published numbers.
    Triangles,
}

/// One point of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dot {
    /// Where it stands.
    pub x: f64,
    /// How high.
    pub y: f64,
    /// Standard deviation: half the length of its error bar, where it has one.
    pub sd: Option<f64>,
}

impl Chart<'_> {
    /// Draws the chart.
    ///
    /// # Errors
    ///
    /// No point, or a point that is no finite number.
    ///
    /// # Example
    ///
    /// ```
    /// use rivalry::plot::lines::{Chart, Dot, Layout, Line, Stroke};
    ///
    /// let points = [(2.0, 1.9), (3.0, 1.6)].map(|(x, y)| Dot { x, y, sd: Some(0.05) }).to_vec();
    /// let lines = [Line { colour: 0, stroke: Stroke::Thick, points }];
    /// let (x, y, layout) = ("p", "test error (%)", Layout::Sweep);
    /// let chart = Chart { title: "error over p", x, y, layout, lines: &lines, legend: Some(&["ours"]) };
    /// assert!(chart.svg()?.starts_with("<svg"));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn svg(&self) -> anyhow::Result<String> {
        self.check()?;
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|error| anyhow::anyhow!("cannot draw {}: {error}", self.title))?;
        Ok(svg)
    }

    fn check(&self) -> anyhow::Result<()> {
        let hint = "a plot is made of the finite numbers of metrics.csv or of result rows";
        if self.dots().next().is_none() {
            return Err(failure(format!("there is nothing to draw: {} has no point", self.title), hint));
        }
        let finite = |dot: &&Dot| dot.x.is_finite() && dot.y.is_finite() && dot.sd.is_none_or(f64::is_finite);
        match self.dots().find(|dot| !finite(dot)) {
            None => Ok(()),
            Some(dot) => {
                let message = format!("cannot draw {}: the point ({}, {}) is not finite", self.title, dot.x, dot.y);
                Err(failure(message, hint))
            }
        }
    }

    fn dots(&self) -> impl Iterator<Item = &Dot> {
        self.lines.iter().flat_map(|line| &line.points)
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
        let font = |size: u32| (FontFamily::SansSerif, size).into_font().color(&INK);
        let horizontal = Horizontal::of(self);
        let (bottom, top) = self.vertical();
        let (width, height) = SIZE;
        let (area, legend) = match self.legend {
            None => (SVGBackend::with_string(svg, SIZE).into_drawing_area(), None),
            Some(names) => {
                let whole = SVGBackend::with_string(svg, (width + LEGEND_WIDTH, height)).into_drawing_area();
                whole.fill(&WHITE)?;
                let whole = match self.title {
                    "" => whole,
                    title => whole.titled(title, font(18))?,
                };
                let (area, beside) = whole.split_horizontally(width);
                (area, Some((beside, names)))
            }
        };
        let (low, high) = horizontal.range;
        let mut chart = ChartBuilder::on(&area)
            .margin(10)
            .margin_right(22)
            .x_label_area_size(46)
            .y_label_area_size(62)
            .build_cartesian_2d(horizontal.clone(), bottom..top)?;
        let decimals = ((8.0 / (top - bottom)).log10().ceil().max(0.0) as usize).min(6);
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .axis_desc_style(font(17))
            .label_style(font(15))
            .x_label_formatter(&|position| horizontal.label(*position))
            .y_label_formatter(&|value| format!("{value:.decimals$}"))
            .y_labels(7)
            .axis_style(INK)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (index, line) in self.lines.iter().enumerate() {
            let (red, green, blue) = PALETTE[line.colour % PALETTE.len()];
            let colour = RGBColor(red, green, blue);
            let points: Vec<(f64, f64)> = line.points.iter().map(|dot| (horizontal.position(dot.x), dot.y)).collect();
            if let Some((beside, names)) = &legend {
                let top = 20 + 22 * index as i32;
                beside.draw(&Rectangle::new([(8, top), (20, top + 10)], colour.filled()))?;
                beside.draw(&Text::new(names.get(index).copied().unwrap_or_default(), (28, top - 2), font(14)))?;
            }
            if line.stroke == Stroke::Triangles {
                chart.draw_series(points.iter().map(|point| TriangleMarker::new(*point, 7, colour.filled())))?;
                continue;
            }
            let style = colour.stroke_width(if line.stroke == Stroke::Thin { 2 } else { 4 });
            for piece in below(&points, top) {
                // One measured epoch is no line; a dot shows it.
                if let [single] = piece[..] {
                    chart.draw_series([Circle::new(single, 3, colour.filled())])?;
                } else {
                    chart.draw_series(LineSeries::new(piece, style))?;
                }
            }
            if self.layout == Layout::Sweep {
                let cap = 0.008 * (high - low);
                let bars = line.points.iter().zip(&points).filter_map(|(dot, point)| Some((*point, dot.sd?)));
                let strokes = bars.flat_map(|((x, y), sd)| {
                    let (from, to) = (y - sd, y + sd);
                    [[(x, from), (x, to)], [(x - cap, from), (x + cap, from)], [(x - cap, to), (x + cap, to)]]
                });
                chart.draw_series(strokes.map(|stroke| PathElement::new(stroke, colour.stroke_width(1))))?;
                chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
            }
        }
        area.present()?;
        Ok(())
    }

    /// Lower and upper limit of the vertical axis.
    fn vertical(&self) -> (f64, f64) {
        match self.layout {
            Layout::Shares => (0.0, 100.0),
            Layout::Curves => {
                let lines: Vec<Vec<(f64, f64)>> =
                    self.lines.iter().map(|line| line.points.iter().map(|dot| (dot.x, dot.y)).collect()).collect();
                (0.0, top(lines.iter().map(|line| &line[..])))
            }
            Layout::Sweep => {
                let ends = |sign: f64| self.dots().map(move |dot| dot.y + sign * dot.sd.unwrap_or(0.0));
                let low = ends(-1.0).fold(f64::INFINITY, f64::min);
                let high = ends(1.0).fold(f64::NEG_INFINITY, f64::max);
                // Equal errors still need an axis of some height.
                let room = (0.12 * (high - low)).max(0.02 * high.abs()).max(0.01);
                ((low - room).max(0.0), high + room)
            }
        }
    }
}

/// The horizontal axis: where a value stands, which may be its logarithm, and what is written below.
#[derive(Clone)]
struct Horizontal {
    logarithmic: bool,
    range: (f64, f64),
    /// Positions of the ticks.
    ticks: Vec<f64>,
}

impl Horizontal {
    fn of(chart: &Chart<'_>) -> Self {
        let mut values: Vec<f64> = chart.dots().map(|dot| dot.x).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let (first, last) = (values[0], values[values.len() - 1]);
        if chart.layout != Layout::Sweep {
            // A single epoch still needs an axis of some length.
            let range = (first.min(last - 1.0), last);
            let ticks = round_steps(range.0, range.1, 8).into_iter().filter(|tick| tick.fract() == 0.0).collect();
            return Self { logarithmic: false, range, ticks };
        }
        let mut axis = Self { logarithmic: first > 0.0 && last / first >= FAR_APART, range: (0.0, 0.0), ticks: values };
        let (low, high) = (axis.position(first), axis.position(last));
        let room = if high > low { 0.05 * (high - low) } else { 0.5 };
        axis.range = (low - room, high + room);
        axis.ticks = match axis.logarithmic || axis.ticks.len() <= MOST_TICKS {
            true => axis.ticks.iter().map(|value| axis.position(*value)).collect(),
            false => round_steps(low, high, MOST_TICKS),
        };
        axis
    }

    fn position(&self, value: f64) -> f64 {
        if self.logarithmic { value.log10() } else { value }
    }

    /// Four digits are enough to undo the logarithm of a setting.
    fn label(&self, position: f64) -> String {
        let value = if self.logarithmic { 10.0_f64.powf(position) } else { position };
        format!("{value:.3e}").parse::<f64>().unwrap_or(value).to_string()
    }
}

/// Plotters' own axes choose their ticks; here they stand where something was measured.
impl Ranged for Horizontal {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, position: &f64, (left, right): (i32, i32)) -> i32 {
        let (low, high) = self.range;
        left + ((position - low) / (high - low) * f64::from(right - left)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.0..self.range.1
    }
}

/// One evaluated epoch of a run; an error that was not measured is left out of its line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Epoch of its phase, counted from 1.
    pub epoch: u32,
    /// Wrong among the training examples, in per cent.
    pub train_error_pct: Option<f64>,
    /// Wrong among the held-out examples, in per cent.
    pub held_out_error_pct: Option<f64>,
}

/// The error curves of one run: training and held-out error over epochs, with title and legend. `held_out` says which
/// examples those are (`test`), `x` what the horizontal axis is called.
///
/// # Errors
///
/// No epoch with an error.
pub fn error_curves(title: &str, epochs: &[Epoch], held_out: &str, x: &str) -> anyhow::Result<String> {
    let points = |error: fn(&Epoch) -> Option<f64>| -> Vec<Dot> {
        let dot = |epoch: &Epoch| Some(Dot { x: f64::from(epoch.epoch), y: error(epoch)?, sd: None });
        epochs.iter().filter_map(dot).collect()
    };
    let both =
        [("training", points(|epoch| epoch.train_error_pct)), (held_out, points(|epoch| epoch.held_out_error_pct))];
    let (mut lines, mut names) = (Vec::new(), Vec::new());
    for (colour, (name, points)) in both.into_iter().enumerate() {
        // The last value is what one looks for first.
        let Some(last) = points.last() else { continue };
        names.push(format!("{name} ({:.2} %)", last.y));
        lines.push(Line { colour, stroke: Stroke::Thick, points });
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Chart { title, x, y: "error (%)", layout: Layout::Curves, lines: &lines, legend: Some(&names) }.svg()
}

/// The end of the axis of errors. The first epochs can be ten times worse than the last and would press everything that
/// matters into the bottom line, so the axis ends at four times the last error.
fn top<'a>(lines: impl Iterator<Item = &'a [(f64, f64)]> + Clone) -> f64 {
    let largest = lines.clone().flatten().fold(0.0_f64, |top, point| top.max(point.1));
    let last = lines.filter_map(<[_]>::last).fold(0.0_f64, |top, point| top.max(point.1));
    let top = if last > 0.0 { (1.05 * largest).min(HEADROOM * last) } else { 1.05 * largest };
    if top > 0.0 { top.min(100.0) } else { 1.0 }
}

/// The pieces of a line below `top`, cut where they cross it.
fn below(points: &[(f64, f64)], top: f64) -> Vec<Vec<(f64, f64)>> {
    let mut pieces: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
    for (index, &point) in points.iter().enumerate() {
        if let Some(&before) = index.checked_sub(1).and_then(|before| points.get(before))
            && (before.1 > top) != (point.1 > top)
        {
            let share = (top - before.1) / (point.1 - before.1);
            let crossing = (before.0 + share * (point.0 - before.0), top);
            pieces.last_mut().expect("never empty").push(crossing);
            if point.1 > top {
                pieces.push(Vec::new());
            }
        }
        if point.1 <= top {
            pieces.last_mut().expect("never empty").push(point);
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Round numbers (1, 2 or 5 times a power of ten apart) that divide a range into at most `most` steps.
fn round_steps(low: f64, high: f64, most: usize) -> Vec<f64> {
    let least = (high - low) / most as f64;
    if !(least > 0.0 && least.is_finite()) {
        return vec![low];
    }
    let power = 10.0_f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|step| *step >= least * (1.0 - 1e-9));
    let step = step.unwrap_or(10.0 * power);
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    (first..=last).map(|index| index as f64 * step).collect()
}

#[cfg(test)]
mod tests;
