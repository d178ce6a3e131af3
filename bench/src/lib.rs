//! What all benches have in common.
//!
//! - [`compare`]: ratios of interleaved pairs, and the rule by which a budget is missed
//! - [`report`]: the table of ratios
//! - [`table`]: any table

pub mod compare;
pub mod report;
pub mod table;
