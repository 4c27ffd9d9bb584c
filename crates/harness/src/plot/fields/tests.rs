//! Pictures are decoded again and single pixels looked at.

use super::*;

struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    description: String,
}

impl Picture {
    fn of(bytes: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
        let text = &reader.info().uncompressed_latin1_text;
        let description = text.iter().find(|chunk| chunk.keyword == "Description").unwrap().text.clone();
        Self { width: info.width as usize, height: info.height as usize, pixels, description }
    }

    fn at(&self, (x, y): (usize, usize)) -> Rgb {
        let at = (y * self.width + x) * 3;
        self.pixels[at..at + 3].try_into().unwrap()
    }

    /// The middle of one weight of one tile.
    fn weight(&self, layout: &Layout, place: usize, (x, y): (usize, usize)) -> Rgb {
        let (left, top) = layout.corner(place);
        self.at((left + x * layout.scale + layout.scale / 2, top + y * layout.scale + layout.scale / 2))
    }
}

fn draw(weights: &[f32], inputs: usize, tile: Tile, units: &[usize]) -> Picture {
    Picture::of(&receptive_fields(weights, inputs, tile, units).unwrap())
}

#[test]
fn one_range_for_the_whole_grid() {
    let tile = Tile::image(2, 2, 1);
    let weights = [0.0, 0.5, -0.5, 1.0, /* second unit */ -2.0, 2.0, 0.0, -1.0];
    let picture = draw(&weights, 4, tile, &[0, 1]);
    let layout = Layout::of(tile, 2);
    // The largest weight is in the second unit, and the first is scaled by it too.
    assert_eq!(picture.weight(&layout, 0, (0, 0)), [255, 255, 255]);
    assert_eq!(picture.weight(&layout, 0, (1, 0)), diverging(0.25));
    assert_eq!(picture.weight(&layout, 0, (0, 1)), diverging(-0.25));
    assert_eq!(picture.weight(&layout, 0, (1, 1)), diverging(0.5));
    assert_eq!(picture.weight(&layout, 1, (0, 0)), diverging(-1.0));
    assert_eq!(picture.weight(&layout, 1, (1, 0)), diverging(1.0));
    assert_eq!(picture.description, "receptive fields of 2 of 2 units, range ±2");
}

#[test]
fn the_range_is_symmetric_and_of_the_units_shown() {
    let tile = Tile::image(1, 2, 1);
    // Only positive weights: the smallest is not blue, as it would be with the range of the data.
    let weights = [100.0, 100.0, 1.0, 0.5];
    let picture = draw(&weights, 2, tile, &[1]);
    let layout = Layout::of(tile, 1);
    assert_eq!(picture.weight(&layout, 0, (0, 0)), diverging(1.0));
    assert_eq!(picture.weight(&layout, 0, (1, 0)), diverging(0.5));
}

#[test]
fn colour_images_are_planes_around_mid_grey() {
    let tile = Tile::image(1, 2, 3);
    let weights = [1.0, 0.0, /* greens */ 0.0, -1.0, /* blues */ -0.5, 0.0];
    let picture = draw(&weights, 6, tile, &[0]);
    let layout = Layout::of(tile, 1);
    assert_eq!(picture.weight(&layout, 0, (0, 0)), [255, 128, 64]);
    assert_eq!(picture.weight(&layout, 0, (1, 0)), [128, 0, 128]);
}

#[test]
fn tiles_are_separated_by_lines_and_missing_units_are_paper() {
    let tile = Tile::guess(784);
    let weights = vec![1.0; 5 * 784];
    let picture = draw(&weights, 784, tile, &[0, 1, 2, 3, 4]);
    let layout = Layout::of(tile, 5);
    assert_eq!((layout.columns, layout.rows), (2, 3));
    let (left, top) = layout.corner(3);
    assert_eq!(picture.at((left - 1, top + 5)), LINE);
    assert_eq!(picture.at((left + 5, top - 1)), LINE);
    assert_eq!(picture.weight(&layout, 5, (14, 14)), PAPER);
    assert_eq!(picture.at((0, 0)), PAPER);
    assert!(picture.width <= TARGET_PX + 8 * MARGIN_PX && picture.height <= TARGET_PX + 12 * MARGIN_PX);
}

#[test]
fn inputs_that_are_no_image_are_wrapped() {
    assert_eq!(Tile::guess(10), Tile { height: 3, width: 4, colours: Colours::Grey });
    assert_eq!(Tile::guess(1), Tile { height: 1, width: 1, colours: Colours::Grey });
    assert_eq!(Tile::image(4, 4, 2), Tile::guess(32));
    assert_eq!(Tile::guess(3072), Tile { height: 32, width: 32, colours: Colours::RgbPlanes });
    let tile = Tile::guess(10);
    let picture = draw(&[-1.0; 10], 10, tile, &[0]);
    let layout = Layout::of(tile, 1);
    assert_eq!(picture.weight(&layout, 0, (1, 2)), diverging(-1.0));
    assert_eq!(picture.weight(&layout, 0, (2, 2)), LINE, "no input there");
}

#[test]
fn grids_are_about_square() {
    for units in [1, 2, 7, 50, 196, 200, 2000] {
        for tile in [Tile::guess(784), Tile::guess(3072), Tile::image(10, 40, 1), Tile::guess(7)] {
            let (width, height) = Layout::of(tile, units).size();
            assert!(Layout::of(tile, units).columns * Layout::of(tile, units).rows >= units);
            if units >= 50 {
                assert!(
                    width * 10 <= height * 15 && height * 10 <= width * 15,
                    "{units} of {tile:?}: {width} x {height}"
                );
            }
        }
    }
}

#[test]
fn the_legend_shows_the_ends_of_the_range() {
    let tile = Tile::guess(784);
    let mut weights = vec![0.0; 784 * 4];
    weights[3] = 0.312;
    let picture = draw(&weights, 784, tile, &[0, 1, 2, 3]);
    let (width, height) = Layout::of(tile, 4).size();
    let legend = Legend::of(0.312, width);
    assert_eq!((legend.low.as_str(), legend.high.as_str()), ("-0.312", "+0.312"));
    let y = height + 2 * MARGIN_PX + legend.height() / 2;
    assert_eq!(picture.at((legend.left, y)), diverging(-1.0));
    assert_eq!(picture.at((legend.left + legend.bar - 1, y)), diverging(1.0));
}

#[test]
fn numbers_have_three_digits_that_count() {
    let numbers = [0.0, 0.3124, 1.0, 12.34, 4321.0, 0.0012345, 1.25e-5, 123456.0].map(short_number);
    assert_eq!(numbers, ["0", "0.312", "1.00", "12.3", "4321", "0.00123", "1.2e-5", "1.2e5"]);
}

#[test]
fn blank_weights_are_a_blank_picture() {
    let tile = Tile::guess(4);
    let picture = draw(&[0.0; 4], 4, tile, &[0]);
    assert_eq!(picture.weight(&Layout::of(tile, 1), 0, (1, 1)), [255, 255, 255]);
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let refused = |weights: &[f32], inputs: usize, tile: Tile, units: &[usize]| {
        receptive_fields(weights, inputs, tile, units).unwrap_err().to_string()
    };
    let tile = Tile::guess(4);
    assert!(refused(&[], 0, tile, &[0]).contains("there is nothing to draw"));
    assert!(refused(&[0.0; 4], 4, tile, &[]).contains("there is nothing to draw"));
    assert!(refused(&[0.0; 5], 4, tile, &[0]).contains("5 weights are no rows of 4"));
    assert!(refused(&[0.0; 4], 4, tile, &[1]).contains("there is no unit 1 among 1"));
    assert!(refused(&[0.0; 9], 9, tile, &[0]).contains("a tile of 4 places cannot show 9 inputs"));
    assert!(refused(&[0.0, f32::NAN, 0.0, 0.0], 4, tile, &[0]).contains("cannot draw unit 0: a weight is NaN"));
    // Another unit's bad weights do not stop the picture of the good ones.
    assert!(receptive_fields(&[0.0, f32::NAN], 1, Tile::guess(1), &[0]).is_ok());
}

#[test]
fn units_on_the_sphere_are_shown_first() {
    assert_eq!(shown(&[1, 4, 9], 10, 2), [1, 4]);
    assert_eq!(shown(&[1, 4, 9], 10, 196), [1, 4, 9]);
    assert_eq!(shown(&[], 3, 196), [0, 1, 2]);
    assert_eq!(shown(&[], 10, 2), [0, 1]);
}
