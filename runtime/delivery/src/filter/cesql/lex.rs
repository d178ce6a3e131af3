//! Text into tokens.

use super::SyntaxError;

/// A token and the column where it begins, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) column: usize,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word: keyword, attribute or function, as it is written.
    Word(String),
    /// Digits without a sign, as many as there are.
    Number(String),
    /// What stands between quotes, escapes as they are written.
    Quoted(String),
    /// `( ) , + - * / %` and comparisons.
    Sign(&'static str),
    /// Nothing follows.
    End,
}

/// Longer ones first.
const SIGNS: [&str; 16] = [
    "!=", "<>", ">=", "<=", "=", "<", ">", "(", ")", ",", "+", "-", "*", "/", "%", "!",
];

/// All tokens, the end with them.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut lexer = Lexer {
        rest: text,
        column: 1,
    };
    let mut tokens = Vec::new();
    loop {
        let space = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
        let blank = lexer.rest.find(|c| !space(c)).unwrap_or(lexer.rest.len());
        lexer.take(blank);
        let column = lexer.column;
        let kind = lexer.kind()?;
        let end = kind == Kind::End;
        tokens.push(Token { kind, column });
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    column: usize,
}

impl<'a> Lexer<'a> {
    /// The next so many bytes.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.column += taken.chars().count();
        taken
    }

    fn kind(&mut self) -> Result<Kind, SyntaxError> {
        let Some(first) = self.rest.chars().next() else {
            return Ok(Kind::End);
        };
        if first.is_ascii_alphanumeric() {
            let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
            let word = self.take(end);
            let digits = word.bytes().all(|byte| byte.is_ascii_digit());
            return Ok(match digits {
                true => Kind::Number(word.to_owned()),
                false => Kind::Word(word.to_owned()),
            });
        }
        if matches!(first, '\'' | '"') {
            return self.quoted(first);
        }
        if let Some(sign) = SIGNS.iter().find(|sign| self.rest.starts_with(**sign)) {
            self.take(sign.len());
            return Ok(Kind::Sign(sign));
        }
        Err(SyntaxError {
            column: self.column,
            reason: format!("`{first}` has no meaning here"),
        })
    }

    /// From quote to quote; one behind a backslash, or two at a time, end nothing.
    fn quoted(&mut self, quote: char) -> Result<Kind, SyntaxError> {
        let column = self.column;
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = characters.next() {
            let next = characters.peek().map(|(_, next)| *next);
            if c == '\\' && next == Some(quote) || c == quote && next == Some(quote) {
                text.push(quote);
                characters.next();
            } else if c == quote {
                self.take(at + 1);
                return Ok(Kind::Quoted(text));
            } else {
                text.push(c);
                // Whatever is escaped ends nothing.
                if let ('\\', Some(next)) = (c, next) {
                    text.push(next);
                    characters.next();
                }
            }
        }
        Err(SyntaxError {
            column,
            reason: format!("the quote {quote} is not closed"),
        })
    }
}
