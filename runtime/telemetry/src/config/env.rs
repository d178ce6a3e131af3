//! Typed reads of environment variables.

use std::str::FromStr;
use std::time::Duration;

use super::ConfigError;

/// The environment, and what has to be said about it.
pub(crate) struct Env<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    warnings: Vec<String>,
}

impl<'a> Env<'a> {
    pub(crate) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            warnings: Vec::new(),
        }
    }

    pub(crate) fn warn(&mut self, sentence: String) {
        if !self.warnings.contains(&sentence) {
            self.warnings.push(sentence);
        }
    }

    pub(crate) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }

    /// The value without the space around it; an empty one is none.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        let value = (self.lookup)(key)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// `true` or `false`, in any case.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, ConfigError> {
        match self.text(key) {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(value) => Err(ConfigError::new(key, &value, "use true or false")),
        }
    }

    /// A whole number from 0 on, where there is one.
    pub(crate) fn optional<T: FromStr>(&self, key: &str) -> Result<Option<T>, ConfigError> {
        self.text(key)
            .map(|value| {
                let wrong = |_| ConfigError::new(key, &value, "use a whole number from 0 on");
                value.parse().map_err(wrong)
            })
            .transpose()
    }

    pub(crate) fn number(&self, key: &str, default: u32) -> Result<u32, ConfigError> {
        Ok(self.optional(key)?.unwrap_or(default))
    }

    /// A whole number from 1 on.
    pub(crate) fn count(&self, key: &str, default: usize) -> Result<usize, ConfigError> {
        match self.optional(key)? {
            Some(0) => Err(ConfigError::new(key, "0", "use a whole number from 1 on")),
            other => Ok(other.unwrap_or(default)),
        }
    }

    pub(crate) fn milliseconds(&self, key: &str, default: u64) -> Result<Duration, ConfigError> {
        let value = self.text(key);
        let number = value.as_deref().map_or(Ok(default), str::parse);
        number.map(Duration::from_millis).map_err(|_| {
            let remedy = "use a whole number of milliseconds";
            ConfigError::new(key, &value.unwrap_or_default(), remedy)
        })
    }

    /// A number from 0 to 1.
    pub(crate) fn share(&self, key: &str, default: f64) -> Result<f64, ConfigError> {
        let Some(value) = self.text(key) else {
            return Ok(default);
        };
        match value.parse() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
            _ => Err(ConfigError::new(key, &value, "use a number from 0 to 1")),
        }
    }

    /// A list `key=value,key=value`, its parts percent-decoded. A `secret` one is not shown in an error.
    pub(crate) fn pairs(
        &self,
        key: &str,
        secret: bool,
    ) -> Result<Vec<(String, String)>, ConfigError> {
        let list = self.text(key).unwrap_or_default();
        let wrong = || {
            let remedy =
                "use key=value, several of them separated by commas, values percent-encoded";
            ConfigError::new(key, if secret { "…" } else { &list }, remedy)
        };
        let pair = |item: &str| {
            let (key, value) = item.split_once('=')?;
            let (key, value) = (percent_decode(key.trim())?, percent_decode(value.trim())?);
            (!key.is_empty()).then_some((key, value))
        };
        list.split(',')
            .filter(|item| !item.trim().is_empty())
            .map(|item| pair(item).ok_or_else(wrong))
            .collect()
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, others)) = rest.split_first() {
        rest = others;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, others) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = others;
    }
    String::from_utf8(bytes).ok()
}
