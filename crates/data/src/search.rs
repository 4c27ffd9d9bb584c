//! Where a set is: the search through the directories. Nothing here reads a file.
//!
//! The search goes through the directories of the lookup and then through the cache, where downloads go. The first that
//! holds *any* file of the set is the only one used, so a run never mixes files of two places, and a bad copy in the
//! place that the user named is an error and never replaced silently by another copy.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::catalog::{Archive, File, Name, Set};
use crate::error::{Error, Result};

/// Where to look for data, and what may be done when it is not there.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// Directories that hold one folder per set, in the order of the search: `--data DIR`, `$RIVALRY_DATA`, `data/`,
    /// the user's cache folder, those of them that apply.
    pub directories: Vec<PathBuf>,
    /// Where unpacked copies and downloads go, searched after `directories`. It is created when first needed. If it is
    /// not writable, archives are unpacked into memory at every opening.
    pub cache: PathBuf,
    /// Whether a missing set may be downloaded.
    pub network: Network,
    /// A directory, or an address that starts with `http://` or `https://`, to take a missing set from instead of the
    /// catalog's mirrors. A directory may hold the files themselves or a folder with the name of the set.
    pub from: Option<String>,
}

/// Whether the network may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// A missing set is downloaded.
    #[default]
    Allowed,
    /// No connection is made; a missing set is an error.
    Offline,
}

/// How far a long step has come; the caller's closure gets it while a set is unpacked or downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The step, such as `unpacking train-images-idx3-ubyte.gz`; a step keeps its text from start to end.
    pub what: &'a str,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all, where known.
    pub total: Option<u64>,
}

/// One line of [`list`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The set.
    pub name: Name,
    /// Whether it is there.
    pub state: State,
}

/// Whether a set is there, by the names of its files alone; [`crate::verify`] checks their content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Generated, without files.
    BuiltIn,
    /// All files are there.
    Present {
        /// The directory that holds them.
        directory: PathBuf,
    },
    /// The directory that would be used holds only some of them.
    Incomplete {
        /// That directory.
        directory: PathBuf,
        /// The files that are in it neither unpacked nor in an archive.
        missing: Vec<String>,
    },
    /// None of the directories holds any file.
    Missing,
}

/// Says for every set whether it is there, without reading any file.
///
/// # Allocates
/// The list.
#[must_use]
pub fn list(lookup: &Lookup) -> Vec<Status> {
    Name::ALL.into_iter().map(|name| Status { name, state: state(name, lookup) }).collect()
}

fn state(name: Name, lookup: &Lookup) -> State {
    let Some(set) = name.set() else { return State::BuiltIn };
    match locate(set, lookup) {
        Ok(Some(found)) => State::Present { directory: found.directory },
        Ok(None) => State::Missing,
        Err(Error::Incomplete { directory, missing, .. }) => State::Incomplete { directory, missing },
        Err(other) => unreachable!("the search reads no file, so it cannot end in: {other}"),
    }
}

/// A set that is there: for every file, in the catalog's order, the place it is to be read from.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) directory: PathBuf,
    pub(crate) places: Vec<Place>,
}

/// A file of a set and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) file: File,
    pub(crate) at: At,
}

/// A file itself, or the archive to take it from.
#[derive(Clone, Debug)]
pub(crate) enum At {
    File(PathBuf),
    Archive { path: PathBuf, archive: Archive },
}

/// The directories a set may be in, in the order of the search.
pub(crate) fn candidates(set: &Set, lookup: &Lookup) -> Vec<PathBuf> {
    let mut candidates: Vec<PathBuf> = Vec::new();
    for directory in lookup.directories.iter().chain([&lookup.cache]) {
        let directory = directory.join(set.name.as_str());
        if !candidates.contains(&directory) {
            candidates.push(directory);
        }
    }
    candidates
}

/// Finds a set; `None` where no directory holds any of its files.
///
/// # Errors
/// [`Error::Incomplete`] where the first directory that holds any file does not hold all.
pub(crate) fn locate(set: &Set, lookup: &Lookup) -> Result<Option<Found>> {
    for directory in candidates(set, lookup) {
        if let Some(found) = look_into(set, &directory)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Looks into one directory; `None` where it holds no file of the set.
///
/// # Errors
/// [`Error::Incomplete`] where it holds some and not all.
pub(crate) fn look_into(set: &Set, directory: &Path) -> Result<Option<Found>> {
    let mut places = Vec::new();
    let mut missing = Vec::new();
    for (archive, file) in set.files() {
        let unpacked = directory.join(file.name);
        let packed = directory.join(archive.name);
        if is_there(&unpacked) {
            places.push(Place { file: *file, at: At::File(unpacked) });
        } else if is_there(&packed) {
            places.push(Place { file: *file, at: At::Archive { path: packed, archive: *archive } });
        } else {
            missing.push(file.name.to_string());
        }
    }
    if places.is_empty() {
        return Ok(None);
    }
    if missing.is_empty() {
        return Ok(Some(Found { directory: directory.to_path_buf(), places }));
    }
    Err(Error::Incomplete {
        directory: directory.to_path_buf(),
        missing,
        hint: "add the missing files, or remove the others so that the set is looked for elsewhere".into(),
    })
}

/// True for anything of that name: a dangling link or an unreadable file counts as there, and becomes an error later.
pub(crate) fn is_there(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}
