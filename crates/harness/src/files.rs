//! Files that are whole or not there: written under a temporary name in the same folder, flushed, renamed.

use std::fs::{self, Permissions};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde::de::DeserializeOwned;

use crate::error::failure;

/// Temporary files start so, then comes the name of the file that they become: a later run knows what a killed one left behind.
const TEMPORARY: &str = ".rivalry-tmp-";

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file so that it holds all of `content` or is not touched.
///
/// # Errors
/// Whatever the system says, with the path.
pub fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let folder = folder_of(path);
    let refuse = |error: std::io::Error| {
        failure(format!("cannot write {}: {error}", path.display()), "is the folder there, writable, and not full?")
    };
    let mut temporary = temporary_in(folder, &prefix_of(path)).map_err(refuse)?;
    temporary.write_all(content).and_then(|()| temporary.as_file().sync_data()).map_err(refuse)?;
    temporary.persist(path).map_err(|error| refuse(error.error))?;
    Ok(())
}

/// The text of a file that the user named; `what` says in the error what it was to be.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub fn read_text(what: &str, path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read the {what} {}: {error}", path.display());
        failure(message, "check the path")
    })
}

/// Reads TOML as a type; `place` names the file in errors, `hint` says what it may hold.
///
/// # Errors
/// It is not TOML, or not of that type; the message has the line.
pub fn from_toml<T: DeserializeOwned>(text: &str, place: &str, hint: &str) -> anyhow::Result<T> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        failure(format!("{place}, line {line}: {}", error.message().replace('\n', " ")), hint)
    })
}

/// Checks that [`write()`] will be able to write there, before hours are spent on what it should write.
///
/// # Errors
/// The path is a folder, or its folder is missing or not writable.
pub fn check_writable(path: &Path) -> anyhow::Result<()> {
    let hint = "name a file in a folder that is there and writable";
    if path.is_dir() {
        return Err(failure(format!("{} is a folder, not a file", path.display()), hint));
    }
    temporary_in(folder_of(path), &prefix_of(path))
        .map(drop)
        .map_err(|error| failure(format!("cannot write {}: {error}", path.display()), hint))
}

/// Checks that a folder that is not there can be made: its nearest ancestor that is there is a writable folder.
///
/// # Errors
/// It is not, with both paths.
pub fn check_creatable(folder: &Path) -> anyhow::Result<()> {
    let above = folder.ancestors().skip(1).map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let Some(there) = above.into_iter().find(|path| path.exists()) else { return Ok(()) };
    temporary_in(there, TEMPORARY).map(drop).map_err(|error| refuse_folder(folder, &error))
}

/// Makes a folder and those above it.
///
/// # Errors
/// Whatever the system says, with the path.
pub fn create_folder(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).map_err(|error| refuse_folder(folder, &error))
}

fn refuse_folder(folder: &Path, error: &std::io::Error) -> anyhow::Error {
    let message = format!("cannot create the folder {}: {error}", folder.display());
    failure(message, "name a folder that can be created, with --out")
}

/// Removes what a killed run left half-written in the folder.
///
/// # Errors
/// The folder cannot be read, or a file in it not removed.
pub fn remove_temporary(folder: &Path) -> anyhow::Result<()> {
    remove_starting_with(folder, TEMPORARY)
}

/// Removes what a killed run left half-written of one file, in a folder that others may be writing to.
///
/// # Errors
/// As [`remove_temporary`].
pub fn remove_temporary_of(path: &Path) -> anyhow::Result<()> {
    remove_starting_with(folder_of(path), &prefix_of(path))
}

fn remove_starting_with(folder: &Path, prefix: &str) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read folder {}", folder.display()))? {
        let path = entry?.path();
        if starts_with(&path, prefix) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Whether the name is one that [`write()`] gives while it is writing.
pub fn is_temporary(path: &Path) -> bool {
    starts_with(path, TEMPORARY)
}

fn starts_with(path: &Path, prefix: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
}

/// How temporary files of one file start.
fn prefix_of(path: &Path) -> String {
    format!("{TEMPORARY}{}-", path.file_name().unwrap_or_default().to_string_lossy())
}

fn temporary_in(folder: &Path, prefix: &str) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    // tempfile makes files private; results are ordinary files under the user's umask.
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(Permissions::from_mode(0o666))
    };
    builder.tempfile_in(folder)
}

/// The folder of a path; a bare name is in the current one.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_remains() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.csv");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_found_before_and_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no/such/file");
        assert!(check_writable(&path).unwrap_err().to_string().contains("no/such/file"));
        assert!(write(&path, b"").unwrap_err().to_string().contains("no/such/file"));
        check_creatable(&path).unwrap();
        assert!(check_writable(folder.path()).unwrap_err().to_string().contains("is a folder"));
        assert!(check_writable(&folder.path().join("file")).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a check leaves nothing behind");
    }

    #[test]
    fn a_folder_below_a_file_cannot_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for error in [check_creatable(&file.join("x/y")).unwrap_err(), create_folder(&file.join("x")).unwrap_err()] {
            assert!(error.to_string().contains("cannot create the folder"), "{error}");
        }
    }

    #[test]
    fn leftovers_of_a_killed_run_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(format!("{TEMPORARY}x1")), "half").unwrap();
        fs::write(folder.path().join("kept"), "").unwrap();
        fs::write(folder.path().join(format!("{TEMPORARY}mine.csv-x2")), "half").unwrap();
        fs::write(folder.path().join(format!("{TEMPORARY}other.csv-x3")), "half").unwrap();
        let names = || fs::read_dir(folder.path()).unwrap().count();
        remove_temporary_of(&folder.path().join("mine.csv")).unwrap();
        assert_eq!(names(), 3, "those of other files and what is kept");
        remove_temporary(folder.path()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["kept"]);
    }
}
