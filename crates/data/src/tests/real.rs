//! The real sets, where `RIVALRY_DATA` names a directory that holds them.

use std::path::PathBuf;

use crate::dataset::sha256;
use crate::{Lookup, Name, Network, Values, open, verify};

/// Where to look, or `None`, loudly.
fn lookup(name: Name) -> Option<(Lookup, tempfile::TempDir)> {
    let Some(directory) = std::env::var_os("RIVALRY_DATA").map(PathBuf::from) else {
        eprintln!("SKIPPED: RIVALRY_DATA is not set, the real {name} was not tested");
        return None;
    };
    if !directory.join(name.as_str()).is_dir() {
        eprintln!("SKIPPED: {} holds no {name}, it was not tested", directory.display());
        return None;
    }
    let cache = tempfile::tempdir().unwrap();
    let lookup =
        Lookup { directories: vec![directory], cache: cache.path().into(), network: Network::Offline, from: None };
    Some((lookup, cache))
}

#[test]
fn mnist() {
    let Some((lookup, _cache)) = lookup(Name::Mnist) else { return };
    let data = open(Name::Mnist, &lookup, &mut |_| {}).unwrap();
    assert_eq!((data.train.samples(), data.test.samples(), data.train.inputs()), (60_000, 10_000, 784));
    assert_eq!(data.train.labels()[..5], [5, 0, 4, 1, 9]);
    assert_eq!(data.sha256, sha256(&data.train, &data.test), "the catalog's digest of the whole");
    let Values::U8(pixels) = data.train.values() else { panic!("mnist is bytes") };
    let ink = pixels.iter().filter(|&&pixel| pixel > 0).count() as f64 / pixels.len() as f64;
    assert!((0.19..0.192).contains(&ink), "{ink}");
    assert_eq!(verify(Name::Mnist, &lookup).unwrap().len(), 4);
    open(Name::Mnist, &lookup, &mut |progress| panic!("unpacked twice: {}", progress.what)).unwrap();
}

#[test]
fn cifar10() {
    let Some((lookup, _cache)) = lookup(Name::Cifar10) else { return };
    let data = open(Name::Cifar10, &lookup, &mut |_| {}).unwrap();
    assert_eq!((data.train.samples(), data.test.samples(), data.train.inputs()), (50_000, 10_000, 3072));
    assert_eq!(data.train.labels()[..5], [6, 9, 9, 4, 1]);
    assert_eq!(data.test.labels()[..5], [3, 8, 8, 0, 6]);
    assert_eq!(data.sha256, sha256(&data.train, &data.test), "the catalog's digest of the whole");
    assert_eq!(verify(Name::Cifar10, &lookup).unwrap().len(), 6);
}
