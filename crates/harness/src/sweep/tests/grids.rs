//! Definitions and the points that they spread out into.

use std::collections::BTreeSet;

use super::*;
use crate::config::{Config, Method};
use crate::sweep::Shard;
use crate::sweep::layers::layer_of;

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
            let sweep = Definition::load(name, protocol).unwrap();
            assert_eq!(sweep.name, name);
            let points = grid::points(&sweep, 1).unwrap();
            assert!(points.iter().all(|point| point.experiment.experiment == name));
            assert!(points.iter().all(|point| point.experiment.published.is_none()));
            let labels: BTreeSet<String> = points.iter().map(Point::label).collect();
            assert_eq!(labels.len(), points.len(), "{name}: names that tell points apart");
            points.len()
        };
        assert!(count(Protocol::Quick) < count(Protocol::Paper), "{name}");
    }
}

#[test]
fn a_step_is_named_by_the_first_key_that_tells_all_steps_apart_or_by_all_that_vary() {
    let names = |vary: &str| {
        let text = format!("sweep = 'x'\nbase = 'mnist'\n[[vary]]\n{vary}");
        let points = grid::points(&from_text(&text, Protocol::Paper).unwrap(), 1).unwrap();
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
    let last = &points[7].experiment;
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
    let points = grid::points(&from_text(MINE, Protocol::Paper).unwrap(), 5).unwrap();
    assert_eq!(points.len(), 8);
    let first = &points[0].experiment;
    assert_eq!((first.method, first.epochs, first.beta, first.seed), (Method::Biological, 10, 1.5, 5));
    assert_eq!((first.readout_epochs, points[2].experiment.readout_epochs), (30, 3));
    assert_eq!(points[4].experiment.beta, 7.0);
    assert_eq!(points[4].label(), "method random, labels_per_class 10, seed 5");
    let quick = grid::points(&from_text(MINE, Protocol::Quick).unwrap(), 1).unwrap();
    assert_eq!(labels(&quick[1..3]), ["method random, seed 2", "method shallow, seed 1"]);
    assert_eq!((quick[0].experiment.hidden.first(), quick[0].experiment.beta), (60, 7.0));
    // What all points share is left out where a method ignores it.
    assert_eq!((quick[2].experiment.beta, quick[2].experiment.readout_epochs), (1.5, 300));
}

#[test]
fn values_that_hold_commas_are_separated_by_semicolons() {
    let points = typed(&["readout_rates=1e-3:1,1e-4:2; 1e-2:1"], &[], 1).unwrap();
    assert_eq!(points[0].experiment.readout_rates, "1e-3:1,1e-4:2");
    assert_eq!(points[1].experiment.readout_rates, "1e-2:1");
    assert_eq!(points[0].folder(), "001-readout_rates1e-3_1_1e-4_2-seed1");
}

#[test]
fn a_quick_experiment_is_a_sweep_over_its_own_short_protocol() {
    let sweep = Definition::load("mnist", Protocol::Quick).unwrap();
    let points = grid::points(&sweep, 1).unwrap();
    assert_eq!((points[0].experiment.epochs, points[0].experiment.readout_epochs), (100, 60));
    assert_eq!(sweep.name, "mnist");
}

#[test]
fn grids_that_cannot_be_are_refused() {
    refused(typed(&["p=2,0.5"], &[], 1), "`p` must be a number of at least 1, not 0.5 (--vary)");
    refused(typed(&["k=2,30", "hidden=20,40"], &[], 1), "k = 30 needs as many hidden units, there are 20");
    refused(typed(&["pp=2"], &[], 1), "there is no key `pp` (--vary)");
    refused(typed(&["p"], &[], 1), "--vary takes key=value, not `p`");
    refused(typed(&["p="], &[], 1), "`p` cannot be");
    refused(typed(&["seed=1,2"], &[], 1), "key `seed` in --vary: expected a key to vary");
    refused(typed(&["p=2", "p=3"], &[], 1), "key `p`: expected to be varied once, found twice");
    refused(typed(&["p=2,2.0"], &[], 1), "grid: expected points that differ, found p 2.0, seed 1 as point 1 and 2");
    refused(typed(&["p=2,3"], &["p=4"], 1), "key `p`: expected in --set or in the grid, found in both");
    refused(
        typed(&["beta=1,2"], &["method=shallow", "p=2"], 1),
        "key `p` in --set: expected a key that the points use",
    );
    refused(typed(&["p=2,3"], &["method=shallow"], 1), "method shallow does not use `p` (--vary)");
    let many: Vec<String> = (1..=400).map(|beta| beta.to_string()).collect();
    let many = [format!("beta={}", many.join(",")), format!("p={}", many.join(","))];
    refused(typed(&[&many[0], &many[1]], &[], 1), "grid of mnist: expected at most 100000 points, found more");
    refused(Definition::load("p-swep", Protocol::Paper), "sweep: expected p-sweep, delta-sweep");
    refused(Definition::load("none.toml", Protocol::Paper), "sweep file none.toml: expected readable");
}

#[test]
fn every_mistake_of_a_sweep_file_names_the_key() {
    for (from, to, expected) in [
        ("base = 'mnist'", "", "key `base` in"),
        ("seeds = 2", "seeds = 0", "key `seeds` in"),
        ("seeds = 2", "seds = 2", "there is no key `seds`"),
        ("epochs = 10", "epoch = 10", "there is no key `epoch`"),
        ("epochs = 10", "epochs = [1]", "key `epochs` in"),
        ("[methods.random]", "[methods.radom]", "key `radom` in"),
        ("readout_epochs = [30, 3]", "readout_epochs = [30]", "expected 2 values, as the axis has, found 1"),
        ("readout_epochs = [30, 3]", "readout_epochs = 3", "expected a list of values"),
        ("[quick.set]", "[quick.sett]", "there is no key `sett`"),
        ("'all'", "['all']", "expected a number or a text"),
    ] {
        assert!(MINE.contains(from), "{from}");
        refused(from_text(&MINE.replacen(from, to, 1), Protocol::Paper), expected);
    }
    let without_quick = MINE.split("[quick.set]").next().unwrap();
    assert!(from_text(without_quick, Protocol::Paper).is_ok());
    refused(from_text(without_quick, Protocol::Quick), "expected a [quick] table, found none");
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
    ];
    let mut layers: BTreeSet<Option<String>> = others.iter().map(|set| layer(&[set])).collect();
    layers.insert(own);
    assert_eq!(layers.len(), others.len() + 1, "each of these has a layer of its own");
    for method in ["random", "shallow", "end-to-end"] {
        assert_eq!(layer(&[&format!("method={method}")]), None);
    }
}
