//! Which examples each phase sees, and what a set that is too small says.

use rivalry_data::npy;

use super::*;
use crate::config::Config;

/// Twenty training and ten test examples of three inputs and four classes; the first input is the number of the example.
fn data() -> (tempfile::TempDir, Dataset) {
    labelled(|sample| sample % 4)
}

/// The same with other labels.
fn labelled(label: impl Fn(u8) -> u8) -> (tempfile::TempDir, Dataset) {
    let folder = tempfile::tempdir().unwrap();
    for (split, samples) in [("train", 20_u8), ("t10k", 10)] {
        let images: Vec<u8> = (0..samples).flat_map(|sample| [sample, 1, 2]).collect();
        let labels: Vec<u8> = (0..samples).map(|sample| label(sample) % 4).collect();
        let write =
            |kind: &str, bytes: Vec<u8>| std::fs::write(folder.path().join(format!("{split}-{kind}.npy")), bytes);
        write("images", npy::write_u8(&[samples.into(), 3], &images)).unwrap();
        write("labels", npy::write_u8(&[samples.into()], &labels)).unwrap();
    }
    let data = rivalry_data::open_path(folder.path()).unwrap();
    (folder, data)
}

fn experiment(sets: &[&str]) -> Config {
    let mut all = vec!["hidden=10".to_owned(), "k=2".to_owned(), "batch=2".to_owned(), "readout_batch=2".to_owned()];
    all.extend(sets.iter().map(ToString::to_string));
    Config::resolve("mnist", &all, None).unwrap()
}

/// Example numbers and labels.
fn seen(examples: &Examples<'_>) -> (Vec<u8>, Vec<u8>) {
    let numbers = examples.pixels().unwrap().chunks(3).map(|example| example[0]).collect();
    (numbers, examples.labels().to_vec())
}

fn error(sets: &[&str]) -> String {
    let (_folder, data) = data();
    Splits::new(&data, &experiment(sets)).unwrap_err().to_string()
}

#[test]
fn everything_is_used_when_nothing_is_said() {
    let (_folder, data) = data();
    let splits = Splits::new(&data, &experiment(&[])).unwrap();
    assert_eq!(seen(&splits.learn).0, (0..20).collect::<Vec<u8>>());
    assert_eq!(seen(&splits.labelled), seen(&splits.learn));
    assert_eq!((splits.evaluate.samples(), splits.evaluated, splits.classes), (10, Evaluated::Test, 4));
}

#[test]
fn file_order_holds_out_the_last_and_keeps_the_first() {
    let (_folder, data) = data();
    let sets = ["validation=0.25", "train_samples=6", "labels_per_class=1", "split=file-order"];
    let splits = Splits::new(&data, &experiment(&sets)).unwrap();
    assert_eq!(seen(&splits.learn).0, [0, 1, 2, 3, 4, 5]);
    assert_eq!(seen(&splits.labelled).0, [0, 1, 2, 3]);
    assert_eq!(seen(&splits.evaluate).0, [15, 16, 17, 18, 19]);
    assert_eq!(splits.evaluated, Evaluated::Validation);
}

/// Classes that come one after the other, as in a folder of images per class.
#[test]
fn a_shuffled_split_of_sorted_classes_is_balanced() {
    let (_folder, data) = labelled(|sample| sample / 5);
    let sets = ["validation=0.2", "train_samples=8", "labels_per_class=1"];
    let splits = Splits::new(&data, &experiment(&sets)).unwrap();
    assert_eq!(seen(&splits.evaluate).1, [0, 1, 2, 3]);
    assert_eq!(seen(&splits.learn).1, [0, 0, 1, 1, 2, 2, 3, 3]);
    assert_eq!(seen(&splits.labelled).1, [0, 1, 2, 3]);
    let numbers = [&splits.learn, &splits.evaluate].map(|examples| seen(examples).0);
    assert!(numbers.iter().all(|numbers| numbers.is_sorted()), "in file order: {numbers:?}");
    assert!(numbers[0].iter().all(|number| !numbers[1].contains(number)), "apart: {numbers:?}");
    assert!(seen(&splits.labelled).0.iter().all(|number| numbers[0].contains(number)));

    let again = Splits::new(&data, &experiment(&sets)).unwrap();
    assert_eq!(seen(&again.learn), seen(&splits.learn), "the seed decides");
    let others = (2..6).map(|seed| {
        let seed = format!("seed={seed}");
        let sets = [&sets[..], &[seed.as_str()]].concat();
        seen(&Splits::new(&data, &experiment(&sets)).unwrap().learn).0
    });
    assert!(others.into_iter().any(|other| other != numbers[0]), "another seed chooses others");
}

#[test]
fn few_labels_restrict_the_readout_only() {
    let (_folder, data) = data();
    let splits = Splits::new(&data, &experiment(&["labels_per_class=2", "split=file-order"])).unwrap();
    assert_eq!(splits.learn.samples(), 20);
    assert_eq!(seen(&splits.labelled), ((0..8).collect(), vec![0, 1, 2, 3, 0, 1, 2, 3]));
    assert_eq!(splits.evaluate.samples(), 10);
    let splits = Splits::new(&data, &experiment(&["labels_per_class=2"])).unwrap();
    let mut labels = seen(&splits.labelled).1;
    labels.sort_unstable();
    assert_eq!((splits.learn.samples(), labels), (20, vec![0, 0, 1, 1, 2, 2, 3, 3]));
}

#[test]
fn tasks_relabel_and_half_splits_the_classes() {
    let (_folder, data) = data();
    let parity = Splits::new(&data, &experiment(&["task=parity"])).unwrap();
    assert_eq!((parity.classes, seen(&parity.labelled).1[..4].to_vec()), (2, vec![0, 1, 0, 1]));
    let half = Splits::new(&data, &experiment(&["task=half", "labels_per_class=2", "split=file-order"])).unwrap();
    assert_eq!(seen(&half.learn).0, [0, 1, 4, 5, 8, 9, 12, 13, 16, 17]);
    assert_eq!(seen(&half.labelled), (vec![2, 3, 6, 7], vec![0, 1, 0, 1]));
    assert_eq!(seen(&half.evaluate), (vec![2, 3, 6, 7], vec![0, 1, 0, 1]));
    assert_eq!(half.classes, 2);
}

#[test]
fn sets_that_are_too_small_name_the_key() {
    for (sets, expected) in [
        (["batch=21"], "batch = 21 is larger than the 20 training examples"),
        (["readout_batch=21"], "readout_batch = 21 is larger than the 20 labelled examples"),
        (["train_samples=21"], "train_samples = 21, but "),
        (["labels_per_class=6"], "labels_per_class = 6, but class 0 has only 5 examples"),
        (["validation=0.01"], "validation = 0.01 holds out 0 of 20 training examples"),
        (["validation=0.99"], "validation = 0.99 holds out 20 of 20 training examples"),
    ] {
        assert!(error(&sets).contains(expected), "{sets:?}: {}", error(&sets));
    }
    let (_folder, data) = data();
    Splits::new(&data, &experiment(&["readout_batch=21", "readout_epochs=0"])).unwrap();
}

#[test]
fn data_without_labels_is_for_the_unsupervised_phase_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("X.npy"), npy::write_u8(&[20, 3], &[7; 60])).unwrap();
    let data = rivalry_data::open_path(folder.path()).unwrap();
    let splits = Splits::new(&data, &experiment(&["readout_epochs=0", "validation=0.25"])).unwrap();
    assert_eq!((splits.learn.samples(), splits.learn.labels(), splits.classes), (15, &[][..], 0));
    for (sets, key) in [
        (&["readout_epochs=1"][..], "readout_epochs above 0"),
        (&["readout_epochs=0", "task=parity"], "task = parity"),
        (&["readout_epochs=0", "labels_per_class=2"], "labels_per_class"),
    ] {
        let error = Splits::new(&data, &experiment(sets)).unwrap_err().to_string();
        assert!(error.contains(key) && error.contains("needs labels, and "), "{error}");
    }
}

#[test]
fn directories_are_tried_in_the_order_of_the_contract() {
    let place = tempfile::tempdir().unwrap();
    let common = Common { data: Some(place.path().to_owned()), offline: true, ..Common::default() };
    let lookup = lookup(&common).unwrap();
    assert_eq!(lookup.directories.first(), Some(&place.path().to_owned()));
    let here = lookup.directories.iter().position(|directory| directory == Path::new("data"));
    assert!(here.is_some_and(|here| here >= lookup.directories.len() - 2), "data/, then the user's cache: {lookup:?}");
    assert!(matches!(lookup.network, Network::Offline));
    let gone = Common { data: Some(place.path().join("gone")), ..Common::default() };
    assert!(super::lookup(&gone).unwrap_err().to_string().starts_with("there is no directory "));
}

#[test]
fn a_name_that_is_no_set_and_no_directory_is_refused() {
    let error = open(&experiment(&["dataset=minst"]), &Common::default()).unwrap_err().to_string();
    assert!(error.starts_with("there is no data set \"minst\""), "{error}");
}
