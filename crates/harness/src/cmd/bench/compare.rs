//! `rivalry bench cmp A B`: the ratio of each benchmark and the geometric mean of all.

use std::path::Path;

use super::report::read;
use crate::bench::statistics::geometric_mean;
use crate::cli::Common;
use crate::markdown::{EMPTY, Table};
use crate::output;
use crate::rows::bench::BenchRow;

/// One benchmark in both results.
#[derive(Debug, Clone, PartialEq)]
struct Pair {
    name: String,
    before_ns: Option<u64>,
    after_ns: Option<u64>,
    /// After over before; nothing where one is missing.
    ratio: Option<f64>,
    note: String,
}

/// Runs the command.
pub(super) fn run(before: &Path, after: &Path, common: &Common) -> anyhow::Result<()> {
    let pairs = pairs(&read(before)?, &read(after)?);
    let ratios: Vec<f64> = pairs.iter().filter_map(|pair| pair.ratio).collect();
    let mean = geometric_mean(&ratios);
    if common.json {
        let rows: Vec<_> = pairs
            .iter()
            .map(|pair| {
                serde_json::json!({
                    "name": pair.name, "a_ns": pair.before_ns, "b_ns": pair.after_ns, "ratio": pair.ratio, "note": pair.note
                })
            })
            .collect();
        let value = serde_json::json!({ "rows": rows, "geometric_mean": mean, "compared": ratios.len() });
        return output::result(&(serde_json::to_string_pretty(&value)? + "\n"));
    }
    let mean = mean.map_or("none, nothing to compare".to_owned(), |mean| format!("{mean:.3}"));
    let table = table(&pairs).text();
    output::result(&format!(
        "{table}\ngeometric mean of B / A over {} benchmarks: {mean} (below 1, B is faster)\n",
        ratios.len()
    ))
}

/// Every benchmark of A in its order, then those of B alone. Ours and each peer's are told apart.
fn pairs(before: &[BenchRow], after: &[BenchRow]) -> Vec<Pair> {
    let same = |a: &BenchRow, b: &BenchRow| a.name == b.name && a.peer == b.peer;
    let both = before.iter().map(|a| pair(Some(a), after.iter().find(|b| same(a, b))));
    let only = after.iter().filter(|b| !before.iter().any(|a| same(a, b))).map(|b| pair(None, Some(b)));
    both.chain(only).collect()
}

fn pair(before: Option<&BenchRow>, after: Option<&BenchRow>) -> Pair {
    let time = |row: Option<&BenchRow>| {
        row.and_then(|row| if row.peer.is_empty() { row.median_ns } else { row.peer_median_ns })
    };
    let (before_ns, after_ns) = (time(before), time(after));
    let note = match (before, after) {
        (Some(_), None) => "only in A".to_owned(),
        (None, Some(_)) => "only in B".to_owned(),
        (Some(a), Some(b)) if before_ns.is_none() || after_ns.is_none() => {
            let failed = [("A", a), ("B", b)].into_iter().filter(|(_, row)| time(Some(row)).is_none());
            failed.map(|(side, row)| format!("{side} has no time: {}", row.err)).collect::<Vec<_>>().join("; ")
        }
        (Some(a), Some(b)) if (&a.isa, a.threads, &a.engine, &a.cpu) != (&b.isa, b.threads, &b.engine, &b.cpu) => {
            "other CPU, kernels, engine or threads".to_owned()
        }
        _ => String::new(),
    };
    let name = before.or(after).map_or(String::new(), |row| match row.peer.as_str() {
        "" => row.name.clone(),
        peer => format!("{} ({peer})", row.name),
    });
    let ratio = before_ns.zip(after_ns).map(|(before, after)| after as f64 / before.max(1) as f64);
    Pair { name, before_ns, after_ns, ratio, note }
}

fn table(pairs: &[Pair]) -> Table {
    let micros = |ns: Option<u64>| ns.map_or(EMPTY.to_owned(), |ns| format!("{:.1}", ns as f64 / 1e3));
    let cells = |pair: &Pair| {
        let ratio = pair.ratio.map_or(EMPTY.to_owned(), |ratio| format!("{ratio:.3}"));
        vec![pair.name.clone(), micros(pair.before_ns), micros(pair.after_ns), ratio, pair.note.clone()]
    };
    let header = vec!["benchmark", "A median µs", "B median µs", "B / A", "note"];
    Table { name: "cmp", header, rows: pairs.iter().map(cells).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, median_ns: Option<u64>) -> BenchRow {
        BenchRow { name: name.to_owned(), median_ns, threads: 2, ..BenchRow::default() }
    }

    #[test]
    fn ratios_are_of_both_and_the_rest_is_marked() {
        let failed = BenchRow { err: "no data".to_owned(), ..row("c", None) };
        let before = [row("a", Some(100)), row("b", Some(10)), row("c", Some(7))];
        let after = [row("a", Some(50)), failed, row("d", Some(1))];
        let found = pairs(&before, &after);
        let short: Vec<(&str, Option<f64>, &str)> =
            found.iter().map(|pair| (pair.name.as_str(), pair.ratio, pair.note.as_str())).collect();
        assert_eq!(
            short,
            [
                ("a", Some(0.5), ""),
                ("b", None, "only in A"),
                ("c", None, "B has no time: no data"),
                ("d", None, "only in B")
            ]
        );
    }

    #[test]
    fn a_peer_is_compared_with_itself_and_another_machine_is_noted() {
        let peer = |ns| BenchRow { peer: "numpy".to_owned(), peer_median_ns: Some(ns), ..row("a", Some(1)) };
        let found = pairs(&[peer(10), row("a", Some(4))], &[row("a", Some(8)), peer(30)]);
        assert_eq!((found[0].name.as_str(), found[0].ratio), ("a (numpy)", Some(3.0)));
        assert_eq!((found[1].name.as_str(), found[1].ratio), ("a", Some(2.0)));
        let other = BenchRow { threads: 1, ..row("a", Some(8)) };
        assert!(pairs(&[row("a", Some(4))], &[other])[0].note.starts_with("other CPU"));
    }
}
