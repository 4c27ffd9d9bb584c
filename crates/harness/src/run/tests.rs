//! Which folders are used, refused, resumed and replaced.

use super::*;

fn experiment() -> Config {
    Config::resolve("mnist", &[], None).unwrap()
}

fn open(path: &Path, existing: Existing) -> anyhow::Result<RunFolder> {
    RunFolder::open(path, existing, &experiment())
}

fn identity() -> Identity {
    Identity { config_sha256: experiment().digest(), dataset_sha256: "data".to_owned() }
}

#[test]
fn a_new_and_an_empty_folder_are_used() {
    let place = tempfile::tempdir().unwrap();
    for existing in [Existing::Refuse, Existing::Resume, Existing::Replace] {
        let empty = open(place.path(), existing).unwrap();
        assert!(empty.finished().unwrap().is_none() && empty.checkpoint(&identity()).unwrap().is_none());
        open(&place.path().join("a/b"), existing).unwrap();
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "looking changes nothing");
    open(&place.path().join("a/b"), Existing::Refuse).unwrap().begin(&experiment()).unwrap();
    assert!(place.path().join("a/b/config.toml").is_file());
}

#[test]
fn a_folder_with_a_run_needs_a_flag() {
    let place = tempfile::tempdir().unwrap();
    open(place.path(), Existing::Refuse).unwrap().begin(&experiment()).unwrap();
    let error = open(place.path(), Existing::Refuse).unwrap_err();
    assert!(error.to_string().contains("found an unfinished run"), "{error}");
    fs::write(place.path().join(RESULT), rows::to_csv(&[ResultRow::default()])).unwrap();
    let error = open(place.path(), Existing::Refuse).unwrap_err();
    assert!(error.to_string().contains("found a finished run"), "{error}");
    assert_eq!(open(place.path(), Existing::Resume).unwrap().finished().unwrap(), Some(ResultRow::default()));
    let replaced = open(place.path(), Existing::Replace).unwrap();
    assert!(replaced.finished().unwrap().is_none());
    replaced.begin(&experiment()).unwrap();
    assert!(!place.path().join(RESULT).exists());
}

#[test]
fn a_folder_of_someone_else_is_refused_with_any_flag() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("thesis.tex"), "").unwrap();
    for existing in [Existing::Refuse, Existing::Resume, Existing::Replace] {
        assert!(open(place.path(), existing).unwrap_err().to_string().contains("thesis.tex"));
    }
    let file = place.path().join("thesis.tex");
    assert!(open(&file, Existing::Replace).unwrap_err().to_string().contains("expected a folder"));
}

#[test]
fn resuming_with_other_settings_names_them() {
    let place = tempfile::tempdir().unwrap();
    open(place.path(), Existing::Refuse).unwrap().begin(&experiment()).unwrap();
    open(place.path(), Existing::Resume).unwrap();
    let other = Config::resolve("mnist", &["k=2".to_owned(), "beta=0.3".to_owned()], None).unwrap();
    let error = RunFolder::open(place.path(), Existing::Resume, &other).unwrap_err().to_string();
    assert!(error.contains("k 2 here, 7 there") && error.contains("beta 0.3 here, 0.1 there"), "{error}");
}

#[test]
fn a_checkpoint_of_other_data_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let folder = open(place.path(), Existing::Resume).unwrap();
    folder.begin(&experiment()).unwrap();
    let checkpoint = Checkpoint {
        phase: crate::rows::Phase::Unsupervised,
        epoch: 1,
        hidden: 1,
        inputs: 1,
        weights: vec![1.0],
        wins: vec![1],
        moments: None,
        readout: None,
        metrics: vec![],
        epoch_ms: vec![1.0],
        readout_s: 0.0,
        identity: identity(),
    };
    folder.write(CHECKPOINT, &checkpoint.to_bytes()).unwrap();
    assert_eq!(folder.checkpoint(&identity()).unwrap(), Some(checkpoint));
    let other = Identity { dataset_sha256: "other".to_owned(), ..identity() };
    let error = folder.checkpoint(&other).unwrap_err().to_string();
    assert!(error.contains("expected one of data other, found data"), "{error}");
}

#[test]
fn files_are_those_of_the_contract() {
    let mut files = FILES;
    files.sort_unstable();
    let mut contract = [
        "config.toml",
        "env.json",
        "metrics.csv",
        "result.csv",
        "weights.npy",
        "readout.npy",
        "weights.safetensors",
        "checkpoint.safetensors",
        "fields.png",
        "curves.svg",
    ];
    contract.sort_unstable();
    assert_eq!(files, contract);
}
