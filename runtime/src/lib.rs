//! Functions for OpenFaaS: one process, one async fn, the whole function contract.
