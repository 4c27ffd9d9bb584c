//! A sample of patches, drawn from training images: what whitening is fitted to and filters are learned from.

use crate::error::{Error, Result};
use crate::eval::check_size;
use crate::patches::images::ImageShape;
use crate::patches::whitening::RawPatches;
use rivalry_core::Random;

/// Draws for each patch that is wanted, after which the images are taken to be blank.
const PATIENCE: usize = 1000;

/// Raw patches, [patches × side · side · channels] pixels in the order (row, column, channel).
#[derive(Debug, Clone)]
pub struct PatchSample {
    pixels: Vec<u8>,
    inputs: usize,
}

impl PatchSample {
    /// Draws patches at random places of random images, with replacement. Blank patches, whose pixels are all equal, are drawn
    /// again: they have nothing to learn from.
    ///
    /// # Shapes
    /// `images` [images × shape.inputs()]; of the training set only.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the images do not have this shape, a patch does not fit, `patches` is not from 1 to 2²⁸, or
    /// nearly all patches are blank.
    ///
    /// # Allocates
    /// The sample.
    pub fn draw(
        images: &[u8],
        shape: ImageShape,
        side: usize,
        patches: usize,
        random: &mut Random,
    ) -> Result<PatchSample> {
        shape.check(side)?;
        check_size("the number of patches", patches, 1, 1 << 28)?;
        let length = shape.inputs();
        if images.is_empty() || !images.len().is_multiple_of(length) {
            return Err(Error::invalid(format!("{} pixels are no images of {length} pixels each", images.len())));
        }
        let inputs = shape.patch_inputs(side);
        let mut below = |count: usize| ((u128::from(random.next_u64()) * count as u128) >> 64) as usize;
        let mut pixels = vec![0; patches * inputs];
        let mut image = vec![0; length];
        let mut draws = 0;
        for patch in pixels.chunks_exact_mut(inputs) {
            loop {
                let number = below(images.len() / length);
                let place = [below(shape.height - side + 1), below(shape.width - side + 1)];
                shape.by_pixel(&images[number * length..][..length], &mut image);
                shape.patch(&image, place, side, patch);
                draws += 1;
                if patch.iter().any(|&pixel| pixel != patch[0]) {
                    break;
                }
                if draws >= patches.saturating_mul(PATIENCE) {
                    return Err(Error::invalid(format!("{draws} draws found fewer than {patches} patches not blank")));
                }
            }
        }
        Ok(PatchSample { pixels, inputs })
    }

    /// The number of patches.
    pub fn patches(&self) -> usize {
        self.pixels.len() / self.inputs
    }

    /// Pixels of a patch.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The pixels of all patches, [patches × inputs].
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    pub(crate) fn raw(&self) -> RawPatches<'_> {
        RawPatches { pixels: &self.pixels, inputs: self.inputs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patches::images::ChannelOrder;

    const SHAPE: ImageShape = ImageShape { height: 4, width: 5, channels: 3, order: ChannelOrder::Planes };

    #[test]
    fn patches_come_from_everywhere_and_are_repeatable() {
        let images: Vec<u8> = (0..3 * 60).map(|i| i as u8).collect();
        let draw = |seed| PatchSample::draw(&images, SHAPE, 3, 400, &mut Random::keyed(seed, "patches", 0)).unwrap();
        assert_eq!(draw(1).pixels(), draw(1).pixels());
        assert_ne!(draw(1).pixels(), draw(2).pixels());
        // The first pixel says where a patch is from: 3 images of 2 × 3 places.
        let sample = draw(1);
        let mut firsts: Vec<u8> = sample.pixels().chunks_exact(27).map(|patch| patch[0]).collect();
        firsts.sort();
        firsts.dedup();
        assert_eq!(firsts.len(), 18);
        assert_eq!(sample.pixels()[1], sample.pixels()[0] + 20, "the second channel is next");
    }

    #[test]
    fn blank_images_and_wrong_shapes_are_refused() {
        let error = |images: &[u8]| {
            PatchSample::draw(images, SHAPE, 3, 2, &mut Random::keyed(1, "patches", 0)).unwrap_err().to_string()
        };
        assert_eq!(error(&[7; 120]), "2000 draws found fewer than 2 patches not blank");
        assert_eq!(error(&[7; 100]), "100 pixels are no images of 60 pixels each");
        assert_eq!(error(&[]), "0 pixels are no images of 60 pixels each");
    }
}
