//! The keys that only one method has: their values as it knows them.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Error};

use crate::config::Config;
use crate::error::failure;

/// The values of [`Method::own_keys`](super::Method::own_keys) as a method knows them.
pub(super) fn own<T: DeserializeOwned>(config: &Config) -> Result<T, toml::de::Error> {
    config.own.clone().try_into()
}

/// Refuses a value of one of these keys.
pub(super) fn refuse(key: &str, range: &str) -> toml::de::Error {
    Error::custom(format!("{key} must be {range}"))
}

/// The epochs after which predictions use the mean of the weights, from the share of all; `None` for a share of 1.
pub(super) fn average_after(share: f64, epochs: u32) -> Option<u64> {
    (share < 1.0).then(|| (share * f64::from(epochs)) as u64)
}

/// One value, one for each layer, or `auto`: the value of the recipe.
#[derive(Deserialize)]
#[serde(try_from = "Given<T>", bound = "T: Deserialize<'de> + std::str::FromStr")]
pub(super) struct OrAuto<T>(Option<Vec<T>>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Given<T> {
    One(T),
    List(Vec<T>),
    Text(String),
}

impl<T: std::str::FromStr> TryFrom<Given<T>> for OrAuto<T> {
    type Error = &'static str;

    fn try_from(given: Given<T>) -> Result<Self, Self::Error> {
        Ok(Self(match given {
            Given::One(value) => Some(vec![value]),
            Given::List(values) => Some(values),
            Given::Text(text) if text == "auto" => None,
            Given::Text(text) => {
                let values: Result<Vec<T>, _> = text.split(',').map(|value| value.trim().parse()).collect();
                Some(values.map_err(|_| "it takes auto, a number, or numbers with commas between them")?)
            }
        }))
    }
}

impl<T: Copy> OrAuto<T> {
    /// One value; nothing for `auto`.
    pub(super) fn one(&self, key: &str) -> Result<Option<T>, toml::de::Error> {
        match self.0.as_deref() {
            None => Ok(None),
            Some([value]) => Ok(Some(*value)),
            Some(_) => Err(refuse(key, "auto, or one number")),
        }
    }

    /// A value for each layer; nothing for `auto`.
    pub(super) fn each(&self, key: &str, layers: usize) -> anyhow::Result<Option<Vec<T>>> {
        match &self.0 {
            Some(values) if values.len() != layers => {
                let message = format!("`{key}` has {} values, this network needs {layers}", values.len());
                Err(failure(message, "one for each layer that learns, or auto"))
            }
            values => Ok(values.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Settings {
        steps: OrAuto<usize>,
        rates: OrAuto<f32>,
    }

    #[test]
    fn a_value_is_one_or_one_for_each_layer_or_left_to_the_recipe() {
        let read = |text: &str| toml::from_str::<Settings>(text);
        let settings = read("steps = 20\nrates = '0.1, 0.05'").unwrap();
        assert_eq!(
            (settings.steps.one("steps").unwrap(), settings.rates.each("rates", 2).unwrap()),
            (Some(20), Some(vec![0.1, 0.05]))
        );
        let settings = read("steps = 'auto'\nrates = [1, 2.5]").unwrap();
        assert_eq!(
            (settings.steps.one("steps").unwrap(), settings.rates.each("rates", 2).unwrap()),
            (None, Some(vec![1.0, 2.5]))
        );
        let error = settings.rates.each("rates", 3).unwrap_err().to_string();
        assert_eq!(error, "`rates` has 2 values, this network needs 3");
        assert!(settings.rates.one("rates").unwrap_err().message().contains("rates must be auto, or one number"));
        assert!(read("steps = 'many'\nrates = 1").err().unwrap().message().contains("it takes auto"));
    }
}
