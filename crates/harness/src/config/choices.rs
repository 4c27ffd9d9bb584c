//! The values of a key that are one of a few words, and the two that are a number or a word.

use std::fmt;

use serde::{Serialize, Serializer};

/// A key whose value is one of a few words.
pub(super) trait Choice: Copy + Sized + 'static {
    /// Every value with its word.
    const ALL: &'static [(&'static str, Self)];

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == word).map(|&(_, value)| value)
    }

    fn words() -> String {
        Self::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

/// Declares an enum of words: its values, their names in files and on the command line, and `name()`.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $value:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $value,)+ }

        impl Choice for $name {
            const ALL: &'static [(&'static str, Self)] = &[$(($word, Self::$value)),+];
        }

        impl $name {
            /// The word in files and on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}

choice! {
    /// In which phases every image is scaled to unit Euclidean length.
    UnitLength {
        /// Pixels as they are in both phases.
        None = "none",
        /// Before the readout only: the paper's MNIST protocol.
        Readout = "readout",
        /// In both phases: the paper's CIFAR-10 protocol.
        Both = "both",
    }
}

choice! {
    /// What happens to units that never converged to the p-sphere when features are computed.
    OffSphere {
        /// They stay.
        Keep = "keep",
        /// They are left out of the readout.
        Drop = "drop",
    }
}

choice! {
    /// How the network learns.
    Method {
        /// The paper's rule for the hidden layer, then the readout.
        Biological = "biological",
        /// All of it by backpropagation: tanh and the power loss, as the paper's baseline.
        EndToEnd = "end-to-end",
        /// The same with softmax and cross-entropy.
        EndToEndSoftmax = "end-to-end-softmax",
        /// A hidden layer of random directions that learns nothing, then the readout.
        Random = "random",
        /// No hidden layer: the readout on the pixels.
        Shallow = "shallow",
    }
}

impl Method {
    /// Whether backpropagation trains all of it at once.
    pub fn is_end_to_end(self) -> bool {
        matches!(self, Self::EndToEnd | Self::EndToEndSoftmax)
    }

    /// Whether a key of a settings file has an effect under this method; the cells of one that has none stay empty.
    pub fn uses(self, key: &str) -> bool {
        match key {
            "k" | "delta" | "epochs" | "batch" | "rate" | "init_sigma" => self == Self::Biological,
            "p" | "power_n" | "current_scale" | "off_sphere" => matches!(self, Self::Biological | Self::Random),
            "hidden" => self != Self::Shallow,
            "loss_m" | "beta" => self != Self::EndToEndSoftmax,
            _ => true,
        }
    }
}

impl std::str::FromStr for Method {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::parse(word).ok_or_else(|| format!("expected one of {}", Self::words()))
    }
}

choice! {
    /// What the readout has to tell.
    Task {
        /// Which class.
        Class = "class",
        /// Whether the class number is odd.
        Parity = "parity",
        /// Which class, on the upper half of the classes, over a layer learned on the lower half.
        Half = "half",
    }
}

/// By what the currents are divided before the power n.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CurrentScale {
    /// This number.
    Fixed(f64),
    /// The mean of the largest current over the training examples.
    Auto,
}

impl fmt::Display for CurrentScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(scale) => scale.fmt(f),
            Self::Auto => f.write_str("auto"),
        }
    }
}

impl Serialize for CurrentScale {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(scale) => serializer.serialize_f64(*scale),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

/// How many of the examples at hand are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// All of them.
    All,
    /// The first so many.
    First(usize),
}

impl Amount {
    /// The number, if there is one.
    pub fn first(self) -> Option<usize> {
        match self {
            Self::All => None,
            Self::First(count) => Some(count),
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::First(count) => serializer.serialize_u64(*count as u64),
        }
    }
}
