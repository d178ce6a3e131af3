//! What the tests of several files ask of answers, and how they say a configuration.

use openfaas_runtime::{Config, Reply};

pub(crate) fn config(pairs: &[(&str, &str)]) -> Config {
    let lookup = |key: &str| {
        pairs
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| (*value).to_owned())
    };
    Config::from_lookup(lookup).unwrap()
}

pub(crate) fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}
