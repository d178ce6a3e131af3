//! `${…}` in a stack file, as faas-cli substitutes it (drone/envsubst): before the YAML is read, comments included.
//!
//! `$$` is a dollar sign, `\\` a backslash and `\/` a slash. `${VAR:-default}`, `${VAR:=default}` and `${VAR=default}`
//! stand for the default when the variable is unset or empty, and a default may hold further `${…}`. Of the string
//! functions all are known but patterns with wildcards in `${VAR#…}` and `${VAR%…}`.

/// A text after substitution.
#[derive(Clone, Debug, Default)]
pub(crate) struct Substituted {
    /// The text.
    pub(crate) text: String,
    /// For each of its characters, which character of the original it came from.
    pub(crate) origin: Vec<usize>,
}

/// Why a text cannot be substituted.
#[derive(Debug, thiserror::Error)]
#[error("`${{` starts a substitution here that {reason}; `$$` is a plain dollar sign")]
pub(crate) struct SubstitutionError {
    /// The character at which the substitution starts.
    pub(crate) at: usize,
    reason: &'static str,
}

/// Substitutes every `${…}` of `text`; a variable that is not set is empty.
pub(crate) fn substitute(
    text: &str,
    lookup: &impl Fn(&str) -> Option<String>,
) -> Result<Substituted, SubstitutionError> {
    let characters: Vec<char> = text.chars().collect();
    let mut scanner = Scanner {
        characters: &characters,
        at: 0,
        lookup,
    };
    let mut substituted = Substituted::default();
    while let Some(character) = scanner.peek(0) {
        let start = scanner.at;
        match (character, scanner.peek(1)) {
            ('$', Some('{')) => {
                scanner.at += 2;
                let value = scanner
                    .expression()
                    .map_err(|reason| SubstitutionError { at: start, reason })?;
                value
                    .chars()
                    .for_each(|character| substituted.push(character, start));
            }
            ('$', Some('$')) | ('\\', Some('\\')) => {
                scanner.at += 2;
                substituted.push(character, start);
            }
            ('\\', Some('/')) => {
                scanner.at += 2;
                substituted.push('/', start);
            }
            _ => {
                scanner.at += 1;
                substituted.push(character, start);
            }
        }
    }
    Ok(substituted)
}

struct Scanner<'a, L> {
    characters: &'a [char],
    at: usize,
    lookup: &'a L,
}

const UNCLOSED: &str = "no `}` ends";
const UNKNOWN: &str = "faas-cli does not know (`${NAME}` and `${NAME:-default}` it does)";

// === impl Substituted ===

impl Substituted {
    /// `text` as it is.
    pub(crate) fn verbatim(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            origin: (0..text.chars().count()).collect(),
        }
    }

    fn push(&mut self, character: char, origin: usize) {
        self.text.push(character);
        self.origin.push(origin);
    }
}

// === impl Scanner ===

impl<L: Fn(&str) -> Option<String>> Scanner<'_, L> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn accept(&mut self, expected: char) -> bool {
        let accepted = self.peek(0) == Some(expected);
        self.at += usize::from(accepted);
        accepted
    }

    fn name(&mut self) -> Result<String, &'static str> {
        let name: String = self.characters[self.at..]
            .iter()
            .take_while(|character| character.is_alphanumeric() || **character == '_')
            .collect();
        self.at += name.chars().count();
        if name.is_empty() {
            Err("names no variable")
        } else {
            Ok(name)
        }
    }

    /// One argument, up to `}` or one of `ends`, with what is nested in it substituted.
    fn argument(&mut self, ends: &[char]) -> Result<String, &'static str> {
        let mut argument = String::new();
        loop {
            match self.peek(0).ok_or(UNCLOSED)? {
                '$' if self.peek(1) == Some('{') => {
                    self.at += 2;
                    argument += &self.expression()?;
                }
                end if end == '}' || ends.contains(&end) => return Ok(argument),
                character => {
                    self.at += 1;
                    argument.push(character);
                }
            }
        }
    }

    /// What follows `${`, with its closing brace.
    fn expression(&mut self) -> Result<String, &'static str> {
        let measured = self.accept('#');
        let name = self.name()?;
        let value = (self.lookup)(&name).unwrap_or_default();
        let value = match self.peek(0).ok_or(UNCLOSED)? {
            '}' if measured => value.len().to_string(),
            '}' => value,
            _ if measured => return Err(UNKNOWN),
            ':' => self.default_or_substring(value)?,
            '=' => self.default(value, 1)?,
            ',' | '^' => self.case(&value),
            '/' => self.replacement(&value)?,
            '#' | '%' => self.trimmed(&value)?,
            _ => return Err(UNKNOWN),
        };
        if self.accept('}') {
            Ok(value)
        } else {
            Err(UNCLOSED)
        }
    }

    fn default_or_substring(&mut self, value: String) -> Result<String, &'static str> {
        if matches!(self.peek(1), Some('-' | '=' | '?' | '+')) {
            return self.default(value, 2);
        }
        self.at += 1;
        let position = self.argument(&[':'])?.parse::<isize>();
        let length = if self.accept(':') {
            Some(self.argument(&[])?.parse::<usize>())
        } else {
            None
        };
        let (Ok(position), Ok(length)) = (position, length.transpose()) else {
            return Ok(value);
        };
        let from_end = value
            .chars()
            .count()
            .saturating_sub(position.unsigned_abs());
        let skipped = if position < 0 {
            from_end
        } else {
            position.unsigned_abs()
        };
        Ok(value
            .chars()
            .skip(skipped)
            .take(length.unwrap_or(usize::MAX))
            .collect())
    }

    /// All of `:-`, `:=`, `:?`, `:+` and `=` give the default in faas-cli.
    fn default(&mut self, value: String, operator: usize) -> Result<String, &'static str> {
        self.at += operator;
        let default = self.argument(&[])?;
        Ok(if value.is_empty() { default } else { value })
    }

    fn case(&mut self, value: &str) -> String {
        let upper = self.accept('^');
        let operator = if upper { '^' } else { ',' };
        let convert = |text: &str| {
            if upper {
                text.to_uppercase()
            } else {
                text.to_lowercase()
            }
        };
        if !upper {
            self.at += 1;
        }
        if self.accept(operator) {
            return convert(value);
        }
        let first = value.chars().next().map_or(0, char::len_utf8);
        convert(&value[..first]) + &value[first..]
    }

    fn replacement(&mut self, value: &str) -> Result<String, &'static str> {
        self.at += 1;
        let (all, prefix, suffix) = (self.accept('/'), self.accept('#'), self.accept('%'));
        let pattern = self.argument(&['/'])?;
        let with = if self.accept('/') {
            self.argument(&[])?
        } else {
            return Err(UNKNOWN);
        };
        Ok(match () {
            () if all => value.replace(&pattern, &with),
            () if prefix => value
                .strip_prefix(&pattern)
                .map_or(value.to_owned(), |rest| with + rest),
            () if suffix => value
                .strip_suffix(&pattern)
                .map_or(value.to_owned(), |rest| rest.to_owned() + &with),
            () => value.replacen(&pattern, &with, 1),
        })
    }

    fn trimmed(&mut self, value: &str) -> Result<String, &'static str> {
        let prefix = self.accept('#');
        let operator = if prefix { '#' } else { '%' };
        if !prefix {
            self.at += 1;
        }
        self.accept(operator);
        let pattern = self.argument(&[])?;
        if pattern.contains(['*', '?', '[', '\\']) {
            return Err("has a pattern with wildcards, which is not supported here");
        }
        let rest = if prefix {
            value.strip_prefix(&pattern)
        } else {
            value.strip_suffix(&pattern)
        };
        Ok(rest.unwrap_or(value).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, String> {
        substitute(text, &|name| match name {
            "NAME" => Some("order".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
        .map(|substituted| substituted.text)
        .map_err(|error| error.to_string())
    }

    #[test]
    fn substitutes_what_faas_cli_substitutes() {
        for (text, expected) in [
            ("a ${NAME} b", "a order b"),
            ("${NONE}", ""),
            ("${NONE:-x}${EMPTY:=y}${NONE=z}", "xyz"),
            ("${NAME:-x}", "order"),
            ("${NONE:-a ${NAME} b}", "a order b"),
            ("${NONE:-}", ""),
            ("$NAME $ {NAME}", "$NAME $ {NAME}"),
            ("$${NAME}", "${NAME}"),
            (r"a\\b\/c\d", r"a\b/c\d"),
            ("${NAME^} ${NAME^^} ${NAME,,}", "Order ORDER order"),
            ("${#NAME}", "5"),
            ("${NAME:1:3} ${NAME:2} ${NAME:-2}", "rde der order"),
            (
                "${NAME/r/R} ${NAME//r/R} ${NAME/#o/O} ${NAME/%r/R}",
                "oRder oRdeR Order ordeR",
            ),
            ("${NAME#or} ${NAME%er} ${NAME#x}", "der ord order"),
        ] {
            assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_the_rest() {
        for text in [
            "${",
            "${}",
            "${NAME",
            "${NAME-x}",
            "${NAME:-x",
            "${NAME#*r}",
            "${#NAME:-x}",
        ] {
            let error = expand(text).expect_err(text);
            assert!(
                error.starts_with("`${` starts a substitution here that "),
                "{error}"
            );
        }
    }

    #[test]
    fn remembers_where_each_character_came_from() {
        let substituted = substitute("ab${NONE:-xyz}c$$d", &|_| None).unwrap();
        assert_eq!(substituted.text, "abxyzc$d");
        assert_eq!(substituted.origin, [0, 1, 2, 2, 2, 14, 15, 17]);
    }
}
