//! One value of the environment each; an empty value counts as not set.

use std::{str::FromStr, time::Duration};

use openfaas_delivery::duration;

use super::ConfigError;

/// The environment behind one lookup function.
pub(super) struct Values<L>(pub(super) L);

// === impl Values ===

impl<L: Fn(&str) -> Option<String>> Values<L> {
    /// The value as it stands, without the white space around it.
    pub(super) fn text(&self, key: &'static str) -> Option<String> {
        let value = (self.0)(key)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    /// `true`, `1`, `false` or `0`, in any case.
    pub(super) fn flag(&self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        self.read(key, "true or false", |value| {
            match value.to_ascii_lowercase().as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            }
        })
    }

    /// Whole seconds, or a Go duration.
    pub(super) fn duration(&self, key: &'static str) -> Result<Option<Duration>, ConfigError> {
        self.read(
            key,
            "whole seconds or a duration like 1m30s or 500ms, and not negative",
            duration::parse,
        )
    }

    /// A number of the given type; `expected` says which are right.
    pub(super) fn number<N: FromStr>(
        &self,
        key: &'static str,
        expected: &'static str,
    ) -> Result<Option<N>, ConfigError> {
        self.read(key, expected, |value| value.parse().ok())
    }

    /// Bytes, or KiB, MiB, GiB as `10MiB` or, as Kubernetes writes it, `10Mi`.
    pub(super) fn bytes(&self, key: &'static str) -> Result<Option<u64>, ConfigError> {
        self.read(key, "a number of bytes, like 1048576 or 10MiB", bytes)
    }

    /// Whatever `parse` makes of the value; `None` from it is an error that says what was expected.
    pub(super) fn read<T>(
        &self,
        key: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.text(key) else {
            return Ok(None);
        };
        match parse(&value) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(ConfigError::Value {
                key,
                value,
                expected,
            }),
        }
    }
}

fn bytes(value: &str) -> Option<u64> {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = value.split_at(digits);
    let shift = match unit.trim_start().trim_end_matches('B') {
        "" => 0,
        "Ki" => 10,
        "Mi" => 20,
        "Gi" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_read_in_bytes_and_binary_units() {
        assert_eq!(bytes("1048576"), Some(1 << 20));
        assert_eq!(bytes("10MiB"), Some(10 << 20));
        assert_eq!(bytes("64Ki"), Some(64 << 10));
        assert_eq!(bytes("0"), Some(0));
        for wrong in [
            "MiB",
            "-1",
            "10MB",
            "1.5MiB",
            "99999999999999999999",
            "20000000000GiB",
        ] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
