//! What an author says with `tracing`, as values.

use std::error::Error;
use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};

use crate::otlp::attribute::Value;

/// Longest text that is kept of one value, in bytes: more than the longest log line.
const LONGEST: usize = 256 * 1024;

/// The fields of an event or of a span, in the order in which they were said.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    /// The `message` of an event.
    pub(crate) message: Option<String>,
    pub(crate) values: Vec<(&'static str, FieldValue)>,
}

/// One value.
#[derive(Debug, PartialEq)]
pub(crate) enum FieldValue {
    Str(String),
    Bool(bool),
    Int(i64),
    Double(f64),
}

impl Fields {
    /// A field that is said again has its last value.
    fn set(&mut self, field: &Field, value: FieldValue) {
        let name = field.name();
        match (name, value) {
            ("message", FieldValue::Str(text)) => self.message = Some(text),
            // What the bridge from `log` adds to say where an event is from.
            (name, _) if name.starts_with("log.") => {}
            (name, value) => match self.values.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => self.values.push((name, value)),
            },
        }
    }

    fn set_text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        let mut bounded = Bounded(String::new());
        let _ = bounded.write_fmt(text);
        self.set(field, FieldValue::Str(bounded.0));
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, FieldValue::Double(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, FieldValue::Int(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.set(field, FieldValue::Int(value)),
            Err(_) => self.set_text(field, format_args!("{value}")),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, FieldValue::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set_text(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.set_text(field, format_args!("{}", Reasons(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set_text(field, format_args!("{value:?}"));
    }
}

impl FieldValue {
    pub(crate) fn as_value(&self) -> Value<'_> {
        match self {
            Self::Str(text) => Value::Str(text),
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Int(number) => Value::Int(*number),
            Self::Double(number) => Value::Double(*number),
        }
    }
}

/// Text that stops growing.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = text.floor_char_boundary(LONGEST - self.0.len().min(LONGEST));
        self.0.push_str(&text[..end]);
        if end < text.len() {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

/// An error with everything below it, on one line.
pub(crate) struct Reasons<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
