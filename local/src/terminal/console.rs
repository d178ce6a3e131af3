//! Standard output, shared by everybody who has something to say.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
};

use super::style::{Colour, Style};

/// Erases the line the cursor is in.
const ERASE: &str = "\r\u{1b}[2K";

/// Standard output. Clones are the same.
#[derive(Clone, Debug)]
pub struct Console {
    /// How text is coloured.
    pub style: Style,
    /// Whether the last line may move.
    moving: bool,
    /// The line that stays below all others, while there is one.
    last: Arc<Mutex<Option<String>>>,
}

impl Console {
    /// Colours and a moving last line if standard output is a terminal; no colours where `NO_COLOR` is set.
    #[must_use]
    pub fn of_stdout() -> Self {
        let terminal = io::stdout().is_terminal();
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            style: Style { coloured: colour },
            moving: terminal,
            last: Arc::default(),
        }
    }

    /// Whether the last line may move.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.moving
    }

    /// Prints a line. Who reads standard output no more misses it, and nothing else happens.
    pub fn line(&self, text: &str) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = io::stdout().lock();
        let _ = match &*last {
            Some(last) => write!(out, "{ERASE}{text}\n{last}"),
            None => writeln!(out, "{text}"),
        };
        let _ = out.flush();
    }

    /// Prints what the runner says of a function.
    pub fn note(&self, function: &str, text: &str) {
        self.line(&format!(
            "{} {}",
            self.style.name(function),
            self.style.paint(Colour::Yellow, text)
        ));
    }

    /// Sets the line that stays below all others, or takes it away. Nothing without a terminal.
    pub fn progress(&self, text: Option<String>) {
        if !self.moving {
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = io::stdout().lock();
        let _ = write!(out, "{ERASE}{}", text.as_deref().unwrap_or_default());
        let _ = out.flush();
        *last = text;
    }
}
