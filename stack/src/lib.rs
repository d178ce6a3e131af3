//! `stack.yml` as types, with errors that point at line and column, and its lint rules.
//!
//! The file is read as faas-cli reads it: `${VAR:-default}` is substituted first, scalars keep their text, keys that
//! nobody knows are warnings.
//!
//! ```
//! let stack = openfaas_stack::Stack::parse(
//!     "stack.yml",
//!     "provider: {name: openfaas}\nfunctions:\n  order:\n    lang: rust-otlp\n    handler: ./order\n    image: order:latest\n",
//!     |_| None,
//! )?;
//! assert_eq!(stack.function("order").unwrap().handler.as_str(), "./order");
//! # Ok::<(), openfaas_stack::StackError>(())
//! ```

pub mod build;

mod envsubst;
mod error;
mod fields;
pub mod graph;
pub mod lint;
pub mod manifest;
mod model;
mod problem;
mod read;
mod source;
mod span;
mod suggest;
mod yaml;

pub use error::StackError;
pub use model::{
    Configuration, Entries, Entry, Function, Provider, Resources, Stack, TemplateSource,
};
pub use problem::{Problem, Report, Severity};
pub use span::{Span, Spanned};
