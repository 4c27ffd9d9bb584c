//! `rivalry verify`: gates that hold, gates that do not, gates without data, and baselines that are none.

mod common;

use common::Place;

/// A run of a second: 20 units on a thousand synthetic digits.
fn gate(name: &str, experiment: &str, errors: &str) -> String {
    format!(
        "[[gate]]\nname = \"{name}\"\nexperiment = \"{experiment}\"\nseeds = [1, 2]\ntest_error_pct = {errors}\n\
         [gate.set]\nhidden = 20\nepochs = 1\nreadout_epochs = 1\ntrain_samples = 1000\n"
    )
}

fn verify(place: &Place, baseline: &str, more: &[&str]) -> common::Ended {
    place.write("gates.toml", baseline);
    place.run(&[&["verify", "--baseline", "gates.toml", "--offline"], more].concat())
}

/// What the table says of a gate.
fn verdict<'a>(table: &'a str, gate: &str) -> &'a str {
    let line = table.lines().find(|line| line.split('|').nth(1).is_some_and(|name| name.trim() == gate));
    line.and_then(|line| line.split('|').nth(6)).expect("a line of the gate").trim()
}

/// The errors that the runs of [`gate`] have.
fn errors(place: &Place) -> [f64; 2] {
    let ended = verify(place, &gate("any", "synthetic", "[100.0, 0.0]"), &["--json"]).succeeded();
    let found: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    [0, 1].map(|seed| found[0]["test_error_pct"][seed].as_f64().expect("an error of each seed"))
}

#[test]
fn what_was_recorded_comes_again_and_what_is_too_high_is_exit_code_3() {
    let place = Place::new();
    let [first, second] = errors(&place);
    assert_ne!(first, second, "two seeds");
    let same = verify(&place, &gate("tiny", "synthetic", &format!("[{first}, {second}]")), &[]).succeeded();
    assert!(verdict(&same.stdout, "tiny").starts_with("same in every seed"), "{}", same.stdout);

    // A gate that holds, then one that does not: both are told, and the second decides.
    let low = gate("low", "synthetic", "[0.1, 0.1]");
    let both = gate("tiny", "synthetic", &format!("[{second}, {first}]")) + &low;
    let ended = verify(&place, &both, &[]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!((verdict(&ended.stdout, "tiny"), verdict(&ended.stdout, "low")), ("within", "WORSE"));
    assert!(ended.stderr.contains("error: gate low: the error is "), "{}", ended.stderr);
}

#[test]
fn missing_data_is_said_and_does_not_count_unless_there_is_none() {
    let place = Place::new();
    let here = gate("here", "synthetic", "[100.0, 0.0]");
    let gone = gate("gone", "mnist", "[1.0, 1.0]");
    let ended = verify(&place, &(here + &gone), &[]).succeeded();
    assert!(verdict(&ended.stdout, "gone").starts_with("SKIPPED"), "{}", ended.stdout);
    assert!(ended.stderr.contains("note: gate gone is skipped: "), "{}", ended.stderr);
    let ended = verify(&place, &gone, &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("error: no gate can be run here: "), "{}", ended.stderr);
}

#[test]
fn a_bad_baseline_is_refused_before_anything_runs() {
    let place = Place::new();
    let bad =
        gate("good", "synthetic", "[1.0, 1.0]") + &gate("bad", "synthetic", "[1.0, 1.0]").replace("hidden", "hiden");
    let ended = verify(&place, &bad, &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("hiden") && ended.stderr.contains("hint: "), "{}", ended.stderr);
    assert!(!place.file("data").exists(), "nothing was run");
    let ended = place.run(&["verify", "--baseline", "nowhere.toml"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("nowhere.toml"), "{}", ended.stderr);
}

/// What makes the synthetic digits worth a gate: their classes are no half-spaces. The gates hold the learned error below 2.2 %.
#[test]
fn a_linear_readout_stays_far_behind_on_the_synthetic_digits() {
    let settings = ["--set", "method=shallow", "--set", "readout_epochs=20"];
    let arguments = [&["train", "synthetic", "--json", "--out", "run"][..], &settings].concat();
    let row: serde_json::Value = serde_json::from_str(&Place::new().run(&arguments).succeeded().stdout).unwrap();
    let error = row["test_error_pct"].as_f64().expect("a test error");
    assert!(error >= 3.0 * 2.2, "{error} %");
}
