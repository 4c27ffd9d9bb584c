//! Animated PNGs: pictures of one size, one after the other, shown endlessly.

use std::io::Cursor;

use anyhow::{Context, ensure};

use super::canvas::{Canvas, encoder};

/// How long a picture is shown, in ms, and the last one.
const DELAYS_MS: [u16; 2] = [160, 2000];

/// The pixels of a picture, as red, green and blue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    size: [usize; 2],
    pixels: Vec<u8>,
}

impl From<Canvas> for Frame {
    fn from(Canvas { width, height, pixels }: Canvas) -> Self {
        Self { size: [width, height], pixels }
    }
}

/// Encodes pictures as one animated PNG.
///
/// # Errors
/// There is none, or their sizes differ.
pub(crate) fn animated(frames: &[Frame], description: &str) -> anyhow::Result<Vec<u8>> {
    let Some((last, _)) = frames.split_last() else { anyhow::bail!("an animation of no pictures") };
    ensure!(frames.iter().all(|frame| frame.size == last.size), "the pictures of an animation differ in size");
    let mut bytes = Vec::new();
    let mut encoder = encoder(&mut bytes, last.size, description)?;
    encoder.set_animated(u32::try_from(frames.len())?, 0)?;
    let mut writer = encoder.write_header()?;
    for (number, frame) in frames.iter().enumerate() {
        writer.set_frame_delay(DELAYS_MS[usize::from(number + 1 == frames.len())], 1000)?;
        writer.write_image_data(&frame.pixels)?;
    }
    writer.finish()?;
    Ok(bytes)
}

/// The pictures of an animated PNG, or the one of a plain PNG.
///
/// # Errors
/// It is damaged, or not of 8-bit colours.
pub(crate) fn frames(bytes: &[u8]) -> anyhow::Result<Vec<Frame>> {
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().context("not a PNG")?;
    let info = reader.info();
    let size = [info.width as usize, info.height as usize];
    let is_known = (info.color_type, info.bit_depth) == (png::ColorType::Rgb, png::BitDepth::Eight);
    ensure!(is_known, "a PNG that is not of 8-bit colours");
    let count = info.animation_control.map_or(1, |control| control.num_frames);
    let length = reader.output_buffer_size().context("a picture that is too large")?;
    (0..count)
        .map(|number| {
            let mut pixels = vec![0; length];
            reader.next_frame(&mut pixels).with_context(|| format!("picture {number} is damaged"))?;
            Ok(Frame { size, pixels })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(size: [usize; 2], shade: u8) -> Frame {
        Frame { size, pixels: vec![shade; 3 * size[0] * size[1]] }
    }

    #[test]
    fn pictures_come_back_in_order() {
        let pictures = [1, 77, 255].map(|shade| frame([5, 3], shade));
        let bytes = animated(&pictures, "three shades").unwrap();
        assert_eq!(frames(&bytes).unwrap(), pictures);
        let info = png::Decoder::new(Cursor::new(&bytes)).read_info().unwrap();
        let control = info.info().animation_control.unwrap();
        assert_eq!((control.num_frames, control.num_plays), (3, 0));
        let one = animated(&pictures[..1], "one shade").unwrap();
        assert_eq!(frames(&one).unwrap(), pictures[..1]);
    }

    #[test]
    fn what_is_no_animation_is_refused() {
        let error = animated(&[], "").unwrap_err().to_string();
        assert_eq!(error, "an animation of no pictures");
        let error = animated(&[frame([5, 3], 0), frame([3, 5], 0)], "").unwrap_err().to_string();
        assert_eq!(error, "the pictures of an animation differ in size");
        let bytes = animated(&[frame([5, 3], 0), frame([5, 3], 9)], "").unwrap();
        assert!(frames(&bytes[..bytes.len() - 30]).is_err());
        assert!(frames(b"GIF89a").unwrap_err().to_string().contains("not a PNG"));
    }
}
