//! From a name to a data set: find, download where missing, unpack, check, parse.

use std::path::{Path, PathBuf};

use crate::Progress;
use crate::catalog::{Name, Set};
use crate::dataset::{Content, Dataset, Shape, Source, Split, Storage};
use crate::download;
use crate::error::{Error, Result};
use crate::fetch;
use crate::locate::{At, Lookup, locate};
use crate::unpack;
use crate::{cifar, idx, synthetic};

/// Opens a set: finds it, unpacks and verifies it, and downloads it first where it is missing and that is allowed.
///
/// The first directory that holds any file of the set is the only one used. The synthetic digits are
/// [`synthetic::standard`], and no directory is looked at.
///
/// # Errors
/// [`Error::Missing`] where no directory holds any file and it cannot be fetched: the only error for which
/// [`Error::is_missing`] is true. Everything else says what is wrong with what is there.
///
/// # Allocates
/// The labels, and for CIFAR-10 the images; the pixels of MNIST stay in a memory map.
///
/// # Example
/// ```
/// use rivalry_data::{Lookup, Name, Network};
/// let lookup = Lookup {
///     directories: vec!["/nowhere".into()],
///     cache: "/nowhere".into(),
///     network: Network::Offline,
///     from: None,
/// };
/// let error = rivalry_data::open(Name::Mnist, &lookup, &mut |_| {}).unwrap_err();
/// assert!(error.is_missing());
/// ```
pub fn open(name: Name, lookup: &Lookup, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Dataset> {
    match name.set() {
        None => Ok(synthetic::standard()),
        Some(set) => open_set(set, lookup, progress),
    }
}

pub(crate) fn open_set(set: &'static Set, lookup: &Lookup, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Dataset> {
    let found = match locate(set, lookup)? {
        Some(found) => found,
        None => fetch::missing(set, lookup, &download::PATIENCE, progress)?,
    };
    let contents = unpack::contents(set, &found, &lookup.cache, progress)?;
    match set.name {
        Name::Cifar10 => cifar10(set, &contents, &found.directory),
        _ => mnist(set, &contents, &found.directory),
    }
}

/// A file of a set, as [`verify`] found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its name in the set.
    pub file: String,
    /// Where it is: the file itself, or the archive that holds it; empty for the synthetic digits.
    pub path: PathBuf,
    /// Length of its content.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: String,
}

/// Reads every file of a set and holds its content against the catalog, without keeping or downloading anything.
///
/// For the synthetic digits it generates them all and holds their digest against the one pinned in the catalog of
/// this crate's version.
///
/// # Errors
/// The first file that is not what it should be, as an error; [`Error::Missing`] where there is none.
///
/// # Allocates
/// The list.
pub fn verify(name: Name, lookup: &Lookup) -> Result<Vec<Verified>> {
    let Some(set) = name.set() else {
        let digits = synthetic::standard();
        let verified = Verified {
            file: digits.name,
            path: PathBuf::new(),
            bytes: (digits.train.samples() + digits.test.samples()) as u64 * (1 + digits.train.inputs() as u64),
            sha256: digits.sha256,
        };
        if verified.sha256 == synthetic::STANDARD_SHA256 {
            return Ok(vec![verified]);
        }
        return Err(Error::Digest {
            file: verified.file,
            path: "generated".into(),
            expected: synthetic::STANDARD_SHA256.into(),
            found: verified.sha256,
        });
    };
    verify_set(set, lookup)
}

pub(crate) fn verify_set(set: &'static Set, lookup: &Lookup) -> Result<Vec<Verified>> {
    let Some(found) = locate(set, lookup)? else { return Err(fetch::nowhere(set, lookup, Vec::new())) };
    unpack::verify(&found)?;
    let verified = found.places.into_iter().map(|place| {
        let (At::File(path) | At::Archive { path, .. }) = place.at;
        Verified { file: place.file.name.into(), path, bytes: place.file.bytes, sha256: place.file.sha256.into() }
    });
    Ok(verified.collect())
}

/// Training images and labels, test images and labels.
fn mnist(set: &Set, contents: &[Content], directory: &Path) -> Result<Dataset> {
    let split = |split, images: &Content, labels: &Content| -> Result<(Split, Shape)> {
        let parsed = idx::images(images.bytes()).map_err(|error| error.in_file(images.path()))?;
        let classes = idx::labels(labels.bytes())
            .and_then(|found| idx::check_labels(found, set.name.classes()).map(|()| found))
            .map_err(|error| error.in_file(labels.path()))?;
        let shape = Shape { height: parsed.height, width: parsed.width, channels: 1 };
        let values = images.end(parsed.pixels.len());
        Ok((Split::new(values, shape.inputs(), classes.to_vec(), Source { split, directory })?, shape))
    };
    let (train, shape) = split("training labels", &contents[0], &contents[1])?;
    let (test, test_shape) = split("test labels", &contents[2], &contents[3])?;
    check_shapes(shape, test_shape, directory)?;
    let (name, sha256) = (set.name.to_string(), set.sha256.to_string());
    Ok(Dataset { name, train, test, classes: set.name.classes(), shape, sha256 })
}

/// Test images must have the shape of the training images.
pub(crate) fn check_shapes(train: Shape, test: Shape, directory: &Path) -> Result<()> {
    if train == test {
        return Ok(());
    }
    let text = |shape: Shape| format!("images of {} × {}", shape.height, shape.width);
    Err(Error::Mismatch {
        what: "test images",
        directory: directory.to_path_buf(),
        expected: text(train),
        found: text(test),
    })
}

/// Training batches in order, then the test batch.
fn cifar10(set: &Set, contents: &[Content], directory: &Path) -> Result<Dataset> {
    let split = |split, contents: &[Content]| -> Result<Split> {
        let length = contents.iter().map(|content| content.bytes().len()).sum();
        let (mut values, mut labels) = (Vec::with_capacity(length), Vec::with_capacity(length / cifar::RECORD));
        for content in contents {
            let records = cifar::records(content.bytes()).map_err(|error| error.in_file(content.path()))?;
            labels.extend(records.labels());
            records.images().for_each(|image| values.extend_from_slice(image));
        }
        let values = Storage::Bytes { bytes: values.into(), start: 0 };
        Split::new(values, cifar::INPUTS, labels, Source { split, directory })
    };
    let (test, train) = contents.split_last().expect("the catalog lists six files");
    let (train, test) = (split("training labels", train)?, split("test labels", std::slice::from_ref(test))?);
    let shape = Shape { height: cifar::SIDE, width: cifar::SIDE, channels: cifar::CHANNELS };
    let (name, sha256) = (set.name.to_string(), set.sha256.to_string());
    Ok(Dataset { name, train, test, classes: set.name.classes(), shape, sha256 })
}
