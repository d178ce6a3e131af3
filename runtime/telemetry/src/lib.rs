//! Traces, metrics and logs for a function and for a connector alike.
