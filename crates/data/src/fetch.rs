//! A set that is missing: from the mirrors, or from where the user says.
//!
//! Everything is gathered in `cache/downloads/<set>/` and checked there; only when the set is whole does the folder
//! become `cache/<set>/`. A directory that holds some of the files would be the only one looked into and an error from
//! then on, so a transfer that was stopped must never leave one behind.
//!
//! An archive from a catalog mirror must have the catalog's length and digest; one from the user's own source may be
//! packed otherwise. Either way the content decides.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::Progress;
use crate::catalog::{Archive, Name, Set};
use crate::digest;
use crate::download::{self, Length, Patience};
use crate::error::{Attempt, Error, Result};
use crate::locate::{At, Found, Lookup, Network, Place, candidates, locate, look_into};
use crate::unpack;

/// More than a deflated file can be longer than its content, per archive of somebody's own packing.
const PACKING_SLACK: u64 = 1 << 20;

/// What [`fetch`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Nothing: the set needs no files.
    BuiltIn,
    /// Nothing but a check: the files were there.
    Present {
        /// The directory that holds them.
        directory: PathBuf,
    },
    /// Brought the files.
    Downloaded {
        /// The directory that now holds them.
        directory: PathBuf,
    },
}

/// Makes sure a set is there and good: checks it where it is found, downloads it where it is missing.
///
/// # Errors
/// As for [`crate::open`]: what is there is never replaced, not even when it is bad.
///
/// # Allocates
/// Buffers only.
pub fn fetch(name: Name, lookup: &Lookup, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Fetched> {
    match name.set() {
        None => Ok(Fetched::BuiltIn),
        Some(set) => fetch_set(set, lookup, progress),
    }
}

pub(crate) fn fetch_set(set: &'static Set, lookup: &Lookup, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Fetched> {
    if let Some(found) = locate(set, lookup)? {
        unpack::contents(set, &found, &lookup.cache, progress)?;
        return Ok(Fetched::Present { directory: found.directory });
    }
    let found = missing(set, lookup, &download::PATIENCE, progress)?;
    Ok(Fetched::Downloaded { directory: found.directory })
}

/// The error for a set that is nowhere.
pub(crate) fn nowhere(set: &Set, lookup: &Lookup, attempts: Vec<Attempt>) -> Error {
    Error::Missing { name: set.name, searched: candidates(set, lookup), attempts }
}

/// Brings a missing set into the cache.
///
/// # Errors
/// [`Error::Missing`] with every source tried. A directory given with `from` that holds bad files is an error of its
/// own, like any other directory the user names.
pub(crate) fn missing(
    set: &'static Set,
    lookup: &Lookup,
    patience: &Patience,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Found> {
    let downloads = lookup.cache.join("downloads");
    let staging = Staging { folder: downloads.join(set.name.as_str()), cache: &lookup.cache };
    let attempt = |source: &str, reason: &str| vec![Attempt { source: source.into(), reason: reason.into() }];
    let from = lookup.from.as_deref();
    let address = from.filter(|from| from.starts_with("http://") || from.starts_with("https://"));
    match (from, address, lookup.network) {
        (_, Some(address), Network::Offline) => {
            return Err(nowhere(set, lookup, attempt(address, "offline")));
        }
        (None, _, Network::Offline) => return Err(nowhere(set, lookup, Vec::new())),
        _ => {}
    }
    if let Err(error) = fs::create_dir_all(&staging.folder) {
        let reason = format!("cannot be written: {error}");
        return Err(nowhere(set, lookup, attempt(&staging.folder.display().to_string(), &reason)));
    }
    // Two runs that start together download once: the second waits, and then finds what the first brought. Where the
    // file system knows no locks they may spoil each other's `.part`, which its digest would show.
    let lock = File::create(downloads.join(format!("{}.lock", set.name)));
    let _held = lock.and_then(|lock| lock.lock().map(|()| lock));
    if let Some(found) = locate(set, lookup)? {
        return Ok(found);
    }
    match (from, address) {
        (Some(directory), None) => staging.copy(set, Path::new(directory), lookup)?,
        _ => {
            for archive in set.archives {
                let mut attempts = Vec::new();
                if !staging.bring(set, archive, address, patience, &mut attempts, progress)? {
                    return Err(nowhere(set, lookup, attempts));
                }
            }
        }
    }
    staging.publish(set)
}

/// Where the files of one set are gathered.
struct Staging<'a> {
    folder: PathBuf,
    cache: &'a Path,
}

impl Staging<'_> {
    /// Brings one archive, trying every source until one serves good content; false where none did.
    fn bring(
        &self,
        set: &'static Set,
        archive: &'static Archive,
        address: Option<&str>,
        patience: &Patience,
        attempts: &mut Vec<Attempt>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<bool> {
        let (path, part) = (self.folder.join(archive.name), self.folder.join(format!("{}.part", archive.name)));
        // From an earlier run that was stopped between two archives.
        if path.exists() && self.check(set, archive, &path, progress).is_ok() {
            return Ok(true);
        }
        let length = match address {
            None => Length::Exactly(archive.bytes),
            Some(_) => Length::AtMost(archive.files.iter().map(|file| file.bytes).sum::<u64>() + PACKING_SLACK),
        };
        let what = format!("downloading {}", archive.name);
        for source in sources(set, archive, address) {
            // Twice where the first try went on from an older `.part`: its beginning may be what is bad.
            loop {
                let resumed = fs::metadata(&part).is_ok_and(|found| found.len() > 0);
                let mut step = |done, total| progress(Progress { what: &what, done, total });
                if let Err(reason) = download::transfer(&source, &part, length, patience, &mut step) {
                    attempts.push(Attempt { source, reason });
                    break;
                }
                let good = self.accept(set, archive, address, &part, &path, progress);
                match good {
                    Ok(()) => return Ok(true),
                    Err(error) => {
                        for bad in [&part, &path] {
                            let _ = fs::remove_file(bad);
                        }
                        if !resumed {
                            attempts.push(Attempt { source, reason: error.to_string() });
                            break;
                        }
                    }
                }
            }
        }
        Ok(false)
    }

    /// Judges a whole download and gives it its name.
    fn accept(
        &self,
        set: &'static Set,
        archive: &'static Archive,
        address: Option<&str>,
        part: &Path,
        path: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<()> {
        if address.is_none() {
            let found = digest::of_file(part)?;
            if found != archive.sha256 {
                let (file, path) = (archive.name.into(), part.to_path_buf());
                return Err(Error::Digest { file, path, expected: archive.sha256.into(), found });
            }
        }
        fs::rename(part, path).map_err(|source| Error::io("rename file", part, source))?;
        self.check(set, archive, path, progress)
    }

    /// Unpacks an archive into the cache, which checks its content; the set is opened from there later.
    fn check(
        &self,
        set: &'static Set,
        archive: &'static Archive,
        path: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<()> {
        let at = At::Archive { path: path.to_path_buf(), archive: *archive };
        let places = archive.files.iter().map(|file| Place { file: *file, at: at.clone() }).collect();
        let found = Found { directory: self.folder.clone(), places };
        unpack::contents(set, &found, self.cache, progress).map(|_| ())
    }

    /// Copies a set from a directory of the user's.
    fn copy(&self, set: &'static Set, directory: &Path, lookup: &Lookup) -> Result<()> {
        let mut found = look_into(set, directory)?;
        if found.is_none() {
            found = look_into(set, &directory.join(set.name.as_str()))?;
        }
        let Some(found) = found else {
            let reason = if directory.is_dir() { "holds no file of the set" } else { "is not a directory" };
            let attempt = Attempt { source: directory.display().to_string(), reason: reason.into() };
            return Err(nowhere(set, lookup, vec![attempt]));
        };
        unpack::verify(&found)?;
        // What an interrupted download left must not be taken for part of this copy.
        self.keep_only(&[])?;
        let mut copied: Vec<&Path> = Vec::new();
        for place in &found.places {
            let (At::File(from) | At::Archive { path: from, .. }) = &place.at;
            if copied.contains(&from.as_path()) {
                continue;
            }
            let to = self.folder.join(from.file_name().expect("a file of the catalog has a name"));
            let fail = |source| Error::io("copy file to", &to, source);
            let kept = unpack::temporary(&self.folder).map_err(fail)?;
            let mut reader = File::open(from).map_err(|source| Error::io("open file", from, source))?;
            std::io::copy(&mut reader, &mut kept.as_file()).map_err(fail)?;
            kept.persist(&to).map_err(|failed| fail(failed.error))?;
            copied.push(from);
        }
        Ok(())
    }

    /// Removes everything from the folder but these names.
    fn keep_only(&self, names: &[&str]) -> Result<()> {
        let fail = |source| Error::io("clear", &self.folder, source);
        for entry in fs::read_dir(&self.folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if !names.iter().any(|name| entry.file_name() == *name) {
                fs::remove_file(entry.path()).map_err(fail)?;
            }
        }
        Ok(())
    }

    /// Turns the gathered folder into the one that is searched.
    fn publish(&self, set: &'static Set) -> Result<Found> {
        let directory = self.cache.join(set.name.as_str());
        let fail = |source| Error::io("move downloaded files to", &directory, source);
        let names: Vec<&str> = set.files().flat_map(|(archive, file)| [archive.name, file.name]).collect();
        self.keep_only(&names)?;
        // In one step where there is no such folder yet or an empty one, so that no run ever sees half of it.
        if fs::rename(&self.folder, &directory).is_err() {
            fs::create_dir_all(&directory).map_err(fail)?;
            for entry in fs::read_dir(&self.folder).map_err(fail)? {
                let entry = entry.map_err(fail)?;
                fs::rename(entry.path(), directory.join(entry.file_name())).map_err(fail)?;
            }
        }
        look_into(set, &directory)?.ok_or_else(|| fail(std::io::ErrorKind::NotFound.into()))
    }
}

/// The addresses of an archive, in the order in which they are tried.
fn sources(set: &Set, archive: &Archive, from: Option<&str>) -> Vec<String> {
    let Some(from) = from else {
        return archive.mirrors.iter().map(|mirror| format!("{mirror}{}", archive.name)).collect();
    };
    if from.ends_with(&format!("/{}", archive.name)) {
        return vec![from.to_string()];
    }
    let base = from.trim_end_matches('/');
    vec![format!("{base}/{}", archive.name), format!("{base}/{}/{}", set.name, archive.name)]
}
