//! Killed at any moment and run again with `--resume`, a run ends with the same bits as one that was never killed.

mod common;

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Place, write_digits};
use rivalry::rows::{MetricsRow, Phase, from_csv};
use rivalry::run::checkpoint::Checkpoint;

const SETTINGS: [&str; 10] = [
    "dataset=digits",
    "hidden=150",
    "batch=50",
    "epochs=40",
    "readout_epochs=40",
    "readout_batch=20",
    "rate=0.1",
    "init_sigma=0.2",
    "off_sphere=drop",
    "current_scale=auto",
];
const END_TO_END: [&str; 5] =
    ["dataset=digits", "method=end-to-end", "hidden=150", "readout_epochs=40", "readout_batch=20"];
/// Where the killed run is killed: phase and finished epochs that its checkpoint must have reached.
const KILLS: [(Phase, u32); 5] = [
    (Phase::Unsupervised, 1),
    (Phase::Unsupervised, 12),
    (Phase::Unsupervised, 25),
    (Phase::Readout, 1),
    (Phase::Readout, 17),
];
const PATIENCE: Duration = Duration::from_secs(120);

fn start(place: &Place, settings: &[&str], out: &str, threads: &str) -> Child {
    let mut arguments =
        vec!["train", "mnist", "--out", out, "--threads", threads, "--resume", "--quiet", "--frames", "9"];
    for set in settings {
        arguments.extend(["--set", set]);
    }
    let mut command = place.command(&arguments);
    // A checkpoint after every epoch, so that the kill comes wherever it is meant to.
    command.env("RIVALRY_CHECKPOINT_S", "0").stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

/// A checkpoint is replaced by renaming, so whatever is read is whole.
fn checkpoint(path: &Path) -> Option<Checkpoint> {
    let bytes = std::fs::read(path).ok()?;
    Some(Checkpoint::from_bytes(&bytes, "under test").expect("a whole checkpoint at any moment"))
}

fn has_reached(path: &Path, (phase, epoch): (Phase, u32)) -> bool {
    checkpoint(path).is_some_and(|found| match (found.phase, phase) {
        (Phase::Readout, Phase::Unsupervised) => true,
        (Phase::Unsupervised, Phase::Readout) => false,
        (found_in, phase) => found_in == phase && found.epoch >= epoch,
    })
}

/// SIGKILL: no handler of the program gets to run.
fn kill_at(place: &Place, settings: &[&str], out: &str, threads: &str, kill: (Phase, u32)) {
    let path = place.file(out).join("checkpoint.safetensors");
    let mut child = start(place, settings, out, threads);
    let started = Instant::now();
    while !has_reached(&path, kill) {
        assert!(started.elapsed() < PATIENCE, "the run does not get to {kill:?}");
        if let Some(status) = child.try_wait().unwrap() {
            panic!("the run ended with {status} before {kill:?}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success(), "killed too late at {kill:?}: the run had ended");
}

fn finish(place: &Place, settings: &[&str], out: &str) {
    common::Ended::new(start(place, settings, out, "2").wait_with_output().unwrap()).succeeded();
}

/// The rows of `metrics.csv` without their times.
fn metrics(place: &Place, out: &str) -> Vec<MetricsRow> {
    let text = std::fs::read_to_string(place.file(out).join("metrics.csv")).unwrap();
    let rows = from_csv::<MetricsRow>(&text, "metrics").unwrap();
    rows.into_iter().map(|row| MetricsRow { epoch_ms: 0.0, ..row }).collect()
}

/// `whole` and `killed` ended alike.
#[track_caller]
fn assert_same_bits(place: &Place) {
    let pictures = ["fields.png", "fields-animated.png"];
    for name in ["weights.npy", "readout.npy", "weights.safetensors", "config.toml"].into_iter().chain(pictures) {
        // Not every network has a readout of its own.
        let read = |out: &str| std::fs::read(place.file(out).join(name)).ok();
        assert!(
            read("whole") == read("killed") && (read("whole").is_some() || name == "readout.npy"),
            "{name} differs"
        );
    }
    assert_eq!(metrics(place, "whole"), metrics(place, "killed"));
}

#[test]
fn a_killed_end_to_end_run_ends_with_the_same_bits() {
    let place = Place::new();
    write_digits(&place, "digits", 2000, 300);
    finish(&place, &END_TO_END, "whole");
    for (epoch, threads) in [(1, "1"), (13, "3"), (25, "2")] {
        kill_at(&place, &END_TO_END, "killed", threads, (Phase::EndToEnd, epoch));
        assert!(!place.file("killed/result.csv").exists());
    }
    finish(&place, &END_TO_END, "killed");
    assert_same_bits(&place);
}

/// Patches need images with a shape, which the digits of these tests do not have.
const PATCHES: &[&str] =
    &["dataset=synthetic", "train_samples=300", "method=patches", "hidden=20", "patches=3000", "patch=6", "epochs=30"];

/// The other learners, and where their runs are killed: in the second layer of the stack, and with weights averaged.
const OTHERS: [(&[&str], (Phase, u32)); 6] = [
    (&["method=slow", "hidden=60", "epochs=30", "readout_epochs=5"], (Phase::Unsupervised, 7)),
    (&["method=stacked", "hidden=60,40", "epochs=15", "readout_epochs=5"], (Phase::Unsupervised, 20)),
    (PATCHES, (Phase::Unsupervised, 5)),
    (&["method=equilibrium-propagation", "hidden=40", "recipe=paper", "epochs=30"], (Phase::EndToEnd, 5)),
    (&["method=equilibrium-propagation", "hidden=40,30", "epochs=30"], (Phase::EndToEnd, 23)),
    (&["method=dendritic-microcircuit", "hidden=40,30", "epochs=30"], (Phase::EndToEnd, 22)),
];

#[test]
fn killed_runs_of_the_other_learners_end_with_the_same_bits() {
    for (settings, kill) in OTHERS {
        let place = Place::new();
        write_digits(&place, "digits", 2000, 300);
        let settings = [&["dataset=digits"], settings].concat();
        finish(&place, &settings, "whole");
        kill_at(&place, &settings, "killed", "1", kill);
        assert!(!place.file("killed/result.csv").exists());
        finish(&place, &settings, "killed");
        assert_same_bits(&place);
    }
}

#[test]
fn a_run_killed_five_times_ends_with_the_same_bits() {
    let place = Place::new();
    write_digits(&place, "digits", 2000, 300);
    finish(&place, &SETTINGS, "whole");
    for (number, kill) in KILLS.into_iter().enumerate() {
        // Other numbers of threads on the way, since no bit depends on them.
        kill_at(&place, &SETTINGS, "killed", if number % 2 == 0 { "1" } else { "3" }, kill);
        assert!(!place.file("killed/result.csv").exists());
    }
    let before = checkpoint(&place.file("killed/checkpoint.safetensors")).unwrap();
    assert_eq!(before.phase, Phase::Readout);
    finish(&place, &SETTINGS, "killed");
    assert_same_bits(&place);
    let leftovers = place.listing().into_iter().filter(|path| path.to_string_lossy().contains(".rivalry-tmp-"));
    assert_eq!(leftovers.count(), 0, "what the killed runs were writing is removed");
}

/// The counts of wins and anti-Hebbian updates go on from the checkpoint, and the row names both programs that trained.
#[test]
fn a_killed_run_with_balance_ends_with_the_same_bits() {
    let place = Place::new();
    write_digits(&place, "digits", 2000, 300);
    let settings = |balance| [&SETTINGS[..], &["delta=0.6", balance]].concat();
    let (off, on) = (settings("balance=off"), settings("balance=0.5"));
    finish(&place, &off, "off");
    finish(&place, &on, "whole");
    let weights = |out: &str| std::fs::read(place.file(out).join("weights.npy")).unwrap();
    assert!(weights("off") != weights("whole"), "the balance changes nothing here");
    for (kill, threads) in [((Phase::Unsupervised, 2), "1"), ((Phase::Unsupervised, 20), "3")] {
        kill_at(&place, &on, "killed", threads, kill);
    }
    let path = place.file("killed/checkpoint.safetensors");
    let mut begun = checkpoint(&path).unwrap();
    begun.revisions = vec!["0123456789ab".to_owned()];
    std::fs::write(&path, begun.to_bytes()).unwrap();
    finish(&place, &on, "killed");
    assert_same_bits(&place);
    let row = std::fs::read_to_string(place.file("killed/result.csv")).unwrap();
    assert!(row.contains(",0123456789ab+"), "{row}");
}

#[test]
fn a_finished_readout_is_not_run_again_when_only_files_are_missing() {
    let place = Place::new();
    write_digits(&place, "digits", 2000, 100);
    finish(&place, &SETTINGS, "run");
    let readout = std::fs::read(place.file("run/readout.npy")).unwrap();
    for name in ["result.csv", "readout.npy", "curves.svg"] {
        std::fs::remove_file(place.file("run").join(name)).unwrap();
    }
    finish(&place, &SETTINGS, "run");
    assert_eq!(std::fs::read(place.file("run/readout.npy")).unwrap(), readout);
    assert!(place.file("run/result.csv").is_file() && place.file("run/curves.svg").is_file());
}
