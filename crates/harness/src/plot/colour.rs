//! From a weight to a colour, for weights already divided by the largest magnitude in the picture (so in −1 … 1).

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_centre() {
        assert_eq!(diverging(-1.0), [0x05, 0x30, 0x61]);
        assert_eq!(diverging(0.0), [255, 255, 255]);
        assert_eq!(diverging(1.0), [0x67, 0x00, 0x1f]);
        assert_eq!([brightness(-1.0), brightness(0.0), brightness(1.0)], [0, 128, 255]);
    }

    #[test]
    fn values_outside_are_clipped() {
        assert_eq!(diverging(7.0), diverging(1.0));
        assert_eq!(diverging(-7.0), diverging(-1.0));
        assert_eq!(brightness(7.0), 255);
    }

    #[test]
    fn sign_decides_between_blue_and_red() {
        for step in 1..=20 {
            let value = step as f32 / 20.0;
            let ([red, _, blue], [red_negative, _, blue_negative]) = (diverging(value), diverging(-value));
            assert!(red > blue, "{value}");
            assert!(blue_negative > red_negative, "-{value}");
        }
    }
}
