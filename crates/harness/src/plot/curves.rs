//! Error against epoch, as an SVG: one line for the training examples, one for those held out.
//!
//! The error axis starts at zero and may leave the first epochs above its end (`axis`).

use plotters::prelude::*;
use plotters::style::FontFamily;

use super::axis::{Drawn, GRID, INK, below, top};
use crate::failure::failure;

/// Which examples the second line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldOut {
    /// The test set.
    Test,
    /// A held-out share of the training set.
    Validation,
}

impl HeldOut {
    fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Validation => "validation",
        }
    }
}

/// One evaluated epoch; an error that was not measured is left out of its line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Epoch of its phase, counted from 1.
    pub epoch: u64,
    /// Wrong among the training examples, in percent.
    pub train_error_pct: Option<f64>,
    /// Wrong among the held-out examples, in percent.
    pub held_out_error_pct: Option<f64>,
}

const SIZE: (u32, u32) = (760, 460);
/// Okabe & Ito's palette, made to be told apart with any colour vision: blue and vermilion.
const TRAIN: RGBColor = RGBColor(0x00, 0x72, 0xb2);
const HELD_OUT: RGBColor = RGBColor(0xd5, 0x5e, 0x00);

/// Draws the two lines with axes and a legend; `epochs` is what the horizontal axis is called.
///
/// # Errors
///
/// No point, or an error that is no percentage.
///
/// # Example
///
/// ```
/// use rivalry::plot::curves::{HeldOut, Point, error_curves};
///
/// let point = |epoch, train, test| Point { epoch, train_error_pct: Some(train), held_out_error_pct: Some(test) };
/// let svg = error_curves("mnist, 2000 units", &[point(1, 4.0, 4.5), point(2, 2.0, 3.0)], HeldOut::Test, "epoch")?;
/// assert!(svg.starts_with("<svg"));
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn error_curves(title: &str, points: &[Point], held_out: HeldOut, epochs: &str) -> anyhow::Result<String> {
    check(points)?;
    let train = Line { name: "training", colour: TRAIN, points: of(points, |point| point.train_error_pct) };
    let held_out =
        Line { name: held_out.name(), colour: HELD_OUT, points: of(points, |point| point.held_out_error_pct) };
    let mut svg = String::new();
    draw(&mut svg, title, epochs, &[train, held_out])
        .map_err(|error| anyhow::anyhow!("cannot draw the error curves: {error}"))?;
    Ok(svg)
}

struct Line {
    name: &'static str,
    colour: RGBColor,
    points: Vec<(f64, f64)>,
}

impl Line {
    /// `test (1.62 %)`: the last value is what one looks for first.
    fn label(&self) -> String {
        self.points.last().map_or_else(|| self.name.to_owned(), |(_, error)| format!("{} ({error:.2} %)", self.name))
    }
}

fn check(points: &[Point]) -> anyhow::Result<()> {
    let hint = "metrics.csv of a run folder has the errors of its readout epochs";
    if points.iter().all(|point| point.train_error_pct.is_none() && point.held_out_error_pct.is_none()) {
        return Err(failure("error curves, readout epochs, expected at least one measured error, found none", hint));
    }
    for point in points {
        for error in [point.train_error_pct, point.held_out_error_pct].into_iter().flatten() {
            if !(0.0..=100.0).contains(&error) {
                let what = format!("error curves, epoch {}, expected 0 to 100 %, found {error}", point.epoch);
                return Err(failure(what, hint));
            }
        }
    }
    Ok(())
}

fn of(points: &[Point], error: impl Fn(&Point) -> Option<f64>) -> Vec<(f64, f64)> {
    points.iter().filter_map(|point| Some((point.epoch as f64, error(point)?))).collect()
}

fn draw(svg: &mut String, title: &str, x_desc: &str, lines: &[Line]) -> Drawn {
    let font = |size: u32| (FontFamily::SansSerif, size).into_font().color(&INK);
    let epochs = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.0));
    let (first, last) = (epochs().fold(f64::INFINITY, f64::min), epochs().fold(1.0, f64::max));
    let top = top(lines.iter().map(|line| &line.points[..]));

    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, font(18))
        .margin(14)
        .margin_right(24)
        .x_label_area_size(46)
        .y_label_area_size(58)
        // A single epoch still needs an axis of some length.
        .build_cartesian_2d(first.min(last - 1.0)..last, 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc(x_desc)
        .y_desc("error (%)")
        .axis_desc_style(font(15))
        .label_style(font(13))
        .x_label_formatter(&|epoch| format!("{epoch:.0}"))
        .y_label_formatter(&|error| format!("{error:.*}", if top < 5.0 { 1 } else { 0 }))
        .y_labels(8)
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .draw()?;
    for line in lines.iter().filter(|line| !line.points.is_empty()) {
        let style = line.colour.stroke_width(2);
        for (index, piece) in below(&line.points, top).into_iter().enumerate() {
            // One measured epoch is no line; a dot shows it.
            if let [single] = piece[..] {
                chart.draw_series([Circle::new(single, 3, line.colour.filled())])?;
            }
            let series = chart.draw_series(LineSeries::new(piece, style))?;
            if index == 0 {
                series.label(line.label()).legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], style));
            }
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .margin(12)
        .legend_area_size(30)
        .label_font(font(14))
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .draw()?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn falling(epochs: u64) -> Vec<Point> {
        (1..=epochs)
            .map(|epoch| {
                let error = |last: f64, first: f64| Some(last + first / (epoch * epoch) as f64);
                Point { epoch, train_error_pct: error(0.3, 12.0), held_out_error_pct: error(1.7, 9.0) }
            })
            .collect()
    }

    fn texts(svg: &str) -> Vec<String> {
        svg.split("<text")
            .skip(1)
            .map(|text| text.split('>').nth(1).unwrap().trim_end_matches("</text").trim().to_owned())
            .collect()
    }

    #[test]
    fn both_lines_axes_and_legend_are_there() {
        let svg = error_curves("mnist, seed 1", &falling(60), HeldOut::Test, "readout epoch").unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        let texts = texts(&svg);
        for text in ["mnist, seed 1", "readout epoch", "error (%)", "training (0.30 %)", "test (1.70 %)", "0", "60"] {
            assert!(texts.iter().any(|found| found == text), "no {text:?} in {texts:?}");
        }
        for colour in ["#0072B2", "#D55E00"] {
            let line = svg.lines().find(|line| line.contains("<polyline") && line.contains(colour)).unwrap();
            let points = line.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
            assert!(points.split_whitespace().count() > 50, "{points}");
        }
    }

    #[test]
    fn validation_is_called_so() {
        let svg = error_curves("x", &falling(3), HeldOut::Validation, "readout epoch").unwrap();
        assert!(svg.contains("validation (2.70 %)") && !svg.contains("test ("), "{svg}");
    }

    #[test]
    fn names_are_escaped() {
        let svg = error_curves("a<b & \"c\"", &falling(2), HeldOut::Test, "readout epoch").unwrap();
        assert!(svg.contains("a&lt;b &amp;"), "{svg}");
    }

    #[test]
    fn nothing_is_drawn_above_the_axis() {
        let svg = error_curves("x", &falling(60), HeldOut::Test, "readout epoch").unwrap();
        let heights =
            svg.lines().filter(|line| line.contains("<polyline") && line.contains("#0072B2")).flat_map(|line| {
                let points = line.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
                points.split_whitespace().map(|point| point.split_once(',').unwrap().1.parse::<i32>().unwrap())
            });
        let topmost = heights.min().unwrap();
        assert!(topmost >= 14, "{topmost}");
    }

    #[test]
    fn a_single_epoch_is_a_dot() {
        let svg = error_curves("x", &falling(1), HeldOut::Test, "readout epoch").unwrap();
        assert_eq!(svg.matches("<circle").count(), 2, "{svg}");
    }

    #[test]
    fn a_line_never_measured_is_left_out() {
        let points = [1, 2].map(|epoch| Point { epoch, train_error_pct: None, held_out_error_pct: Some(3.0) });
        let svg = error_curves("x", &points, HeldOut::Test, "readout epoch").unwrap();
        assert!(!svg.contains("training") && svg.contains("test (3.00 %)"), "{svg}");
    }

    #[test]
    fn what_cannot_be_drawn_is_said() {
        let message =
            |points: &[Point]| error_curves("x", points, HeldOut::Test, "readout epoch").unwrap_err().to_string();
        let nothing = Point { epoch: 3, train_error_pct: None, held_out_error_pct: None };
        assert!(message(&[]).contains("found none"));
        assert!(message(&[nothing]).contains("found none"));
        for bad in [f64::NAN, -1.0, 100.1] {
            let text = message(&[Point { train_error_pct: Some(bad), ..nothing }]);
            assert!(text.contains("epoch 3, expected 0 to 100 %, found"), "{text}");
        }
    }
}
