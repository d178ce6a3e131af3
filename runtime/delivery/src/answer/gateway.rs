//! Answers that are not the function's own.

use super::{INTERNAL, RUNTIME, State};
use crate::call::Answer;

/// What an answer of somebody else says of the function; `None`: the function itself has answered.
pub(super) fn judge(answer: &Answer) -> Option<State> {
    let status = answer.status.as_u16();
    match answer.headers.get(INTERNAL).map(|by| by.as_bytes()) {
        Some(by) if by.eq_ignore_ascii_case(RUNTIME.as_bytes()) => match status {
            429 => Some(State::Full),
            503 => Some(State::Down),
            _ => None,
        },
        Some(_) => match status {
            429 => Some(State::Full),
            401 | 403 | 503 => Some(State::Down),
            // Both are said of a connection that was refused and of one that a dying function dropped.
            500 | 502 => Some(State::Died),
            _ => None,
        },
        None => unmarked(answer, status),
    }
}

/// The gateway's own words bear no mark (its `handlers/scaling.go`, `handlers/forwarding_proxy.go`, faas-netes' `main.go`).
fn unmarked(answer: &Answer, status: u16) -> Option<State> {
    let nothing = answer.body.is_empty()
        && !answer.oversized
        && !answer.headers.contains_key(http::header::CONTENT_TYPE);
    match status {
        404 | 500 if answer.body.starts_with(b"error finding function") => Some(State::Down),
        405 if answer.body.starts_with(b"Function invocations disabled") => Some(State::Down),
        404 | 503 if nothing => Some(State::Down),
        // The provider did not answer, or went while the function was at work.
        502 if nothing => Some(State::Died),
        _ => None,
    }
}
