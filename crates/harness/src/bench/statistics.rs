//! Median, median absolute deviation and minimum of whole nanoseconds, and the geometric mean of ratios.

/// What a row says of its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The middle sample; of an even number, the mean of the middle two, rounded down.
    pub median_ns: u64,
    /// The median of the distances from the median.
    pub mad_ns: u64,
    /// The smallest sample.
    pub min_ns: u64,
}

impl Summary {
    /// Summarises samples; nothing for none.
    pub fn of(samples: &[u64]) -> Option<Self> {
        let median_ns = median(samples)?;
        let distances: Vec<u64> = samples.iter().map(|sample| sample.abs_diff(median_ns)).collect();
        Some(Self { median_ns, mad_ns: median(&distances)?, min_ns: *samples.iter().min()? })
    }
}

fn median(samples: &[u64]) -> Option<u64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(lower + (upper - lower) / 2)
}

/// The geometric mean of positive numbers; nothing for none.
pub fn geometric_mean(ratios: &[f64]) -> Option<f64> {
    let sum: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    (!ratios.is_empty()).then(|| (sum / ratios.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disturbed_sample_moves_neither_median_nor_spread() {
        let summary = |samples: &[u64]| Summary::of(samples).map(|it| (it.median_ns, it.mad_ns, it.min_ns));
        assert_eq!(summary(&[10, 12, 9000, 11, 8]), Some((11, 1, 8)));
        assert_eq!(summary(&[4, 7]), Some((5, 1, 4)));
        assert_eq!(summary(&[u64::MAX, u64::MAX]), Some((u64::MAX, 0, u64::MAX)));
        assert_eq!(summary(&[]), None);
    }

    #[test]
    fn twice_and_half_cancel() {
        assert!((geometric_mean(&[2.0, 0.5]).unwrap() - 1.0).abs() <= 1e-12);
        assert!((geometric_mean(&[4.0, 9.0]).unwrap() - 6.0).abs() <= 1e-12);
        assert_eq!(geometric_mean(&[]), None);
    }
}
