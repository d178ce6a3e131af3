//! One log line in the making: escaped, bounded, in a buffer of the thread that writes it.

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::time::SystemTime;

use tracing::Level;

use super::{Format, time};
use crate::context::TraceContext;
use crate::fields::FieldValue;

/// Room for what ends a line: the ids of the call, and that something is missing.
const TAIL: usize = 768;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A line that grows from left to right and ends with the ids of its call.
pub(super) struct Line<'a> {
    out: &'a mut Vec<u8>,
    format: Format,
    /// What is said beyond this many bytes is left out.
    limit: usize,
    cut: bool,
    part: Part,
}

/// What a line is in the middle of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Head,
    Fields,
    Spans,
}

/// Runs `make` on an empty buffer of this thread.
pub(super) fn with_buffer<R>(make: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = BUFFER.try_with(RefCell::take).unwrap_or_default();
    buffer.clear();
    let result = make(&mut buffer);
    let _ = BUFFER.try_with(|place| place.replace(buffer));
    result
}

impl<'a> Line<'a> {
    /// Begins a line of at most `max` bytes.
    pub(super) fn begin(
        out: &'a mut Vec<u8>,
        format: Format,
        max: usize,
        level: Level,
        target: &str,
    ) -> Self {
        let limit = max.saturating_sub(TAIL);
        let mut line = Self {
            out,
            format,
            limit,
            cut: false,
            part: Part::Head,
        };
        match format {
            Format::Text => {
                time::write(line.out, SystemTime::now());
                line.raw(match level {
                    Level::ERROR => " ERROR ",
                    Level::WARN => "  WARN ",
                    Level::INFO => "  INFO ",
                    Level::DEBUG => " DEBUG ",
                    Level::TRACE => " TRACE ",
                });
                if !target.is_empty() {
                    line.escaped(target);
                    line.raw(": ");
                }
            }
            Format::Json => {
                line.raw("{\"time\":\"");
                time::write(line.out, SystemTime::now());
                line.raw("\",\"level\":\"");
                line.raw(level.as_str());
                line.raw("\"");
                line.member("target");
                line.string(target);
            }
        }
        line
    }

    /// What happened, as one piece of text.
    pub(super) fn message(&mut self, message: fmt::Arguments<'_>) {
        match self.format {
            Format::Text => {
                let _ = self.write_fmt(message);
            }
            Format::Json => {
                self.member("message");
                self.quoted(message);
            }
        }
    }

    /// A value that says more about it.
    pub(super) fn field(&mut self, key: &str, value: &FieldValue) {
        if self.has_room() {
            let first = self.open(Part::Fields);
            self.pair(key, value, first);
        }
    }

    /// A span of the author's around this line, outermost first.
    pub(super) fn span(&mut self, name: &str, fields: &[(&'static str, FieldValue)]) {
        if !self.has_room() {
            return;
        }
        let first = self.open(Part::Spans);
        let json = self.format == Format::Json;
        match (json, first) {
            (true, true) => self.raw("{\"name\":"),
            (true, false) => self.raw(",{\"name\":"),
            (false, true) => self.raw(" in "),
            (false, false) => self.raw(":"),
        }
        match self.format {
            Format::Json => self.string(name),
            Format::Text => self.escaped(name),
        }
        if !json && !fields.is_empty() {
            self.raw("{");
        }
        for (place, (key, value)) in fields.iter().enumerate() {
            self.pair(key, value, !json && place == 0);
        }
        if json || !fields.is_empty() {
            self.raw("}");
        }
    }

    /// Whether more can be said; that it cannot is remembered.
    fn has_room(&mut self) -> bool {
        self.cut |= self.out.len() >= self.limit;
        self.out.len() < self.limit
    }

    /// Closes what is open, if it is another part, and opens this one. Whether it was opened now.
    fn open(&mut self, part: Part) -> bool {
        if self.part == part {
            return false;
        }
        let before = std::mem::replace(&mut self.part, part);
        if self.format == Format::Json {
            self.raw(match before {
                Part::Head => "",
                Part::Fields => "}",
                Part::Spans => "]",
            });
            self.raw(match part {
                Part::Head => "",
                Part::Fields => ",\"fields\":{",
                Part::Spans => ",\"spans\":[",
            });
        }
        true
    }

    fn pair(&mut self, key: &str, value: &FieldValue, first: bool) {
        match self.format {
            Format::Text => {
                let inside = self.part == Part::Spans && first;
                self.raw(if inside { "" } else { " " });
                self.escaped(key);
                self.raw("=");
            }
            Format::Json => {
                self.raw(if first { "" } else { "," });
                self.string(key);
                self.raw(":");
            }
        }
        match value {
            FieldValue::Str(text) if self.format == Format::Json => self.string(text),
            FieldValue::Str(text) => self.escaped(text),
            FieldValue::Double(number) if self.format == Format::Json && !number.is_finite() => {
                self.string(&number.to_string());
            }
            FieldValue::Double(number) => self.raw(&number.to_string()),
            FieldValue::Int(number) => self.raw(&number.to_string()),
            FieldValue::Bool(truth) => self.raw(if *truth { "true" } else { "false" }),
        }
    }

    /// Ends the line with the ids of the call it belongs to.
    pub(super) fn end(mut self, ids: Option<(&str, &TraceContext)>) {
        self.open(Part::Head);
        if self.cut {
            self.raw(match self.format {
                Format::Text => " … (cut)",
                Format::Json => ",\"cut\":true",
            });
        }
        self.limit = usize::MAX;
        let json = self.format == Format::Json;
        if let Some((call_id, context)) = ids {
            if !call_id.is_empty() {
                self.raw(if json { ",\"call_id\":\"" } else { " call_id=" });
                let end = call_id.floor_char_boundary(128);
                self.escaped(&call_id[..end]);
                self.raw(if json { "\"" } else { "" });
            }
            self.raw(if json {
                ",\"trace_id\":\""
            } else {
                " trace_id="
            });
            self.out.extend_from_slice(&context.trace_id().hex());
            self.raw(if json {
                "\",\"span_id\":\""
            } else {
                " span_id="
            });
            self.out.extend_from_slice(&context.span_id().hex());
            self.raw(if json { "\"" } else { "" });
        }
        self.raw(if json { "}\n" } else { "\n" });
    }

    /// Appends what needs no escaping.
    pub(super) fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// A whole number, without the machinery of `fmt`.
    pub(super) fn number(&mut self, number: u64) {
        let mut digits = [0; 20];
        let mut first = digits.len();
        let mut rest = number;
        loop {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[first..]);
    }

    /// A point and four digits.
    pub(super) fn fraction(&mut self, digits: [u8; 4]) {
        let [a, b, c, d] = digits.map(|digit| b'0' + digit);
        self.out.extend_from_slice(&[b'.', a, b, c, d]);
    }

    /// Appends text that may hold anything, as far as there is room.
    ///
    /// A control character in a text line could forge another line or drive a terminal; in JSON it is not allowed.
    pub(super) fn escaped(&mut self, text: &str) {
        let json = self.format == Format::Json;
        let special = |byte: &u8| {
            *byte < 0x20 || *byte == 0x7f || (json && (*byte == b'"' || *byte == b'\\'))
        };
        let mut rest = text;
        loop {
            let room = self.limit.saturating_sub(self.out.len());
            let fits = &rest[..rest.floor_char_boundary(room)];
            let Some(place) = fits.as_bytes().iter().position(special) else {
                self.raw(fits);
                self.cut |= fits.len() < rest.len();
                return;
            };
            self.raw(&rest[..place]);
            escape(self.out, rest.as_bytes()[place]);
            rest = &rest[place + 1..];
        }
    }

    fn string(&mut self, text: &str) {
        self.raw("\"");
        self.escaped(text);
        self.raw("\"");
    }

    fn quoted(&mut self, text: fmt::Arguments<'_>) {
        self.raw("\"");
        let _ = self.write_fmt(text);
        self.raw("\"");
    }

    fn member(&mut self, name: &str) {
        self.raw(",\"");
        self.raw(name);
        self.raw("\":");
    }
}

/// Everything that is formatted into a line is escaped and bounded.
impl Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.escaped(text);
        Ok(())
    }
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        _ => {
            let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[digit(byte >> 4), digit(byte & 0x0f)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: Format, max: usize, write: impl FnOnce(&mut Line<'_>)) -> String {
        let mut out = Vec::new();
        let mut line = Line::begin(&mut out, format, max, Level::INFO, "order");
        write(&mut line);
        line.end(None);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_stays_one_line_whatever_is_said() {
        let said = "a\nb\u{1b}[31m\u{7f}\t\"é\\";
        let text = line(Format::Text, 4096, |line| {
            line.message(format_args!("{said}"))
        });
        assert!(
            text.ends_with("  INFO order: a\\nb\\u001b[31m\\u007f\\t\"é\\\n"),
            "{text}"
        );
        let json = line(Format::Json, 4096, |line| {
            line.message(format_args!("{said}"))
        });
        let expected =
            ",\"target\":\"order\",\"message\":\"a\\nb\\u001b[31m\\u007f\\t\\\"é\\\\\"}\n";
        assert!(json.ends_with(expected), "{json}");
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_between_characters_and_says_so() {
        for (format, long) in [
            (Format::Text, "é"),
            (Format::Json, "é"),
            (Format::Text, "\u{1}"),
        ] {
            let long = long.repeat(10_000);
            let cut = line(format, 1024, |line| {
                line.message(format_args!("{long}"));
                line.field("k", &FieldValue::Int(1));
                line.span("s", &[]);
            });
            assert!(cut.len() <= 1024 && cut.contains("cut"), "{cut}");
            assert!(!cut.contains("\"k\"") && !cut.contains("k="), "{cut}");
        }
        let json = line(Format::Json, 1024, |line| {
            for _ in 0..10_000 {
                line.field("k", &FieldValue::Bool(true));
            }
        });
        assert!(
            json.len() <= 1024 && json.ends_with("\"k\":true},\"cut\":true}\n"),
            "{json}"
        );
    }

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 9, 10, 1_234_567_890, u64::MAX] {
            let text = line(Format::Text, 1024, |line| line.number(number));
            assert!(text.ends_with(&format!("order: {number}\n")));
        }
    }

    #[test]
    fn a_buffer_in_use_is_not_shared() {
        with_buffer(|outer| {
            outer.push(b'a');
            with_buffer(|inner| assert!(inner.is_empty()));
            assert_eq!(outer, b"a");
        });
    }
}
