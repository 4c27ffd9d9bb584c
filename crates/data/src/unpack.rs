//! From a set that was found to the checked content of its files.
//!
//! A file that lies unpacked is mapped, and its length and digest are held against the catalog. One that lies in an
//! archive is taken from `cache/unpacked/<set>/<start of the archive's digest>/`, or unpacked into there. The folder's
//! name is what ties a copy to the archive it came from: other bytes in the archive, another folder. The digest of
//! the content is computed at every opening, so a copy that went bad is noticed and unpacked again. With the CPU's SHA
//! instructions that costs about 30 ms for MNIST, much less than decompressing it again.
//!
//! Unpacking stops one byte after the length in the catalog: no archive, however made, can fill the disk.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use crate::Progress;
use crate::catalog::{Archive, File, Packing, Set};
use crate::dataset::Content;
use crate::digest::{self, Digest};
use crate::error::{Error, Result};
use crate::locate::{At, Found};
use crate::map::Map;

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
        let folder = cache.join("unpacked").join(set.name.as_str()).join(&digest::of_bytes(&map)[..FOLDER_DIGITS]);
        let mut wanted = Vec::new();
        for (content, place) in contents.iter_mut().zip(&found.places) {
            if !matches!(&place.at, At::Archive { path: other, .. } if other == path) {
                continue;
            }
            let copy = folder.join(place.file.name);
            match Content::map(&copy) {
                Ok(mapped) if check(&place.file, &copy, mapped.bytes()).is_ok() => *content = Some(mapped),
                // Not there, unreadable or gone bad: all are cured by unpacking again.
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

/// Checks every file of a set without keeping anything; what it says of each is length and digest.
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

/// Holds content against the catalog.
fn check(file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
    if bytes.len() as u64 != file.bytes {
        return Err(wrong_size(file, path, bytes.len().to_string()));
    }
    check_digest(file, path, digest::of_bytes(bytes))
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

/// Takes the wanted files out of an archive and keeps them in a folder, or in memory where that cannot be written.
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
        let index = wanted.iter().position(|other| *other == file).expect("only wanted files are handed out");
        let content = match temporary(folder) {
            Ok(mut kept) => {
                packed.copy(&file, reader, &mut kept, &mut step)?;
                let path = folder.join(file.name);
                kept.persist(&path).map_err(|failed| Error::io("rename file", &path, failed.error))?;
                Content::map(&path)?
            }
            Err(_) => {
                let mut bytes = Vec::new();
                packed.copy(&file, reader, &mut bytes, &mut step)?;
                Content::Bytes { bytes: Arc::new(bytes), path: packed.path.to_path_buf() }
            }
        };
        contents[index] = Some(content);
        Ok(())
    })?;
    Ok(contents.into_iter().map(|content| content.expect("each file was handed out")).collect())
}

/// A file that is renamed when whole; in the same folder, since a rename does not cross file systems.
pub(crate) fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".part-");
    #[cfg(unix)]
    {
        // As any file is made (the umask still applies), not readable by its owner alone: a cache may be shared.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// An archive in memory. Since its bytes are all there, an error while reading can only mean that they are wrong.
struct Packed<'a> {
    path: &'a Path,
    archive: &'a Archive,
    bytes: &'a [u8],
}

impl Packed<'_> {
    /// Hands out every wanted file once.
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
            let expected = format!("a file {folder}/{}", file.name);
            return Err(Error::Archive { path: self.path.to_path_buf(), expected, found: "none".into() });
        }
        Ok(())
    }

    /// Copies one file, not a byte further than it may be long, and checks it.
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
                return Err(wrong_size(file, self.path, "more".into()));
            }
            digest.update(&buffer[..read]);
            sink.write_all(&buffer[..read]).map_err(|source| Error::io("write unpacked copy of", self.path, source))?;
            step(read as u64);
        }
        if length < file.bytes {
            return Err(wrong_size(file, self.path, length.to_string()));
        }
        check_digest(file, self.path, digest.hex())
    }

    fn damaged(&self, error: &io::Error) -> Error {
        let expected = match self.archive.packing {
            Packing::Gzip => "gzip data",
            Packing::TarGzip { .. } => "a gzip-compressed tar file",
        };
        let path = self.path.to_path_buf();
        Error::Archive { path, expected: expected.into(), found: format!("damaged: {error}") }
    }
}
