//! The types of the values: words, numbers or a word, and the sizes of the layers.
//!
//! serde gives every word its one spelling: in TOML, after `--set`, in the cells of a row.

use std::fmt;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// In which phases every image is scaled to unit Euclidean length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitLength {
    /// Pixels as they are in both phases.
    None,
    /// Before the readout only: the paper's MNIST protocol.
    Readout,
    /// In both phases: the paper's CIFAR-10 protocol.
    Both,
}

/// What happens to units that never converged to the p-sphere when features are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OffSphere {
    /// They stay.
    Keep,
    /// They are left out of the readout.
    Drop,
}

/// What the readout has to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Which class.
    Class,
    /// Whether the class number is odd.
    Parity,
    /// Which class, on the upper half of the classes, over a layer learned on the lower half.
    Half,
}

/// Which samples `validation` and `train_samples` take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// Those of a seeded shuffle, the same share of every class.
    Shuffled,
    /// The last share of the file, and the first so many of the rest.
    FileOrder,
}

/// By what the currents are divided before the power n.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CurrentScale {
    /// The mean of the largest current over the training samples.
    Auto,
    /// This number.
    #[serde(untagged)]
    Fixed(f64),
}

/// The limit of anti-Hebbian updates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// There is none: the paper's rule.
    Off,
    /// So many for each win of the unit.
    #[serde(untagged)]
    PerWin(f64),
}

/// How many of the samples at hand are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// All of them.
    All,
    /// The first so many.
    #[serde(untagged)]
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

/// Displays a value as serde writes it.
macro_rules! display {
    ($($name:ty),+) => {
        $(impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.serialize(f)
            }
        })+
    };
}

display!(UnitLength, OffSphere, Task, Split, CurrentScale, Balance, Amount);

/// The sizes of the hidden layers, from the inputs up. One layer is written as a number; several are a list in TOML,
/// `500,500` after `--set hidden=`, and `500-500` in rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden(Vec<usize>);

impl Hidden {
    /// Layers of these sizes.
    ///
    /// # Panics
    /// If there is none.
    pub fn new(sizes: Vec<usize>) -> Self {
        assert!(!sizes.is_empty(), "at least one hidden layer");
        Self(sizes)
    }

    /// The size of each layer.
    pub fn sizes(&self) -> &[usize] {
        &self.0
    }

    /// The units of the first layer, which sees the inputs.
    pub fn first(&self) -> usize {
        self.0[0]
    }

    /// The inputs and the units of each layer, over samples of so many inputs.
    pub(crate) fn widths_below(&self, inputs: usize) -> impl Iterator<Item = (usize, usize)> {
        std::iter::once(inputs).chain(self.0.iter().copied()).zip(self.0.iter().copied())
    }

    /// The cell of a CSV row: a number, or `500-500`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize_cell<S: Serializer>(cell: &Option<Self>, serializer: S) -> Result<S::Ok, S::Error> {
        match cell {
            Some(sizes) if sizes.0.len() > 1 => serializer.collect_str(sizes),
            one_or_none => one_or_none.serialize(serializer),
        }
    }
}

impl From<usize> for Hidden {
    fn from(units: usize) -> Self {
        Self(vec![units])
    }
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<String> = self.0.iter().map(usize::to_string).collect();
        f.write_str(&sizes.join("-"))
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0[..] {
            [units] => units.serialize(serializer),
            _ => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sizes;

        impl<'de> Visitor<'de> for Sizes {
            type Value = Hidden;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of units, or one for each layer")
            }

            fn visit_i64<E: de::Error>(self, units: i64) -> Result<Hidden, E> {
                // Below 0 is as wrong as 0, which the check of ranges refuses.
                Ok(usize::try_from(units).unwrap_or(0).into())
            }

            fn visit_u64<E: de::Error>(self, units: u64) -> Result<Hidden, E> {
                Ok(usize::try_from(units).unwrap_or(0).into())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Hidden, E> {
                let sizes: Result<Vec<usize>, _> = text.split(['-', ',']).map(|size| size.trim().parse()).collect();
                sizes.map(Hidden).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Hidden, A::Error> {
                let mut sizes = Vec::new();
                while let Some(units) = list.next_element()? {
                    sizes.push(units);
                }
                if sizes.is_empty() { Err(de::Error::invalid_length(0, &self)) } else { Ok(Hidden(sizes)) }
            }
        }
        deserializer.deserialize_any(Sizes)
    }
}
