//! The built-in functions.

use std::borrow::Cow;

use super::value::{Problem, Type, Value};

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Length,
    Concat,
    ConcatWith,
    Lower,
    Upper,
    Trim,
    Left,
    Right,
    Substring,
    Abs,
    Int,
    Bool,
    String,
}

/// What comes of something, and what went wrong.
type Outcome<'a> = (Value<'a>, Option<Problem>);

impl Function {
    /// The function of this name that takes so many arguments.
    pub(super) fn find(name: &str, arguments: usize) -> Option<Self> {
        Some(match (name.to_ascii_uppercase().as_str(), arguments) {
            ("LENGTH", 1) => Self::Length,
            ("CONCAT", _) => Self::Concat,
            ("CONCAT_WS", 1..) => Self::ConcatWith,
            ("LOWER", 1) => Self::Lower,
            ("UPPER", 1) => Self::Upper,
            ("TRIM", 1) => Self::Trim,
            ("LEFT", 2) => Self::Left,
            ("RIGHT", 2) => Self::Right,
            ("SUBSTRING", 2 | 3) => Self::Substring,
            ("ABS", 1) => Self::Abs,
            ("INT", 1) => Self::Int,
            ("BOOL", 1) => Self::Bool,
            ("STRING", 1) => Self::String,
            _ => return None,
        })
    }

    /// What it gives.
    pub(super) fn gives(self) -> Type {
        match self {
            Self::Length | Self::Abs | Self::Int => Type::Integer,
            Self::Bool => Type::Boolean,
            _ => Type::String,
        }
    }

    /// What its argument at this place is cast to.
    pub(super) fn takes(self, place: usize) -> Type {
        match (self, place) {
            (Self::Abs | Self::Int, _) | (Self::Left | Self::Right | Self::Substring, 1..) => {
                Type::Integer
            }
            (Self::Bool, _) => Type::Boolean,
            _ => Type::String,
        }
    }

    /// Calls it with arguments of the types that it takes.
    pub(super) fn call<'a>(self, arguments: Vec<Value<'a>>) -> Outcome<'a> {
        let integers: Vec<i32> = arguments
            .iter()
            .filter_map(|argument| match argument {
                Value::Integer(value) => Some(*value),
                _ => None,
            })
            .collect();
        if let (Self::Int | Self::Bool, [one]) = (self, &arguments[..]) {
            return (one.clone(), None);
        }
        let mut texts = arguments.into_iter().filter_map(|argument| match argument {
            Value::String(text) => Some(text),
            _ => None,
        });
        let text = |text: Cow<'a, str>| (Value::String(text), None);
        match self {
            Self::Concat => text(Cow::Owned(texts.collect())),
            Self::ConcatWith => {
                let between = texts.next().unwrap_or_default();
                text(Cow::Owned(texts.collect::<Vec<_>>().join(&between)))
            }
            Self::Abs => absolute(integers.first().copied().unwrap_or_default()),
            _ => {
                let one = texts.next().unwrap_or_default();
                match (self, &integers[..]) {
                    (Self::Length, _) => {
                        let length = i32::try_from(one.chars().count()).unwrap_or(i32::MAX);
                        (Value::Integer(length), None)
                    }
                    (Self::Lower, _) => text(Cow::Owned(one.to_lowercase())),
                    (Self::Upper, _) => text(Cow::Owned(one.to_uppercase())),
                    (Self::Trim, _) => text(Cow::Owned(one.trim().to_owned())),
                    (Self::Left | Self::Right, [count]) => end(self, one, *count),
                    (Self::Substring, [place, rest @ ..]) => {
                        part(&one, *place, rest.first().copied())
                    }
                    _ => text(one),
                }
            }
        }
    }
}

fn absolute<'a>(value: i32) -> Outcome<'a> {
    match value.checked_abs() {
        Some(value) => (Value::Integer(value), None),
        None => (Value::Integer(i32::MAX), Some(Problem::Math)),
    }
}

/// The first or the last characters.
fn end<'a>(function: Function, text: Cow<'a, str>, count: i32) -> Outcome<'a> {
    let Ok(count) = usize::try_from(count) else {
        return (Value::String(text), Some(Problem::FunctionEvaluation));
    };
    let length = text.chars().count();
    if length <= count {
        return (Value::String(text), None);
    }
    let part: String = match function {
        Function::Left => text.chars().take(count).collect(),
        _ => text.chars().skip(length - count).collect(),
    };
    (Value::String(Cow::Owned(part)), None)
}

/// Characters from a place on, which counts from 1, or from the end where it is negative.
fn part<'a>(text: &str, place: i32, count: Option<i32>) -> Outcome<'a> {
    let nothing = Value::String(Cow::Borrowed(""));
    let length = text.chars().count() as i64;
    let place = i64::from(place);
    let count = usize::try_from(count.unwrap_or(i32::MAX));
    let (Ok(count), true) = (count, (-length..=length).contains(&place)) else {
        return (nothing, Some(Problem::FunctionEvaluation));
    };
    let first = match place {
        0 => return (nothing, None),
        1.. => place - 1,
        _ => length + place,
    };
    let part = text.chars().skip(first as usize).take(count).collect();
    (Value::String(Cow::Owned(part)), None)
}
