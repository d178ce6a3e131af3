//! Colours, and figures in few characters.

use std::time::Duration;

/// A colour of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// For what went wrong.
    Red,
    /// For what went well.
    Green,
    /// For what is not yet decided.
    Yellow,
    /// For what is less important.
    Dim,
    /// For names and headings.
    Bold,
    /// One of a few that tell functions apart.
    Name(u8),
}

/// The colours that tell functions apart: cyan, magenta, blue, and their bright sisters.
const NAMES: [&str; 6] = ["36", "35", "34", "96", "95", "94"];

/// Whether and how text is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether there are colours at all.
    pub coloured: bool,
}

impl Style {
    /// `text` in `colour`, if there are colours.
    #[must_use]
    pub fn paint(self, colour: Colour, text: &str) -> String {
        if !self.coloured {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Red => "31",
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Dim => "2",
            Colour::Bold => "1",
            Colour::Name(number) => NAMES[usize::from(number) % NAMES.len()],
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// `name` in its own colour, always the same.
    #[must_use]
    pub fn name(self, name: &str) -> String {
        let sum = name
            .bytes()
            .fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        self.paint(Colour::Name(sum), name)
    }
}

/// A duration in at most six characters: `850µs`, `12ms`, `3.4s`, `2m05s`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    match duration {
        short if short < Duration::from_millis(1) => format!("{}µs", short.as_micros()),
        short if short < Duration::from_secs(1) => format!("{}ms", short.as_millis()),
        middle if middle < Duration::from_secs(100) => format!("{:.1}s", middle.as_secs_f64()),
        long => format!("{}m{:02}s", long.as_secs() / 60, long.as_secs() % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_left_alone_without_colours() {
        assert_eq!(Style::default().paint(Colour::Red, "no"), "no");
        assert_eq!(
            Style { coloured: true }.paint(Colour::Red, "no"),
            "\u{1b}[31mno\u{1b}[0m"
        );
    }

    #[test]
    fn durations_are_short() {
        let short = |micros| duration(Duration::from_micros(micros));
        assert_eq!(short(850), "850µs");
        assert_eq!(short(12_345), "12ms");
        assert_eq!(short(3_400_000), "3.4s");
        assert_eq!(short(125_000_000), "2m05s");
    }
}
