//! The sizes of the hidden layers, from the inputs up.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

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
        assert!(!sizes.is_empty(), "a network has at least one hidden layer, or no cell for it");
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

    /// The cell of a CSV row: a number, or `500-500`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize_cell<S: Serializer>(cell: &Option<Self>, serializer: S) -> Result<S::Ok, S::Error> {
        match cell {
            Some(Self(sizes)) if sizes.len() > 1 => serializer.collect_str(&Self(sizes.clone())),
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
                let units =
                    usize::try_from(units).map_err(|_| E::invalid_value(de::Unexpected::Signed(units), &self))?;
                Ok(units.into())
            }

            fn visit_u64<E: de::Error>(self, units: u64) -> Result<Hidden, E> {
                let units =
                    usize::try_from(units).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(units), &self))?;
                Ok(units.into())
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
