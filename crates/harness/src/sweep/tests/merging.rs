//! Shards joined, and every way in which files do not belong together.

use super::*;
use crate::rows::{ResultRow, to_csv};
use crate::sweep::merge::merge;
use crate::sweep::sheet::Sheet;

/// A folder with the files of shards.
struct Shards {
    folder: tempfile::TempDir,
    points: Vec<Point>,
}

impl Shards {
    fn new() -> Self {
        let points = typed(&["p=2,3", "labels_per_class=10,all"], &["hidden=20"], 2).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), points }
    }

    fn row(point: &Point) -> ResultRow {
        ResultRow {
            test_error_pct: Some(point.number as f64),
            revision: "0123456789ab".to_owned(),
            dataset_sha256: "d1".to_owned(),
            ..ResultRow::of_settings(&point.experiment)
        }
    }

    /// Writes the file of a shard, with its rows changed.
    fn write(&self, shard: &str, change: impl FnOnce(&mut Vec<ResultRow>)) -> PathBuf {
        let shard = shard.parse().unwrap();
        let path = self.folder.path().join(format!("{shard}.csv").replace('/', "of"));
        let own = self.points.iter().filter(|point| super::super::Shard::takes(shard, point.number));
        let mut rows: Vec<ResultRow> = own.map(Self::row).collect();
        change(&mut rows);
        std::fs::write(&path, to_csv(&rows)).unwrap();
        Sheet::new("mine", &self.points, shard).write(&path).unwrap();
        path
    }

    fn whole(&self, shard: &str) -> PathBuf {
        self.write(shard, |_| ())
    }
}

#[test]
fn shards_come_together_in_the_order_of_the_grid() {
    let shards = Shards::new();
    let all = [shards.whole("2/2"), shards.whole("1/4"), shards.whole("3/4")];
    let merged = merge(&all).unwrap();
    assert_eq!(merged.rows, shards.points.iter().map(Shards::row).collect::<Vec<_>>());
    assert_eq!(merged.sheet, Sheet::new("mine", &shards.points, "1/1".parse().unwrap()));
}

#[test]
fn gaps_and_doubles_are_refused() {
    let shards = Shards::new();
    let (first, second) = (shards.whole("1/2"), shards.whole("2/2"));
    refused(merge(&[]), "merge: expected files of rows, found none");
    refused(
        merge(std::slice::from_ref(&first)),
        "expected all 8 points of mine, found 4 without labels_per_class 10, p 2, seed 2",
    );
    refused(merge(&[first.clone(), second.clone(), first.clone()]), "expected points that no other file has, found");
    refused(merge(&[first.clone(), second, shards.whole("2/4")]), "2of4.csv: expected points that no other file has");
    let short = shards.write("2/2", |rows| drop(rows.pop()));
    refused(merge(&[first.clone(), short]), "2of2.csv: expected 4 rows (shard 2/2), found 3");
    let long = shards.write("2/2", |rows| rows.push(rows[0].clone()));
    refused(merge(&[first, long]), "expected 4 rows (shard 2/2), found 5");
}

#[test]
fn rows_of_other_points_are_refused() {
    let shards = Shards::new();
    let first = shards.whole("1/2");
    let swapped = shards.write("2/2", |rows| rows.swap(0, 1));
    refused(merge(&[first.clone(), swapped]), "2of2.csv: row 1: expected labels_per_class 10, found null");
    let other = shards.write("2/2", |rows| rows[3].p = Some(2.5));
    refused(merge(&[first, other]), "row 4: expected p 3, found 2.5");
}

#[test]
fn other_columns_and_missing_grids_are_refused() {
    let shards = Shards::new();
    let (first, second) = (shards.whole("1/2"), shards.whole("2/2"));
    let text = std::fs::read_to_string(&second).unwrap();
    std::fs::write(&second, text.replacen("hidden", "units", 1)).unwrap();
    refused(merge(&[first.clone(), second.clone()]), "2of2.csv: the column `hidden` is missing");
    std::fs::write(&second, &text).unwrap();
    let grid = Sheet::path(&second);
    let sheet = std::fs::read_to_string(&grid).unwrap();
    for (damaged, expected) in [
        (sheet.replacen("shard", "shart", 1), "2of2.grid.toml: expected the points of"),
        (sheet.replacen("2/2", "3/2", 1), "key `shard`: expected i/n with i from 1 to n"),
    ] {
        std::fs::write(&grid, damaged).unwrap();
        refused(merge(&[first.clone(), second.clone()]), expected);
    }
    std::fs::remove_file(&grid).unwrap();
    refused(merge(&[first.clone(), second.clone()]), "2of2.grid.toml: expected the points of");
    std::fs::remove_file(&second).unwrap();
    refused(merge(&[first, second]), "2of2.csv: expected a file of rows, found");
}

#[test]
fn other_sweeps_revisions_and_data_are_refused() {
    let mut shards = Shards::new();
    let first = shards.whole("1/2");
    for (change, expected) in [
        (
            &(|row: &mut ResultRow| row.revision = "fedcba987654".to_owned()) as &dyn Fn(&mut ResultRow),
            "expected revision 0123456789ab",
        ),
        (&|row| row.dirty = "true".to_owned(), "found 0123456789ab with uncommitted changes"),
        (&|row| row.dataset_sha256 = "d2".to_owned(), "expected mnist with content d1"),
    ] {
        let second = shards.write("2/2", |rows| change(&mut rows[2]));
        refused(merge(&[first.clone(), second]), expected);
    }
    for (sets, expected) in
        [("hidden=30", "found other settings at point 1"), ("hidden=20", "found 4 points instead of 8")]
    {
        let seeds = if sets == "hidden=20" { 1 } else { 2 };
        shards.points = typed(&["p=2,3", "labels_per_class=10,all"], &[sets], seeds).unwrap();
        refused(merge(&[first.clone(), shards.whole("2/2")]), expected);
    }
    let second = shards.whole("2/2");
    Sheet::new("other", &shards.points, "2/2".parse().unwrap()).write(&second).unwrap();
    refused(merge(&[first, second]), "(mine), found sweep other");
}
