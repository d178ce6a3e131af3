//! What is wrong with an annotation.

/// An annotation, or the environment variable that stands for it, has a value it cannot have.
///
/// Written as one sentence: `events.order is "keys": write key or none`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{annotation} is {value:?}: {message}")]
pub struct WiringError {
    /// The annotation as it is written, or the environment variable when that was read.
    pub annotation: String,
    /// Its value as it is written.
    pub value: String,
    /// What is wrong where that is not obvious, and what to write instead.
    pub message: String,
}
