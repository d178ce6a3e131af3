//! Which events a function wants: the dialects of the CloudEvents Subscriptions API, section 3.2.4.1, CESQL among them.

pub mod cesql;

use std::fmt;

use openfaas_cloudevents::{AttributeValue, Event};
use serde_json::{Map, Value};

use self::cesql::{Cesql, Type};

/// A filter as it was written, and what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    text: String,
    expression: Expression,
}

/// One filter expression. A comparison on an attribute that the event does not have is false.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// Every attribute has exactly this value.
    Exact(Vec<(String, String)>),
    /// Every attribute begins with this.
    Prefix(Vec<(String, String)>),
    /// Every attribute ends with this.
    Suffix(Vec<(String, String)>),
    /// Every expression is true.
    All(Vec<Expression>),
    /// At least one expression is true.
    Any(Vec<Expression>),
    /// The expression is false.
    Not(Box<Expression>),
    /// It is true, and nothing goes wrong.
    Sql(Cesql),
}

/// How deep expressions may stand in one another.
const DEEPEST: usize = 32;

impl Filter {
    /// Reads `type=order.placed` (several joined by comma must all hold), or a CESQL expression, or a JSON filter: one
    /// expression as an object, or an array of expressions that must all be true.
    ///
    /// The short form knows no quotes, no parentheses, no `<`, `>` and `!`, and no white space but around `=` and comma: what
    /// has any of these is CESQL.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let expression = match trimmed.bytes().next() {
            Some(b'{' | b'[') => {
                let json: Value = serde_json::from_str(trimmed)
                    .map_err(|error| format!("this is not JSON: {error}"))?;
                match &json {
                    Value::Array(list) => Expression::All(expressions("the filter", list, 0)?),
                    one => expression(one, 0)?,
                }
            }
            _ if is_short(trimmed) => short(trimmed)?,
            _ => sql(trimmed)?,
        };
        Ok(Self {
            text: trimmed.to_owned(),
            expression,
        })
    }

    /// What it means.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// Whether an event is wanted.
    pub fn matches<T>(&self, event: &Event<T>) -> bool {
        self.expression.holds(event)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Expression {
    fn holds<T>(&self, event: &Event<T>) -> bool {
        let every = |list: &[(String, String)], compare: fn(&str, &str) -> bool| {
            list.iter().all(|(name, wanted)| {
                let value = event.text(name);
                value.is_some_and(|value| compare(&value, wanted))
            })
        };
        match self {
            Self::Exact(list) => every(list, |value, wanted| value == wanted),
            Self::Prefix(list) => every(list, |value, wanted| value.starts_with(wanted)),
            Self::Suffix(list) => every(list, |value, wanted| value.ends_with(wanted)),
            Self::All(list) => list.iter().all(|one| one.holds(event)),
            Self::Any(list) => list.iter().any(|one| one.holds(event)),
            Self::Not(one) => !one.holds(event),
            Self::Sql(query) => query.passes(&|name| event.attribute(name).map(typed)),
        }
    }
}

/// An attribute as CESQL sees it: what is neither a boolean nor an integer is text.
fn typed(value: &AttributeValue) -> cesql::Value<'_> {
    match value {
        AttributeValue::Boolean(value) => cesql::Value::Boolean(*value),
        AttributeValue::Integer(value) => cesql::Value::Integer(*value),
        other => cesql::Value::String(other.text()),
    }
}

/// Whether a text has nothing that the short form does not know.
fn is_short(text: &str) -> bool {
    let of_sql =
        |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '(' | ')' | '<' | '>' | '!');
    text.split([',', '='])
        .all(|part| !part.trim().contains(of_sql))
}

fn sql(text: &str) -> Result<Expression, String> {
    let query = Cesql::parse(text).map_err(|error| format!("as CESQL, {error}"))?;
    match query.of_type() {
        None | Some(Type::Boolean) => Ok(Expression::Sql(query)),
        Some(other) => Err(format!(
            "as CESQL, column 1: this is {other}, and a filter is true or false; compare it with something"
        )),
    }
}

fn short(text: &str) -> Result<Expression, String> {
    let mut pairs = Vec::new();
    for pair in text.split(',').map(str::trim) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(format!(
                "`{pair}` compares nothing; write `attribute=value`, CESQL, or a filter as JSON"
            ));
        };
        if value.trim().starts_with('=') {
            let value = value.trim_matches(['=', ' ']);
            return Err(format!(
                "`{pair}` compares by more than one `=`: write `{}={value}`",
                name.trim()
            ));
        }
        pairs.push(compared(name.trim(), value.trim())?);
    }
    Ok(Expression::Exact(pairs))
}

fn expression(json: &Value, depth: usize) -> Result<Expression, String> {
    let Value::Object(object) = json else {
        return Err(format!(
            "`{json}` is no expression; write an object such as {{\"exact\":{{\"type\":\"…\"}}}}"
        ));
    };
    let mut dialects = object.iter();
    let (Some((dialect, inside)), None) = (dialects.next(), dialects.next()) else {
        return Err(format!(
            "an expression has one dialect, this one has {}; join several by all or any",
            object.len()
        ));
    };
    if depth >= DEEPEST {
        return Err(format!(
            "expressions stand more than {DEEPEST} deep in one another; make it flatter"
        ));
    }
    match (dialect.as_str(), inside) {
        ("exact", Value::Object(map)) => comparisons(dialect, map).map(Expression::Exact),
        ("prefix", Value::Object(map)) => comparisons(dialect, map).map(Expression::Prefix),
        ("suffix", Value::Object(map)) => comparisons(dialect, map).map(Expression::Suffix),
        ("exact" | "prefix" | "suffix", _) => Err(format!(
            "`{dialect}` takes an object of attributes and their values"
        )),
        ("all", Value::Array(list)) => expressions(dialect, list, depth + 1).map(Expression::All),
        ("any", Value::Array(list)) => expressions(dialect, list, depth + 1).map(Expression::Any),
        ("all" | "any", _) => Err(format!("`{dialect}` takes an array of expressions")),
        ("not", inside) => expression(inside, depth + 1)
            .map(Box::new)
            .map(Expression::Not),
        ("sql" | "cesql", Value::String(text)) => sql(text),
        ("sql" | "cesql", _) => Err(format!("`{dialect}` takes an expression as a string")),
        (other, _) => Err(format!(
            "there is no dialect `{other}`; use exact, prefix, suffix, all, any, not or sql"
        )),
    }
}

fn expressions(dialect: &str, list: &[Value], depth: usize) -> Result<Vec<Expression>, String> {
    if list.is_empty() {
        return Err(format!("{dialect} holds no expression; write at least one"));
    }
    list.iter().map(|one| expression(one, depth)).collect()
}

fn comparisons(dialect: &str, map: &Map<String, Value>) -> Result<Vec<(String, String)>, String> {
    if map.is_empty() {
        return Err(format!(
            "{dialect} compares nothing; write at least one attribute"
        ));
    }
    let pair = |(name, value): (&String, &Value)| match value {
        Value::String(value) => compared(name, value),
        other => Err(format!(
            "`{name}` is compared with {other}; write it as a string, \"{other}\""
        )),
    };
    map.iter().map(pair).collect()
}

fn compared(name: &str, value: &str) -> Result<(String, String), String> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name == "data" {
        return Err(
            "filters see attributes, never data; compare the type or an extension".to_owned(),
        );
    }
    if name.is_empty() || !name.chars().all(legal) {
        return Err(format!(
            "`{name}` cannot be an attribute; use lower-case letters and digits"
        ));
    }
    if value.is_empty() {
        return Err(format!("`{name}` is compared with nothing; write a value"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests;
