//! The at-least-once delivery engine: wiring, sources, lanes, retries, dead letters, replies.
