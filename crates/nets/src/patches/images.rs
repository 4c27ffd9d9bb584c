//! How the pixels of a sample form an image, and how patches are cut out of it.

use crate::error::{Error, Result};
use crate::eval::check_size;

/// The order of the values of an image with several channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelOrder {
    /// One plane for each channel, [channels × height × width], as CIFAR-10 stores images.
    Planes,
    /// The channels of a pixel side by side, [height × width × channels].
    Pixels,
}

/// How the pixels of a sample form an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageShape {
    /// Rows.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
    /// The order of the values.
    pub order: ChannelOrder,
}

impl ImageShape {
    /// Values of an image.
    pub fn inputs(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Values of a square patch.
    pub fn patch_inputs(self, side: usize) -> usize {
        side * side * self.channels
    }

    /// Checks that square patches fit into the image, and that the sums of their pixels fit 32 bits.
    pub(crate) fn check(self, side: usize) -> Result<()> {
        for (what, value) in [("the height of an image", self.height), ("the width of an image", self.width)] {
            check_size(what, value, 1, 1 << 15)?;
        }
        check_size("the number of channels", self.channels, 1, 256)?;
        check_size("the side of a patch", side, 1, self.height.min(self.width))?;
        if self.patch_inputs(side) > 1 << 14 {
            let values = self.patch_inputs(side);
            return Err(Error::invalid(format!("a patch has {values} values, at most {} are possible", 1 << 14)));
        }
        Ok(())
    }

    /// Copies an image so that the channels of a pixel are side by side.
    pub(crate) fn by_pixel(self, image: &[u8], to: &mut [u8]) {
        let pixels = self.height * self.width;
        match self.order {
            ChannelOrder::Pixels => to.copy_from_slice(image),
            ChannelOrder::Planes => {
                for (channel, plane) in image.chunks_exact(pixels).enumerate() {
                    let to = to[channel..].iter_mut().step_by(self.channels);
                    to.zip(plane).for_each(|(to, value)| *to = *value);
                }
            }
        }
    }

    /// Exchanges left and right of an image whose channels are side by side.
    pub(crate) fn mirror(self, image: &mut [u8]) {
        for row in image.chunks_exact_mut(self.width * self.channels) {
            row.reverse();
            row.chunks_exact_mut(self.channels).for_each(<[u8]>::reverse);
        }
    }

    /// Copies the patch at a row and column of an image whose channels are side by side, in the order (row, column, channel).
    pub(crate) fn patch(self, image: &[u8], [row, column]: [usize; 2], side: usize, to: &mut [u8]) {
        let length = side * self.channels;
        for (i, to) in to.chunks_exact_mut(length).enumerate() {
            let start = ((row + i) * self.width + column) * self.channels;
            to.copy_from_slice(&image[start..start + length]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_the_same_in_both_orders() {
        let planes = ImageShape { height: 3, width: 4, channels: 2, order: ChannelOrder::Planes };
        let pixels = ImageShape { order: ChannelOrder::Pixels, ..planes };
        // The value says where it is: channel, row, column.
        let place = |channel: usize, row: usize, column: usize| (100 * channel + 10 * row + column) as u8;
        let (mut by_plane, mut by_pixel) = (vec![0; 24], vec![0; 24]);
        for channel in 0..2 {
            for row in 0..3 {
                for column in 0..4 {
                    by_plane[(channel * 3 + row) * 4 + column] = place(channel, row, column);
                    by_pixel[(row * 4 + column) * 2 + channel] = place(channel, row, column);
                }
            }
        }
        for (shape, image) in [(planes, by_plane), (pixels, by_pixel)] {
            let (mut own, mut patch) = (vec![0; 24], vec![0; 8]);
            shape.by_pixel(&image, &mut own);
            shape.patch(&own, [1, 2], 2, &mut patch);
            assert_eq!(patch, [12, 112, 13, 113, 22, 122, 23, 123]);
        }
    }

    #[test]
    fn patches_that_do_not_fit_are_refused() {
        let shape = ImageShape { height: 3, width: 4, channels: 2, order: ChannelOrder::Planes };
        assert!(shape.check(3).is_ok());
        assert_eq!(shape.check(4).unwrap_err().to_string(), "the side of a patch = 4 is not from 1 to 3");
        let empty = ImageShape { channels: 0, ..shape };
        assert_eq!(empty.check(1).unwrap_err().to_string(), "the number of channels = 0 is not from 1 to 256");
    }
}
