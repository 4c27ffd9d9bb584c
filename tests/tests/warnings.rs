//! Warnings about a run that goes on all the same.

mod common;

use common::{Place, write_split};

/// Pixels without order, all of them bright or half bright.
fn write_noise(place: &Place) {
    let mut bits = common::bits(5);
    for (split, samples) in [("train", 200), ("t10k", 20)] {
        let images: Vec<u8> = (0..samples * 784).map(|_| if bits() >> 63 == 0 { 40 } else { 240 }).collect();
        let labels: Vec<u8> = (0..samples as u8).map(|label| label % 10).collect();
        write_split(place, &format!("noise/{split}"), &images, &labels);
    }
}

/// The warnings about epochs of a run with a setting.
fn warnings(place: &Place, set: &str) -> Vec<String> {
    let mut arguments = vec!["train", "mnist", "--out", "run", "--force"];
    let settings = [
        "dataset=noise",
        "hidden=60",
        "batch=10",
        "readout_batch=10",
        "epochs=8",
        "readout_epochs=0",
        "delta=1.0",
        set,
    ];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    let ended = place.run(&arguments).succeeded();
    ended.stderr.lines().filter(|line| line.starts_with("warning: epoch")).map(str::to_owned).collect()
}

#[test]
fn a_layer_whose_units_have_all_turned_negative_is_told_once() {
    let place = Place::new();
    write_noise(&place);
    let found = warnings(&place, "rate=5");
    assert!(found.len() == 1 && found[0].contains("of 60 units have a negative mean weight"), "{found:?}");
    assert_eq!(warnings(&place, "rate=0.02"), [""; 0]);
}
