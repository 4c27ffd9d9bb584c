//! Downloads a missing set from the mirrors, or takes it from a source that the user names.
//!
//! The files are gathered and verified in `cache/downloads/<set>/`. Only a complete set is moved to `cache/<set>/`: a
//! directory with some of the files would end the search there with an error, so a stopped transfer must not leave one.
//!
//! An archive from a mirror of the catalog must have the length and digest in the catalog. An archive from the user's
//! source may be compressed differently. In both cases the digest of the content decides.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::catalog::{Archive, Name, Set};
use crate::content::sha256_of_file;
use crate::download::{self, Length, Patience};
use crate::error::{Attempt, Error, Result};
use crate::search::{At, Found, Lookup, Network, Place, Progress, candidates, locate, look_into};
use crate::unpack;

/// How much longer than its content a user's own archive may be; deflate adds less.
const PACKING_SLACK: u64 = 1 << 20;

/// What [`fetch`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Nothing: the set needs no files.
    BuiltIn,
    /// Only verified the files: they were there.
    Present {
        /// The directory that holds them.
        directory: PathBuf,
    },
    /// Downloaded or copied the files.
    Downloaded {
        /// The directory that now holds them.
        directory: PathBuf,
    },
}

/// Makes sure that a set is there: verifies it where it is found, downloads it where it is missing.
///
/// # Errors
/// As for [`crate::open`]: files that are there are never replaced, not even bad ones.
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

/// The error for a set that is in none of the directories.
pub(crate) fn nowhere(set: &Set, lookup: &Lookup, attempts: Vec<Attempt>) -> Error {
    Error::Missing { name: set.name.as_str(), searched: candidates(set, lookup), attempts }
}

/// Gets a missing set into the cache.
///
/// # Errors
/// [`Error::Missing`] with every source tried. Bad files in a directory given with `from` are an error of their own, as
/// in any directory that the user names.
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
            return Err(nowhere(set, lookup, attempt(address, "downloads are off")));
        }
        (None, _, Network::Offline) => return Err(nowhere(set, lookup, Vec::new())),
        _ => {}
    }
    if let Err(error) = fs::create_dir_all(&staging.folder) {
        let reason = format!("it is not writable: {error}");
        return Err(nowhere(set, lookup, attempt(&staging.folder.display().to_string(), &reason)));
    }
    // Two runs that start together download once: the second waits and then finds the files. On a file system without
    // locks they may corrupt each other's `.part`, which the digest reveals.
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
    /// Downloads one archive, trying every source until one serves good content; false where none did.
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
            // Try again where the first try continued an older `.part`, whose start may be bad.
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

    /// Verifies a complete download and gives it its final name.
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
            let found = sha256_of_file(part)?;
            if found != archive.sha256 {
                let (file, path) = (archive.name.into(), part.to_path_buf());
                return Err(Error::Digest { file, path, expected: archive.sha256.into(), found });
            }
        }
        fs::rename(part, path).map_err(|source| Error::io("rename", part, source))?;
        self.check(set, archive, path, progress)
    }

    /// Unpacks an archive into the cache, which verifies its content; the set is opened from there later.
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

    /// Copies a set from a directory that the user names.
    fn copy(&self, set: &'static Set, directory: &Path, lookup: &Lookup) -> Result<()> {
        let mut found = look_into(set, directory)?;
        if found.is_none() {
            found = look_into(set, &directory.join(set.name.as_str()))?;
        }
        let Some(found) = found else {
            let reason = if directory.is_dir() { "it holds no file of the set" } else { "it is not a directory" };
            let attempt = Attempt { source: directory.display().to_string(), reason: reason.into() };
            return Err(nowhere(set, lookup, vec![attempt]));
        };
        unpack::verify(&found)?;
        // Leftovers of an interrupted download must not become part of this copy.
        self.keep_only(&[])?;
        let mut copied: Vec<&Path> = Vec::new();
        for place in &found.places {
            let (At::File(from) | At::Archive { path: from, .. }) = &place.at;
            if copied.contains(&from.as_path()) {
                continue;
            }
            let to = self.folder.join(from.file_name().expect("a file of the catalog has a name"));
            let fail = |source| Error::io("copy to", &to, source);
            let kept = unpack::temporary(&self.folder).map_err(fail)?;
            let mut reader = File::open(from).map_err(|source| Error::io("open", from, source))?;
            std::io::copy(&mut reader, &mut kept.as_file()).map_err(fail)?;
            kept.persist(&to).map_err(|failed| fail(failed.error))?;
            copied.push(from);
        }
        Ok(())
    }

    /// Removes everything from the folder except these names.
    fn keep_only(&self, names: &[&str]) -> Result<()> {
        let fail = |source| Error::io("clear folder", &self.folder, source);
        for entry in fs::read_dir(&self.folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if !names.iter().any(|name| entry.file_name() == *name) {
                fs::remove_file(entry.path()).map_err(fail)?;
            }
        }
        Ok(())
    }

    /// Moves the gathered files to where the search finds them.
    fn publish(&self, set: &'static Set) -> Result<Found> {
        let directory = self.cache.join(set.name.as_str());
        let fail = |source| Error::io("move downloaded files to", &directory, source);
        let names: Vec<&str> = set.files().flat_map(|(archive, file)| [archive.name, file.name]).collect();
        self.keep_only(&names)?;
        // One rename where the folder does not exist or is empty, so that no other run sees half of the set.
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
