//! Functions as programs: one cargo run for each, one after the other, since each of them uses every core.

mod builder;
mod compile;
mod plan;
mod said;

pub use builder::Builder;
pub use compile::{BuildError, Compiler};
pub use plan::{NotBuilt, Plan, plan};
pub use said::Said;
