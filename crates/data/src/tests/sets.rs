//! Small sets with a catalog of their own, which the tests open instead of 170 MB of real data.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::catalog::{Archive, CIFAR10, File, MNIST, Name, Packing, Set};
use crate::content::sha256_of;
use crate::{Lookup, Network, Result, cifar, idx};

/// Training and test samples of the small MNIST.
pub(super) const SAMPLES: (usize, usize) = (20, 5);

/// A set and the content of its files, in the catalog's order.
pub(super) struct Small {
    pub(super) set: &'static Set,
    pub(super) contents: Vec<Vec<u8>>,
}

/// Test sets live as long as the program, as the real catalog does.
fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn text(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn file(name: &'static str, content: &[u8]) -> File {
    File { name, bytes: content.len() as u64, sha256: text(sha256_of(content)) }
}

/// Pixels that no two samples share.
fn pixels(samples: usize, inputs: usize, start: usize) -> Vec<u8> {
    (0..samples * inputs).map(|index| ((index + start) * 37 % 251) as u8).collect()
}

/// MNIST of a few 4 × 3 images, offered at these mirrors.
pub(super) fn mnist_at(mirrors: &[&str]) -> Small {
    let (train, test) = SAMPLES;
    let labels =
        |samples: usize| idx::encode_labels(&(0..samples).map(|sample| (sample % 10) as u8).collect::<Vec<_>>());
    let contents = vec![
        idx::encode_images(train, 4, 3, &pixels(train, 12, 0)),
        labels(train),
        idx::encode_images(test, 4, 3, &pixels(test, 12, 5)),
        labels(test),
    ];
    described(contents, mirrors)
}

/// A set of four files with these contents, offered at these mirrors.
pub(super) fn described(contents: Vec<Vec<u8>>, mirrors: &[&str]) -> Small {
    let mirrors: Vec<&'static str> = mirrors.iter().map(|mirror| text((*mirror).into())).collect();
    let mirrors: &'static [&'static str] = leak(mirrors);
    let archive = |(real, content): (&Archive, &Vec<u8>)| {
        let packed = gzip(content);
        let files = std::slice::from_ref(leak(file(real.files[0].name, content)));
        let (bytes, sha256) = (packed.len() as u64, text(sha256_of(&packed)));
        Archive { name: real.name, packing: Packing::Gzip, files, mirrors, bytes, sha256 }
    };
    let archives: Vec<Archive> = MNIST.archives.iter().zip(&contents).map(archive).collect();
    Small { set: leak(Set { name: Name::Mnist, archives: leak(archives), sha256: "small" }), contents }
}

/// The same, offered nowhere.
pub(super) fn mnist() -> Small {
    mnist_at(&[])
}

/// CIFAR-10 of two records a batch.
pub(super) fn cifar10() -> Small {
    let real = &CIFAR10.archives[0];
    let batch = |start: usize| {
        let mut bytes = pixels(2, cifar::RECORD, start);
        bytes[0] = start as u8;
        bytes[cifar::RECORD] = 9;
        bytes
    };
    let contents: Vec<Vec<u8>> = (0..real.files.len()).map(batch).collect();
    let files: Vec<File> = real.files.iter().zip(&contents).map(|(real, content)| file(real.name, content)).collect();
    let files: &'static [File] = leak(files);
    let archive = Archive { files, mirrors: &[], bytes: 1, sha256: "another packing", ..*real };
    Small { set: leak(Set { name: Name::Cifar10, archives: leak([archive]), sha256: "small" }), contents }
}

pub(super) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A gzip-compressed tar file of these paths.
pub(super) fn tar_gzip(files: &[(String, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, *content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

impl Small {
    /// The archives with their names.
    pub(super) fn archives(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut contents = self.contents.iter();
        let mut archives = Vec::new();
        for archive in self.set.archives {
            let packed = match archive.packing {
                Packing::Gzip => gzip(contents.next().unwrap()),
                Packing::TarGzip { folder } => {
                    let files = archive.files.iter().zip(contents.by_ref());
                    let files: Vec<_> =
                        files.map(|(file, content)| (format!("{folder}/{}", file.name), &content[..])).collect();
                    tar_gzip(&files)
                }
            };
            archives.push((archive.name, packed));
        }
        archives
    }

    /// Puts the archives into `directory/<set>/`.
    pub(super) fn write_archives(&self, directory: &Path) -> PathBuf {
        self.write(directory, &self.archives())
    }

    /// Puts the unpacked files there.
    pub(super) fn write_files(&self, directory: &Path) -> PathBuf {
        let files: Vec<_> =
            self.set.files().zip(&self.contents).map(|((_, file), content)| (file.name, content.clone())).collect();
        self.write(directory, &files)
    }

    fn write(&self, directory: &Path, files: &[(&str, Vec<u8>)]) -> PathBuf {
        let folder = directory.join(self.set.name.as_str());
        fs::create_dir_all(&folder).unwrap();
        for (name, content) in files {
            fs::write(folder.join(name), content).unwrap();
        }
        folder
    }
}

/// A temporary directory with two to search, `a` and `b`, and a cache.
pub(super) struct Place {
    root: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(super) fn lookup(&self) -> Lookup {
        let directories = vec![self.path("a"), self.path("b")];
        Lookup { directories, cache: self.path("cache"), network: Network::Offline, from: None }
    }

    /// Every file below a directory, by its path from there.
    pub(super) fn files(&self, name: &str) -> Vec<String> {
        fn walk(directory: &Path, root: &Path, files: &mut Vec<String>) {
            let Ok(entries) = fs::read_dir(directory) else { return };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, root, files);
                } else {
                    files.push(path.strip_prefix(root).unwrap().display().to_string());
                }
            }
        }
        let (root, mut files) = (self.path(name), Vec::new());
        walk(&root, &root, &mut files);
        files.sort();
        files
    }
}

/// Opens a small set; returns the result and the reported steps.
pub(super) fn open(small: &Small, lookup: &Lookup) -> (Result<crate::Dataset>, Vec<String>) {
    let mut steps = Vec::new();
    let opened = crate::open::open_set(small.set, lookup, &mut |progress| {
        if steps.last().is_none_or(|last| last != progress.what) {
            steps.push(progress.what.to_string());
        }
        assert!(progress.total.is_none_or(|total| progress.done <= total), "{progress:?}");
    });
    (opened, steps)
}
