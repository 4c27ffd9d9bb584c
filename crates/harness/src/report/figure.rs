//! A chart with its caption and the names of its lines, before it is put anywhere: into the page, which has a legend of its
//! own, or into a file.

use super::group::Part;
use super::sweep;
use crate::plot::lines::{Chart, Dot, Layout, Line, PALETTE, Stroke};

/// A line with its name in the legend.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) line: Line,
}

/// A chart.
pub(super) struct Figure {
    pub(super) caption: String,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) layout: Layout,
    /// None of them without a point.
    pub(super) named: Vec<Named>,
}

impl Figure {
    pub(super) fn new(caption: String, [x, y]: [&str; 2], layout: Layout, mut named: Vec<Named>) -> Figure {
        named.retain(|named| !named.line.points.is_empty());
        Figure { caption, x: x.to_owned(), y: y.to_owned(), layout, named }
    }

    /// The picture; with `legend`, one that stands alone: names beside it, on white.
    ///
    /// # Errors
    ///
    /// No point, or one that is no finite number.
    pub(super) fn svg(&self, legend: bool) -> anyhow::Result<String> {
        let lines: Vec<Line> = self.named.iter().map(|named| named.line.clone()).collect();
        let names: Vec<&str> = self.named.iter().map(|named| named.name.as_str()).collect();
        let legend = legend.then_some(&names[..]);
        Chart {
            title: if legend.is_some() { "" } else { &self.caption },
            x: &self.x,
            y: &self.y,
            layout: self.layout,
            lines: &lines,
            legend,
        }
        .svg()
    }
}

/// Error against each setting that was varied, with the name of the setting.
pub(super) fn sweeps(part: &Part<'_>) -> Vec<(&'static str, Figure)> {
    let mut figures = Vec::new();
    for sweep in sweep::sweeps(part) {
        let along = match sweep.along[..] {
            [] => String::new(),
            _ => format!(" Changing along with it: {}.", sweep.along.join(", ")),
        };
        let name = sweep.measured.name();
        let caption = format!(
            "{}: {name} against {}, mean with bars of one sample standard deviation over seeds. The axis need not start at zero.{along}",
            part.experiment, sweep.key
        );
        for chunk in sweep.lines.chunks(PALETTE.len()) {
            let mut named = Vec::new();
            for (colour, swept) in chunk.iter().enumerate() {
                let dots = swept.points.iter().map(|(x, spread, _)| Dot { x: *x, y: spread.mean, sd: spread.sd });
                let line = Line { colour, stroke: Stroke::Thick, points: dots.collect() };
                named.push(Named { name: swept.label.clone(), line });
            }
            if !sweep.published.is_empty() {
                let points = sweep.published.iter().map(|&(x, y)| Dot { x, y, sd: None }).collect();
                let line = Line { colour: PALETTE.len() - 1, stroke: Stroke::Triangles, points };
                named.push(Named { name: "published (triangles)".to_owned(), line });
            }
            let axes = [sweep.key, &format!("{name} (%)")];
            figures.push((sweep.key, Figure::new(caption.clone(), axes, Layout::Sweep, named)));
        }
    }
    figures
}
