//! The function contract of OpenFaaS, over real sockets, as of-watchdog sets it and as this runtime keeps it.
//!
//! A *row* is one thing that a caller can see, told in a few words. Each is a test of the runtime by itself, and
//! `side_by_side` asks of-watchdog for the same.

mod calls;
mod events;
mod rows;
mod side_by_side;
mod starts;

use openfaas_tests::contract::Subject;

/// The fixture in our runtime.
fn runtime() -> Subject {
    Subject::Runtime(env!("CARGO_BIN_EXE_contract-fixture").into())
}
