//! The program under test, in a folder of its own, and small data sets for it.

#![allow(dead_code, unreachable_pub, reason = "every test binary compiles its own copy and uses a part of it")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rivalry_data::{npy, synthetic};

/// Says what could not be tested here, so that `scripts/check.sh` counts it. Not by `eprintln!`, which the test runner
/// would swallow.
pub fn skip(what: &str, why: &str) {
    let _ = std::io::stderr().write_all(format!("\n!! SKIPPED {what}: {why}\n").as_bytes());
}

/// The folder that an environment variable names, if it does; else says that `what` is not tested.
pub fn folder_of(variable: &str, what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    if folder.is_none() {
        skip(what, &format!("{variable} names no folder"));
    }
    folder
}

/// An empty folder in which the program runs, so that nothing depends on where the tests are started.
pub struct Place {
    folder: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("folders of a file");
        fs::write(&path, content).expect("a file of a test");
        path
    }

    /// The program, away from the user's data, cache and network.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rivalry-under-test"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_remove("RIVALRY_DATA")
            .env("XDG_CACHE_HOME", self.file("cache"))
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::new(self.command(arguments).output().expect("the program starts"))
    }

    /// Every file and folder below, by its path in here.
    pub fn listing(&self) -> BTreeSet<PathBuf> {
        fn walk(root: &Path, folder: &Path, found: &mut BTreeSet<PathBuf>) {
            for entry in fs::read_dir(folder).expect("a readable folder") {
                let path = entry.expect("an entry").path();
                found.insert(path.strip_prefix(root).expect("below the root").to_owned());
                if path.is_dir() {
                    walk(root, &path, found);
                }
            }
        }
        let mut found = BTreeSet::new();
        walk(self.path(), self.path(), &mut found);
        found
    }
}

impl Ended {
    pub fn new(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Exit code 1, nothing on stdout, and on stderr exactly one line `error: …` that holds `expected` and one `hint: …`.
    #[track_caller]
    pub fn failed_with(&self, expected: &str) {
        assert_eq!(self.code, Some(1), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        let lines: Vec<&str> = self.stderr.lines().collect();
        let [error, hint] = lines[..] else { panic!("expected two lines, found:\n{}", self.stderr) };
        let error = error.strip_prefix("error: ").unwrap_or_else(|| panic!("no error line in:\n{}", self.stderr));
        let hint = hint.strip_prefix("hint: ").unwrap_or_else(|| panic!("no hint line in:\n{}", self.stderr));
        assert!(error.contains(expected), "expected `{expected}` in: {error}");
        assert!(!hint.trim().is_empty());
    }
}

/// Random bits from a seed.
pub fn bits(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || synthetic::split_mix(&mut state)
}

/// Writes synthetic digits as a user's own data.
pub fn write_digits(place: &Place, name: &str, train: usize, test: usize) {
    let mut bits = bits(7);
    for (split, samples) in [("train", train), ("t10k", test)] {
        let digits = synthetic::digits(samples, &mut bits);
        write_split(place, &format!("{name}/{split}"), &digits.images, &digits.labels);
    }
}

/// Writes one split of a user's own data, images of 784 pixels: `of` is its folder and the beginning of its file names.
pub fn write_split(place: &Place, of: &str, images: &[u8], labels: &[u8]) {
    place.write(&format!("{of}-images.npy"), npy::write_u8(&[labels.len(), 784], images));
    place.write(&format!("{of}-labels.npy"), npy::write_u8(&[labels.len()], labels));
}
