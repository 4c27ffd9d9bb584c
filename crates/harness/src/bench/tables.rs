//! Tables of benchmarks, and the comparison of two results.
//!
//! The group of a benchmark, the part of its name before the first `/`, says which table shows it; a row with a peer is in
//! the table of the peers. A row without times has the first words of its error in the last column; `rows.csv` has all.

use serde::Serialize;

use super::rows::BenchRow;
use crate::statistics::geometric_mean;
use crate::table::{Align, EMPTY, Table, number};

/// The tables and their columns. Names stand to the left, numbers to the right.
const TABLES: [(&str, &str); 4] = [
    ("epochs", "minibatch of|engine|kernels|threads|median µs|MAD µs|epoch s|GFLOP/s|f32 peak|time / dense f32 limit"),
    ("scaling", "minibatch of|kernels|threads|median µs|MAD µs|speed-up|efficiency %"),
    ("kernels", "minibatch of|kernels|threads|median µs|MAD µs|min µs|GFLOP/s|f32 peak|% of peak"),
    ("peers", "minibatch of|peer|threads|peer median µs|rivalry median µs|peer / rivalry"),
];

/// The names of all tables.
pub(crate) const NAMES: [&str; 4] = [TABLES[0].0, TABLES[1].0, TABLES[2].0, TABLES[3].0];

/// Samples of an epoch of the data sets that have one.
const EPOCHS: [(&str, usize); 2] = [("mnist", 60_000), ("cifar10", 50_000)];

/// The tables that have rows, with their names.
pub(crate) fn tables(rows: &[BenchRow]) -> Vec<(&'static str, Table)> {
    let all = TABLES.iter().map(|(name, columns)| {
        let rows: Vec<&BenchRow> = rows.iter().filter(|row| group(row) == *name).collect();
        (*name, table(columns, &rows))
    });
    all.filter(|(_, table)| !table.is_empty()).collect()
}

/// All tables as text.
pub(crate) fn text(rows: &[BenchRow]) -> String {
    tables(rows).iter().map(|(_, table)| table.markdown() + "\n").collect()
}

fn group(row: &BenchRow) -> &'static str {
    match (row.peer.is_empty(), row.name.split('/').next()) {
        (false, _) => "peers",
        (true, Some("epoch" | "learners")) => "epochs",
        (true, Some("scaling")) => "scaling",
        (true, _) => "kernels",
    }
}

fn table(columns: &str, rows: &[&BenchRow]) -> Table {
    let noted = rows.iter().any(|row| !row.err.is_empty());
    let columns = columns.split('|').chain(noted.then_some("note"));
    let align = |name| match name {
        "minibatch of" | "engine" | "kernels" | "peer" | "note" => Align::Left,
        _ => Align::Right,
    };
    let mut table = Table::new(columns.clone().map(|name| (name, align(name))));
    for row in rows {
        table.row(columns.clone().map(|name| cell(name, row, rows)).collect());
    }
    table
}

fn cell(column: &str, row: &BenchRow, rows: &[&BenchRow]) -> String {
    // The name without the number of threads, which has a column of its own.
    let base = |row: &BenchRow| match group(row) {
        "scaling" => row.name.split('@').next().unwrap_or_default().to_owned(),
        _ => row.name.clone(),
    };
    let epoch_s = || {
        let (_, samples) = EPOCHS.iter().find(|(name, _)| row.name.contains(name))?;
        Some(row.median_ns? as f64 * (samples / row.batch?) as f64 / 1e9)
    };
    // Over one thread of the same benchmark.
    let speedup = || {
        let single = rows.iter().find(|other| other.threads == 1 && base(other) == base(row))?;
        Some(single.median_ns? as f64 / row.median_ns? as f64)
    };
    match column {
        "minibatch of" => base(row),
        "engine" => row.engine.clone(),
        "kernels" => row.isa.clone(),
        "peer" => row.peer.clone(),
        "threads" => row.threads.to_string(),
        "median µs" | "rivalry median µs" => micros(row.median_ns),
        "MAD µs" => micros(row.mad_ns),
        "min µs" => micros(row.min_ns),
        "peer median µs" => micros(row.peer_median_ns),
        "epoch s" => number(epoch_s(), 3),
        "GFLOP/s" => number(row.gflops, 1),
        "f32 peak" => number(row.peak_gflops, 1),
        "time / dense f32 limit" => number(row.pct_of_peak.map(|pct| 100.0 / pct), 2),
        "% of peak" => number(row.pct_of_peak, 1),
        "speed-up" => number(speedup(), 2),
        "efficiency %" => number(speedup().map(|speedup| 100.0 * speedup / row.threads as f64), 0),
        "peer / rivalry" => number(row.ratio, 2),
        "note" => row.err.split(':').next().unwrap_or_default().to_owned(),
        _ => unreachable!("no table has a column {column}"),
    }
}

fn micros(ns: Option<u64>) -> String {
    number(ns.map(|ns| ns as f64 / 1e3), 1)
}

/// Two results side by side.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    rows: Vec<Pair>,
    geometric_mean: Option<f64>,
    compared: usize,
}

/// One benchmark in both results; the ratio is B over A.
#[derive(Debug, Serialize)]
struct Pair {
    name: String,
    a_ns: Option<u64>,
    b_ns: Option<u64>,
    ratio: Option<f64>,
    note: String,
}

impl Comparison {
    /// Every benchmark of A in its order, then those of B alone. Ours and each peer's are kept apart.
    pub(crate) fn of(a: &[BenchRow], b: &[BenchRow]) -> Self {
        let same = |a: &BenchRow, b: &BenchRow| a.name == b.name && a.peer == b.peer;
        let both = a.iter().map(|row| pair(Some(row), b.iter().find(|other| same(row, other))));
        let only = b.iter().filter(|row| !a.iter().any(|other| same(row, other))).map(|row| pair(None, Some(row)));
        let rows: Vec<Pair> = both.chain(only).collect();
        let ratios: Vec<f64> = rows.iter().filter_map(|pair| pair.ratio).collect();
        Self { rows, geometric_mean: geometric_mean(&ratios), compared: ratios.len() }
    }

    /// As a table, with the geometric mean below.
    pub(crate) fn text(&self) -> String {
        let columns = [("benchmark", Align::Left), ("A median µs", Align::Right), ("B median µs", Align::Right)];
        let mut table = Table::new(columns.into_iter().chain([("B / A", Align::Right), ("note", Align::Left)]));
        for pair in &self.rows {
            let [a, b] = [pair.a_ns, pair.b_ns].map(micros);
            table.row(vec![pair.name.clone(), a, b, number(pair.ratio, 3), pair.note.clone()]);
        }
        let (mean, count) = (self.geometric_mean.map_or(EMPTY.to_owned(), |mean| format!("{mean:.3}")), self.compared);
        table.note(format!("Geometric mean of B / A over {count} benchmarks: {mean} (below 1, B is faster)."));
        table.markdown()
    }
}

fn pair(a: Option<&BenchRow>, b: Option<&BenchRow>) -> Pair {
    let time = |row: &BenchRow| if row.peer.is_empty() { row.median_ns } else { row.peer_median_ns };
    let (a_ns, b_ns) = (a.and_then(time), b.and_then(time));
    let note = match (a, b) {
        (Some(_), None) => "only in A".to_owned(),
        (None, Some(_)) => "only in B".to_owned(),
        (Some(a), Some(b)) if a_ns.is_none() || b_ns.is_none() => {
            let failed = [("A", a), ("B", b)].into_iter().filter(|(_, row)| time(row).is_none());
            failed.map(|(side, row)| format!("{side} has no time: {}", row.err)).collect::<Vec<_>>().join("; ")
        }
        (Some(a), Some(b)) if (&a.isa, a.threads, &a.engine, &a.cpu) != (&b.isa, b.threads, &b.engine, &b.cpu) => {
            "another CPU, instruction set, engine or number of threads".to_owned()
        }
        _ => String::new(),
    };
    let name = a.or(b).map_or(String::new(), |row| match row.peer.as_str() {
        "" => row.name.clone(),
        peer => format!("{} ({peer})", row.name),
    });
    let ratio = a_ns.zip(b_ns).map(|(a, b)| b as f64 / a.max(1) as f64);
    Pair { name, a_ns, b_ns, ratio, note }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, threads: usize, median_ns: Option<u64>) -> BenchRow {
        let (batch, pct_of_peak) = (Some(100), Some(50.0));
        BenchRow { name: name.to_owned(), threads, batch, median_ns, pct_of_peak, ..BenchRow::default() }
    }

    #[test]
    fn every_row_is_in_the_table_of_its_group() {
        let peer = BenchRow { peer: "numpy".to_owned(), ratio: Some(2.0), ..row("epoch/mnist-x", 2, Some(5)) };
        let rows = [
            row("epoch/mnist-a", 2, Some(2_000_000)),
            row("score/b", 2, Some(5)),
            row("scaling/c@1", 1, Some(5)),
            peer,
        ];
        let tables = tables(&rows);
        assert_eq!(tables.iter().map(|(name, _)| *name).collect::<Vec<_>>(), NAMES);
        assert!(tables.iter().all(|(_, table)| table.rows().len() == 1));
        assert_eq!(tables[0].1.rows()[0][4..7], ["2000.0", "–", "1.200"]);
        assert_eq!((tables[0].1.rows()[0][9].as_str(), tables[3].1.rows()[0][1].as_str()), ("2.00", "numpy"));
    }

    #[test]
    fn efficiency_is_speedup_over_threads() {
        let rows = [("scaling/c@1", 1, 100), ("scaling/c@4", 4, 50), ("scaling/d@4", 4, 50)];
        let rows = rows.map(|(name, threads, ns)| row(name, threads, Some(ns)));
        let cells: Vec<Vec<String>> = tables(&rows)[0].1.rows().iter().map(|row| row[5..].to_vec()).collect();
        assert_eq!(cells, [["1.00", "100"], ["2.00", "50"], ["–", "–"]]);
    }

    #[test]
    fn a_row_without_times_says_why() {
        let missing = BenchRow { err: "no data: no mnist files in …".to_owned(), ..row("epoch/mnist-a", 2, None) };
        let tables = tables(&[missing, row("epoch/b", 1, Some(5))]);
        let notes: Vec<&str> = tables[0].1.rows().iter().map(|row| row.last().unwrap().as_str()).collect();
        assert_eq!(notes, ["no data", ""]);
        assert_eq!(tables[0].1.rows()[0][4], EMPTY);
    }

    #[test]
    fn results_are_compared_where_both_have_a_time() {
        let failed = BenchRow { err: "no data".to_owned(), ..row("c", 2, None) };
        let peer = |ns| BenchRow { peer: "numpy".to_owned(), peer_median_ns: Some(ns), ..row("p", 2, Some(1)) };
        let other = |threads, ns| row("t", threads, Some(ns));
        let a = [row("a", 2, Some(100)), row("b", 2, Some(10)), row("c", 2, Some(7)), peer(10), other(1, 2)];
        let b = [row("a", 2, Some(50)), failed, row("d", 2, Some(1)), peer(20), other(2, 2)];
        let comparison = Comparison::of(&a, &b);
        let short: Vec<(&str, Option<f64>, &str)> =
            comparison.rows.iter().map(|pair| (pair.name.as_str(), pair.ratio, pair.note.as_str())).collect();
        assert_eq!(
            short,
            [
                ("a", Some(0.5), ""),
                ("b", None, "only in A"),
                ("c", None, "B has no time: no data"),
                ("p (numpy)", Some(2.0), ""),
                ("t", Some(1.0), "another CPU, instruction set, engine or number of threads"),
                ("d", None, "only in B")
            ]
        );
        assert_eq!((comparison.compared, comparison.geometric_mean), (3, Some(1.0)));
        assert!(comparison.text().contains("over 3 benchmarks: 1.000"), "{}", comparison.text());
    }
}
