//! Lines in one chart, as an SVG: curves over epochs, sweeps with error bars.
//!
//! For a page that has its own legend the background is left out and every colour is one of [`PALETTE`] or of two greys, so
//! that the page's style sheet can turn the greys for a dark screen. With a legend the chart stands alone, on white.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
use plotters::style::FontFamily;

use super::axis::{Drawn, GRID, INK, below, round_steps, top};
use crate::failure::failure;

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
    /// What the picture shows, as errors name it.
    pub description: &'a str,
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
    /// Half the length of its error bar, where it has one.
    pub spread: Option<f64>,
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
    /// let points = [(2.0, 1.9), (3.0, 1.6)].map(|(x, y)| Dot { x, y, spread: Some(0.05) }).to_vec();
    /// let lines = [Line { colour: 0, stroke: Stroke::Thick, points }];
    /// let (x, y, layout) = ("p", "test error (%)", Layout::Sweep);
    /// let chart = Chart { description: "error over p", x, y, layout, lines: &lines, legend: Some(&["ours"]) };
    /// assert!(chart.svg()?.starts_with("<svg"));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn svg(&self) -> anyhow::Result<String> {
        self.check()?;
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|error| anyhow::anyhow!("cannot draw {}: {error}", self.description))?;
        Ok(svg)
    }

    fn check(&self) -> anyhow::Result<()> {
        let hint = "a plot is made of the finite numbers of metrics.csv or of result rows";
        if self.dots().next().is_none() {
            return Err(failure(format!("plot, {}, expected at least one point, found none", self.description), hint));
        }
        let finite = |dot: &&Dot| dot.x.is_finite() && dot.y.is_finite() && dot.spread.is_none_or(f64::is_finite);
        match self.dots().find(|dot| !finite(dot)) {
            None => Ok(()),
            Some(dot) => {
                let message = format!("plot, {}, expected finite numbers, found {dot:?}", self.description);
                Err(failure(message, hint))
            }
        }
    }

    fn dots(&self) -> impl Iterator<Item = &Dot> {
        self.lines.iter().flat_map(|line| &line.points)
    }

    fn draw(&self, svg: &mut String) -> Drawn {
        let font = |size: u32| (FontFamily::SansSerif, size).into_font().color(&INK);
        let horizontal = Horizontal::of(self);
        let (bottom, top) = self.vertical();
        let (width, height) = SIZE;
        let (area, legend) = match self.legend {
            None => (SVGBackend::with_string(svg, SIZE).into_drawing_area(), None),
            Some(names) => {
                let whole = SVGBackend::with_string(svg, (width + LEGEND_WIDTH, height)).into_drawing_area();
                whole.fill(&WHITE)?;
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
                let bars = line.points.iter().zip(&points).filter_map(|(dot, point)| Some((*point, dot.spread?)));
                let strokes = bars.flat_map(|((x, y), spread)| {
                    let (from, to) = (y - spread, y + spread);
                    [[(x, from), (x, to)], [(x - cap, from), (x + cap, from)], [(x - cap, to), (x + cap, to)]]
                });
                chart.draw_series(strokes.map(|stroke| PathElement::new(stroke, colour.stroke_width(1))))?;
                chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
            }
        }
        area.present()?;
        Ok(())
    }

    /// Lower and upper end of the vertical axis.
    fn vertical(&self) -> (f64, f64) {
        match self.layout {
            Layout::Shares => (0.0, 100.0),
            Layout::Curves => {
                let lines: Vec<Vec<(f64, f64)>> =
                    self.lines.iter().map(|line| line.points.iter().map(|dot| (dot.x, dot.y)).collect()).collect();
                (0.0, top(lines.iter().map(|line| &line[..])))
            }
            Layout::Sweep => {
                let ends = |sign: f64| self.dots().map(move |dot| dot.y + sign * dot.spread.unwrap_or(0.0));
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

#[cfg(test)]
mod tests;
