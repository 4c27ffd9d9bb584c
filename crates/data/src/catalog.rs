//! The known data sets: files, lengths, digests, and where archives can be downloaded.
//!
//! There are two kinds of digest. The digest of a file is that of its *content*, uncompressed: it decides, wherever
//! the file came from. The length and digest of an archive belong to one particular compression, so they are compared
//! with downloads from these mirrors only: a user's own archive may be compressed differently.
//!
//! Sources: <http://yann.lecun.com/exdb/mnist/> and <https://www.cs.toronto.edu/~kriz/cifar.html>; the digests of the
//! MNIST archives are those many projects pin for the two mirrors.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::{cifar, synthetic};

/// A data set this crate knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// Handwritten digits: 60 000 + 10 000, 28 × 28, ten classes.
    Mnist,
    /// Small photographs: 50 000 + 10 000, 32 × 32 in colour, ten classes.
    Cifar10,
    /// Generated digits of the shape and size of MNIST; needs no file.
    Synthetic,
}

impl Name {
    /// Every name, in the order of `rivalry data list`.
    pub const ALL: [Self; 3] = [Self::Mnist, Self::Cifar10, Self::Synthetic];

    /// The name as it is typed, which is also the name of its folder.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::Cifar10 => "cifar10",
            Self::Synthetic => "synthetic",
        }
    }

    /// Number of classes; every label is below it.
    #[must_use]
    pub fn classes(self) -> usize {
        match self {
            Self::Mnist => 10,
            Self::Cifar10 => cifar::CLASSES,
            Self::Synthetic => synthetic::CLASSES,
        }
    }

    /// The files of the set; `None` for the synthetic digits.
    #[must_use]
    pub fn set(self) -> Option<&'static Set> {
        match self {
            Self::Mnist => Some(&MNIST),
            Self::Cifar10 => Some(&CIFAR10),
            Self::Synthetic => None,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| Error::UnknownName { found: text.into() })
    }
}

/// What a set is made of.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    /// Its name and folder.
    pub name: Name,
    /// The archives, which between them hold every file once.
    pub archives: &'static [Archive],
    /// [`crate::Dataset::sha256`] of the set: known beforehand, since the content of every file is.
    pub sha256: &'static str,
}

impl Set {
    /// Every file with the archive that holds it, in the order in which they are read.
    pub fn files(&self) -> impl Iterator<Item = (&'static Archive, &'static File)> + use<> {
        self.archives.iter().flat_map(|archive| archive.files.iter().map(move |file| (archive, file)))
    }
}

/// An archive and what is in it.
#[derive(Clone, Copy, Debug)]
pub struct Archive {
    /// Its file name.
    pub name: &'static str,
    /// How it is packed.
    pub packing: Packing,
    /// What it holds.
    pub files: &'static [File],
    /// Where to download it from, in the order in which they are tried: addresses that end in `/`, to which the
    /// archive's name is added.
    pub mirrors: &'static [&'static str],
    /// Length of the archive at the mirrors.
    pub bytes: u64,
    /// SHA-256 of the archive at the mirrors.
    pub sha256: &'static str,
}

/// How an archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// One file, compressed with gzip.
    Gzip,
    /// A gzip-compressed tar file that holds the files under this folder.
    TarGzip {
        /// The folder inside the tar file.
        folder: &'static str,
    },
}

/// A file of a set, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its file name.
    pub name: &'static str,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: &'static str,
}

/// MNIST: training images and labels, test images and labels.
pub const MNIST: Set = Set {
    name: Name::Mnist,
    archives: &MNIST_ARCHIVES,
    sha256: "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16",
};

const MNIST_MIRRORS: &[&str] =
    &["https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"];

const MNIST_ARCHIVES: [Archive; 4] = [
    Archive {
        name: "train-images-idx3-ubyte.gz",
        packing: Packing::Gzip,
        files: &[File {
            name: "train-images-idx3-ubyte",
            bytes: 47_040_016,
            sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        }],
        mirrors: MNIST_MIRRORS,
        bytes: 9_912_422,
        sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    },
    Archive {
        name: "train-labels-idx1-ubyte.gz",
        packing: Packing::Gzip,
        files: &[File {
            name: "train-labels-idx1-ubyte",
            bytes: 60_008,
            sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        }],
        mirrors: MNIST_MIRRORS,
        bytes: 28_881,
        sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    },
    Archive {
        name: "t10k-images-idx3-ubyte.gz",
        packing: Packing::Gzip,
        files: &[File {
            name: "t10k-images-idx3-ubyte",
            bytes: 7_840_016,
            sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        }],
        mirrors: MNIST_MIRRORS,
        bytes: 1_648_877,
        sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    },
    Archive {
        name: "t10k-labels-idx1-ubyte.gz",
        packing: Packing::Gzip,
        files: &[File {
            name: "t10k-labels-idx1-ubyte",
            bytes: 10_008,
            sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        }],
        mirrors: MNIST_MIRRORS,
        bytes: 4_542,
        sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
];

/// CIFAR-10, the binary version: five training batches and the test batch in one archive.
pub const CIFAR10: Set = Set {
    name: Name::Cifar10,
    archives: &[Archive {
        name: "cifar-10-binary.tar.gz",
        packing: Packing::TarGzip { folder: "cifar-10-batches-bin" },
        files: &CIFAR10_FILES,
        mirrors: &["https://www.cs.toronto.edu/~kriz/"],
        bytes: 170_052_171,
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    }],
    sha256: "32e5966899bde482c0ef7d076bf69809b4b1488c806f657a814cfca4646ec493",
};

const CIFAR10_FILES: [File; 6] = [
    File {
        name: "data_batch_1.bin",
        bytes: 30_730_000,
        sha256: "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    },
    File {
        name: "data_batch_2.bin",
        bytes: 30_730_000,
        sha256: "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    },
    File {
        name: "data_batch_3.bin",
        bytes: 30_730_000,
        sha256: "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    },
    File {
        name: "data_batch_4.bin",
        bytes: 30_730_000,
        sha256: "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    },
    File {
        name: "data_batch_5.bin",
        bytes: 30_730_000,
        sha256: "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    },
    File {
        name: "test_batch.bin",
        bytes: 30_730_000,
        sha256: "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    },
];
