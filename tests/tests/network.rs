//! A trained run on new samples: `features`, `predict`, and the confusion matrix of the run folder.

mod common;

use common::{Place, bits, write_digits};
use rivalry_data::{npy, synthetic};
use serde_json::Value;

const SMALL: [&str; 8] = [
    "dataset=digits",
    "hidden=20",
    "readout_batch=10",
    "readout_epochs=3",
    "unit_length=readout",
    "task=class",
    "labels_per_class=all",
    "validation=0",
];

/// Trains on 60 digits, with 40 test digits, into the folder `run`; with the row of result.csv.
fn trained(method: &str, more: &[&str]) -> (Place, Value) {
    let place = Place::new();
    write_digits(&place, "digits", 60, 40);
    let method = format!("method={method}");
    let mut arguments = vec!["train", "mnist", "--json", "--out", "run", "--set", &method];
    for set in SMALL.iter().chain(more).filter(|set| !(method.ends_with("shallow") && set.starts_with("hidden"))) {
        arguments.extend(["--set", set]);
    }
    let row = serde_json::from_str(&place.run(&arguments).succeeded().stdout).unwrap();
    (place, row)
}

fn read(place: &Place, name: &str) -> Vec<u8> {
    std::fs::read(place.file(name)).unwrap()
}

/// Predictions on the test images have exactly the error of result.csv and the counts of confusion.csv.
#[test]
fn predictions_have_the_error_of_the_run() {
    let learned: &[&str] = &["batch=10", "epochs=3", "current_scale=auto"];
    for (method, more) in [
        ("biological", learned),
        ("biological", &["batch=10", "epochs=3", "current_scale=1.5", "unit_length=both"]),
        ("random", &["current_scale=auto"]),
        ("shallow", &[]),
        ("end-to-end", &[]),
        ("end-to-end", &["hidden=15,12"]),
        ("end-to-end-softmax", &[]),
    ] {
        let (place, row) = trained(method, more);
        let predict = ["predict", "run", "--inputs", "digits/t10k-images.npy", "--out", "y.npy", "--scores", "s.npy"];
        place.run(&predict).succeeded();
        let labels = npy::parse(&read(&place, "digits/t10k-labels.npy")).unwrap().as_u8().unwrap().to_vec();
        let bytes = read(&place, "y.npy");
        let predicted = npy::parse(&bytes).unwrap().as_u8().unwrap();
        let wrong = predicted.iter().zip(&labels).filter(|(one, other)| one != other).count();
        let error = row["test_error_pct"].as_f64().unwrap();
        assert!((100.0 * wrong as f64 / 40.0 - error).abs() < 1e-9, "{method} {more:?}: {wrong} of 40, {error} %");

        let scores = read(&place, "s.npy");
        let scores = npy::parse(&scores).unwrap();
        let classes = scores.shape()[1];
        for (row, &class) in scores.to_f32().unwrap().chunks(classes).zip(predicted) {
            assert!(row.iter().all(|&score| score <= row[usize::from(class)]), "{method}: {row:?}, {class}");
        }

        let confusion = String::from_utf8(read(&place, "run/confusion.csv")).unwrap();
        let mut lines = confusion.lines();
        assert!(lines.next().unwrap().starts_with("true_class,0,1,"), "{confusion}");
        let counts: Vec<Vec<usize>> =
            lines.map(|line| line.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect()).collect();
        for (class, row) in counts.iter().enumerate() {
            for (other, &count) in row.iter().enumerate() {
                let pairs = labels.iter().zip(predicted);
                let expected = pairs.filter(|pair| (usize::from(*pair.0), usize::from(*pair.1)) == (class, other));
                assert_eq!(count, expected.count(), "{method}: true {class}, predicted {other}");
            }
        }
    }
}

#[test]
fn features_are_those_of_the_hidden_layer() {
    let (place, _) = trained("biological", &["batch=10", "epochs=3", "current_scale=2.0", "power_n=1.0"]);
    let features = ["features", "run", "--inputs", "digits/t10k-images.npy", "--out", "h.npy"];
    place.run(&features).succeeded();
    let bytes = read(&place, "h.npy");
    let array = npy::parse(&bytes).unwrap();
    assert_eq!(array.shape(), [40, 20]);
    let weights = npy::parse(&read(&place, "run/weights.npy")).unwrap().to_f64().unwrap();
    let images = read(&place, "digits/t10k-images.npy");
    let images = npy::parse(&images).unwrap().as_u8().unwrap().to_vec();
    // h = max(W·v, 0) / 2, with v of unit length.
    for (image, features) in images.chunks(784).zip(array.to_f64().unwrap().chunks(20)) {
        let norm = image.iter().map(|&pixel| f64::from(pixel).powi(2)).sum::<f64>().sqrt();
        for (unit, &feature) in features.iter().enumerate() {
            let row = &weights[unit * 784..][..784];
            let current: f64 = row.iter().zip(image).map(|(w, &v)| w * f64::from(v) / norm).sum();
            assert!((current.max(0.0) / 2.0 - feature).abs() <= 1e-5, "unit {unit}: {current}, {feature}");
        }
    }
    // The same samples as images of 28 × 28.
    place.write("shaped.npy", npy::write_u8(&[40, 28, 28], &images));
    place.run(&["features", "run", "--inputs", "shaped.npy", "--out", "again.npy"]).succeeded();
    assert_eq!(read(&place, "again.npy"), bytes);
}

#[test]
fn what_cannot_be_applied_is_refused() {
    let (place, _) = trained("biological", &["batch=10", "epochs=1", "readout_epochs=0", "current_scale=1.0"]);
    let digits = "digits/t10k-images.npy";
    let refused = |arguments: &[&str], expected: &str| place.run(arguments).failed_with(expected);
    refused(&["predict", "run", "--inputs", digits, "--out", "y.npy"], "the run has no readout");
    place.run(&["features", "run", "--inputs", digits, "--out", "h.npy"]).succeeded();
    refused(&["features", "run", "--inputs", digits, "--out", "h.npy"], "h.npy already exists");
    place.run(&["features", "run", "--inputs", digits, "--out", "h.npy", "--force"]).succeeded();
    refused(&["features", "gone", "--inputs", digits, "--out", "x.npy"], "cannot read gone/weights.safetensors");
    refused(&["features", "run", "--inputs", "gone.npy", "--out", "x.npy"], "cannot open gone.npy: no such file");
    let few = synthetic::digits(2, &mut bits(1));
    place.write("short.npy", npy::write_u8(&[2, 100], &few.images[..200]));
    let lengths = "the samples have 100 inputs, the run was trained on 784";
    refused(&["features", "run", "--inputs", "short.npy", "--out", "x.npy"], lengths);
    place.write("labels.npy", npy::write_u8(&[2], &few.labels));
    refused(
        &["features", "run", "--inputs", "labels.npy", "--out", "x.npy"],
        "the shape is [2], not [samples, inputs]",
    );
    assert!(!place.file("x.npy").exists());

    let (place, _) = trained("end-to-end", &[]);
    place.run(&["features", "run", "--inputs", digits, "--out", "h.npy"]).failed_with("has no features");
}

/// Images without labels train the hidden layer, whose receptive fields keep the shape of the images.
#[test]
fn images_without_labels_train_the_hidden_layer_alone() {
    let place = Place::new();
    let digits = synthetic::digits(40, &mut bits(3));
    place.write("X.npy", npy::write_u8(&[40, 14, 28, 2], &digits.images));
    let train = |more: &'static str| {
        let mut arguments = vec!["train", "mnist", "--json", "--out", "run"];
        for set in ["dataset=X.npy", "hidden=10", "batch=10", "epochs=2", more] {
            arguments.extend(["--set", set]);
        }
        place.run(&arguments)
    };
    train("readout_epochs=1").failed_with("needs labels, and X.npy has none");
    let row: Value = serde_json::from_str(&train("readout_epochs=0").succeeded().stdout).unwrap();
    assert_eq!(npy::parse(&read(&place, "run/weights.npy")).unwrap().shape(), [10, 784]);
    assert!(row["test_error_pct"].is_null(), "{row}");
}
