//! What can go wrong with data, said in one line: what, where, expected, found.
//!
//! Parsers know bytes, not files: they return [`Error::Malformed`] without a path, and whoever read the file adds it
//! with [`Error::in_file`]. The details a test or a caller may want to match on are in [`Fault`].

use std::fmt;
use std::path::{Path, PathBuf};

use crate::catalog::Name;

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure; its display is one lower-case line, and [`Error::hint`] says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not what their format says.
    #[error("{what}, {}, {fault}", place(path.as_deref()))]
    Malformed {
        /// The kind of bytes, such as `idx images`.
        what: &'static str,
        /// The file they came from, where known.
        path: Option<PathBuf>,
        /// What is wrong with them.
        fault: Fault,
    },
    /// A file's content is not the one in the catalog.
    #[error("content of {file}, {}, expected sha256 {expected}, found {found}", path.display())]
    Digest {
        /// The file of the set.
        file: String,
        /// Where it was read: the file itself, or the archive that holds it.
        path: PathBuf,
        /// The catalog's digest.
        expected: String,
        /// The digest of what was there.
        found: String,
    },
    /// A file's content does not have the length in the catalog.
    #[error("content of {file}, {}, expected {expected} bytes, found {found}", path.display())]
    Size {
        /// The file of the set.
        file: String,
        /// Where it was read: the file itself, or the archive that holds it.
        path: PathBuf,
        /// The catalog's length.
        expected: u64,
        /// The length found; for an archive that goes on too long, only that it is more.
        found: String,
    },
    /// An archive cannot be unpacked.
    #[error("archive, {}, expected {expected}, found {found}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What it should be.
        expected: String,
        /// What it is, or the decoder's complaint.
        found: String,
    },
    /// A directory holds some files of a set and lacks others.
    #[error("{name} files, {}, expected {}, found the others only", directory.display(), missing.join(", "))]
    Incomplete {
        /// The set's name, or `data` for a user's own directory.
        name: String,
        /// The directory that holds the others.
        directory: PathBuf,
        /// The files it lacks.
        missing: Vec<String>,
    },
    /// Images and labels, or training and test files, do not fit together.
    #[error("{what}, {}, expected {expected}, found {found}", directory.display())]
    Mismatch {
        /// What does not fit.
        what: &'static str,
        /// The directory they are in.
        directory: PathBuf,
        /// What the first of them asks for.
        expected: String,
        /// What the second is.
        found: String,
    },
    /// The set is in none of the directories, and could not be fetched.
    #[error("{name} files, {}, expected one of them, found none{}", places(searched), tried(attempts))]
    Missing {
        /// The set.
        name: Name,
        /// The directories looked in, in order.
        searched: Vec<PathBuf>,
        /// Every source tried, and why it failed; empty where the network may not be used.
        attempts: Vec<Attempt>,
    },
    /// A name that is no data set.
    #[error("data set, name, expected mnist, cifar10 or synthetic, found {found}")]
    UnknownName {
        /// The name given.
        found: String,
    },
    /// The operating system refused.
    #[error("{action}, {}, expected success, found: {source}", path.display())]
    Io {
        /// What was being done, such as `open file`.
        action: &'static str,
        /// To which path.
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

/// What is wrong with a run of bytes: the `expected …, found …` half of an error line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Too short to hold its header.
    #[error("expected a header of {expected} bytes, found {found}")]
    Header {
        /// Length of the header.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },
    /// Not the magic number of the format.
    #[error("expected magic {expected}, found {found}")]
    Magic {
        /// The format's magic number.
        expected: String,
        /// The number found.
        found: String,
    },
    /// The length is not the one the header asks for.
    #[error("expected {expected} bytes, found {found}")]
    Length {
        /// Bytes the header asks for.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },
    /// Not a whole number of records.
    #[error("expected a multiple of {record} bytes, found {found}")]
    Record {
        /// Bytes in one record.
        record: usize,
        /// Bytes there are.
        found: usize,
    },
    /// The dimensions multiply to more than memory can address.
    #[error("expected dimensions that fit in memory, found {dimensions}")]
    TooLarge {
        /// The dimensions, as `a × b × c`.
        dimensions: String,
    },
    /// No samples, or samples without inputs.
    #[error("expected at least one sample of at least one input, found {dimensions}")]
    Empty {
        /// The dimensions, as `a × b × c`.
        dimensions: String,
    },
    /// A label that is no class.
    #[error("expected labels from 0 to {}, found {label} at sample {sample}", classes - 1)]
    Label {
        /// Classes there are.
        classes: usize,
        /// The label.
        label: i64,
        /// Index of its sample.
        sample: usize,
    },
    /// An input that is not a finite number.
    #[error("expected finite values, found {value} at sample {sample}")]
    NotFinite {
        /// The value, as text: `NaN` or `inf`.
        value: String,
        /// Index of its sample.
        sample: usize,
    },
    /// A version of the format that is not read.
    #[error("expected version 1, 2 or 3, found {found}")]
    Version {
        /// The version.
        found: String,
    },
    /// A header that does not say what it must.
    #[error("expected {expected}, found {found}")]
    Syntax {
        /// What should be there.
        expected: &'static str,
        /// What is.
        found: String,
    },
    /// A type of element that is not read here.
    #[error("expected elements of type {expected}, found {found}")]
    Dtype {
        /// The types that are read.
        expected: &'static str,
        /// The type found, as the file writes it.
        found: String,
    },
    /// Columns first.
    #[error("expected rows first (c order), found fortran order")]
    FortranOrder,
    /// An array of the wrong rank.
    #[error("expected shape {expected}, found {found}")]
    Shape {
        /// The shapes that are read.
        expected: &'static str,
        /// The shape found.
        found: String,
    },
}

impl Error {
    /// What a user may do about it, where something can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Malformed { fault: Fault::FortranOrder, .. } => {
                "save it again with numpy.save(file, numpy.ascontiguousarray(array))".into()
            }
            Self::Malformed { fault: Fault::Dtype { .. }, .. } => {
                "convert it first, for example with array.astype('<f4')".into()
            }
            Self::Malformed { fault: Fault::Label { .. } | Fault::NotFinite { .. }, .. } => {
                "the file is whole, but what it holds is wrong: look at how it was made".into()
            }
            Self::Malformed { .. } | Self::Digest { .. } | Self::Size { .. } | Self::Archive { .. } => {
                "the file is damaged or another one: delete it (a missing set is downloaded) or put a good copy there"
                    .into()
            }
            Self::Incomplete { .. } => {
                "add the missing files, or remove the others so that the whole set is looked for elsewhere".into()
            }
            Self::Mismatch { .. } => "take all files from the same set".into(),
            Self::Missing { name, attempts, .. } if attempts.is_empty() => {
                format!("run without --offline, or give the files with --from DIR, or put them in data/{name}/")
            }
            Self::Missing { name, .. } => {
                format!("check the network (HTTPS_PROXY is honoured), or give --from DIR|URL, or fill data/{name}/")
            }
            Self::UnknownName { .. } => "for your own data give its directory as dataset = DIR".into(),
            Self::Io { .. } => return None,
        })
    }

    /// True when the set is simply not there and could not be fetched. A bad file is never "missing".
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }

    /// The same error, said of this file; other kinds than [`Error::Malformed`] already know theirs.
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

fn place(path: Option<&Path>) -> String {
    path.map_or_else(|| "bytes".into(), |path| path.display().to_string())
}

fn places(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "no directory".into();
    }
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
}

fn tried(attempts: &[Attempt]) -> String {
    if attempts.is_empty() {
        return " (offline: nothing was downloaded)".into();
    }
    let attempts: Vec<_> = attempts.iter().map(Attempt::to_string).collect();
    format!("; tried {}", attempts.join("; "))
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.source, self.reason)
    }
}

/// Dimensions as they read best: `60000 × 28 × 28`.
pub(crate) fn dimensions<T: ToString>(sizes: &[T]) -> String {
    if sizes.is_empty() {
        return "a single number".into();
    }
    sizes.iter().map(T::to_string).collect::<Vec<_>>().join(" × ")
}
