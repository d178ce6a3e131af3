//! CloudEvents SQL 1.0: an expression over the attributes of an event.
//!
//! Evaluation is total: it ends, nothing panics, and what goes wrong gives a value and a [`Problem`]. An event passes a
//! filter if the value is `true` and nothing went wrong.

mod eval;
mod functions;
mod lex;
mod parse;
mod value;

use std::fmt;

pub use self::value::{Problem, Type, Value};

/// An expression that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cesql {
    root: parse::Node,
}

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Cesql {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, and where. A function that there is not is an error too.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let root = parse::parse(text)?;
        Ok(Self { root })
    }

    /// The type of its value; `None` where the event decides.
    pub fn of_type(&self) -> Option<Type> {
        self.root.of_type()
    }

    /// Its value for an event with these attributes, and what went wrong first.
    pub fn evaluate<'a>(
        &'a self,
        attribute: &impl Fn(&str) -> Option<Value<'a>>,
    ) -> (Value<'a>, Option<Problem>) {
        self.root.evaluate(attribute)
    }

    /// Whether an event with these attributes passes.
    pub fn passes<'a>(&'a self, attribute: &impl Fn(&str) -> Option<Value<'a>>) -> bool {
        self.evaluate(attribute) == (Value::Boolean(true), None)
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.reason)
    }
}

#[cfg(test)]
mod tests;
