//! One value as it was given (TOML, or text after `--set key=`), and its conversion to what a key holds.
//!
//! Every conversion fails with one sentence that names the key, the place, what was expected and what was found.

use std::fmt::Display;
use std::ops::RangeInclusive;

use toml::Value;

use super::choices::{Amount, Choice, CurrentScale};
use crate::failure::failure;

/// A value and where it came from.
pub(super) struct Given<'a> {
    pub(super) key: &'a str,
    pub(super) content: Content<'a>,
    /// `file.toml`, or `--set`.
    pub(super) place: &'a str,
}

/// The value itself.
pub(super) enum Content<'a> {
    Toml(&'a Value),
    Text(&'a str),
}

impl Given<'_> {
    /// A word or a path.
    pub(super) fn text(&self) -> anyhow::Result<String> {
        match self.content {
            Content::Toml(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            Content::Text(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(self.refuse("a text")),
        }
    }

    /// A whole number in a range.
    pub(super) fn whole(&self, range: RangeInclusive<u64>) -> anyhow::Result<u64> {
        let number = match self.content {
            Content::Toml(Value::Integer(number)) => u64::try_from(*number).ok(),
            Content::Text(text) => text.parse().ok(),
            Content::Toml(_) => None,
        };
        let expected = || format!("a whole number from {} to {}", range.start(), range.end());
        number.filter(|number| range.contains(number)).ok_or_else(|| self.refuse(expected()))
    }

    /// A finite number that `accept` accepts; `expected` says which those are.
    pub(super) fn real(&self, expected: &str, accept: impl Fn(f64) -> bool) -> anyhow::Result<f64> {
        self.number().filter(|&number| number.is_finite() && accept(number)).ok_or_else(|| self.refuse(expected))
    }

    /// One of a few words.
    pub(super) fn choice<C: Choice>(&self) -> anyhow::Result<C> {
        self.word().and_then(C::parse).ok_or_else(|| self.refuse(format!("one of {}", C::words())))
    }

    /// A number above 0, or `auto`.
    pub(super) fn current_scale(&self) -> anyhow::Result<CurrentScale> {
        if self.word() == Some("auto") {
            return Ok(CurrentScale::Auto);
        }
        self.real("a number above 0, or auto", |number| number > 0.0).map(CurrentScale::Fixed)
    }

    /// A whole number from 1, or `all`.
    pub(super) fn amount(&self) -> anyhow::Result<Amount> {
        if self.word() == Some("all") {
            return Ok(Amount::All);
        }
        let count = self.whole(1..=MOST_SAMPLES).map_err(|_| self.refuse("a whole number from 1, or all"))?;
        Ok(Amount::First(count as usize))
    }

    /// The error for this value.
    pub(super) fn refuse(&self, expected: impl Display) -> anyhow::Error {
        let found = match self.content {
            Content::Toml(value) => value.to_string(),
            Content::Text(text) => format!("{text:?}"),
        };
        failure(
            format!("key `{}` in {}: expected {expected}, found {found}", self.key, self.place),
            "`rivalry train --help` lists every key and its values",
        )
    }

    fn word(&self) -> Option<&str> {
        match self.content {
            Content::Toml(Value::String(word)) => Some(word),
            Content::Toml(_) => None,
            Content::Text(word) => Some(word),
        }
    }

    fn number(&self) -> Option<f64> {
        match self.content {
            Content::Toml(Value::Float(number)) => Some(*number),
            Content::Toml(Value::Integer(number)) => Some(*number as f64),
            Content::Toml(_) => None,
            Content::Text(text) => text.parse().ok(),
        }
    }
}

/// Examples are numbered in u32.
pub(super) const MOST_SAMPLES: u64 = u32::MAX as u64;
