//! A picture in memory: colours of weights, rectangles, numbers in a small bitmap font, and the PNG of it.

/// Red, green, blue.
pub(super) type Rgb = [u8; 3];

/// Blue through white to red: the anchors of ColorBrewer's "RdBu" with a pure white centre, so that zero and paper are
/// the same. Blue against red is told apart by every common form of colour blindness.
const DIVERGING: [Rgb; 11] = [
    [0x05, 0x30, 0x61],
    [0x21, 0x66, 0xac],
    [0x43, 0x93, 0xc3],
    [0x92, 0xc5, 0xde],
    [0xd1, 0xe5, 0xf0],
    [0xff, 0xff, 0xff],
    [0xfd, 0xdb, 0xc7],
    [0xf4, 0xa5, 0x82],
    [0xd6, 0x60, 0x4d],
    [0xb2, 0x18, 0x2b],
    [0x67, 0x00, 0x1f],
];

/// The colour of one weight: negative blue, zero white, positive red.
pub(super) fn diverging(value: f32) -> Rgb {
    let steps = (DIVERGING.len() - 1) as f32;
    let position = (value.clamp(-1.0, 1.0) + 1.0) / 2.0 * steps;
    let lower = (position as usize).min(DIVERGING.len() - 2);
    let share = position - lower as f32;
    let mix = |channel: usize| {
        let (from, to) = (f32::from(DIVERGING[lower][channel]), f32::from(DIVERGING[lower + 1][channel]));
        (from + (to - from) * share).round() as u8
    };
    [mix(0), mix(1), mix(2)]
}

/// The brightness of one colour channel of a weight: −1 black, 0 mid grey, 1 full.
pub(super) fn brightness(value: f32) -> u8 {
    (127.5 + 127.5 * value.clamp(-1.0, 1.0)).round() as u8
}

/// Width and height of a glyph, without the space after it.
const GLYPH: (usize, usize) = (5, 7);

/// The few characters that a number needs; a row is five bits, the left one highest.
const GLYPHS: [(char, [u8; 7]); 15] = [
    ('0', [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110]),
    ('1', [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('2', [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111]),
    ('3', [0b01110, 0b10001, 0b00001, 0b00110, 0b00001, 0b10001, 0b01110]),
    ('4', [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010]),
    ('5', [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110]),
    ('6', [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110]),
    ('7', [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000]),
    ('8', [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110]),
    ('9', [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100]),
    ('.', [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100]),
    ('-', [0b00000, 0b00000, 0b00000, 0b11111, 0b00000, 0b00000, 0b00000]),
    ('+', [0b00000, 0b00100, 0b00100, 0b11111, 0b00100, 0b00100, 0b00000]),
    ('e', [0b00000, 0b00000, 0b01110, 0b10001, 0b11111, 0b10000, 0b01110]),
    (' ', [0; 7]),
];

/// A picture of 8-bit colours, rows from the top.
pub(super) struct Canvas {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<u8>,
}

impl Canvas {
    /// A picture filled with one colour.
    pub(super) fn new(width: usize, height: usize, background: Rgb) -> Self {
        Self { width, height, pixels: background.repeat(width * height) }
    }

    /// Fills the part of a rectangle that lies inside the picture; `(x, y)` is its top left corner.
    pub(super) fn fill(&mut self, (x, y): (usize, usize), (width, height): (usize, usize), colour: Rgb) {
        for y in y..(y + height).min(self.height) {
            for x in x..(x + width).min(self.width) {
                let at = (y * self.width + x) * 3;
                self.pixels[at..at + 3].copy_from_slice(&colour);
            }
        }
    }

    /// Writes a number with its top left corner at `(x, y)`, each dot of the font `dot` pixels wide.
    pub(super) fn number(&mut self, text: &str, (x, y): (usize, usize), dot: usize, colour: Rgb) {
        for (index, character) in text.chars().enumerate() {
            let rows = GLYPHS.iter().find(|(known, _)| *known == character).map_or([0; 7], |(_, rows)| *rows);
            for (row, bits) in rows.iter().enumerate() {
                for column in (0..GLYPH.0).filter(|column| bits >> (GLYPH.0 - 1 - column) & 1 == 1) {
                    let left = x + (index * (GLYPH.0 + 1) + column) * dot;
                    self.fill((left, y + row * dot), (dot, dot), colour);
                }
            }
        }
    }

    /// The PNG of the picture, with one line of text about it in its metadata.
    pub(super) fn to_png(&self, description: &str) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut writer = encoder(&mut bytes, [self.width, self.height], description)?.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(bytes)
    }
}

/// An encoder of 8-bit colours, with one line of text about the picture in its metadata.
pub(super) fn encoder<'a>(
    bytes: &'a mut Vec<u8>,
    [width, height]: [usize; 2],
    description: &str,
) -> anyhow::Result<png::Encoder<'a, &'a mut Vec<u8>>> {
    let mut encoder = png::Encoder::new(bytes, u32::try_from(width)?, u32::try_from(height)?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.add_text_chunk("Description".to_owned(), description.to_owned())?;
    encoder.add_text_chunk("Software".to_owned(), "rivalry".to_owned())?;
    Ok(encoder)
}

/// Width and height of a number in pixels.
pub(super) fn number_size(text: &str, dot: usize) -> (usize, usize) {
    let characters = text.chars().count();
    ((characters * (GLYPH.0 + 1)).saturating_sub(1) * dot, GLYPH.1 * dot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_are_cut_off_at_the_edge() {
        let mut canvas = Canvas::new(3, 2, [0; 3]);
        canvas.fill((2, 1), (9, 9), [1, 2, 3]);
        assert_eq!(canvas.pixels[..15], [0; 15]);
        assert_eq!(canvas.pixels[15..], [1, 2, 3]);
    }

    #[test]
    fn a_one_is_drawn_as_its_glyph() {
        let mut canvas = Canvas::new(5, 7, [0; 3]);
        canvas.number("1", (0, 0), 1, [255; 3]);
        let drawn: Vec<u8> =
            canvas.pixels.chunks(15).map(|row| row.chunks(3).fold(0, |bits, p| bits << 1 | (p[0] & 1))).collect();
        assert_eq!(drawn, GLYPHS[1].1);
        assert_eq!(number_size("1", 1), GLYPH);
        assert_eq!(number_size("-0.5", 2), (46, 14));
    }

    #[test]
    fn blue_is_negative_white_zero_red_positive_and_what_is_outside_is_clipped() {
        let ends = [[0x05, 0x30, 0x61], [255, 255, 255], [0x67, 0x00, 0x1f]];
        assert_eq!([-1.0, 0.0, 1.0].map(diverging), ends);
        assert_eq!([-7.0, 7.0].map(diverging), [ends[0], ends[2]]);
        assert_eq!([-1.0, 0.0, 1.0, 7.0].map(brightness), [0, 128, 255, 255]);
        for value in (1..=20).map(|step| step as f32 / 20.0) {
            let ([red, _, blue], [red_negative, _, blue_negative]) = (diverging(value), diverging(-value));
            assert!(red > blue && blue_negative > red_negative, "±{value}");
        }
    }
}
