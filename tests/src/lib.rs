//! Helpers of the tests in this folder.

pub mod handler;
pub mod runner;
pub mod tools;
