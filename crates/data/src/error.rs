//! Errors as plain sentences: [`Error`] displays as one lower-case line, [`Error::hint`] says what to do about it.
//!
//! Parsers see bytes, not files. They return [`Error::Malformed`] without a path, and whoever read the file adds the
//! path with [`Error::in_file`]. [`Fault`] holds the details that a test or a caller may want to match on.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why data cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes do not follow their format.
    #[error("cannot read {what}{}: {fault}", from_path(path.as_deref()))]
    Malformed {
        /// The kind of bytes, such as `IDX images`.
        what: &'static str,
        /// The file they came from, where known.
        path: Option<PathBuf>,
        /// What is wrong with them.
        fault: Fault,
    },
    /// The content of a file is not the one in the catalog.
    #[error("the content of {file} in {} is wrong: its SHA-256 is {found}, not {expected}", path.display())]
    Digest {
        /// The file of the set.
        file: String,
        /// Where it was read: the file itself, or the archive that holds it.
        path: PathBuf,
        /// The digest in the catalog.
        expected: String,
        /// The digest of the content.
        found: String,
    },
    /// The content of a file does not have the length in the catalog.
    #[error("the content of {file} in {} has {found} bytes, not {expected}", path.display())]
    Size {
        /// The file of the set.
        file: String,
        /// Where it was read: the file itself, or the archive that holds it.
        path: PathBuf,
        /// The length in the catalog.
        expected: u64,
        /// The length found; `too many` where unpacking stopped at the expected length.
        found: String,
    },
    /// An archive cannot be unpacked.
    #[error("cannot unpack {}: {reason}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A directory holds some files of a set and lacks others.
    #[error("{} has no {}", directory.display(), missing.join(", no "))]
    Incomplete {
        /// The directory.
        directory: PathBuf,
        /// What it lacks: file names of a known set, or for example `training images` of a user's own data.
        missing: Vec<String>,
        /// What to do about it.
        hint: String,
    },
    /// Images and labels, or training and test files, do not fit together.
    #[error("{problem} in {}", directory.display())]
    Mismatch {
        /// What does not fit, such as `20 training images, but 19 training labels`.
        problem: String,
        /// The directory that holds the files.
        directory: PathBuf,
    },
    /// The set is in none of the directories and could not be downloaded.
    #[error("cannot find {name} in {}{}", either(searched), failed(attempts))]
    Missing {
        /// The set.
        name: &'static str,
        /// The directories searched, in order.
        searched: Vec<PathBuf>,
        /// Every source tried, and why it failed; empty where the network may not be used.
        attempts: Vec<Attempt>,
    },
    /// A name that is no data set.
    #[error("there is no data set called {found:?}")]
    UnknownName {
        /// The name.
        found: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {}", path.display(), reason(source))]
    Io {
        /// What was tried, such as `open`.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The refusal.
        source: std::io::Error,
    },
}

/// One source that was tried for a missing set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The address or directory.
    pub source: String,
    /// Why it failed, in one line.
    pub reason: String,
}

/// What is wrong with some bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Too short to hold its header.
    #[error("the header takes {expected} bytes, but there are only {found}")]
    Header {
        /// Length of the header.
        expected: usize,
        /// Number of bytes.
        found: usize,
    },
    /// Not the magic number of the format.
    #[error("the magic number is {found}, not {expected}")]
    Magic {
        /// The magic number of the format.
        expected: String,
        /// The number found.
        found: String,
    },
    /// The length is not the one in the header.
    #[error("the header promises {expected} bytes, but there are {found}")]
    Length {
        /// Length by the header.
        expected: usize,
        /// Number of bytes.
        found: usize,
    },
    /// The length is not a multiple of the record length.
    #[error("{found} bytes are not a multiple of {record}, the length of a record")]
    Record {
        /// Bytes of one record.
        record: usize,
        /// Number of bytes.
        found: usize,
    },
    /// The dimensions multiply to more than memory can address.
    #[error("dimensions {dimensions} do not fit into memory")]
    TooLarge {
        /// The dimensions, as `a × b × c`.
        dimensions: String,
    },
    /// No samples, or samples without inputs.
    #[error("dimensions {dimensions} hold no samples")]
    Empty {
        /// The dimensions, as `a × b × c`.
        dimensions: String,
    },
    /// A label that is no class.
    #[error("the label of sample {sample} is {label}, not a class from 0 to {}", classes - 1)]
    Label {
        /// Number of classes.
        classes: usize,
        /// The label.
        label: i64,
        /// Index of its sample.
        sample: usize,
    },
    /// An input that is NaN or infinite.
    #[error("sample {sample} holds {value}, not only finite numbers")]
    NotFinite {
        /// The value as text: `NaN` or `inf`.
        value: String,
        /// Index of its sample.
        sample: usize,
    },
    /// An unsupported version of the format.
    #[error("version {found} of the format is not supported, only 1.0, 2.0 and 3.0")]
    Version {
        /// The version.
        found: String,
    },
    /// A malformed header.
    #[error("the header should have {expected}, but has {found}")]
    Syntax {
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// An unsupported type of element.
    #[error("elements of type {found} are not supported here, only {expected}")]
    Dtype {
        /// The supported types.
        expected: &'static str,
        /// The type found, as the file writes it.
        found: String,
    },
    /// Column-major order.
    #[error("the array is stored by columns (Fortran order)")]
    FortranOrder,
    /// An array of the wrong rank.
    #[error("the shape is {found}, not {expected}")]
    Shape {
        /// The supported shapes.
        expected: &'static str,
        /// The shape found.
        found: String,
    },
}

impl Error {
    /// What a user can do about it, where there is something to say.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Malformed { fault: Fault::FortranOrder, .. } => {
                "save it again with numpy.save(file, numpy.ascontiguousarray(array))".into()
            }
            Self::Malformed { fault: Fault::Dtype { expected, .. }, .. } => {
                format!("convert it with array.astype(…) to one of these types: {expected}")
            }
            Self::Malformed { fault: Fault::Shape { .. }, .. } => "change it with array.reshape(…)".into(),
            Self::Malformed { fault: Fault::Label { .. } | Fault::NotFinite { .. }, .. } => {
                "correct the values and save the file again".into()
            }
            Self::Malformed { .. } | Self::Digest { .. } | Self::Size { .. } | Self::Archive { .. } => {
                "delete this file (a missing set is downloaded) or replace it by a good copy".into()
            }
            Self::Incomplete { hint, .. } => hint.clone(),
            Self::Mismatch { .. } => "take all files from the same data set".into(),
            Self::Missing { name, attempts, .. } if attempts.is_empty() => {
                format!("run without --offline, or put the files into data/{name}/")
            }
            Self::Missing { name, .. } => format!(
                "check the network (HTTPS_PROXY is honoured), run `rivalry data fetch {name} --from DIR|URL`, \
                 or put the files into data/{name}/"
            ),
            Self::UnknownName { .. } => {
                "choose mnist, cifar10 or synthetic, or name the directory of your own data with dataset = DIR".into()
            }
            Self::Io { .. } => return None,
        })
    }

    /// True when the set is simply not there and could not be downloaded. A bad file is never "missing".
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }

    /// Adds the file to [`Error::Malformed`]; other errors know theirs.
    #[must_use]
    pub fn in_file(self, file: &Path) -> Self {
        match self {
            Self::Malformed { what, path: None, fault } => {
                Self::Malformed { what, path: Some(file.to_path_buf()), fault }
            }
            other => other,
        }
    }

    pub(crate) fn malformed(what: &'static str, fault: Fault) -> Self {
        Self::Malformed { what, path: None, fault }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), source }
    }
}

fn from_path(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| format!(" from {}", path.display()))
}

fn either(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "any directory".into();
    }
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
}

fn failed(attempts: &[Attempt]) -> String {
    if attempts.is_empty() {
        return ", and downloads are off".into();
    }
    let attempts = attempts.iter().map(|attempt| format!("{} ({})", attempt.source, attempt.reason));
    format!(", nor get it from {}", attempts.collect::<Vec<_>>().join(" or "))
}

/// The reason of the operating system, without its number.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

/// Dimensions as they read best: `60000 × 28 × 28`.
pub(crate) fn dimensions<T: ToString>(sizes: &[T]) -> String {
    if sizes.is_empty() {
        return "of a single number".into();
    }
    sizes.iter().map(T::to_string).collect::<Vec<_>>().join(" × ")
}
