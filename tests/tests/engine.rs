//! The engines, and the places of features, through the whole program: the same bytes whichever is chosen, on real images
//! too where they are, and a refusal where one cannot be.

#[path = "replay/case.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod case;
mod common;

use case::{Case, Examples, case, cases, normals, replay, write};
use common::{Place, folder_of, skip, write_digits};
use rivalry::rows::{ResultRow, from_csv};
use rivalry_core::{Compute, Engine, Inputs, Kernels, Layer, Learner, Random, Rates, Rule};
use rivalry_data::{Lookup, Name, Network, Values, npy};

#[test]
fn replay_writes_the_same_bytes_with_every_engine() {
    let wide = Case { name: "wide", ..case("", [150, 784, 30], (3.0, 7, 0.4)) };
    let pixels = |case: &Case| matches!(case.examples, Examples::U8(_));
    for case in cases().into_iter().chain([wide]).filter(pixels) {
        let place = Place::new();
        write(&place, &case);
        let written = ["auto", "dense", "screened"].map(|engine| {
            replay(&place, &case, &["--engine", engine]).succeeded();
            std::fs::read(place.file("w2.npy")).unwrap()
        });
        assert!(written[0] == written[1] && written[1] == written[2], "{}", case.name);
    }
}

#[test]
fn screening_floats_is_refused_with_a_hint_and_nothing_is_written() {
    const EXPECTED: &str = "the screened engine does not serve inputs that are floats";
    let place = Place::new();
    let floats = Case { examples: Examples::F32(normals(4 * 5 * 20, 3)), ..case("", [10, 20, 5], (2.0, 2, 0.4)) };
    write(&place, &floats);
    let before = place.listing();
    replay(&place, &floats, &["--engine", "screened"]).failed_with(EXPECTED);
    assert_eq!(place.listing(), before);
    let written = ["auto", "dense"].map(|engine| {
        replay(&place, &floats, &["--engine", engine]).succeeded();
        std::fs::read(place.file("w2.npy")).unwrap()
    });
    assert!(written[0] == written[1]);

    for (split, samples) in [("train", 40), ("t10k", 20)] {
        let values: Vec<f32> = normals(samples * 16, 9).iter().map(|value| value.abs()).collect();
        let labels: Vec<u8> = (0..samples).map(|sample| (sample % 10) as u8).collect();
        place.write(&format!("own/{split}-images.npy"), npy::write_f32(&[samples, 16], &values));
        place.write(&format!("own/{split}-labels.npy"), npy::write_u8(&[samples], &labels));
    }
    let before = place.listing();
    train(&place, "own", &["--engine", "screened"]).failed_with(EXPECTED);
    assert_eq!(place.listing(), before);
    train(&place, "own", &[]).succeeded();
    assert_eq!(engine_in_result(&place), "dense");
}

fn train(place: &Place, data: &str, more: &[&str]) -> common::Ended {
    let data = format!("dataset={data}");
    let mut arguments = vec!["train", "mnist", "--out", "run", "--set", &data];
    for set in ["hidden=20", "batch=10", "readout_batch=10", "epochs=2", "readout_epochs=1", "k=3"] {
        arguments.extend(["--set", set]);
    }
    place.run(&[&arguments, more].concat())
}

/// The column `engine` of the only row.
fn engine_in_result(place: &Place) -> String {
    let csv = std::fs::read_to_string(place.file("run/result.csv")).unwrap();
    from_csv::<ResultRow>(&csv, "run/result.csv").unwrap().remove(0).engine
}

#[test]
fn the_result_says_which_engine_ran_and_is_the_same_with_each() {
    let place = Place::new();
    write_digits(&place, "digits", 60, 20);
    let weights = [("auto", "screened"), ("screened", "screened"), ("dense", "dense")].map(|(engine, expected)| {
        train(&place, "digits", &["--force", "--engine", engine]).succeeded();
        assert_eq!(engine_in_result(&place), expected);
        std::fs::read(place.file("run/weights.npy")).unwrap()
    });
    assert!(weights[0] == weights[1] && weights[1] == weights[2]);
}

/// The first training images of a real data set, if it is here.
fn real_images(name: Name, samples: usize) -> Option<(Vec<u8>, usize)> {
    let data = folder_of("RIVALRY_DATA", &format!("engines on {name}"))?;
    let cache = Place::new();
    let directories = vec![data];
    let lookup = Lookup { directories, cache: cache.file("cache"), network: Network::Offline, from: None };
    match rivalry_data::open(name, &lookup, &mut |_| {}) {
        Ok(opened) => {
            let inputs = opened.train.inputs();
            let Values::U8(pixels) = opened.train.values() else { panic!("bytes") };
            Some((pixels[..samples * inputs].to_vec(), inputs))
        }
        Err(error) if error.is_missing() => {
            skip(&format!("engines on {name}"), "it is not in RIVALRY_DATA");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn real_images_are_learned_the_same_by_both_engines() {
    const SAMPLES: usize = 400;
    for (name, batch) in [(Name::Mnist, 50), (Name::Cifar10, 100)] {
        let Some((pixels, inputs)) = real_images(name, SAMPLES) else { continue };
        let as_it_is = Inputs::u8(&pixels, inputs).unwrap();
        let scales = as_it_is.unit_length_scales();
        let scaled = as_it_is.with_scales(&scales).unwrap();
        let layer = Layer::normal(200, inputs, 1.0, &mut Random::keyed(1, "weights", 0)).unwrap();
        for (p, k, images) in [(2.0, 2, as_it_is), (2.5, 2, scaled), (3.0, 7, as_it_is), (5.0, 2, scaled)] {
            let learn = |engine: Engine, threads: usize, kernels| {
                let (compute, rule) = (Compute::new(Some(threads), kernels).unwrap(), Rule::new(p, k, 0.4).unwrap());
                let mut learner = Learner::new(layer.clone(), rule, batch, &compute).unwrap().with_engine(engine);
                for epoch in 0..2 {
                    let order = Random::keyed(1, "order", epoch).order(SAMPLES);
                    learner.learn(&compute, &images, &order, Rates::Constant(0.04)).unwrap();
                }
                let weights = learner.layer().to_rows();
                (weights.iter().map(|w| w.to_bits()).collect::<Vec<u32>>(), learner.wins())
            };
            let expected = learn(Engine::Dense, 1, Kernels::best());
            // Without its instructions the portable path takes too long here; generated images are learned by all.
            for kernels in Kernels::all().into_iter().filter(|kernels| kernels.name() != "portable") {
                for threads in [1, 2] {
                    let found = learn(Engine::Screened, threads, kernels);
                    assert!(found == expected, "{name:?}, p {p}: {}, {threads} threads", kernels.name());
                }
            }
        }
    }
}

#[test]
fn features_in_a_file_give_the_bits_of_features_in_memory_and_leave_no_file() {
    let place = Place::new();
    let [memory, file] = ["memory", "file"].map(|kept| {
        let kept_in = format!("features_in={kept}");
        let settings =
            ["method=patches", "train_samples=2500", "hidden=10", "patches=1000", "patch=6", "epochs=1", &kept_in];
        let mut arguments = vec!["train", "synthetic", "--out", kept, "--quiet"];
        settings.iter().for_each(|set| arguments.extend(["--set", set]));
        place.run(&arguments).succeeded();
        let listing = std::fs::read_dir(place.file(kept)).unwrap().map(|entry| entry.unwrap().file_name());
        let mut listing: Vec<_> = listing.collect();
        listing.sort();
        (std::fs::read(place.file(&format!("{kept}/weights.safetensors"))).unwrap(), listing)
    });
    assert!(memory.0 == file.0, "other weights");
    assert_eq!(memory.1, file.1);
}
