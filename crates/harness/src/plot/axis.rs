//! What plots of errors share: where the axis ends, what is cut off there, and the inks.
//!
//! The error axis starts at zero. The first epochs can be ten times worse than the last, and would press everything that
//! matters into the bottom line, so the axis ends at four times the last error; what lies above is cut off at the edge.

use plotters::style::RGBColor;

/// Text and axes.
pub(super) const INK: RGBColor = RGBColor(60, 60, 60);
/// Lines behind the curves.
pub(super) const GRID: RGBColor = RGBColor(225, 225, 225);
/// The axis of errors ends at this many times the last error.
const HEADROOM: f64 = 4.0;

/// What drawing with plotters comes to.
pub(super) type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Upper end of the axis of errors.
pub(super) fn top<'a>(lines: impl Iterator<Item = &'a [(f64, f64)]> + Clone) -> f64 {
    let largest = lines.clone().flatten().fold(0.0_f64, |top, point| top.max(point.1));
    let last = lines.filter_map(<[_]>::last).fold(0.0_f64, |top, point| top.max(point.1));
    let top = if last > 0.0 { (1.05 * largest).min(HEADROOM * last) } else { 1.05 * largest };
    if top > 0.0 { top.min(100.0) } else { 1.0 }
}

/// The pieces of a line that lie below `top`, cut where they cross it.
pub(super) fn below(points: &[(f64, f64)], top: f64) -> Vec<Vec<(f64, f64)>> {
    let mut pieces: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
    for (index, &point) in points.iter().enumerate() {
        if let Some(&before) = index.checked_sub(1).and_then(|before| points.get(before))
            && (before.1 > top) != (point.1 > top)
        {
            let share = (top - before.1) / (point.1 - before.1);
            let crossing = (before.0 + share * (point.0 - before.0), top);
            pieces.last_mut().expect("never empty").push(crossing);
            if point.1 > top {
                pieces.push(Vec::new());
            }
        }
        if point.1 <= top {
            pieces.last_mut().expect("never empty").push(point);
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Round numbers (1, 2 or 5 times a power of ten apart) that divide a range into at most `most` steps.
pub(super) fn round_steps(low: f64, high: f64, most: usize) -> Vec<f64> {
    let least = (high - low) / most as f64;
    if !(least > 0.0 && least.is_finite()) {
        return vec![low];
    }
    let power = 10.0_f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|step| *step >= least * (1.0 - 1e-9));
    let step = step.unwrap_or(10.0 * power);
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    (first..=last).map(|index| index as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_the_top_and_nowhere_else() {
        let line = [(1.0, 10.0), (2.0, 6.0), (3.0, 2.0), (4.0, 6.0), (5.0, 1.0)];
        let pieces = below(&line, 4.0);
        assert_eq!(pieces[0], [(2.5, 4.0), (3.0, 2.0), (3.5, 4.0)]);
        assert_eq!(pieces[1][1], (5.0, 1.0));
        assert_eq!(pieces.len(), 2);
        assert_eq!(below(&line, 10.0), [line.to_vec()]);
        assert!(below(&line, 0.5).is_empty());
    }

    #[test]
    fn the_axis_ends_at_four_times_the_last_error_or_the_largest() {
        let top = |points: &[(f64, f64)]| top([points].into_iter());
        assert_eq!(top(&[(1.0, 90.0), (2.0, 2.0)]), 8.0);
        assert_eq!(top(&[(1.0, 60.0), (2.0, 48.0)]), 63.0);
        assert_eq!(top(&[(1.0, 99.0), (2.0, 98.0)]), 100.0);
        assert_eq!(top(&[(1.0, 0.0)]), 1.0);
        assert_eq!(top(&[(1.0, 2.0), (2.0, 0.0)]), 2.1);
    }

    #[test]
    fn steps_are_round_and_inside() {
        assert_eq!(round_steps(0.0, 300.0, 6), [0.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0]);
        assert_eq!(round_steps(1.0, 3.0, 8), [1.0, 1.5, 2.0, 2.5, 3.0]);
        assert_eq!(round_steps(0.0, 1.0, 10).len(), 11);
        assert_eq!(round_steps(2.0, 2.0, 5), [2.0]);
        for (low, high) in [(0.3, 0.9), (17.0, 1234.0), (1e-6, 3e-6)] {
            let steps = round_steps(low, high, 7);
            assert!((2..=8).contains(&steps.len()), "{low} {high}: {steps:?}");
            assert!(steps.iter().all(|step| (low..=high).contains(step)), "{low} {high}: {steps:?}");
        }
    }
}
