//! Tokens into a tree, by precedence.

use super::SyntaxError;
use super::functions::Function;
use super::lex::{Kind, Token, tokens};
use super::value::Type;

/// How deep operations may stand in one another: evaluation goes as deep.
const DEEPEST: usize = 128;

/// A part of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Boolean(bool),
    Integer(i32),
    String(String),
    /// The name of an attribute, in lower case.
    Attribute(String),
    Exists(String),
    Not(Box<Node>),
    Negate(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    /// Whether it is the other way round, and what a text must be like.
    Like(bool, Box<Node>, Vec<Piece>),
    /// Whether it is the other way round, and the set.
    In(bool, Box<Node>, Vec<Node>),
    Call(Function, Vec<Node>),
}

/// What stands between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    And,
    Or,
    Xor,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// This character.
    This(char),
    /// Any one.
    One,
    /// Any number of any.
    Many,
}

/// What binds tighter has more.
type Power = u8;

const LOGIC: Power = 1;
const COMPARISON: Power = 2;
const ADDITION: Power = 3;
const MULTIPLICATION: Power = 4;
const IN: Power = 5;
const LIKE: Power = 6;
const UNARY: Power = 7;

/// Reads all of it.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
    };
    let (root, _) = parser.expression(0, 0)?;
    match parser.peek() {
        Kind::End => Ok(root),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser {
    /// The last one is the end.
    tokens: Vec<Token>,
    next: usize,
}

/// A part, and how deep it is.
type Part = (Node, usize);

impl Parser {
    fn token(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn peek(&self) -> &Kind {
        &self.token().kind
    }

    fn wrong(&self, reason: String) -> SyntaxError {
        let column = self.token().column;
        SyntaxError { column, reason }
    }

    fn unexpected(&self, wanted: &str) -> SyntaxError {
        let found = match self.peek() {
            Kind::Word(text) | Kind::Number(text) => format!("`{text}`"),
            Kind::Quoted(text) => format!("'{text}'"),
            Kind::Sign(sign) => format!("`{sign}`"),
            Kind::End => "nothing".to_owned(),
        };
        self.wrong(format!("{wanted} is missing here, where {found} stands"))
    }

    fn deeper(&self, depth: usize) -> Result<usize, SyntaxError> {
        match depth < DEEPEST {
            true => Ok(depth + 1),
            false => Err(self.wrong(format!(
                "more than {DEEPEST} operations stand in one another; make it flatter"
            ))),
        }
    }

    /// Takes this keyword, if it comes next.
    fn keyword(&mut self, word: &str) -> bool {
        let is_it = matches!(self.peek(), Kind::Word(found) if found.eq_ignore_ascii_case(word));
        self.next += usize::from(is_it);
        is_it
    }

    fn sign(&mut self, sign: &str) -> bool {
        let is_it = matches!(self.peek(), Kind::Sign(found) if *found == sign);
        self.next += usize::from(is_it);
        is_it
    }

    fn expect(&mut self, sign: &str) -> Result<(), SyntaxError> {
        match self.sign(sign) {
            true => Ok(()),
            false => Err(self.unexpected(&format!("`{sign}`"))),
        }
    }

    /// An expression of operators that bind as tight as this at least, so deep in others.
    fn expression(&mut self, power: Power, within: usize) -> Result<Part, SyntaxError> {
        let within = self.deeper(within)?;
        let mut left = self.operand(within)?;
        loop {
            let before = self.next;
            let negated = self.keyword("NOT");
            let (node, depth) = left;
            left = if LIKE >= power && self.keyword("LIKE") {
                let pattern = self.pattern()?;
                (Node::Like(negated, Box::new(node), pattern), depth + 1)
            } else if IN >= power && self.keyword("IN") {
                self.expect("(")?;
                let (set, deepest) = self.list(within)?;
                let depth = depth.max(deepest) + 1;
                (Node::In(negated, Box::new(node), set), depth)
            } else if let (false, Some((operator, binds))) = (negated, self.operator())
                && binds >= power
            {
                self.next += 1;
                // The same operator once more stands to the right: from left to right.
                let (right, other) = self.expression(binds + 1, within)?;
                let depth = depth.max(other) + 1;
                (
                    Node::Binary(operator, Box::new(node), Box::new(right)),
                    depth,
                )
            } else {
                self.next = before;
                return Ok((node, depth));
            };
            self.deeper(left.1 - 1)?;
        }
    }

    fn operator(&self) -> Option<(Operator, Power)> {
        Some(match self.peek() {
            Kind::Word(word) => match word.to_ascii_uppercase().as_str() {
                "AND" => (Operator::And, LOGIC),
                "OR" => (Operator::Or, LOGIC),
                "XOR" => (Operator::Xor, LOGIC),
                _ => return None,
            },
            Kind::Sign(sign) => match *sign {
                "=" => (Operator::Equal, COMPARISON),
                "!=" | "<>" => (Operator::Unequal, COMPARISON),
                "<" => (Operator::Less, COMPARISON),
                "<=" => (Operator::LessOrEqual, COMPARISON),
                ">" => (Operator::Greater, COMPARISON),
                ">=" => (Operator::GreaterOrEqual, COMPARISON),
                "+" => (Operator::Add, ADDITION),
                "-" => (Operator::Subtract, ADDITION),
                "*" => (Operator::Multiply, MULTIPLICATION),
                "/" => (Operator::Divide, MULTIPLICATION),
                "%" => (Operator::Remainder, MULTIPLICATION),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// What an operator stands before or behind.
    fn operand(&mut self, within: usize) -> Result<Part, SyntaxError> {
        if self.keyword("NOT") {
            let (node, depth) = self.expression(UNARY, within)?;
            return Ok((Node::Not(Box::new(node)), depth + 1));
        }
        if self.keyword("EXISTS") {
            return Ok((Node::Exists(self.attribute()?), 1));
        }
        if self.sign("(") {
            let inner = self.expression(0, within)?;
            self.expect(")")?;
            return Ok(inner);
        }
        for (sign, minus) in [("-", true), ("+", false)] {
            if self.sign(sign) {
                if let Kind::Number(_) = self.peek() {
                    return Ok((self.number(sign)?, 1));
                }
                if !minus {
                    return Err(self.unexpected("a number"));
                }
                let (node, depth) = self.expression(UNARY, within)?;
                return Ok((Node::Negate(Box::new(node)), depth + 1));
            }
        }
        match self.peek().clone() {
            Kind::Number(_) => Ok((self.number("")?, 1)),
            Kind::Quoted(text) => {
                self.next += 1;
                Ok((Node::String(text), 1))
            }
            Kind::Word(word) => self.word(&word, within),
            Kind::Sign(_) | Kind::End => {
                Err(self.unexpected("an attribute, a value or a function"))
            }
        }
    }

    fn number(&mut self, sign: &str) -> Result<Node, SyntaxError> {
        let Kind::Number(digits) = self.peek() else {
            return Err(self.unexpected("a number"));
        };
        let number = format!("{sign}{digits}")
            .parse()
            .map_err(|_| self.wrong(format!("{sign}{digits} does not fit into 32 bits")))?;
        self.next += 1;
        Ok(Node::Integer(number))
    }

    fn word(&mut self, word: &str, within: usize) -> Result<Part, SyntaxError> {
        if self.keyword("TRUE") {
            return Ok((Node::Boolean(true), 1));
        }
        if self.keyword("FALSE") {
            return Ok((Node::Boolean(false), 1));
        }
        let called = self.tokens.get(self.next + 1);
        if called.is_none_or(|next| next.kind != Kind::Sign("(")) {
            return Ok((Node::Attribute(self.attribute()?), 1));
        }
        let at = self.next;
        self.next += 2;
        let (arguments, deepest) = match self.sign(")") {
            true => (Vec::new(), 0),
            false => self.list(within)?,
        };
        let count = arguments.len();
        let function = Function::find(word, count).ok_or_else(|| SyntaxError {
            column: self.tokens[at].column,
            reason: format!("there is no function {word} with {count} arguments"),
        })?;
        Ok((Node::Call(function, arguments), deepest + 1))
    }

    /// What stands between parentheses, the closing one with it, and how deep the deepest is.
    fn list(&mut self, within: usize) -> Result<(Vec<Node>, usize), SyntaxError> {
        let (mut list, mut deepest) = (Vec::new(), 0);
        loop {
            let (node, depth) = self.expression(0, within)?;
            list.push(node);
            deepest = deepest.max(depth);
            if !self.sign(",") {
                self.expect(")")?;
                return Ok((list, deepest));
            }
        }
    }

    fn attribute(&mut self) -> Result<String, SyntaxError> {
        const KEYWORDS: [&str; 9] = [
            "AND", "OR", "XOR", "NOT", "LIKE", "EXISTS", "IN", "TRUE", "FALSE",
        ];
        let (Kind::Word(word) | Kind::Number(word)) = self.peek() else {
            return Err(self.unexpected("an attribute"));
        };
        if KEYWORDS
            .iter()
            .any(|keyword| word.eq_ignore_ascii_case(keyword))
        {
            return Err(self.unexpected("an attribute, a value or a function"));
        }
        if word.contains('_') {
            return Err(self.wrong(format!(
                "`{word}` cannot be an attribute; use lower-case letters and digits"
            )));
        }
        let name = word.to_ascii_lowercase();
        if name == "data" {
            return Err(self.wrong(
                "filters see attributes, never data; compare the type or an extension".to_owned(),
            ));
        }
        self.next += 1;
        Ok(name)
    }

    fn pattern(&mut self) -> Result<Vec<Piece>, SyntaxError> {
        let Kind::Quoted(text) = self.peek() else {
            return Err(self.unexpected("a pattern in quotes"));
        };
        let pieces = pieces(text);
        self.next += 1;
        Ok(pieces)
    }
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let mut characters = pattern.chars().peekable();
    let mut pieces = Vec::new();
    while let Some(c) = characters.next() {
        pieces.push(match c {
            '%' => Piece::Many,
            '_' => Piece::One,
            '\\' => match characters.next_if(|next| matches!(next, '%' | '_')) {
                Some(literal) => Piece::This(literal),
                None => Piece::This(c),
            },
            _ => Piece::This(c),
        });
    }
    pieces
}

impl Node {
    /// The type of its value; `None` where the event decides.
    pub(super) fn of_type(&self) -> Option<Type> {
        Some(match self {
            Self::Attribute(_) => return None,
            Self::Integer(_) | Self::Negate(_) => Type::Integer,
            Self::String(_) => Type::String,
            Self::Call(function, _) => function.gives(),
            Self::Binary(operator, ..) => operator.gives(),
            Self::Boolean(_) | Self::Exists(_) | Self::Not(_) | Self::Like(..) | Self::In(..) => {
                Type::Boolean
            }
        })
    }
}

impl Operator {
    /// The type of what it gives.
    pub(super) fn gives(self) -> Type {
        match self {
            Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Remainder => {
                Type::Integer
            }
            _ => Type::Boolean,
        }
    }
}
