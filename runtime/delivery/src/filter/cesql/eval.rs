//! What an expression comes to.

use std::borrow::Cow;

use super::functions::Function;
use super::parse::{Node, Operator, Piece};
use super::value::{Problem, Type, Value};

/// What comes of something, and what went wrong first.
type Outcome<'a> = (Value<'a>, Option<Problem>);

/// What went wrong so far.
#[derive(Debug, Default)]
struct Problems {
    first: Option<Problem>,
    /// In an operand: there is nothing to operate on.
    within: bool,
}

impl Problems {
    fn add(&mut self, problem: Problem) {
        self.first.get_or_insert(problem);
    }

    /// The value of an operand, whose problem is kept.
    fn operand<'a>(&mut self, (value, problem): Outcome<'a>) -> Value<'a> {
        if let Some(problem) = problem {
            self.add(problem);
            self.within = true;
        }
        value
    }

    /// The value as another type, or what stands for one that cannot be cast.
    fn cast<'a>(&mut self, value: Value<'a>, to: Type) -> Value<'a> {
        value.cast(to).unwrap_or_else(|problem| {
            self.add(problem);
            to.zero()
        })
    }

    fn boolean(&mut self, value: &Value<'_>) -> bool {
        value.boolean().unwrap_or_else(|problem| {
            self.add(problem);
            false
        })
    }

    fn integer(&mut self, value: &Value<'_>) -> i32 {
        value.integer().unwrap_or_else(|problem| {
            self.add(problem);
            0
        })
    }

    /// What comes of an operation of this type: its zero, where an operand is missing.
    fn outcome<'a>(self, of: Type, value: Value<'a>) -> Outcome<'a> {
        match self.within {
            true => (of.zero(), self.first),
            false => (value, self.first),
        }
    }

    fn truth<'a>(self, truth: bool) -> Outcome<'a> {
        self.outcome(Type::Boolean, Value::Boolean(truth))
    }
}

impl Node {
    pub(super) fn evaluate<'a>(
        &'a self,
        attribute: &impl Fn(&str) -> Option<Value<'a>>,
    ) -> Outcome<'a> {
        let mut problems = Problems::default();
        match self {
            Self::Boolean(value) => (Value::Boolean(*value), None),
            Self::Integer(value) => (Value::Integer(*value), None),
            Self::String(text) => (Value::String(Cow::Borrowed(text)), None),
            Self::Attribute(name) => match attribute(name) {
                Some(value) => (value, None),
                None => (Value::Boolean(false), Some(Problem::MissingAttribute)),
            },
            Self::Exists(name) => (Value::Boolean(attribute(name).is_some()), None),
            Self::Not(node) => {
                let value = problems.operand(node.evaluate(attribute));
                let truth = problems.boolean(&value);
                problems.truth(!truth)
            }
            Self::Negate(node) => {
                let value = problems.operand(node.evaluate(attribute));
                let negated = problems.integer(&value).checked_neg();
                integer(problems, negated)
            }
            Self::Binary(operator @ (Operator::And | Operator::Or), left, right) => {
                let left = problems.operand(left.evaluate(attribute));
                let left = problems.boolean(&left);
                let enough = *operator == Operator::Or;
                if left == enough {
                    return problems.truth(left);
                }
                let right = problems.operand(right.evaluate(attribute));
                let right = problems.boolean(&right);
                problems.truth(right)
            }
            Self::Binary(operator, left, right) => {
                let left = problems.operand(left.evaluate(attribute));
                let right = problems.operand(right.evaluate(attribute));
                operator.apply(left, right, problems)
            }
            Self::Like(negated, node, pattern) => {
                let value = problems.operand(node.evaluate(attribute));
                let found = is_like(&value.string(), pattern);
                problems.truth(found != *negated)
            }
            Self::In(negated, node, set) => {
                let value = problems.operand(node.evaluate(attribute));
                let of = value.of_type();
                let found = set.iter().any(|element| {
                    let element = problems.operand(element.evaluate(attribute));
                    match element.cast(of) {
                        Ok(element) => element == value,
                        Err(problem) => {
                            problems.add(problem);
                            false
                        }
                    }
                });
                problems.truth(found != *negated)
            }
            Self::Call(function, arguments) => call(*function, arguments, attribute),
        }
    }
}

fn call<'a>(
    function: Function,
    arguments: &'a [Node],
    attribute: &impl Fn(&str) -> Option<Value<'a>>,
) -> Outcome<'a> {
    let mut problems = Problems::default();
    let argument = |(place, node): (usize, &'a Node)| {
        let value = problems.operand(node.evaluate(attribute));
        problems.cast(value, function.takes(place))
    };
    let arguments = arguments.iter().enumerate().map(argument).collect();
    let (value, problem) = function.call(arguments);
    if let Some(problem) = problem {
        problems.add(problem);
    }
    problems.outcome(function.gives(), value)
}

fn integer<'a>(mut problems: Problems, value: Option<i32>) -> Outcome<'a> {
    if value.is_none() {
        problems.add(Problem::Math);
    }
    problems.outcome(Type::Integer, Value::Integer(value.unwrap_or_default()))
}

impl Operator {
    fn apply<'a>(self, left: Value<'a>, right: Value<'a>, mut problems: Problems) -> Outcome<'a> {
        if matches!(self, Self::Equal | Self::Unequal) {
            // What stands on the right says as what both are compared.
            return match left.cast(right.of_type()) {
                Ok(left) => problems.truth((left == right) == (self == Self::Equal)),
                Err(problem) => {
                    problems.add(problem);
                    problems.truth(false)
                }
            };
        }
        if matches!(self, Self::And | Self::Or | Self::Xor) {
            let (left, right) = (problems.boolean(&left), problems.boolean(&right));
            return problems.truth(match self {
                Self::And => left && right,
                Self::Or => left || right,
                _ => left != right,
            });
        }
        let (left, right) = (problems.integer(&left), problems.integer(&right));
        match self {
            Self::Less => problems.truth(left < right),
            Self::LessOrEqual => problems.truth(left <= right),
            Self::Greater => problems.truth(left > right),
            Self::GreaterOrEqual => problems.truth(left >= right),
            Self::Add => integer(problems, left.checked_add(right)),
            Self::Subtract => integer(problems, left.checked_sub(right)),
            Self::Multiply => integer(problems, left.checked_mul(right)),
            Self::Divide => integer(problems, left.checked_div(right)),
            // The one remainder that overflows is 0.
            _ if right == -1 => integer(problems, Some(0)),
            _ => integer(problems, left.checked_rem(right)),
        }
    }
}

/// Whether a text is like a pattern. The last [`Piece::Many`] takes as little as it can, and more if that was too little.
fn is_like(text: &str, pattern: &[Piece]) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut piece) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(piece) {
            Some(Piece::Many) => {
                retry = Some((at, piece));
                piece += 1;
            }
            Some(Piece::One) => (at, piece) = (at + 1, piece + 1),
            Some(Piece::This(c)) if *c == text[at] => (at, piece) = (at + 1, piece + 1),
            _ => {
                let Some((from, many)) = retry else {
                    return false;
                };
                retry = Some((from + 1, many));
                (at, piece) = (from + 1, many + 1);
            }
        }
    }
    pattern[piece.min(pattern.len())..]
        .iter()
        .all(|piece| *piece == Piece::Many)
}
