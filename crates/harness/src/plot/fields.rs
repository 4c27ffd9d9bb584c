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

use super::animation::Frame;
use super::canvas::{Canvas, Rgb, brightness, diverging, number_size};
use crate::error::failure;

/// How many units are shown when nobody says: fourteen by fourteen.
pub(crate) const DEFAULT_UNITS: usize = 196;

const PAPER: Rgb = [255, 255, 255];
const LINE: Rgb = [200, 200, 200];
const INK: Rgb = [60, 60, 60];
/// The grid is enlarged by an integer factor up to about this many pixels; a larger one is left as it is.
const TARGET_PX: usize = 900;
/// The same for a picture of an animation, of which there are many.
const FRAME_PX: usize = 420;
const MARGIN_PX: usize = 10;
const LEGEND_BAR_PX: usize = 10;
const LEGEND_DOT_PX: usize = 2;

/// Where the inputs of a unit lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tile {
    height: usize,
    width: usize,
    /// 1: grey pixels. 3: all reds first, then all greens, then all blues.
    planes: usize,
}

impl Tile {
    /// The tile of images of a known shape. Anything but one or three channels is drawn as a strip.
    pub(crate) fn image(height: usize, width: usize, channels: usize) -> Self {
        match channels {
            1 | 3 => Self { height, width, planes: channels },
            _ => Self::strip(height * width * channels),
        }
    }

    /// The tile of `inputs` of unknown meaning: 784 is taken for MNIST's 28×28, 3072 for CIFAR-10's 32×32 colours;
    /// anything else is wrapped into rows that make it about square.
    pub(crate) fn guess(inputs: usize) -> Self {
        match inputs {
            784 => Self::image(28, 28, 1),
            3072 => Self::image(32, 32, 3),
            _ => Self::strip(inputs),
        }
    }

    fn strip(inputs: usize) -> Self {
        let width = (inputs as f64).sqrt().ceil().max(1.0) as usize;
        Self { height: inputs.div_ceil(width), width, planes: 1 }
    }

    /// The colour of a pixel whose channels are given in units of the range.
    fn colour(self, channel: impl Fn(usize) -> f32) -> Rgb {
        if self.planes == 1 { diverging(channel(0)) } else { [0, 1, 2].map(|plane| brightness(channel(plane))) }
    }
}

/// The units to show: the first `count` on the p-sphere, or of all `hidden` where none is there yet.
pub(crate) fn shown(on_sphere: &[usize], hidden: usize, count: usize) -> Vec<usize> {
    if on_sphere.is_empty() {
        (0..hidden.min(count)).collect()
    } else {
        on_sphere.iter().copied().take(count).collect()
    }
}

/// Draws the units named by `units` as a PNG.
///
/// # Shapes
/// `weights` is `[hidden, inputs]`, row by row; a tile may have more places than inputs (a strip), the rest stays empty.
///
/// # Errors
/// No unit or no input, a unit that is not there, a tile too small for the inputs, a weight that is no finite number.
pub(crate) fn receptive_fields(weights: &[f32], inputs: usize, tile: Tile, units: &[usize]) -> anyhow::Result<Vec<u8>> {
    let (canvas, range) = draw(weights, inputs, tile, units, TARGET_PX)?;
    canvas
        .to_png(&format!("receptive fields of {} of {} units, range ±{range}", units.len(), weights.len() / inputs))
        .context("cannot encode the picture of the receptive fields")
}

/// As [`receptive_fields`], as a picture of an animation.
///
/// # Errors
/// As [`receptive_fields`].
pub(crate) fn frame(weights: &[f32], inputs: usize, tile: Tile, units: &[usize]) -> anyhow::Result<Frame> {
    Ok(draw(weights, inputs, tile, units, FRAME_PX)?.0.into())
}

/// The picture and its range R.
fn draw(
    weights: &[f32],
    inputs: usize,
    tile: Tile,
    units: &[usize],
    target_px: usize,
) -> anyhow::Result<(Canvas, f32)> {
    let rows = selected(weights, inputs, tile, units)?;
    let range = rows.iter().flat_map(|row| row.iter()).fold(0.0_f32, |range, weight| range.max(weight.abs()));
    let layout = Layout::of(tile, rows.len(), target_px);
    let (width, height) = layout.size();
    let legend = Legend::of(range, width);
    let mut canvas = Canvas::new(width + 2 * MARGIN_PX, height + legend.height() + 3 * MARGIN_PX, PAPER);
    for y in 0..height {
        for x in 0..width {
            let colour = layout.colour(&rows, (x, y), if range > 0.0 { range } else { 1.0 });
            canvas.fill((MARGIN_PX + x, MARGIN_PX + y), (1, 1), colour);
        }
    }
    legend.draw(&mut canvas, height + 2 * MARGIN_PX, tile);
    Ok((canvas, range))
}

fn selected<'a>(weights: &'a [f32], inputs: usize, tile: Tile, units: &[usize]) -> anyhow::Result<Vec<&'a [f32]>> {
    let refuse = |message| failure(message, "the weights of a run are in its weights.npy, [hidden, inputs]");
    if inputs == 0 || units.is_empty() {
        return Err(refuse(format!("there is nothing to draw: {} units of {inputs} inputs", units.len())));
    }
    if !weights.len().is_multiple_of(inputs) {
        return Err(refuse(format!("{} weights are no rows of {inputs}", weights.len())));
    }
    let places = tile.height * tile.width * tile.planes;
    if places < inputs || (tile.planes > 1 && places != inputs) {
        return Err(refuse(format!("a tile of {places} places cannot show {inputs} inputs")));
    }
    let row = |&unit: &usize| {
        let hidden = weights.len() / inputs;
        let row = weights.chunks_exact(inputs).nth(unit);
        let row = row.ok_or_else(|| refuse(format!("there is no unit {unit} among {hidden}")))?;
        match row.iter().find(|weight| !weight.is_finite()) {
            None => Ok(row),
            Some(bad) => {
                let message = format!("cannot draw unit {unit}: a weight is {bad}");
                Err(failure(message, "the run diverged: lower its rate"))
            }
        }
    };
    units.iter().map(row).collect()
}

/// Where tiles lie in the grid.
struct Layout {
    columns: usize,
    rows: usize,
    tile: Tile,
    scale: usize,
    line: usize,
}

impl Layout {
    fn of(tile: Tile, units: usize, target_px: usize) -> Self {
        let (width, height) = (tile.width + 1, tile.height + 1);
        let columns = (units as f64 * height as f64 / width as f64).sqrt().round() as usize;
        let columns = columns.clamp(1, units);
        let rows = units.div_ceil(columns);
        let scale = (target_px / (columns * width).max(rows * height)).clamp(1, 16);
        Self { columns, rows, tile, scale, line: scale.div_ceil(2) }
    }

    /// Width and height of a tile with the lines on its right and below it.
    fn cell(&self) -> (usize, usize) {
        (self.tile.width * self.scale + self.line, self.tile.height * self.scale + self.line)
    }

    /// Width and height of the grid, with a line on every side.
    fn size(&self) -> (usize, usize) {
        (self.columns * self.cell().0 + self.line, self.rows * self.cell().1 + self.line)
    }

    /// The colour of a pixel of the grid; a place without a unit is paper.
    fn colour(&self, rows: &[&[f32]], (x, y): (usize, usize), range: f32) -> Rgb {
        let (Some(x), Some(y)) = (x.checked_sub(self.line), y.checked_sub(self.line)) else { return LINE };
        let (width, height) = self.cell();
        let Some(row) = rows.get(y / height * self.columns + x / width) else { return PAPER };
        let (x, y, pixels) = (x % width / self.scale, y % height / self.scale, self.tile.height * self.tile.width);
        let pixel = y * self.tile.width + x;
        // A line, or the end of a strip whose last places have no input.
        if x >= self.tile.width || y >= self.tile.height || pixel >= row.len() {
            return LINE;
        }
        self.tile.colour(|plane| row[pixel + plane * pixels] / range)
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

    fn draw(&self, canvas: &mut Canvas, top: usize, tile: Tile) {
        let bar_top = top + (self.height() - LEGEND_BAR_PX) / 2;
        for x in 0..self.bar {
            let value = if self.bar > 1 { 2.0 * x as f32 / (self.bar - 1) as f32 - 1.0 } else { 0.0 };
            canvas.fill((self.left + x, bar_top), (1, LEGEND_BAR_PX), tile.colour(|_| value));
        }
        let low_left = self.left.saturating_sub(MARGIN_PX + number_size(&self.low, LEGEND_DOT_PX).0);
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
mod tests {
    //! Pictures are decoded again and single pixels looked at.

    use super::*;

    struct Picture {
        layout: Layout,
        width: usize,
        height: usize,
        pixels: Vec<u8>,
        description: String,
    }

    impl Picture {
        fn of(weights: &[f32], inputs: usize, tile: Tile, units: &[usize]) -> Self {
            let bytes = receptive_fields(weights, inputs, tile, units).unwrap();
            let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut pixels).unwrap();
            assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
            let text = &reader.info().uncompressed_latin1_text;
            let description = text.iter().find(|chunk| chunk.keyword == "Description").unwrap().text.clone();
            let (width, height) = (info.width as usize, info.height as usize);
            Self { layout: Layout::of(tile, units.len(), TARGET_PX), width, height, pixels, description }
        }

        fn at(&self, x: usize, y: usize) -> Rgb {
            let at = (y * self.width + x) * 3;
            self.pixels[at..at + 3].try_into().unwrap()
        }

        fn corner(&self, place: usize) -> (usize, usize) {
            let (width, height) = self.layout.cell();
            let at = |index, cell| MARGIN_PX + self.layout.line + index * cell;
            (at(place % self.layout.columns, width), at(place / self.layout.columns, height))
        }

        /// The middle of one weight of one tile.
        fn weight(&self, place: usize, (x, y): (usize, usize)) -> Rgb {
            let ((left, top), scale) = (self.corner(place), self.layout.scale);
            self.at(left + x * scale + scale / 2, top + y * scale + scale / 2)
        }
    }

    #[test]
    fn one_symmetric_range_for_the_units_that_are_shown() {
        let weights = [0.0, 0.5, -0.5, 1.0, /* second unit */ -2.0, 2.0, 0.0, -1.0];
        let picture = Picture::of(&weights, 4, Tile::image(2, 2, 1), &[0, 1]);
        // The largest weight is in the second unit, and the first is scaled by it too.
        for (place, x, y, value) in
            [(0, 0, 0, 0.0), (0, 1, 0, 0.25), (0, 0, 1, -0.25), (0, 1, 1, 0.5), (1, 0, 0, -1.0), (1, 1, 0, 1.0)]
        {
            assert_eq!(picture.weight(place, (x, y)), diverging(value), "{place} {x} {y}");
        }
        assert_eq!(picture.description, "receptive fields of 2 of 2 units, range ±2");
        // Only positive weights: the smallest is not blue, as it would be with the range of the data.
        let picture = Picture::of(&[100.0, 100.0, 1.0, 0.5], 2, Tile::image(1, 2, 1), &[1]);
        assert_eq!([picture.weight(0, (0, 0)), picture.weight(0, (1, 0))], [diverging(1.0), diverging(0.5)]);
        let blank = Picture::of(&[0.0; 4], 4, Tile::guess(4), &[0]);
        assert_eq!(blank.weight(0, (1, 1)), PAPER);
    }

    #[test]
    fn colour_images_are_planes_around_mid_grey() {
        let weights = [1.0, 0.0, /* greens */ 0.0, -1.0, /* blues */ -0.5, 0.0];
        let picture = Picture::of(&weights, 6, Tile::image(1, 2, 3), &[0]);
        assert_eq!([picture.weight(0, (0, 0)), picture.weight(0, (1, 0))], [[255, 128, 64], [128, 0, 128]]);
    }

    #[test]
    fn tiles_are_separated_by_lines_and_missing_units_are_paper() {
        let picture = Picture::of(&vec![1.0; 5 * 784], 784, Tile::guess(784), &[0, 1, 2, 3, 4]);
        assert_eq!((picture.layout.columns, picture.layout.rows), (2, 3));
        let (left, top) = picture.corner(3);
        assert_eq!([picture.at(left - 1, top + 5), picture.at(left + 5, top - 1)], [LINE; 2]);
        assert_eq!([picture.weight(5, (14, 14)), picture.at(0, 0)], [PAPER; 2]);
        assert!(picture.width <= TARGET_PX + 8 * MARGIN_PX && picture.height <= TARGET_PX + 12 * MARGIN_PX);
    }

    #[test]
    fn inputs_that_are_no_image_are_wrapped() {
        assert_eq!(Tile::guess(10), Tile { height: 3, width: 4, planes: 1 });
        assert_eq!(Tile::guess(1), Tile { height: 1, width: 1, planes: 1 });
        assert_eq!(Tile::image(4, 4, 2), Tile::guess(32));
        assert_eq!(Tile::guess(3072), Tile { height: 32, width: 32, planes: 3 });
        let picture = Picture::of(&[-1.0; 10], 10, Tile::guess(10), &[0]);
        assert_eq!(picture.weight(0, (1, 2)), diverging(-1.0));
        assert_eq!(picture.weight(0, (2, 2)), LINE, "no input there");
    }

    #[test]
    fn grids_are_about_square() {
        for units in [1, 2, 7, 50, 196, 200, 2000] {
            for tile in [Tile::guess(784), Tile::guess(3072), Tile::image(10, 40, 1), Tile::guess(7)] {
                let layout = Layout::of(tile, units, TARGET_PX);
                let (width, height) = layout.size();
                assert!(layout.columns * layout.rows >= units);
                let square = width * 10 <= height * 15 && height * 10 <= width * 15;
                assert!(units < 50 || square, "{units} of {tile:?}: {width} x {height}");
            }
        }
    }

    #[test]
    fn the_legend_shows_the_ends_of_the_range() {
        let mut weights = vec![0.0; 784 * 4];
        weights[3] = 0.312;
        let picture = Picture::of(&weights, 784, Tile::guess(784), &[0, 1, 2, 3]);
        let (width, height) = picture.layout.size();
        let legend = Legend::of(0.312, width);
        assert_eq!((legend.low.as_str(), legend.high.as_str()), ("-0.312", "+0.312"));
        let y = height + 2 * MARGIN_PX + legend.height() / 2;
        assert_eq!(picture.at(legend.left, y), diverging(-1.0));
        assert_eq!(picture.at(legend.left + legend.bar - 1, y), diverging(1.0));
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        let numbers = [0.0, 0.3124, 1.0, 12.34, 4321.0, 0.0012345, 1.25e-5, 123456.0].map(short_number);
        assert_eq!(numbers, ["0", "0.312", "1.00", "12.3", "4321", "0.00123", "1.2e-5", "1.2e5"]);
    }

    #[test]
    fn what_cannot_be_drawn_is_said() {
        let nan = [0.0, f32::NAN, 0.0, 0.0];
        for (weights, inputs, unit, expected) in [
            (&[][..], 0, &[0][..], "there is nothing to draw"),
            (&[0.0; 4], 4, &[], "there is nothing to draw"),
            (&[0.0; 5], 4, &[0], "5 weights are no rows of 4"),
            (&[0.0; 4], 4, &[1], "there is no unit 1 among 1"),
            (&[0.0; 9], 9, &[0], "a tile of 4 places cannot show 9 inputs"),
            (&nan, 4, &[0], "cannot draw unit 0: a weight is NaN"),
        ] {
            let error = receptive_fields(weights, inputs, Tile::guess(4), unit).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        // Another unit's bad weights do not stop the picture of the good ones.
        assert!(receptive_fields(&[0.0, f32::NAN], 1, Tile::guess(1), &[0]).is_ok());
    }

    #[test]
    fn units_on_the_sphere_are_shown_first() {
        assert_eq!((shown(&[1, 4, 9], 10, 2), shown(&[1, 4, 9], 10, 196)), (vec![1, 4], vec![1, 4, 9]));
        assert_eq!((shown(&[], 3, 196), shown(&[], 10, 2)), (vec![0, 1, 2], vec![0, 1]));
    }
}
