//! Functions that take their events straight from a real broker.

mod calls;
mod chain;
mod deaths;
mod drain;
mod outages;
mod publisher;
mod readiness;
mod support;

use openfaas_tests::contract::Subject;

/// The fixture with its doors.
fn function() -> Subject {
    Subject::Runtime(env!("CARGO_BIN_EXE_door-fixture").into())
}
