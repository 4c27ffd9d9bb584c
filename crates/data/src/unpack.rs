//! From a set that was found to the verified content of its files.
//!
//! An unpacked file is mapped, and its length and digest are compared with the catalog. A file in an archive is taken
//! from `cache/unpacked/<set>/<start of the archive's digest>/`, or unpacked into there. The name of that folder ties a
//! copy to its archive: when the archive changes, the folder changes. The digest of the content is computed at every
//! opening, so a corrupted copy is noticed and unpacked again.
//!
//! Unpacking stops one byte after the length in the catalog, so no archive can fill the disk.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::catalog::{Archive, File, Packing, Set};
use crate::content::{Content, Digest, sha256_of};
use crate::error::{Error, Result};
use crate::map::Map;
use crate::search::{At, Found, Progress};

/// Tar headers and small files beside the wanted ones: more than this is no archive of the set.
const TAR_SLACK: u64 = 1 << 20;

/// Digits of the archive's digest that name the folder of its copies.
const FOLDER_DIGITS: usize = 16;

/// Reads every file of a set, in the catalog's order, and checks its content.
pub(crate) fn contents(
    set: &Set,
    found: &Found,
    cache: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<Content>> {
    let mut contents: Vec<Option<Content>> = vec![None; found.places.len()];
    for (content, place) in contents.iter_mut().zip(&found.places) {
        if let At::File(path) = &place.at {
            let mapped = Content::map(path)?;
            check(&place.file, path, mapped.bytes())?;
            *content = Some(mapped);
        }
    }
    for (path, archive) in archives(found) {
        let map = Map::open(path)?;
        let folder = cache.join("unpacked").join(set.name.as_str()).join(&sha256_of(&map)[..FOLDER_DIGITS]);
        let mut wanted = Vec::new();
        for (content, place) in contents.iter_mut().zip(&found.places) {
            if !matches!(&place.at, At::Archive { path: other, .. } if other == path) {
                continue;
            }
            let copy = folder.join(place.file.name);
            match Content::map(&copy) {
                Ok(mapped) if check(&place.file, &copy, mapped.bytes()).is_ok() => *content = Some(mapped),
                // Not there, unreadable or corrupted: unpacking again cures all three.
                _ => wanted.push(place.file),
            }
        }
        let mut unpacked = unpack(&Packed { path, archive, bytes: &map }, &wanted, &folder, progress)?.into_iter();
        for (content, place) in contents.iter_mut().zip(&found.places) {
            if wanted.contains(&place.file) {
                *content = unpacked.next();
            }
        }
    }
    Ok(contents.into_iter().map(|content| content.expect("every place is a file or in an archive")).collect())
}

/// Verifies length and digest of every file of a set without keeping anything.
pub(crate) fn verify(found: &Found) -> Result<()> {
    for place in &found.places {
        match &place.at {
            At::File(path) => check(&place.file, path, &Map::open(path)?)?,
            At::Archive { .. } => {}
        }
    }
    for (path, archive) in archives(found) {
        let map = Map::open(path)?;
        let wanted: Vec<File> = found
            .places
            .iter()
            .filter(|place| matches!(&place.at, At::Archive { path: other, .. } if other == path))
            .map(|place| place.file)
            .collect();
        let packed = Packed { path, archive, bytes: &map };
        packed.each(&wanted, &mut |file, reader| packed.copy(&file, reader, &mut io::sink(), &mut |_| {}))?;
    }
    Ok(())
}

/// The archives a set is read from, each once.
fn archives(found: &Found) -> Vec<(&Path, &Archive)> {
    let mut archives: Vec<(&Path, &Archive)> = Vec::new();
    for place in &found.places {
        if let At::Archive { path, archive } = &place.at
            && archives.iter().all(|(other, _)| other != path)
        {
            archives.push((path, archive));
        }
    }
    archives
}

/// Compares content with the catalog.
fn check(file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
    if bytes.len() as u64 != file.bytes {
        return Err(wrong_size(file, path, bytes.len().to_string()));
    }
    check_digest(file, path, sha256_of(bytes))
}

fn check_digest(file: &File, path: &Path, found: String) -> Result<()> {
    if found == file.sha256 {
        return Ok(());
    }
    let expected = file.sha256.to_string();
    Err(Error::Digest { file: file.name.into(), path: path.to_path_buf(), expected, found })
}

fn wrong_size(file: &File, path: &Path, found: String) -> Error {
    Error::Size { file: file.name.into(), path: path.to_path_buf(), expected: file.bytes, found }
}

/// Unpacks the wanted files into a folder, or into memory where the folder is not writable.
fn unpack(
    packed: &Packed<'_>,
    wanted: &[File],
    folder: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<Content>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let what = format!("unpacking {}", packed.archive.name);
    let total = Some(wanted.iter().map(|file| file.bytes).sum());
    let mut done = 0;
    progress(Progress { what: &what, done, total });
    let mut step = |bytes: u64| {
        done += bytes;
        progress(Progress { what: &what, done, total });
    };
    let mut contents = vec![None; wanted.len()];
    packed.each(wanted, &mut |file, reader| {
        let index = wanted.iter().position(|other| *other == file).expect("only wanted files are passed");
        let content = match temporary(folder) {
            Ok(mut kept) => {
                packed.copy(&file, reader, &mut kept, &mut step)?;
                let path = folder.join(file.name);
                kept.persist(&path).map_err(|failed| Error::io("rename", &path, failed.error))?;
                Content::map(&path)?
            }
            Err(_) => {
                let mut bytes = Vec::new();
                packed.copy(&file, reader, &mut bytes, &mut step)?;
                Content::owned(bytes, packed.path)
            }
        };
        contents[index] = Some(content);
        Ok(())
    })?;
    Ok(contents.into_iter().map(|content| content.expect("each file was passed")).collect())
}

/// A file that is renamed when complete; in the same folder, because a rename does not cross file systems.
pub(crate) fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".part-");
    #[cfg(unix)]
    {
        // Readable as any new file (the umask applies), because a cache may be shared.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// An archive in memory. All its bytes are there, so a read error means that they are wrong.
struct Packed<'a> {
    path: &'a Path,
    archive: &'a Archive,
    bytes: &'a [u8],
}

impl Packed<'_> {
    /// Passes every wanted file to `take` once.
    fn each(&self, wanted: &[File], take: &mut dyn FnMut(File, &mut dyn Read) -> Result<()>) -> Result<()> {
        let mut stream = MultiGzDecoder::new(self.bytes);
        let Packing::TarGzip { folder } = self.archive.packing else {
            return wanted.iter().try_for_each(|file| take(*file, &mut stream));
        };
        let limit = self.archive.files.iter().map(|file| file.bytes).sum::<u64>() + TAR_SLACK;
        let mut tar = tar::Archive::new(stream.take(limit));
        let mut rest = wanted.to_vec();
        for entry in tar.entries().map_err(|error| self.damaged(&error))? {
            if rest.is_empty() {
                break;
            }
            let mut entry = entry.map_err(|error| self.damaged(&error))?;
            let path = entry.path().map_err(|error| self.damaged(&error))?.into_owned();
            let index = rest
                .iter()
                .position(|file| path.strip_prefix(".").unwrap_or(&path) == Path::new(folder).join(file.name));
            if let Some(index) = index
                && entry.header().entry_type().is_file()
            {
                take(rest.remove(index), &mut entry)?;
            }
        }
        if let Some(file) = rest.first() {
            let reason = format!("it has no file {folder}/{}", file.name);
            return Err(Error::Archive { path: self.path.to_path_buf(), reason });
        }
        Ok(())
    }

    /// Copies one file, stops where it gets longer than it may be, and verifies it.
    fn copy(&self, file: &File, reader: &mut dyn Read, sink: &mut dyn Write, step: &mut dyn FnMut(u64)) -> Result<()> {
        let mut digest = Digest::new();
        let mut buffer = vec![0; 1 << 16];
        let mut length = 0;
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.damaged(&error)),
            };
            length += read as u64;
            if length > file.bytes {
                return Err(wrong_size(file, self.path, "too many".into()));
            }
            digest.update(&buffer[..read]);
            sink.write_all(&buffer[..read])
                .map_err(|source| Error::io("write the unpacked content of", self.path, source))?;
            step(read as u64);
        }
        if length < file.bytes {
            return Err(wrong_size(file, self.path, length.to_string()));
        }
        check_digest(file, self.path, digest.hex())
    }

    fn damaged(&self, error: &io::Error) -> Error {
        let kind = match self.archive.packing {
            Packing::Gzip => "gzip file",
            Packing::TarGzip { .. } => "gzip-compressed tar file",
        };
        Error::Archive { path: self.path.to_path_buf(), reason: format!("it is no intact {kind} ({error})") }
    }
}
