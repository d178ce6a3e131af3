//! Errors, as a person reads them.

/// An error and what it comes from, in one sentence.
#[must_use]
pub fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", with_cause(source)),
        None => error.to_string(),
    }
}
