//! The columns of benchmarks: `rows.csv` has a row for each benchmark and for each peer of it, `samples.csv` the times that
//! the rows summarise.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::failure;
use crate::files;
use crate::rows::{Row, from_csv};
use crate::statistics::Times;

/// One benchmark, or one peer beside it. Times are of one minibatch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "contract: the names are those of the columns, and METHODOLOGY.md explains them")]
pub struct BenchRow {
    pub name: String,
    pub hidden: Option<usize>,
    pub inputs: Option<usize>,
    pub batch: Option<usize>,
    pub p: Option<f64>,
    pub k: Option<usize>,
    pub density: Option<f64>,
    pub engine: String,
    pub isa: String,
    pub threads: usize,
    pub iterations: usize,
    pub median_ns: Option<u64>,
    pub mad_ns: Option<u64>,
    pub min_ns: Option<u64>,
    pub gflops: Option<f64>,
    pub peak_gflops: Option<f64>,
    pub pct_of_peak: Option<f64>,
    pub peer: String,
    pub peer_median_ns: Option<u64>,
    pub ratio: Option<f64>,
    pub checksum: String,
    pub cpu: String,
    pub rustc: String,
    pub revision: String,
    pub dirty: String,
    pub date: String,
    pub err: String,
}

/// One timed iteration: what it took, divided by its minibatches. `peer` is empty for ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "contract: the names are those of the columns")]
pub struct SampleRow {
    pub name: String,
    pub peer: String,
    pub iteration: usize,
    pub ns: u64,
}

impl SampleRow {
    /// Rows of the samples of one benchmark, or of one peer of it.
    pub fn of(name: &str, peer: &str, samples: &[u64]) -> Vec<Self> {
        let row = |(iteration, &ns)| Self { name: name.to_owned(), peer: peer.to_owned(), iteration, ns };
        samples.iter().enumerate().map(row).collect()
    }
}

impl Row for BenchRow {}
impl Row for SampleRow {}

impl BenchRow {
    /// Fills in times, rate and share of the peak. `operations` are those of one minibatch; `peak_gflops` is the mean of
    /// the peak before and after.
    pub(super) fn fill(&mut self, samples: &[u64], operations: f64, peak_gflops: f64) {
        let Some(times) = Times::of(samples) else { return };
        let tenths = |value: f64| Some((value * 10.0).round() / 10.0);
        let gflops = operations / times.median_ns.max(1) as f64;
        self.iterations = samples.len();
        (self.median_ns, self.mad_ns, self.min_ns) = (Some(times.median_ns), Some(times.mad_ns), Some(times.min_ns));
        self.gflops = tenths(gflops);
        self.peak_gflops = tenths(peak_gflops);
        self.pct_of_peak = tenths(100.0 * gflops / peak_gflops);
    }
}

/// The rows of a folder, or of a file; at least one.
pub(crate) fn read(place: &Path) -> anyhow::Result<Vec<BenchRow>> {
    let file = if place.is_dir() { place.join("rows.csv") } else { place.to_owned() };
    let rows: Vec<BenchRow> =
        from_csv(&files::read_text("results of benchmarks", &file)?, &file.display().to_string())?;
    if rows.is_empty() {
        let hint = "`rivalry bench run --out DIR` writes such a folder";
        return Err(failure(format!("{} has no rows", file.display()), hint));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{columns, from_csv, to_csv};

    /// The list of the contract, as it stands there.
    const ROWS: &str = "name, hidden, inputs, batch, p, k, density, engine, isa, threads, iterations, median_ns, mad_ns, \
        min_ns, gflops, peak_gflops, pct_of_peak, peer, peer_median_ns, ratio, checksum, cpu, rustc, revision, dirty, \
        date, err";

    #[test]
    fn columns_are_those_of_the_contract() {
        assert_eq!(columns::<BenchRow>().join(", "), ROWS);
    }

    #[test]
    fn rows_and_samples_read_back() {
        let rows = [
            BenchRow { name: "a".to_owned(), median_ns: Some(u64::MAX), p: Some(2.5), ..BenchRow::default() },
            BenchRow { err: "no data, \"said\"".to_owned(), ..BenchRow::default() },
        ];
        assert_eq!(from_csv::<BenchRow>(&to_csv(&rows), "test").unwrap(), rows);
        let samples = SampleRow::of("a", "numpy", &[3, 5]);
        assert_eq!(to_csv(&samples), "name,peer,iteration,ns\na,numpy,0,3\na,numpy,1,5\n");
        assert_eq!(from_csv::<SampleRow>(&to_csv(&samples), "test").unwrap(), samples);
    }

    #[test]
    fn a_rate_is_made_from_the_median() {
        let mut row = BenchRow::default();
        row.fill(&[100, 90, 5000], 5_000.0, 200.0);
        assert_eq!((row.iterations, row.median_ns, row.mad_ns, row.min_ns), (3, Some(100), Some(10), Some(90)));
        assert_eq!((row.gflops, row.peak_gflops, row.pct_of_peak), (Some(50.0), Some(200.0), Some(25.0)));
    }
}
