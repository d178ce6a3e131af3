//! Helpers of the tests in this folder.

pub mod handler;
pub mod tools;
