//! The search, unpacking and its copies, on small sets and, where `RIVALRY_DATA` names them, on the real ones.

use std::fs;
use std::path::PathBuf;

use super::sets::{Place, SAMPLES, Small, cifar10, described, gzip, mnist, open, tar_gzip};
use crate::dataset::sha256;
use crate::error::{Error, Fault};
use crate::open::verify_set;
use crate::{Lookup, Name, Network, State, Values, cifar, fetch, list, verify};

const IMAGES: &str = "train-images-idx3-ubyte";

#[test]
fn files_and_archives_open_alike() {
    for small in [mnist(), cifar10()] {
        let place = Place::new();
        small.write_files(&place.path("a"));
        let (files, steps) = open(&small, &place.lookup());
        let files = files.unwrap();
        assert!(steps.is_empty() && place.files("cache").is_empty(), "unpacked files need nothing");

        let place = Place::new();
        small.write_archives(&place.path("a"));
        let (archives, steps) = open(&small, &place.lookup());
        let archives = archives.unwrap();
        assert_eq!(steps.len(), small.set.archives.len());
        assert_eq!(archives.train.values(), files.train.values());
        assert_eq!(archives.test.values(), files.test.values());
        assert_eq!(archives.train.labels(), files.train.labels());
        assert_eq!(archives.test.labels(), files.test.labels());
        assert_eq!(archives.shape.inputs(), archives.train.inputs());
        let verified = verify_set(small.set, &place.lookup()).unwrap();
        assert_eq!(verified.len(), small.contents.len());
    }
}

#[test]
fn mnist_is_what_the_files_say() {
    let (small, place) = (mnist(), Place::new());
    small.write_files(&place.path("a"));
    let data = open(&small, &place.lookup()).0.unwrap();
    assert_eq!((data.train.samples(), data.test.samples()), SAMPLES);
    assert_eq!((data.name.as_str(), data.classes, data.train.inputs()), ("mnist", 10, 12));
    assert_eq!(data.train.values(), Values::U8(&small.contents[0][16..]));
    assert_eq!(data.test.labels(), &small.contents[3][8..]);
}

#[test]
fn cifar_records_are_taken_apart_in_order() {
    let (small, place) = (cifar10(), Place::new());
    small.write_files(&place.path("a"));
    let data = open(&small, &place.lookup()).0.unwrap();
    assert_eq!((data.train.samples(), data.test.samples(), data.train.inputs()), (10, 2, 3072));
    assert_eq!(data.train.labels(), [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]);
    assert_eq!(data.test.labels(), [5, 9]);
    let Values::U8(values) = data.train.values() else { panic!("cifar is bytes") };
    assert_eq!(values[3 * cifar::INPUTS..4 * cifar::INPUTS], small.contents[1][1 + cifar::RECORD..]);
}

#[test]
fn the_first_directory_with_any_file_is_the_only_one() {
    let (small, place) = (mnist(), Place::new());
    small.write_files(&place.path("b"));
    assert!(open(&small, &place.lookup()).0.is_ok(), "an empty first directory is passed over");

    fs::create_dir_all(place.path("a/mnist")).unwrap();
    fs::write(place.path("a/mnist/readme.txt"), "not a file of the set").unwrap();
    assert!(open(&small, &place.lookup()).0.is_ok(), "other files do not count");

    fs::write(place.path("a/mnist").join(IMAGES), &small.contents[0]).unwrap();
    let error = open(&small, &place.lookup()).0.unwrap_err();
    let Error::Incomplete { directory, missing, .. } = &error else { panic!("{error}") };
    assert_eq!((directory, missing.len()), (&place.path("a/mnist"), 3));
    assert!(!error.is_missing());

    // Complete, but one file is bad: the good copy in `b` is not used, and nothing is downloaded.
    small.write_files(&place.path("a"));
    let mut bad = small.contents[0].clone();
    *bad.last_mut().unwrap() ^= 1;
    fs::write(place.path("a/mnist").join(IMAGES), &bad).unwrap();
    for result in [open(&small, &place.lookup()).0.map(|_| ()), verify_set(small.set, &place.lookup()).map(|_| ())] {
        let error = result.unwrap_err();
        assert!(matches!(&error, Error::Digest { path, .. } if path.starts_with(place.path("a"))), "{error}");
        assert!(!error.is_missing());
    }
    assert!(fetch::fetch_set(small.set, &place.lookup(), &mut |_| {}).is_err(), "fetch does not repair it either");

    fs::write(place.path("a/mnist").join(IMAGES), &bad[..50]).unwrap();
    let error = open(&small, &place.lookup()).0.unwrap_err();
    assert!(matches!(error, Error::Size { expected: 256, .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn a_dangling_link_or_a_directory_is_a_bad_file() {
    let (small, place) = (mnist(), Place::new());
    small.write_files(&place.path("b"));
    let folder = small.write_files(&place.path("a"));
    fs::remove_file(folder.join(IMAGES)).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", folder.join(IMAGES)).unwrap();
    assert!(matches!(open(&small, &place.lookup()).0.unwrap_err(), Error::Io { .. }));
    fs::remove_file(folder.join(IMAGES)).unwrap();
    fs::create_dir(folder.join(IMAGES)).unwrap();
    assert!(matches!(open(&small, &place.lookup()).0.unwrap_err(), Error::Io { .. }));
}

#[test]
fn an_unpacked_file_wins_over_its_archive() {
    let (small, place) = (mnist(), Place::new());
    let folder = small.write_archives(&place.path("a"));
    fs::write(folder.join(IMAGES), &small.contents[0]).unwrap();
    fs::write(folder.join(format!("{IMAGES}.gz")), "bad, and never looked at").unwrap();
    assert!(open(&small, &place.lookup()).0.is_ok());
    small.write_archives(&place.path("a"));
    fs::write(folder.join(IMAGES), "bad, and its archive good").unwrap();
    assert!(open(&small, &place.lookup()).0.is_err());
}

#[test]
fn cifar_batches_win_one_by_one() {
    let (small, place) = (cifar10(), Place::new());
    let folder = small.write_archives(&place.path("a"));
    fs::write(folder.join("data_batch_3.bin"), &small.contents[2]).unwrap();
    assert!(open(&small, &place.lookup()).0.is_ok());
    assert!(place.files("cache").iter().all(|path| !path.ends_with("data_batch_3.bin")), "not unpacked");
    fs::write(folder.join("data_batch_3.bin"), &small.contents[1]).unwrap();
    assert!(matches!(open(&small, &place.lookup()).0.unwrap_err(), Error::Digest { .. }));
}

#[test]
fn unpacked_copies_are_kept_and_used_again() {
    let (small, place) = (mnist(), Place::new());
    small.write_archives(&place.path("a"));
    assert_eq!(open(&small, &place.lookup()).1.len(), 4);
    let kept = place.files("cache");
    assert_eq!(kept.len(), 4, "{kept:?}");
    let (again, steps) = open(&small, &place.lookup());
    assert!(again.is_ok() && steps.is_empty(), "{steps:?}");

    // One goes bad, one is cut short, one vanishes: each is unpacked again.
    let copy = |index: usize| place.path("cache").join(&kept[index]);
    let mut bad = fs::read(copy(0)).unwrap();
    *bad.last_mut().unwrap() ^= 1;
    fs::write(copy(0), bad).unwrap();
    fs::write(copy(1), "").unwrap();
    fs::remove_file(copy(2)).unwrap();
    let (again, steps) = open(&small, &place.lookup());
    assert!(again.is_ok());
    assert_eq!(steps.len(), 3, "{steps:?}");
    assert_eq!(place.files("cache"), kept, "no temporary file is left");
    assert!(open(&small, &place.lookup()).1.is_empty());
}

#[test]
fn a_copy_is_used_only_for_its_archive() {
    let (small, place) = (mnist(), Place::new());
    let folder = small.write_archives(&place.path("a"));
    open(&small, &place.lookup()).0.unwrap();
    let archive = folder.join(format!("{IMAGES}.gz"));
    let modified = fs::metadata(&archive).unwrap().modified().unwrap();
    let mut bytes = fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(&archive, bytes).unwrap();
    // Same name, length and time: only its bytes tell.
    fs::File::options().write(true).open(&archive).unwrap().set_modified(modified).unwrap();
    let error = open(&small, &place.lookup()).0.unwrap_err();
    assert!(matches!(error, Error::Archive { .. } | Error::Size { .. } | Error::Digest { .. }), "{error}");
    assert!(!error.is_missing());
}

#[test]
fn archives_packed_otherwise_are_accepted() {
    let (small, place) = (cifar10(), Place::new());
    let folder = place.path("a/cifar10");
    fs::create_dir_all(&folder).unwrap();
    // In another order than the catalog's, too.
    let named = |prefix: &str| {
        let files = small
            .set
            .files()
            .zip(&small.contents)
            .map(|((_, file), content)| (format!("{prefix}cifar-10-batches-bin/{}", file.name), &content[..]));
        let mut files: Vec<_> = files.collect();
        files.reverse();
        files
    };
    for prefix in ["", "./"] {
        let mut files = vec![("cifar-10-batches-bin/readme.html".to_string(), &b"<html>"[..])];
        files.extend(named(prefix));
        fs::write(folder.join("cifar-10-binary.tar.gz"), tar_gzip(&files)).unwrap();
        open(&small, &place.lookup()).0.unwrap();
    }
    // Another folder, or a batch that is not there.
    fs::write(folder.join("cifar-10-binary.tar.gz"), tar_gzip(&named("other/"))).unwrap();
    let error = open(&small, &place.lookup()).0.unwrap_err();
    assert!(matches!(error, Error::Archive { .. }), "{error}");
    fs::write(folder.join("cifar-10-binary.tar.gz"), tar_gzip(&named("")[1..])).unwrap();
    let error = open(&small, &place.lookup()).0.unwrap_err();
    assert!(error.to_string().contains("it has no file cifar-10-batches-bin/test_batch.bin"), "{error}");
}

#[test]
fn damaged_archives_are_errors_and_leave_nothing() {
    let small = mnist();
    let good = gzip(&small.contents[0]);
    let longer = [&small.contents[0][..], &[0; 1 << 20]].concat();
    let mut flipped = good.clone();
    let checksum = flipped.len() - 6;
    flipped[checksum] ^= 1;
    let cases = [
        ("empty", Vec::new()),
        ("not gzip", b"hello".to_vec()),
        ("cut short", good[..good.len() / 2].to_vec()),
        ("wrong checksum", flipped),
        ("too long", gzip(&longer)),
        ("too short", gzip(&small.contents[0][..100])),
        ("other content", gzip(&vec![0; small.contents[0].len()])),
        ("rubbish behind it", [&good[..], b"rubbish"].concat()),
    ];
    for (case, bytes) in cases {
        let place = Place::new();
        let folder = small.write_archives(&place.path("a"));
        fs::write(folder.join(format!("{IMAGES}.gz")), bytes).unwrap();
        for result in [open(&small, &place.lookup()).0.map(|_| ()), verify_set(small.set, &place.lookup()).map(|_| ())]
        {
            let error = result.expect_err(case);
            assert!(
                matches!(error, Error::Archive { .. } | Error::Size { .. } | Error::Digest { .. }),
                "{case}: {error}"
            );
            assert!(!error.to_string().contains('\n') && error.hint().is_some(), "{case}: {error}");
        }
        let kept = place.files("cache");
        assert!(kept.iter().all(|path| !path.contains(IMAGES) && !path.contains(".part")), "{case}: {kept:?}");
    }
}

/// Sixty-four megabytes of zeros, packed in a few hundred kilobytes, where 256 bytes belong.
#[test]
fn a_bomb_is_not_unpacked() {
    let (small, place) = (mnist(), Place::new());
    let folder = small.write_archives(&place.path("a"));
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..1024 {
        std::io::Write::write_all(&mut bomb, &[0; 1 << 16]).unwrap();
    }
    fs::write(folder.join(format!("{IMAGES}.gz")), bomb.finish().unwrap()).unwrap();
    let error = open(&small, &place.lookup()).0.unwrap_err();
    assert!(matches!(&error, Error::Size { expected: 256, found, .. } if found == "too many"), "{error}");
}

#[test]
fn a_cache_that_cannot_be_written_is_done_without() {
    let (small, place) = (mnist(), Place::new());
    small.write_archives(&place.path("a"));
    // A file where the folder would have to be: refused to everybody, even to root.
    fs::write(place.path("cache"), "in the way").unwrap();
    for _ in 0..2 {
        let (data, steps) = open(&small, &place.lookup());
        assert_eq!(data.unwrap().train.values(), Values::U8(&small.contents[0][16..]));
        assert_eq!(steps.len(), 4, "unpacked into memory every time");
    }
}

#[cfg(unix)]
#[test]
fn a_read_only_data_directory_works() {
    use std::os::unix::fs::PermissionsExt;
    let (small, place) = (mnist(), Place::new());
    let folder = small.write_archives(&place.path("a"));
    let mode = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    let opened = open(&small, &place.lookup()).0;
    mode(0o755);
    opened.unwrap();
    assert_eq!(place.files("a").len(), 4, "nothing was written there");
}

#[test]
fn content_of_the_wrong_form_is_refused_even_with_its_digest() {
    // A catalog that names the digest of files that do not fit together: the parsers do not rely on it.
    let mut small = mnist();
    small.contents[1] = crate::idx::encode_labels(&[1, 2, 3]);
    let error = reopened(&small).unwrap_err();
    assert!(error.to_string().starts_with("20 training images, but 3 training labels in "), "{error}");
    small.contents[1] = crate::idx::encode_labels(&[10; 20]);
    let error = reopened(&small).unwrap_err();
    assert!(matches!(error, Error::Malformed { fault: Fault::Label { label: 10, .. }, path: Some(_), .. }), "{error}");
    small.contents[1] = mnist().contents[1].clone();
    small.contents[2] = crate::idx::encode_images(5, 3, 4, &[0; 60]);
    let error = reopened(&small).unwrap_err();
    assert!(error.to_string().starts_with("training images of 4 × 3 u8, but test images of 3 × 4 u8 in "), "{error}");
}

/// Opens contents under a catalog made for them.
fn reopened(small: &Small) -> crate::Result<crate::Dataset> {
    let place = Place::new();
    let small = described(small.contents.clone(), &[]);
    small.write_files(&place.path("a"));
    open(&small, &place.lookup()).0
}

#[test]
fn list_says_which_sets_are_there() {
    let place = Place::new();
    let states = |place: &Place| list(&place.lookup()).into_iter().map(|status| status.state).collect::<Vec<_>>();
    assert_eq!(states(&place), [State::Missing, State::Missing, State::BuiltIn]);
    mnist().write_archives(&place.path("b"));
    fs::create_dir_all(place.path("a/cifar10")).unwrap();
    fs::write(place.path("a/cifar10/test_batch.bin"), "").unwrap();
    let [mnist, cifar10, _] = &states(&place)[..] else { panic!("three sets") };
    assert_eq!(*mnist, State::Present { directory: place.path("b/mnist") });
    let State::Incomplete { directory, missing } = cifar10 else { panic!("{cifar10:?}") };
    assert_eq!((directory, missing.len()), (&place.path("a/cifar10"), 5));
}

/// Says what could not be tested here, so that `scripts/check.sh` counts it; the test runner would swallow `eprintln!`.
fn skip(name: Name, why: &str) {
    let line = format!("\n!! SKIPPED reading {name}: {why}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}

/// Where the real set is; `None`, with a note, where it is not.
fn real(name: Name) -> Option<(Lookup, tempfile::TempDir)> {
    let Some(directory) = std::env::var_os("RIVALRY_DATA").map(PathBuf::from) else {
        skip(name, "RIVALRY_DATA names no folder");
        return None;
    };
    if !directory.join(name.as_str()).is_dir() {
        skip(name, "it is not in RIVALRY_DATA");
        return None;
    }
    let cache = tempfile::tempdir().unwrap();
    let lookup =
        Lookup { directories: vec![directory], cache: cache.path().into(), network: Network::Offline, from: None };
    Some((lookup, cache))
}

#[test]
fn the_real_mnist() {
    let Some((lookup, _cache)) = real(Name::Mnist) else { return };
    let data = crate::open(Name::Mnist, &lookup, &mut |_| {}).unwrap();
    assert_eq!((data.train.samples(), data.test.samples(), data.train.inputs()), (60_000, 10_000, 784));
    assert_eq!(data.train.labels()[..5], [5, 0, 4, 1, 9]);
    assert_eq!(data.sha256, sha256(&data.train, &data.test), "the catalog's digest of the whole");
    let Values::U8(pixels) = data.train.values() else { panic!("mnist is bytes") };
    let ink = pixels.iter().filter(|&&pixel| pixel > 0).count() as f64 / pixels.len() as f64;
    assert!((0.19..0.192).contains(&ink), "{ink}");
    assert_eq!(verify(Name::Mnist, &lookup).unwrap().len(), 4);
    crate::open(Name::Mnist, &lookup, &mut |progress| panic!("unpacked twice: {}", progress.what)).unwrap();
}

#[test]
fn the_real_cifar10() {
    let Some((lookup, _cache)) = real(Name::Cifar10) else { return };
    let data = crate::open(Name::Cifar10, &lookup, &mut |_| {}).unwrap();
    assert_eq!((data.train.samples(), data.test.samples(), data.train.inputs()), (50_000, 10_000, 3072));
    assert_eq!(data.train.labels()[..5], [6, 9, 9, 4, 1]);
    assert_eq!(data.test.labels()[..5], [3, 8, 8, 0, 6]);
    assert_eq!(data.sha256, sha256(&data.train, &data.test), "the catalog's digest of the whole");
    assert_eq!(verify(Name::Cifar10, &lookup).unwrap().len(), 6);
}
