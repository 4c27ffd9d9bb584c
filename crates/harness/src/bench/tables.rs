//! Rows of benchmarks as tables for people.
//!
//! The group of a benchmark, what stands before the first `/` of its name, says which table it is in; a row with a peer
//! is in the table of the peers. Why a row has no times is a word in the last column, and a sentence in `rows.csv`.

use crate::markdown::{EMPTY, Table};
use crate::rows::bench::BenchRow;

/// The names of all tables.
pub const NAMES: [&str; 4] = ["epochs", "scaling", "kernels", "peers"];

/// Examples of an epoch of the data sets that have one.
const EPOCHS: [(&str, usize); 2] = [("epoch/mnist", 60_000), ("epoch/cifar10", 50_000)];

/// The tables that have rows.
pub fn tables(rows: &[BenchRow]) -> Vec<Table> {
    let group = |row: &BenchRow| match (row.peer.is_empty(), row.name.split('/').next()) {
        (false, _) => "peers",
        (true, Some("epoch")) => "epochs",
        (true, Some("scaling")) => "scaling",
        (true, _) => "kernels",
    };
    let of = |name: &'static str| {
        let rows: Vec<&BenchRow> = rows.iter().filter(|row| group(row) == name).collect();
        let (header, cells) = match name {
            "epochs" => (EPOCH, rows.iter().map(|row| epoch(row)).collect()),
            "scaling" => (SCALING, rows.iter().map(|row| scaling(row, &rows)).collect()),
            "kernels" => (KERNEL, rows.iter().map(|row| kernel(row)).collect()),
            _ => (PEER, rows.iter().map(|row| peer(row)).collect::<Vec<_>>()),
        };
        let noted = rows.iter().any(|row| !row.err.is_empty());
        let mut table = Table { name, header: header.to_vec(), rows: cells };
        if noted {
            table.header.push("note");
            table.rows.iter_mut().zip(&rows).for_each(|(cells, row)| cells.push(note(row)));
        }
        table
    };
    NAMES.into_iter().map(of).filter(|table| !table.rows.is_empty()).collect()
}

const EPOCH: &[&str] = &[
    "one minibatch of",
    "threads",
    "engine",
    "kernels",
    "median µs",
    "MAD µs",
    "epoch s",
    "GFLOP/s",
    "f32 peak",
    "time over the dense f32 limit",
];

fn epoch(row: &BenchRow) -> Vec<String> {
    let examples = EPOCHS.iter().find(|(name, _)| row.name.starts_with(name)).map(|(_, examples)| *examples);
    let epoch_s = (|| Some(row.median_ns? as f64 * (examples? / row.batch?) as f64 / 1e9))();
    vec![
        row.name.clone(),
        row.threads.to_string(),
        row.engine.clone(),
        row.isa.clone(),
        micros(row.median_ns),
        micros(row.mad_ns),
        number(epoch_s, 3),
        number(row.gflops, 1),
        number(row.peak_gflops, 1),
        number(row.pct_of_peak.map(|pct| 100.0 / pct), 2),
    ]
}

const SCALING: &[&str] = &["one minibatch of", "kernels", "threads", "median µs", "MAD µs", "speedup", "efficiency %"];

/// Speedup over one thread of the same benchmark, and that divided by the threads.
fn scaling(row: &BenchRow, rows: &[&BenchRow]) -> Vec<String> {
    let base = |row: &BenchRow| row.name.split('@').next().unwrap_or_default().to_owned();
    let single = rows.iter().find(|other| other.threads == 1 && base(other) == base(row));
    let speedup = (|| Some(single?.median_ns? as f64 / row.median_ns? as f64))();
    vec![
        base(row),
        row.isa.clone(),
        row.threads.to_string(),
        micros(row.median_ns),
        micros(row.mad_ns),
        number(speedup, 2),
        number(speedup.map(|speedup| 100.0 * speedup / row.threads as f64), 0),
    ]
}

const KERNEL: &[&str] =
    &["one minibatch of", "threads", "kernels", "median µs", "MAD µs", "min µs", "GFLOP/s", "f32 peak", "% of peak"];

fn kernel(row: &BenchRow) -> Vec<String> {
    vec![
        row.name.clone(),
        row.threads.to_string(),
        row.isa.clone(),
        micros(row.median_ns),
        micros(row.mad_ns),
        micros(row.min_ns),
        number(row.gflops, 1),
        number(row.peak_gflops, 1),
        number(row.pct_of_peak, 1),
    ]
}

const PEER: &[&str] = &["one minibatch of", "peer", "threads", "peer median µs", "rivalry median µs", "peer / rivalry"];

fn peer(row: &BenchRow) -> Vec<String> {
    vec![
        row.name.clone(),
        row.peer.clone(),
        row.threads.to_string(),
        micros(row.peer_median_ns),
        micros(row.median_ns),
        number(row.ratio, 2),
    ]
}

fn micros(ns: Option<u64>) -> String {
    number(ns.map(|ns| ns as f64 / 1e3), 1)
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.filter(|value| value.is_finite()).map_or(EMPTY.to_owned(), |value| format!("{value:.decimals$}"))
}

/// What is wrong, up to the first colon.
fn note(row: &BenchRow) -> String {
    row.err.split(':').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, threads: usize, median_ns: u64) -> BenchRow {
        BenchRow {
            name: name.to_owned(),
            threads,
            batch: Some(100),
            median_ns: Some(median_ns),
            pct_of_peak: Some(50.0),
            ..BenchRow::default()
        }
    }

    fn table<'a>(tables: &'a [Table], name: &str) -> &'a Table {
        tables.iter().find(|table| table.name == name).unwrap()
    }

    #[test]
    fn every_row_is_in_the_table_of_its_group() {
        let peer = BenchRow { peer: "numpy".to_owned(), ratio: Some(2.0), ..row("epoch/mnist-x", 2, 5) };
        let rows = [row("epoch/mnist-a", 2, 2_000_000), row("score/b", 2, 5), row("scaling/c@1", 1, 5), peer];
        let tables = tables(&rows);
        assert_eq!(tables.iter().map(|table| table.name).collect::<Vec<_>>(), NAMES);
        assert!(tables.iter().all(|table| table.rows.len() == 1 && table.rows[0].len() == table.header.len()));
        let epoch = &table(&tables, "epochs").rows[0];
        assert_eq!((epoch[4].as_str(), epoch[6].as_str(), epoch[9].as_str()), ("2000.0", "1.200", "2.00"));
        assert_eq!(table(&tables, "peers").rows[0][1], "numpy");
    }

    #[test]
    fn efficiency_is_speedup_over_threads() {
        let rows = [row("scaling/c@1", 1, 100), row("scaling/c@4", 4, 50), row("scaling/d@4", 4, 50)];
        let tables = tables(&rows);
        let cells: Vec<&[String]> = table(&tables, "scaling").rows.iter().map(|row| &row[5..]).collect();
        assert_eq!(cells, [["1.00", "100"], ["2.00", "50"], ["–", "–"]]);
    }

    #[test]
    fn a_row_without_times_says_why() {
        let missing = BenchRow {
            name: "epoch/mnist-a".to_owned(),
            err: "no data: mnist files: …".to_owned(),
            ..BenchRow::default()
        };
        let tables = tables(&[missing, row("epoch/b", 1, 5)]);
        assert_eq!(tables[0].header.last(), Some(&"note"));
        assert_eq!(tables[0].rows[0].last().unwrap(), "no data");
        assert_eq!(tables[0].rows[1].last().unwrap(), "");
        assert_eq!(tables[0].rows[0][4], "–");
    }
}
