//! Receptive fields: the weights of each hidden unit drawn where its inputs are, in one grid.
//!
//! 1. One range for the whole picture: R = the largest |w| of all units shown, so that tiles can be compared.
//! 2. Grey images: −R blue, 0 white, +R red. Colour images: −R black, 0 mid grey, +R full, in each colour channel.
//! 3. Tiles in reading order with a thin line between them; the grid about as wide as high.
//! 4. Below it a bar with the colours from −R to +R.
//!
//! A few units never converge and keep weights ten times as large as the others, which would leave those pale: callers
//! that know which units are on the p-sphere show these ([`shown`]).

use anyhow::Context;

use super::canvas::{Area, Canvas, Rgb, brightness, diverging, number_size};
use crate::error::failure;

/// How many units are shown when nobody says: fourteen by fourteen.
pub const DEFAULT_UNITS: usize = 196;

const PAPER: Rgb = [255, 255, 255];
const LINE: Rgb = [200, 200, 200];
const INK: Rgb = [60, 60, 60];
/// The grid is enlarged by an integer factor up to about this many pixels; a larger one is left as it is.
const TARGET_PX: usize = 900;
const MARGIN_PX: usize = 10;
const LEGEND_BAR_PX: usize = 10;
const LEGEND_DOT_PX: usize = 2;

/// Where the inputs of a unit lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// What an input is.
    pub colours: Colours,
}

/// What an input of an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// A grey pixel.
    Grey,
    /// One colour of a pixel; all reds first, then all greens, then all blues.
    RgbPlanes,
}

impl Tile {
    /// The tile of images of a known shape. Anything but one or three channels is drawn as a strip.
    pub fn image(height: usize, width: usize, channels: usize) -> Self {
        match channels {
            1 => Self { height, width, colours: Colours::Grey },
            3 => Self { height, width, colours: Colours::RgbPlanes },
            _ => Self::strip(height * width * channels),
        }
    }

    /// The tile of `inputs` of unknown meaning: 784 is taken for MNIST's 28×28, 3072 for CIFAR-10's 32×32 colours;
    /// anything else is wrapped into rows that make it about square.
    pub fn guess(inputs: usize) -> Self {
        match inputs {
            784 => Self::image(28, 28, 1),
            3072 => Self::image(32, 32, 3),
            _ => Self::strip(inputs),
        }
    }

    fn strip(inputs: usize) -> Self {
        let width = (inputs as f64).sqrt().ceil().max(1.0) as usize;
        Self { height: inputs.div_ceil(width), width, colours: Colours::Grey }
    }

    fn planes(self) -> usize {
        match self.colours {
            Colours::Grey => 1,
            Colours::RgbPlanes => 3,
        }
    }
}

/// The units to show: the first `count` on the p-sphere, or of all `hidden` where none is there yet.
pub fn shown(on_sphere: &[usize], hidden: usize, count: usize) -> Vec<usize> {
    if on_sphere.is_empty() {
        (0..hidden.min(count)).collect()
    } else {
        on_sphere.iter().copied().take(count).collect()
    }
}

/// Draws the units named by `units` as a PNG.
///
/// # Shapes
///
/// `weights` is `[hidden, inputs]`, row by row; a tile may have more places than inputs (a strip), the rest stays empty.
///
/// # Errors
///
/// No unit or no input, a unit that is not there, a tile too small for the inputs, a weight that is no finite number.
///
/// # Example
///
/// ```
/// use rivalry::plot::fields::{Tile, receptive_fields};
///
/// let weights = vec![0.25_f32; 4 * 784];
/// let png = receptive_fields(&weights, 784, Tile::guess(784), &[0, 1, 2, 3])?;
/// assert_eq!(&png[1..4], b"PNG");
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn receptive_fields(weights: &[f32], inputs: usize, tile: Tile, units: &[usize]) -> anyhow::Result<Vec<u8>> {
    let rows = selected(weights, inputs, tile, units)?;
    let range = rows.iter().flat_map(|row| row.iter()).fold(0.0_f32, |range, weight| range.max(weight.abs()));
    let layout = Layout::of(tile, rows.len());
    let (width, grid_height) = layout.size();
    let legend = Legend::of(range, width);
    let mut canvas = Canvas::new(width + 2 * MARGIN_PX, grid_height + legend.height() + 3 * MARGIN_PX, PAPER);
    canvas.fill(Area { x: MARGIN_PX, y: MARGIN_PX, width, height: grid_height }, LINE);
    for place in 0..layout.columns * layout.rows {
        let corner = layout.corner(place);
        match rows.get(place) {
            Some(row) => draw_unit(&mut canvas, &layout, corner, &Scaled { row, tile, range }),
            None => canvas.fill(layout.cell(corner), PAPER),
        }
    }
    legend.draw(&mut canvas, grid_height + 2 * MARGIN_PX, tile.colours);
    canvas
        .to_png(&format!("receptive fields of {} of {} units, range ±{range}", units.len(), weights.len() / inputs))
        .context("cannot encode the picture of the receptive fields")
}

fn selected<'a>(weights: &'a [f32], inputs: usize, tile: Tile, units: &[usize]) -> anyhow::Result<Vec<&'a [f32]>> {
    let refuse =
        |message: String| Err(failure(message, "the weights of a run are in its weights.npy, [hidden, inputs]"));
    if inputs == 0 || units.is_empty() {
        return refuse(format!("there is nothing to draw: {} units of {inputs} inputs", units.len()));
    }
    if !weights.len().is_multiple_of(inputs) {
        return refuse(format!("{} weights are no rows of {inputs}", weights.len()));
    }
    let places = tile.height * tile.width * tile.planes();
    if places < inputs || (tile.colours == Colours::RgbPlanes && places != inputs) {
        return refuse(format!("a tile of {places} places cannot show {inputs} inputs"));
    }
    let mut rows = Vec::with_capacity(units.len());
    for &unit in units {
        let Some(row) = weights.chunks_exact(inputs).nth(unit) else {
            return refuse(format!("there is no unit {unit} among {}", weights.len() / inputs));
        };
        if let Some(bad) = row.iter().find(|weight| !weight.is_finite()) {
            let message = format!("cannot draw unit {unit}: a weight is {bad}");
            return Err(failure(message, "the run diverged: lower its rate"));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Where tiles lie in the grid.
struct Layout {
    columns: usize,
    rows: usize,
    tile: (usize, usize),
    scale: usize,
    line: usize,
}

impl Layout {
    fn of(tile: Tile, units: usize) -> Self {
        let (width, height) = (tile.width + 1, tile.height + 1);
        let columns = (units as f64 * height as f64 / width as f64).sqrt().round() as usize;
        let columns = columns.clamp(1, units);
        let rows = units.div_ceil(columns);
        let scale = (TARGET_PX / (columns * width).max(rows * height)).clamp(1, 16);
        Self { columns, rows, tile: (tile.width, tile.height), scale, line: scale.div_ceil(2) }
    }

    /// Width and height of the grid, with a line on every side.
    fn size(&self) -> (usize, usize) {
        let length = |count: usize, tile: usize| count * (tile * self.scale + self.line) + self.line;
        (length(self.columns, self.tile.0), length(self.rows, self.tile.1))
    }

    fn corner(&self, place: usize) -> (usize, usize) {
        let offset = |index: usize, tile: usize| MARGIN_PX + self.line + index * (tile * self.scale + self.line);
        (offset(place % self.columns, self.tile.0), offset(place / self.columns, self.tile.1))
    }

    /// The tile at a corner together with the lines around it.
    fn cell(&self, (x, y): (usize, usize)) -> Area {
        let (width, height) = (self.tile.0 * self.scale + self.line, self.tile.1 * self.scale + self.line);
        Area { x, y, width, height }
    }
}

/// One unit's weights and how they are to be seen.
struct Scaled<'a> {
    row: &'a [f32],
    tile: Tile,
    range: f32,
}

impl Scaled<'_> {
    /// Colour at one place, `None` where a strip has no input.
    fn colour(&self, x: usize, y: usize) -> Option<Rgb> {
        let pixel = y * self.tile.width + x;
        let plane = self.tile.height * self.tile.width;
        let value = |index: usize| {
            let weight = *self.row.get(index)?;
            Some(if self.range > 0.0 { weight / self.range } else { 0.0 })
        };
        match self.tile.colours {
            Colours::Grey => value(pixel).map(diverging),
            Colours::RgbPlanes => {
                let channel = |plane_index: usize| value(pixel + plane_index * plane).map(brightness);
                Some([channel(0)?, channel(1)?, channel(2)?])
            }
        }
    }
}

fn draw_unit(canvas: &mut Canvas, layout: &Layout, (left, top): (usize, usize), unit: &Scaled<'_>) {
    let scale = layout.scale;
    for y in 0..unit.tile.height {
        for x in 0..unit.tile.width {
            if let Some(colour) = unit.colour(x, y) {
                canvas.fill(Area { x: left + x * scale, y: top + y * scale, width: scale, height: scale }, colour);
            }
        }
    }
}

/// The bar of colours, with −R on its left and +R on its right.
struct Legend {
    low: String,
    high: String,
    left: usize,
    bar: usize,
}

impl Legend {
    /// A bar of a third of the grid's width, or as much as its two numbers leave.
    fn of(range: f32, grid_width: usize) -> Self {
        let number = short_number(range);
        let (low, high) = (format!("-{number}"), format!("+{number}"));
        let numbers = number_size(&low, LEGEND_DOT_PX).0 + number_size(&high, LEGEND_DOT_PX).0 + 4 * MARGIN_PX;
        let bar = (grid_width / 3).min(grid_width.saturating_sub(numbers));
        Self { low, high, left: MARGIN_PX + (grid_width - bar) / 2, bar }
    }

    fn height(&self) -> usize {
        number_size("0", LEGEND_DOT_PX).1.max(LEGEND_BAR_PX)
    }

    fn draw(&self, canvas: &mut Canvas, top: usize, colours: Colours) {
        let bar_top = top + (self.height() - LEGEND_BAR_PX) / 2;
        for x in 0..self.bar {
            let value = if self.bar > 1 { 2.0 * x as f32 / (self.bar - 1) as f32 - 1.0 } else { 0.0 };
            let colour = match colours {
                Colours::Grey => diverging(value),
                Colours::RgbPlanes => [brightness(value); 3],
            };
            canvas.fill(Area { x: self.left + x, y: bar_top, width: 1, height: LEGEND_BAR_PX }, colour);
        }
        let low_left = (self.left).saturating_sub(MARGIN_PX + number_size(&self.low, LEGEND_DOT_PX).0);
        canvas.number(&self.low, (low_left, top), LEGEND_DOT_PX, INK);
        canvas.number(&self.high, (self.left + self.bar + MARGIN_PX, top), LEGEND_DOT_PX, INK);
    }
}

/// Three digits that count: `0.312`, `12.3`, `1.2e-5`.
fn short_number(value: f32) -> String {
    match value {
        0.0 => "0".to_owned(),
        _ if !(1e-3..1e4).contains(&value) => format!("{value:.1e}"),
        _ => format!("{value:.*}", (2 - value.log10().floor() as i32).clamp(0, 5) as usize),
    }
}

#[cfg(test)]
mod tests;
