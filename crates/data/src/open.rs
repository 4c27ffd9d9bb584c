//! From the name of a set to its samples: find it, download it where it is missing, unpack, verify, parse.

use std::path::{Path, PathBuf};

use crate::catalog::{Name, Set};
use crate::content::Content;
use crate::dataset::{Dataset, Order, Shape, Split, Storage, check_alike};
use crate::download;
use crate::error::{Error, Result};
use crate::fetch;
use crate::search::{At, Lookup, Progress, locate};
use crate::unpack;
use crate::{cifar, idx, synthetic};

/// Opens a set: finds it, unpacks and verifies it, and downloads it first where it is missing and that is allowed.
///
/// The first directory that holds any file of the set is the only one used. The synthetic digits are
/// [`synthetic::standard`], and no directory is searched.
///
/// # Errors
/// [`Error::Missing`] where no directory holds any file and it cannot be downloaded: the only error for which
/// [`Error::is_missing`] is true. Every other error says what is wrong with the files that are there.
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
    let [(train, shape), (test, test_shape)] = match set.name {
        Name::Cifar10 => cifar10(&contents, &found.directory)?,
        _ => mnist(set, &contents, &found.directory)?,
    };
    check_alike([(&train, shape), (&test, test_shape)], &found.directory)?;
    let (name, classes, sha256) = (set.name.to_string(), set.name.classes(), set.sha256.to_string());
    Ok(Dataset { name, train, test, classes, shape, sha256 })
}

/// Training images and labels, test images and labels.
fn mnist(set: &Set, contents: &[Content], directory: &Path) -> Result<[(Split, Shape); 2]> {
    let split = |name, images: &Content, labels: &Content| -> Result<(Split, Shape)> {
        let parsed = idx::images(images.bytes()).map_err(|error| error.in_file(images.path()))?;
        let classes = idx::labels(labels.bytes())
            .and_then(|found| idx::check_labels(found, set.name.classes()).map(|()| found))
            .map_err(|error| error.in_file(labels.path()))?;
        let shape = Shape::grey(parsed.height, parsed.width);
        let values = Storage::end(images, parsed.pixels.len());
        Ok((Split::labelled(values, shape.inputs(), classes.to_vec(), name, directory)?, shape))
    };
    Ok([split("training", &contents[0], &contents[1])?, split("test", &contents[2], &contents[3])?])
}

/// Training batches in order, then the test batch.
fn cifar10(contents: &[Content], directory: &Path) -> Result<[(Split, Shape); 2]> {
    let shape = Shape { height: cifar::SIDE, width: cifar::SIDE, channels: cifar::CHANNELS, order: Order::Planes };
    let split = |name, contents: &[Content]| -> Result<(Split, Shape)> {
        let length = contents.iter().map(|content| content.bytes().len()).sum();
        let (mut values, mut labels) = (Vec::with_capacity(length), Vec::with_capacity(length / cifar::RECORD));
        for content in contents {
            let records = cifar::records(content.bytes()).map_err(|error| error.in_file(content.path()))?;
            labels.extend(records.labels());
            records.images().for_each(|image| values.extend_from_slice(image));
        }
        let values = Storage::Bytes { content: Content::owned(values, directory), start: 0 };
        Ok((Split::labelled(values, cifar::INPUTS, labels, name, directory)?, shape))
    };
    let (test, train) = contents.split_last().expect("the catalog lists six files");
    Ok([split("training", train)?, split("test", std::slice::from_ref(test))?])
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

/// Reads every file of a set and compares its content with the catalog, without keeping or downloading anything.
///
/// The synthetic digits are generated, and their digest is compared with the one pinned in this crate.
///
/// # Errors
/// The first file that differs from the catalog, as an error; [`Error::Missing`] where there is none.
///
/// # Allocates
/// The list.
pub fn verify(name: Name, lookup: &Lookup) -> Result<Vec<Verified>> {
    match name.set() {
        None => verify_synthetic(),
        Some(set) => verify_set(set, lookup),
    }
}

fn verify_synthetic() -> Result<Vec<Verified>> {
    let digits = synthetic::standard();
    let bytes = (digits.train.samples() + digits.test.samples()) as u64 * (1 + digits.train.inputs() as u64);
    if digits.sha256 == synthetic::STANDARD_SHA256 {
        return Ok(vec![Verified { file: digits.name, path: PathBuf::new(), bytes, sha256: digits.sha256 }]);
    }
    let (expected, found) = (synthetic::STANDARD_SHA256.into(), digits.sha256);
    Err(Error::Digest { file: digits.name, path: "memory".into(), expected, found })
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
