//! What a caller can see of the contract, row by row.

use openfaas_tests::contract::Subject;

/// One thing that a caller can see.
pub(crate) struct Row {
    /// What it is about, in words with underscores between them.
    pub(crate) name: &'static str,
    /// What the runtime shows.
    pub(crate) ours: &'static str,
    /// Looks at it.
    pub(crate) observe: fn(&Subject) -> String,
}

/// Makes a row, and a test of the runtime by itself, of each function.
macro_rules! rows {
    ($($(#[$meta:meta])* fn $name:ident($subject:ident) => $ours:literal $body:block)*) => {
        pub(crate) const ROWS: &[super::Row] = &[$(super::Row {
            name: stringify!($name),
            ours: $ours,
            observe: |$subject| $body,
        }),*];

        mod in_the_runtime {
            $(#[test]
            fn $name() {
                let row = super::ROWS.iter().find(|row| row.name == stringify!($name)).unwrap();
                assert_eq!((row.observe)(&crate::runtime()), row.ours);
            })*
        }
    };
}

mod drain;
mod health;
mod limit;
mod malformed;
mod request;
mod start;
mod telemetry;
mod timeout;

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    [
        start::ROWS,
        health::ROWS,
        request::ROWS,
        timeout::ROWS,
        limit::ROWS,
        malformed::ROWS,
        drain::ROWS,
        telemetry::ROWS,
    ]
    .into_iter()
    .flatten()
}
