//! Mean and standard deviation over seeds, and the median of times: as tables, sweeps, reports and records quote them.

/// The mean of values and their sample standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanSd {
    /// The mean.
    pub mean: f64,
    /// Nothing for one value.
    pub sd: Option<f64>,
    /// How many values.
    pub count: usize,
}

impl MeanSd {
    /// Of values; nothing for none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mean = mean(values)?;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt());
        Some(Self { mean, sd, count: values.len() })
    }

    /// `1.84 ± 0.02`, or `1.84` where there is no deviation.
    pub fn text(self) -> String {
        match self.sd {
            Some(sd) => format!("{:.2} ± {sd:.2}", self.mean),
            None => format!("{:.2}", self.mean),
        }
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The middle value, or the mean of the middle two; nothing for no values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// What a row says of its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The median, rounded down.
    pub median_ns: u64,
    /// The median absolute deviation from the median.
    pub mad_ns: u64,
    /// The smallest time.
    pub min_ns: u64,
}

impl Times {
    /// Summarises times; nothing for none.
    pub fn of(times: &[u64]) -> Option<Self> {
        let floor = |times: Vec<u64>| Some(median(&times.iter().map(|&ns| ns as f64).collect::<Vec<_>>())? as u64);
        let median_ns = floor(times.to_vec())?;
        let mad_ns = floor(times.iter().map(|time| time.abs_diff(median_ns)).collect())?;
        Some(Self { median_ns, mad_ns, min_ns: *times.iter().min()? })
    }
}

/// The geometric mean of positive numbers; nothing for none.
pub fn geometric_mean(ratios: &[f64]) -> Option<f64> {
    mean(&ratios.iter().map(|ratio| ratio.ln()).collect::<Vec<_>>()).map(f64::exp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_standard_deviation() {
        assert_eq!(MeanSd::of(&[]), None);
        let one = MeanSd::of(&[1.844]).unwrap();
        assert_eq!((one, one.text().as_str()), (MeanSd { mean: 1.844, sd: None, count: 1 }, "1.84"));
        let two = MeanSd::of(&[1.0, 3.0]).unwrap();
        assert_eq!(two, MeanSd { mean: 2.0, sd: Some(2.0_f64.sqrt()), count: 2 });
        assert_eq!(two.text(), "2.00 ± 1.41");
    }

    #[test]
    fn medians_and_geometric_means() {
        for (values, expected) in
            [(&[][..], None), (&[3.0], Some(3.0)), (&[9.0, 1.0, 2.0], Some(2.0)), (&[4.0, 1.0, 2.0, 9.0], Some(3.0))]
        {
            assert_eq!(median(values), expected);
        }
        assert!((geometric_mean(&[2.0, 0.5]).unwrap() - 1.0).abs() <= 1e-12, "twice and half cancel");
        assert!((geometric_mean(&[4.0, 9.0]).unwrap() - 6.0).abs() <= 1e-12);
        assert_eq!(geometric_mean(&[]), None);
    }

    #[test]
    fn a_disturbed_time_moves_neither_median_nor_deviation() {
        let times = |times: &[u64]| Times::of(times).map(|it| (it.median_ns, it.mad_ns, it.min_ns));
        assert_eq!(times(&[10, 12, 9000, 11, 8]), Some((11, 1, 8)));
        assert_eq!(times(&[4, 7]), Some((5, 1, 4)));
        assert_eq!(times(&[]), None);
    }
}
