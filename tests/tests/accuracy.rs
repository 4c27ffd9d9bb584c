//! How far a linear readout on pixels stays behind the learned layer, on synthetic digits. What short runs reach is gated by
//! `rivalry verify`.

mod common;

use common::Place;
use rivalry_core::{Compute, Inputs, Kernels, Layer, Random};
use rivalry_data::{Split, Values, synthetic};
use rivalry_nets::{FeatureSpec, Features, Readout, ReadoutSpec, Schedule};

/// The test error of 400 units after 20 + 20 epochs: under a minute on two cores.
fn learned_test_error_pct() -> f64 {
    let settings = ["--set", "hidden=400", "--set", "epochs=20", "--set", "readout_epochs=20"];
    let arguments = [&["train", "synthetic", "--json", "--out", "run"][..], &settings].concat();
    let row: serde_json::Value = serde_json::from_str(&Place::new().run(&arguments).succeeded().stdout).unwrap();
    row["test_error_pct"].as_f64().expect("a test error")
}

/// A linear readout on pixels: the readout's own training on features that are the pixels, max(1·v, 0)^1 = v.
fn linear_test_error_pct(train: &Split, test: &Split) -> f64 {
    const EPOCHS: u32 = 20;
    let compute = Compute::new(None, Kernels::best()).unwrap();
    let pixels = train.inputs();
    let mut identity = vec![0.0; pixels * pixels];
    for pixel in 0..pixels {
        identity[pixel * pixels + pixel] = 1.0;
    }
    let layer = Layer::from_rows(pixels, pixels, &identity).unwrap();
    let features = |split: &Split| {
        let Values::U8(values) = split.values() else { panic!("bytes") };
        let spec = FeatureSpec { power_n: 1.0, current_scale: 1.0 };
        Features::compute(&compute, &layer, &Inputs::u8(values, pixels).unwrap(), spec).unwrap()
    };
    let (train_features, test_features) = (features(train), features(test));
    // The better of two settings, so that the comparison is a fair one; m = 2 and m = 6 do worse.
    let errors = [(0.3, 4.0), (1.0, 4.0)].map(|(beta, loss_m)| {
        let spec = ReadoutSpec { classes: 10, hidden: pixels, beta, loss_m, batch: 100, init_sigma: 0.01 };
        let mut readout = Readout::new(spec, &mut Random::keyed(1, "readout-weights", 0), &compute).unwrap();
        let schedule = Schedule::parse("1e-3:100,5e-4:150,1e-4:200,5e-5:250,1e-5:300").unwrap();
        for epoch in 0..EPOCHS {
            let order = Random::keyed(1, "readout-order", epoch).order(train.samples());
            let rate = schedule.rate(epoch, EPOCHS);
            readout.epoch(&compute, &train_features, train.labels(), &order, rate).unwrap();
        }
        let all: Vec<u32> = (0..test.samples() as u32).collect();
        let wrong = readout.errors(&compute, &test_features, test.labels(), &all).unwrap();
        eprintln!("linear readout on pixels, beta {beta}, m {loss_m}: {wrong} of {}", test.samples());
        100.0 * wrong as f64 / test.samples() as f64
    });
    errors.into_iter().fold(100.0, f64::min)
}

#[test]
fn synthetic_digits_are_learned_and_not_by_a_linear_readout() {
    let learned = learned_test_error_pct();
    let digits = synthetic::standard();
    let linear = linear_test_error_pct(&digits.train, &digits.test);
    eprintln!("synthetic digits: learned {learned} %, linear {linear} %");
    assert!(learned <= 2.5, "{learned} %");
    assert!(linear >= 3.0 * learned, "linear {linear} %, learned {learned} %");
}
