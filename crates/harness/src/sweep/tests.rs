//! Definitions, grids, shards and merging; what is run is tested from outside, with the program.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Shard;
use super::definition::{Definition, Length};
use super::grid::{Axis, Point};
use super::merge::{Manifest, merge};
use super::run::layer_of;
use crate::config::{Assignment, Config, Protocol};
use crate::error::Failure;
use crate::rows::{ResultRow, to_csv};

/// A sweep of `mnist` over axes as typed.
fn typed(vary: &[&str], sets: &[&str], seeds: u32) -> anyhow::Result<Vec<Point>> {
    let mut sweep = Definition::load("mnist", Protocol::Paper)?;
    sweep.axes = vary.iter().map(|vary| Axis::parse(vary)).collect::<anyhow::Result<_>>()?;
    sweep.set(sets.iter().map(|set| Assignment::parse(set, "--set")).collect::<anyhow::Result<_>>()?);
    sweep.seeds = seeds;
    sweep.points(1)
}

/// A sweep file.
fn from_text(text: &str, protocol: Protocol) -> anyhow::Result<Definition> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("mine.toml");
    std::fs::write(&path, text).unwrap();
    Definition::load(&path.to_string_lossy(), protocol)
}

fn labels(points: &[Point]) -> Vec<String> {
    points.iter().map(Point::label).collect()
}

#[track_caller]
fn refused<T>(result: anyhow::Result<T>, expected: &str) {
    let Err(error) = result else { panic!("no error, where one should say `{expected}`") };
    assert!(error.to_string().contains(expected), "no `{expected}` in: {error}");
    assert!(!error.downcast_ref::<Failure>().expect("a failure with a hint").hint().is_empty());
}

const MINE: &str = "
sweep = 'mine'
base = 'mnist'
seeds = 2
[set]
epochs = 10
beta = 1.5
[methods.random]
beta = 7
[[vary]]
method = ['biological', 'random']
[[vary]]
labels_per_class = [10, 'all']
readout_epochs = [30, 3]
[quick.set]
hidden = 50
[quick.methods.random]
hidden = 60
[[quick.vary]]
method = ['random', 'shallow']
";

#[test]
fn every_named_sweep_has_a_grid_under_both_protocols() {
    for name in Definition::names() {
        let count = |protocol| {
            let sweep = Definition::named(name, protocol).unwrap();
            assert_eq!(sweep.name, name);
            let points = sweep.points(1).unwrap();
            assert!(points.iter().all(|point| point.config.experiment == name));
            // A table has the published numbers of its base, the points of a sweep were changed on purpose.
            assert_eq!(points[0].config.published.is_some(), sweep.is_table, "{name}");
            let again = Definition::parse(&sweep.to_toml(), "its record", Protocol::Paper).unwrap();
            let same = again.points(1).unwrap();
            assert!(same.iter().zip(&points).all(|(ours, theirs)| ours.config == theirs.config), "{name}");
            assert_eq!((same.len(), again.record_name()), (points.len(), sweep.record_name()));
            let labels: BTreeSet<String> = points.iter().map(Point::label).collect();
            assert_eq!(labels.len(), points.len(), "{name}: names that tell points apart");
            points.len()
        };
        assert!(count(Protocol::Quick) < count(Protocol::Paper), "{name}");
    }
}

#[test]
fn records_are_named_by_the_length_of_their_runs() {
    for (name, full, quick) in [
        ("mnist", "mnist-paper", "mnist-quick"),
        ("cifar10-winner", "cifar10-winner-paper", "cifar10-winner-quick"),
        ("p-sweep", "p-sweep-short", "p-sweep-quick"),
    ] {
        let record = |protocol| Definition::named(name, protocol).unwrap().record_name();
        assert_eq!((record(Protocol::Paper).as_str(), record(Protocol::Quick).as_str()), (full, quick));
        assert_eq!(Definition::named(name, Protocol::Quick).unwrap().length, Length::Quick);
    }
}

#[test]
fn the_axes_of_a_sweep_come_from_its_definition() {
    let sweep = Definition::named("few-labels", Protocol::Paper).unwrap();
    let axes: Vec<Vec<&str>> = sweep.axes.iter().map(|axis| axis.keys().collect()).collect();
    assert_eq!(axes, [vec!["method"], vec!["labels_per_class", "readout_batch", "readout_epochs"]]);
}

#[test]
fn a_step_is_named_by_the_first_key_that_tells_all_steps_apart_or_by_all_that_vary() {
    let names = |vary: &str| {
        let text = format!("sweep = 'x'\nbase = 'mnist'\n[[vary]]\n{vary}");
        let points = from_text(&text, Protocol::Paper).unwrap().points(1).unwrap();
        points.into_iter().map(|point| point.name).collect::<Vec<_>>()
    };
    assert_eq!(names("delta = [0.4, 0.4]\nk = [7, 4]\np = [2, 3]"), ["k 7", "k 4"]);
    assert_eq!(
        names("batch = [50, 50, 50]\ndelta = [0.2, 0.4, 0.4]\nk = [2, 2, 7]"),
        ["delta 0.2, k 2", "delta 0.4, k 2", "delta 0.4, k 7"]
    );
}

#[test]
fn the_last_axis_varies_fastest_and_within_it_the_seed() {
    let points = typed(&["p=2,3", "delta=0,0.1"], &[], 2).unwrap();
    let expected = ["p 2, delta 0", "p 2, delta 0.1", "p 3, delta 0", "p 3, delta 0.1"];
    let expected: Vec<String> =
        expected.iter().flat_map(|at| [1, 2].map(|seed| format!("{at}, seed {seed}"))).collect();
    assert_eq!(labels(&points), expected);
    assert_eq!(points.iter().map(|point| point.number).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    let last = &points[7].config;
    assert_eq!((last.p, last.delta, last.seed, last.hidden.first()), (3.0, 0.1, 2, 2000));
    assert_eq!(points[7].folder(), "008-p3-delta0.1-seed2");
    assert_eq!(labels(&typed(&[], &[], 1).unwrap()), ["seed 1"]);
}

#[test]
fn shards_take_every_point_once() {
    for of in 1..=9 {
        let mut taken: Vec<usize> = Vec::new();
        for index in 1..=of {
            let shard: Shard = format!("{index}/{of}").parse().unwrap();
            let own: Vec<usize> = (1..=23).filter(|&number| shard.takes(number)).collect();
            assert_eq!(own, (index..=23).step_by(of).collect::<Vec<_>>());
            taken.extend(own);
        }
        taken.sort_unstable();
        assert_eq!(taken, (1..=23).collect::<Vec<_>>());
    }
    for text in ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", "1/2/3"] {
        assert!(text.parse::<Shard>().is_err(), "{text}");
    }
    assert_eq!("2/4".parse::<Shard>().unwrap().to_string(), "2/4");
}

#[test]
fn settings_of_one_method_win_over_those_of_all_and_quick_over_both() {
    let points = from_text(MINE, Protocol::Paper).unwrap().points(5).unwrap();
    assert_eq!(points.len(), 8);
    let first = &points[0].config;
    assert_eq!((first.method, first.epochs, first.beta, first.seed), (crate::methods::paper(), 10, 1.5, 5));
    assert_eq!((first.readout_epochs, points[2].config.readout_epochs), (30, 3));
    assert_eq!(points[4].config.beta, 7.0);
    assert_eq!(points[4].label(), "method random, labels_per_class 10, seed 5");
    let quick = from_text(MINE, Protocol::Quick).unwrap().points(1).unwrap();
    assert_eq!(labels(&quick[1..3]), ["method random, seed 2", "method shallow, seed 1"]);
    assert_eq!((quick[0].config.hidden.first(), quick[0].config.beta), (60, 7.0));
    // What all points share is left out where a method ignores it.
    assert_eq!((quick[2].config.beta, quick[2].config.readout_epochs), (1.5, 300));
}

#[test]
fn values_that_hold_commas_are_separated_by_semicolons() {
    let points = typed(&["readout_rates=1e-3:1,1e-4:2; 1e-2:1"], &[], 1).unwrap();
    assert_eq!(points[0].config.readout_rates, "1e-3:1,1e-4:2");
    assert_eq!(points[1].config.readout_rates, "1e-2:1");
    assert_eq!(points[0].folder(), "001-readout_rates1e-3_1_1e-4_2-seed1");
}

#[test]
fn a_quick_experiment_is_a_sweep_over_its_own_short_protocol() {
    let sweep = Definition::load("mnist", Protocol::Quick).unwrap();
    let points = sweep.points(1).unwrap();
    assert_eq!((points[0].config.epochs, points[0].config.readout_epochs), (100, 60));
    assert_eq!(sweep.name, "mnist");
}

#[test]
fn grids_that_cannot_be_are_refused() {
    refused(typed(&["p=2,0.5"], &[], 1), "`p`");
    refused(typed(&["k=2,30", "hidden=20,40"], &[], 1), "30");
    refused(typed(&["pp=2"], &[], 1), "`pp`");
    refused(typed(&["p"], &[], 1), "--vary");
    refused(typed(&["p="], &[], 1), "`p`");
    refused(typed(&["seed=1,2"], &[], 1), "--vary cannot vary the seed");
    refused(typed(&["p=2", "p=3"], &[], 1), "`p` is varied twice");
    refused(typed(&["p=2,2.0"], &[], 1), "points 1 and 2 are the same run: p 2.0, seed 1");
    refused(typed(&["p=2,3"], &["p=4"], 1), "`p` is both varied and given by --set");
    refused(typed(&["beta=1,2"], &["method=shallow", "p=2"], 1), "no point of this sweep uses `p`, which --set gives");
    refused(typed(&["p=2,3"], &["method=shallow"], 1), "shallow");
    let many: Vec<String> = (1..=400).map(|beta| beta.to_string()).collect();
    let many = [format!("beta={}", many.join(",")), format!("p={}", many.join(","))];
    refused(typed(&[&many[0], &many[1]], &[], 1), "mnist has more than 100000 points");
    refused(Definition::load("p-swep", Protocol::Paper), "there is no sweep or experiment `p-swep`");
    refused(Definition::load("none.toml", Protocol::Paper), "none.toml");
}

#[test]
fn every_mistake_of_a_sweep_file_names_the_key() {
    for (from, to, expected) in [
        ("base = 'mnist'", "", "missing field `base`"),
        ("seeds = 2", "seeds = 0", "`seeds` is 0, which is not from 1 to 1000"),
        ("seeds = 2", "seds = 2", "unknown field `seds`"),
        ("epochs = 10", "epoch = 10", "`epoch`"),
        ("epochs = 10", "epochs = [1.5]", "`epochs` is neither a number nor a text"),
        ("[methods.random]", "[methods.radom]", "radom"),
        ("readout_epochs = [30, 3]", "readout_epochs = [30]", "`readout_epochs` has 1 values where its axis has 2"),
        ("readout_epochs = [30, 3]", "readout_epochs = 3", "`readout_epochs` needs a list of values to vary"),
        ("[quick.set]", "[quick.sett]", "unknown field `sett`"),
        ("'all'", "['all']", "`labels_per_class` is neither a number nor a text"),
    ] {
        assert!(MINE.contains(from), "{from}");
        refused(from_text(&MINE.replacen(from, to, 1), Protocol::Paper), expected);
    }
    let without_quick = MINE.split("[quick.set]").next().unwrap();
    assert_eq!(from_text(without_quick, Protocol::Paper).unwrap().record_name(), "mine-short", "unless it says paper");
    refused(from_text(without_quick, Protocol::Quick), "has no [quick] table");
}

#[test]
fn layers_are_shared_by_runs_that_differ_in_the_readout_only() {
    let layer = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
        layer_of(&Config::resolve("mnist", &sets, None).unwrap())
    };
    let own = layer(&[]);
    assert!(own.is_some());
    for set in [
        "beta=1",
        "power_n=2",
        "loss_m=4",
        "current_scale=auto",
        "off_sphere=drop",
        "readout_epochs=0",
        "readout_batch=7",
        "readout_rates=1e-2:1",
        "labels_per_class=10",
        "task=parity",
        "unit_length=none",
        "experiment=other",
    ] {
        assert_eq!(layer(&[set]), own, "{set}");
    }
    let others = [
        "p=2",
        "k=2",
        "delta=0",
        "hidden=10",
        "epochs=1",
        "batch=50",
        "rate=1",
        "init_sigma=2",
        "unit_length=both",
        "task=half",
        "train_samples=100",
        "validation=0.1",
        "seed=2",
        "dataset=synthetic",
        "balance=1",
        "split=file-order",
    ];
    let mut layers: BTreeSet<Option<String>> = others.iter().map(|set| layer(&[set])).collect();
    layers.insert(own);
    assert_eq!(layers.len(), others.len() + 1, "each of these has a layer of its own");
    for method in ["random", "shallow", "end-to-end"] {
        assert_eq!(layer(&[&format!("method={method}")]), None);
    }
}

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
            ..ResultRow::of_settings(&point.config)
        }
    }

    /// Writes the file of a shard, with its rows changed.
    fn write(&self, shard: &str, change: impl FnOnce(&mut Vec<ResultRow>)) -> PathBuf {
        let shard = shard.parse().unwrap();
        let path = self.folder.path().join(format!("{shard}.csv").replace('/', "of"));
        let own = self.points.iter().filter(|point| Shard::takes(shard, point.number));
        let mut rows: Vec<ResultRow> = own.map(Self::row).collect();
        change(&mut rows);
        std::fs::write(&path, to_csv(&rows)).unwrap();
        Manifest::new("mine", &self.points, shard).write(&path).unwrap();
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
    let (manifest, rows) = merge(&all).unwrap();
    assert_eq!(rows, shards.points.iter().map(Shards::row).collect::<Vec<_>>());
    assert_eq!(manifest, Manifest::new("mine", &shards.points, "1/1".parse().unwrap()));
}

#[test]
fn gaps_and_doubles_are_refused() {
    let shards = Shards::new();
    let (first, second) = (shards.whole("1/2"), shards.whole("2/2"));
    refused(merge(&[]), "there is nothing to merge");
    refused(
        merge(std::slice::from_ref(&first)),
        "4 of the 8 points of mine are missing, first labels_per_class 10, p 2, seed 2",
    );
    refused(merge(&[first.clone(), second.clone(), first.clone()]), "1of2.csv have labels_per_class 10, p 2, seed 1");
    refused(merge(&[first.clone(), second, shards.whole("2/4")]), "2of4.csv have labels_per_class 10, p 2, seed 2");
    let short = shards.write("2/2", |rows| drop(rows.pop()));
    refused(merge(&[first.clone(), short]), "2of2.csv has 3 rows, shard 2/2 has 4 points");
    let long = shards.write("2/2", |rows| rows.push(rows[0].clone()));
    refused(merge(&[first, long]), "2of2.csv has 5 rows");
}

#[test]
fn a_row_is_of_the_point_whose_settings_it_has() {
    let shards = Shards::new();
    let first = shards.whole("1/2");
    let swapped = shards.write("2/2", |rows| rows.swap(0, 1));
    let (_, rows) = merge(&[first.clone(), swapped]).unwrap();
    assert_eq!(rows, shards.points.iter().map(Shards::row).collect::<Vec<_>>());
    let strange = shards.write("2/2", |rows| rows[1].config_sha256 = "beef".to_owned());
    refused(merge(&[first.clone(), strange]), "2of2.csv: row 2 is of no point of this sweep (shard 2/2)");
    let twice = shards.write("2/2", |rows| rows[1] = rows[0].clone());
    refused(
        merge(&[first.clone(), twice]),
        "1 of the 8 points of mine are missing, first labels_per_class all, p 2, seed 2",
    );
    let other = shards.write("2/2", |rows| rows[3].p = Some(2.5));
    refused(merge(&[first, other]), "row 4 is not of labels_per_class all, p 3, seed 2: p is 2.5, not 3");
}

#[test]
fn other_columns_and_missing_grids_are_refused() {
    let shards = Shards::new();
    let (first, second) = (shards.whole("1/2"), shards.whole("2/2"));
    let text = std::fs::read_to_string(&second).unwrap();
    std::fs::write(&second, text.replacen("hidden", "units", 1)).unwrap();
    refused(merge(&[first.clone(), second.clone()]), "2of2.csv: the column `hidden` is missing");
    std::fs::write(&second, &text).unwrap();
    let grid = Manifest::path(&second);
    let manifest = std::fs::read_to_string(&grid).unwrap();
    for (damaged, expected) in [
        (manifest.replacen("shard", "shart", 1), "cannot read the grid"),
        (manifest.replacen("2/2", "3/2", 1), "`shard` is `3/2`: a shard is i/n with i from 1 to n"),
    ] {
        std::fs::write(&grid, damaged).unwrap();
        refused(merge(&[first.clone(), second.clone()]), expected);
    }
    std::fs::remove_file(&grid).unwrap();
    refused(merge(&[first.clone(), second.clone()]), "cannot read the grid");
    std::fs::remove_file(&second).unwrap();
    refused(merge(&[first, second]), "2of2.csv");
}

#[test]
fn other_sweeps_revisions_and_data_are_refused() {
    let mut shards = Shards::new();
    let first = shards.whole("1/2");
    for (change, expected) in [
        (
            &(|row: &mut ResultRow| row.revision = "fedcba987654".to_owned()) as &dyn Fn(&mut ResultRow),
            "2of2.csv is of revision fedcba987654",
        ),
        (&|row| row.dirty = "true".to_owned(), "of revision 0123456789ab with uncommitted changes"),
        (&|row| row.dataset_sha256 = "d2".to_owned(), "2of2.csv was run on mnist d2"),
    ] {
        let second = shards.write("2/2", |rows| change(&mut rows[2]));
        refused(merge(&[first.clone(), second]), expected);
    }
    for (sets, expected) in [
        ("hidden=30", "its point 1 (labels_per_class 10, p 2, seed 1) has other settings"),
        ("hidden=20", "it has 4 points, not 8"),
    ] {
        let seeds = if sets == "hidden=20" { 1 } else { 2 };
        shards.points = typed(&["p=2,3", "labels_per_class=10,all"], &[sets], seeds).unwrap();
        refused(merge(&[first.clone(), shards.whole("2/2")]), expected);
    }
    let second = shards.whole("2/2");
    Manifest::new("other", &shards.points, "2/2".parse().unwrap()).write(&second).unwrap();
    refused(merge(&[first, second]), "it is of sweep other, not mine");
}
