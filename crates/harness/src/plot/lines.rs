//! One line plot, as an SVG: errors over epochs, shares of units over epochs, errors over a setting with error bars.
//!
//! 1. [`Layout`] chooses the axes: epochs from zero, per cent of units, or the values of a setting (logarithmic where they
//!    are far apart), with ticks where something was measured.
//! 2. Lines are drawn in the order in which they are given, each in a colour of [`PALETTE`].
//! 3. A page has its own legend and its own background: there the chart is transparent, and its greys are two fixed ones
//!    that the page's style sheet can turn for a dark screen. A chart that stands alone is on white, its legend beside it.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
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
pub(crate) const PALETTE: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
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
pub(crate) struct Chart {
    /// What the picture shows; drawn only where the chart stands alone.
    pub(crate) title: String,
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) layout: Layout,
    pub(crate) lines: Vec<Line>,
}

/// How the axes are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Errors over epochs: from zero, the first epochs cut off where they dwarf the rest.
    Curves,
    /// Shares of all units over epochs: 0 to 100 %.
    Shares,
    /// Errors over a setting: ticks at its values, dots with error bars, the axis around the dots.
    Sweep,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// In the legend.
    pub(crate) name: String,
    /// Index of its colour in [`PALETTE`].
    pub(crate) colour: usize,
    pub(crate) stroke: Stroke,
    /// From left to right.
    pub(crate) points: Vec<Dot>,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stroke {
    /// Thin: the training examples.
    Thin,
    /// Thick: the held-out examples, and everything else.
    Thick,
    /// Triangles without a line: published numbers.
    Triangles,
}

/// One point of a line; `sd`, a standard deviation, is half the length of its error bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Dot {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) sd: Option<f64>,
}

impl Chart {
    /// Draws the chart for a page, or to stand alone.
    ///
    /// # Errors
    ///
    /// No point, or a point that is no finite number.
    pub(crate) fn svg(&self, alone: bool) -> anyhow::Result<String> {
        let hint = "a plot is made of the finite numbers of metrics.csv or of result rows";
        if self.dots().next().is_none() {
            return Err(failure(format!("there is nothing to draw: {} has no point", self.title), hint));
        }
        let finite = |dot: &Dot| dot.x.is_finite() && dot.y.is_finite() && dot.sd.is_none_or(f64::is_finite);
        if let Some(dot) = self.dots().find(|dot| !finite(dot)) {
            let message = format!("cannot draw {}: the point ({}, {}) is not finite", self.title, dot.x, dot.y);
            return Err(failure(message, hint));
        }
        let mut svg = String::new();
        self.draw(&mut svg, alone).map_err(|error| anyhow::anyhow!("cannot draw {}: {error}", self.title))?;
        Ok(svg)
    }

    fn dots(&self) -> impl Iterator<Item = &Dot> {
        self.lines.iter().flat_map(|line| &line.points)
    }

    fn draw(&self, svg: &mut String, alone: bool) -> Result<(), Box<dyn std::error::Error>> {
        let font = |size: u32| (FontFamily::SansSerif, size).into_font().color(&INK);
        let horizontal = Horizontal::of(self);
        let (bottom, top) = self.vertical();
        let (width, height) = SIZE;
        let size = if alone { (width + LEGEND_WIDTH, height) } else { SIZE };
        let mut area = SVGBackend::with_string(svg, size).into_drawing_area();
        let mut legend = None;
        if alone {
            area.fill(&WHITE)?;
            if !self.title.is_empty() {
                area = area.titled(&self.title, font(18))?;
            }
            let (chart, beside) = area.split_horizontally(width);
            (area, legend) = (chart, Some(beside));
        }
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
            .x_desc(&self.x)
            .y_desc(&self.y)
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
            let colour = PALETTE[line.colour % PALETTE.len()];
            let points: Vec<(f64, f64)> = line.points.iter().map(|dot| (horizontal.position(dot.x), dot.y)).collect();
            if let Some(beside) = &legend {
                let top = 20 + 22 * index as i32;
                beside.draw(&Rectangle::new([(8, top), (20, top + 10)], colour.filled()))?;
                beside.draw(&Text::new(line.name.as_str(), (28, top - 2), font(14)))?;
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
            Layout::Curves => (0.0, top(&self.lines)),
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

/// The horizontal axis: where a value stands, which may be its logarithm, and the positions of the ticks.
#[derive(Clone)]
struct Horizontal {
    logarithmic: bool,
    range: (f64, f64),
    ticks: Vec<f64>,
}

impl Horizontal {
    fn of(chart: &Chart) -> Self {
        let mut values: Vec<f64> = chart.dots().map(|dot| dot.x).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let (first, last) = (values[0], values[values.len() - 1]);
        let round = |(low, high): (f64, f64), most| RangedCoordf64::from(low..high).key_points(most);
        if chart.layout != Layout::Sweep {
            // A single epoch still needs an axis of some length.
            let range = (first.min(last - 1.0), last);
            let ticks = round(range, 9).into_iter().filter(|tick| tick.fract() == 0.0).collect();
            return Self { logarithmic: false, range, ticks };
        }
        let mut axis = Self { logarithmic: first > 0.0 && last / first >= FAR_APART, range: (0.0, 0.0), ticks: values };
        let (low, high) = (axis.position(first), axis.position(last));
        let room = if high > low { 0.05 * (high - low) } else { 0.5 };
        axis.range = (low - room, high + room);
        axis.ticks = match axis.logarithmic || axis.ticks.len() <= MOST_TICKS {
            true => axis.ticks.iter().map(|value| axis.position(*value)).collect(),
            false => round((low, high), MOST_TICKS),
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
pub(crate) struct Epoch {
    pub(crate) epoch: u32,
    pub(crate) train_error_pct: Option<f64>,
    pub(crate) held_out_error_pct: Option<f64>,
}

/// The error curves of one run: training and held-out error over epochs, with title and legend. `held_out` says which
/// examples those are (`test`), `x` what the horizontal axis is called.
///
/// # Errors
///
/// No epoch with an error.
pub(crate) fn error_curves(title: &str, epochs: &[Epoch], held_out: &str, x: &str) -> anyhow::Result<String> {
    let line = |colour, name: &str, error: fn(&Epoch) -> Option<f64>| {
        let dot = |epoch: &Epoch| Some(Dot { x: f64::from(epoch.epoch), y: error(epoch)?, sd: None });
        let points: Vec<Dot> = epochs.iter().filter_map(dot).collect();
        // The last value is what one looks for first.
        let name = format!("{name} ({:.2} %)", points.last()?.y);
        Some(Line { name, colour, stroke: Stroke::Thick, points })
    };
    let both =
        [line(0, "training", |epoch| epoch.train_error_pct), line(1, held_out, |epoch| epoch.held_out_error_pct)];
    let (title, x, y) = (title.to_owned(), x.to_owned(), "error (%)".to_owned());
    Chart { title, x, y, layout: Layout::Curves, lines: both.into_iter().flatten().collect() }.svg(true)
}

/// The end of the axis of errors. The first epochs can be ten times worse than the last and would press everything that
/// matters into the bottom line, so the axis ends at four times the last error.
fn top(lines: &[Line]) -> f64 {
    let largest = lines.iter().flat_map(|line| &line.points).fold(0.0_f64, |top, dot| top.max(dot.y));
    let last = lines.iter().filter_map(|line| line.points.last()).fold(0.0_f64, |top, dot| top.max(dot.y));
    let top = if last > 0.0 { (1.05 * largest).min(HEADROOM * last) } else { 1.05 * largest };
    if top > 0.0 { top.min(100.0) } else { 1.0 }
}

/// The pieces of a line below `top`, cut where they cross it.
fn below(points: &[(f64, f64)], top: f64) -> Vec<Vec<(f64, f64)>> {
    let mut cut = Vec::with_capacity(points.len());
    for (index, &(x, y)) in points.iter().enumerate() {
        if let Some((x0, y0)) = points[..index].last()
            && (*y0 > top) != (y > top)
        {
            cut.push((x0 + (top - y0) / (y - y0) * (x - x0), top));
        }
        cut.push((x, y));
    }
    let pieces = cut.split(|(_, y)| *y > top);
    pieces.filter(|piece| !piece.is_empty()).map(<[_]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(points: &[(f64, f64)]) -> Line {
        let points = points.iter().map(|&(x, y)| Dot { x, y, sd: None }).collect();
        Line { name: "ours <b>".to_owned(), colour: 0, stroke: Stroke::Thick, points }
    }

    fn chart(layout: Layout, lines: &[Line]) -> Chart {
        let (title, x, y) = ("a picture".to_owned(), "<epoch>".to_owned(), "\"error\" (%)".to_owned());
        Chart { title, x, y, layout, lines: lines.to_vec() }
    }

    fn svg(layout: Layout, lines: &[Line]) -> String {
        chart(layout, lines).svg(false).unwrap()
    }

    /// Every text of a picture that is among these.
    fn has_texts(svg: &str, expected: &[&str]) {
        let text = |text: &str| text.split('>').nth(1).unwrap().trim_end_matches("</text").trim().to_owned();
        let found: Vec<String> = svg.split("<text").skip(1).map(text).collect();
        assert!(expected.iter().all(|text| found.iter().any(|found| found == text)), "{expected:?} in {found:?}");
    }

    fn attribute<'s>(tag: &'s str, name: &str) -> &'s str {
        tag.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap()
    }

    fn centres(svg: &str) -> Vec<(i32, i32)> {
        let number = |tag: &str, name: &str| attribute(tag, name).parse().unwrap();
        svg.split("<circle").skip(1).map(|tag| (number(tag, "cx"), number(tag, "cy"))).collect()
    }

    #[test]
    fn lines_have_their_colour_and_their_width() {
        let train = Line { stroke: Stroke::Thin, ..line(&[(1.0, 3.0), (2.0, 1.0)]) };
        let test = Line { colour: 1, ..line(&[(1.0, 4.0), (2.0, 2.0)]) };
        let svg = svg(Layout::Curves, &[train, test]);
        for (colour, width) in [("#0072B2", "2"), ("#D55E00", "4")] {
            let line = svg.lines().find(|line| line.contains("<polyline") && line.contains(colour)).unwrap();
            assert_eq!(attribute(line, "stroke-width"), width);
        }
        has_texts(&svg, &["&lt;epoch&gt;", "&quot;error&quot; (%)", "1", "2"]);
        assert!(!svg.contains("fill=\"#FFFFFF\""), "the page's own background shows through");
    }

    #[test]
    fn a_sweep_has_dots_with_bars_and_a_tick_at_each_value() {
        let mut swept = line(&[(2.0, 1.8), (3.0, 1.6), (5.0, 1.7)]);
        swept.points[1].sd = Some(0.1);
        let svg = svg(Layout::Sweep, &[swept]);
        has_texts(&svg, &["2", "3", "5"]);
        assert!(!svg.contains("\n4\n"), "{svg}");
        let centres = centres(&svg);
        assert_eq!(centres.len(), 3);
        assert!(centres[1].1 > centres[2].1 && centres[2].1 > centres[0].1, "smaller errors lie lower: {centres:?}");
        let bar = |line: &&str| line.contains("stroke=\"#0072B2\"") && line.contains("stroke-width=\"1\"");
        let bars: Vec<&str> = svg.lines().filter(|line| line.contains("<polyline")).filter(bar).collect();
        assert_eq!(bars.len(), 3, "a bar and its two caps: {bars:?}");
        let ends: Vec<i32> = attribute(bars[0], "points").split([',', ' ']).filter_map(|it| it.parse().ok()).collect();
        let [x1, y1, x2, y2] = ends[..] else { panic!("{ends:?}") };
        let (x, y) = centres[1];
        assert!((x1, x2) == (x, x) && y1 > y && y > y2 && (y1 - y - (y - y2)).abs() <= 1, "{ends:?} around {y}");
    }

    #[test]
    fn values_far_apart_stand_on_a_logarithmic_axis() {
        let svg = svg(Layout::Sweep, &[line(&[(10.0, 5.0), (100.0, 4.0), (1000.0, 3.0)])]);
        let centres = centres(&svg);
        let (left, right) = (centres[1].0 - centres[0].0, centres[2].0 - centres[1].0);
        assert!((left - right).abs() <= 1, "{centres:?}");
        has_texts(&svg, &["10", "100", "1000"]);
    }

    #[test]
    fn shares_go_from_zero_to_a_hundred_and_published_numbers_are_triangles() {
        has_texts(&svg(Layout::Shares, &[line(&[(1.0, 5.0), (10.0, 90.0)])]), &["0", "100"]);
        let published = Line { stroke: Stroke::Triangles, ..line(&[(3.0, 1.5)]) };
        let svg = svg(Layout::Sweep, &[line(&[(2.0, 1.8), (3.0, 1.6)]), published]);
        assert_eq!(svg.matches("<polygon").count(), 1);
    }

    #[test]
    fn single_points_and_equal_errors_can_be_drawn() {
        assert_eq!(centres(&svg(Layout::Curves, &[line(&[(1.0, 2.0)])])).len(), 1);
        assert_eq!(centres(&svg(Layout::Curves, &[line(&[(1.0, 0.0)])])).len(), 1);
        assert!(centres(&svg(Layout::Sweep, &[line(&[(2.0, 0.0), (3.0, 0.0)])])).len() >= 2);
    }

    #[test]
    fn what_cannot_be_drawn_is_said() {
        let bar = Line { points: vec![Dot { x: 1.0, y: 1.0, sd: Some(f64::INFINITY) }], ..line(&[]) };
        for (lines, expected) in [
            (&[][..], "there is nothing to draw: a picture has no point"),
            (&[line(&[])], "a picture has no point"),
            (&[line(&[(1.0, f64::NAN)])], "is not finite"),
            (&[bar], "is not finite"),
        ] {
            let error = chart(Layout::Sweep, lines).svg(true).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_chart_that_stands_alone_has_its_title_and_its_legend() {
        let theirs = Line { name: "theirs".to_owned(), colour: 1, ..line(&[(2.0, 1.8), (3.0, 1.7)]) };
        let svg = chart(Layout::Sweep, &[line(&[(2.0, 1.9), (3.0, 1.6)]), theirs]).svg(true).unwrap();
        assert!(svg.contains("fill=\"#FFFFFF\""), "{svg}");
        has_texts(&svg, &["a picture", "ours &lt;b&gt;", "theirs"]);
        for colour in ["#0072B2", "#D55E00"] {
            let keys = svg.lines().filter(|line| line.contains("<rect") && line.contains(colour));
            assert_eq!(keys.count(), 1, "{colour}: {svg}");
        }
        assert_eq!(centres(&svg).len(), 4);
    }

    #[test]
    fn the_curves_of_a_run_have_their_last_values_in_the_legend() {
        let epoch = |epoch, train_error_pct, held_out_error_pct| Epoch { epoch, train_error_pct, held_out_error_pct };
        let both = [epoch(1, Some(4.0), Some(9.0)), epoch(2, Some(0.3), Some(1.7))];
        let svg = error_curves("mnist <1>", &both, "test", "readout epoch").unwrap();
        let curves = ["mnist &lt;1&gt;", "readout epoch", "error (%)", "training (0.30 %)", "test (1.70 %)"];
        has_texts(&svg, &curves);
        let svg = error_curves("x", &[epoch(1, None, Some(3.0))], "validation", "epoch").unwrap();
        assert!(!svg.contains("training") && svg.contains("validation (3.00 %)") && centres(&svg).len() == 1, "{svg}");
        let error = error_curves("x", &[epoch(3, None, None)], "test", "epoch").unwrap_err();
        assert_eq!(error.to_string(), "there is nothing to draw: x has no point");
    }

    #[test]
    fn lines_are_cut_at_the_top_and_nowhere_else() {
        let line = [(1.0, 10.0), (2.0, 6.0), (3.0, 2.0), (4.0, 6.0), (5.0, 1.0)];
        let pieces = below(&line, 4.0);
        assert_eq!(pieces[0], [(2.5, 4.0), (3.0, 2.0), (3.5, 4.0)]);
        assert_eq!(pieces[1][1], (5.0, 1.0));
        assert_eq!(pieces.len(), 2);
        assert_eq!(below(&line, 10.0), [line.to_vec()]);
        assert!(below(&line, 0.5).is_empty());
    }

    #[test]
    fn the_axis_ends_at_four_times_the_last_error_or_the_largest() {
        let top = |points: &[(f64, f64)]| top(&[line(points)]);
        assert_eq!(top(&[(1.0, 90.0), (2.0, 2.0)]), 8.0);
        assert_eq!(top(&[(1.0, 60.0), (2.0, 48.0)]), 63.0);
        assert_eq!(top(&[(1.0, 99.0), (2.0, 98.0)]), 100.0);
        assert_eq!(top(&[(1.0, 0.0)]), 1.0);
        assert_eq!(top(&[(1.0, 2.0), (2.0, 0.0)]), 2.1);
    }
}
