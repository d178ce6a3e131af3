//! What a function says when it cannot start.
