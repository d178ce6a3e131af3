//! What is logged, and how.

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use crate::config::ConfigError;

/// Longest line by default, as of-watchdog's `log_buffer_size` has it.
const DEFAULT_LINE: usize = 64 * 1024;
/// A line never takes more than a quarter of what may wait to be written.
const LONGEST_LINE: usize = 256 * 1024;
const SHORTEST_LINE: usize = 2048;
/// The module that prints whatever comes from NATS, at `trace`: what an event holds never reaches a log.
const PRINTS_BODIES: &str = "async_nats::connection";

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one object a line.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct LogConfig {
    pub(super) format: Format,
    /// In bytes.
    pub(super) max_line: usize,
    pub(super) filter: Targets,
}

impl LogConfig {
    /// Reads `log_format` (`text` or `json`), `log_buffer_size` (longest line in bytes; -1 is as long as can be) and
    /// `RUST_LOG` (levels, by module where needed; `info` by default, and never so low that a client prints what it receives).
    ///
    /// # Errors
    /// The first variable that cannot be taken as it is.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text = |key: &str| {
            let value = lookup(key)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let format = match text("log_format").as_deref() {
            None | Some("text") => Format::Text,
            Some("json") => Format::Json,
            Some(other) => return Err(ConfigError::new("log_format", other, "use text or json")),
        };
        let size = text("log_buffer_size").unwrap_or_else(|| DEFAULT_LINE.to_string());
        let max_line = match size.parse() {
            Ok(-1) => LONGEST_LINE,
            Ok(size @ 0_i64..) => usize::try_from(size).unwrap_or(LONGEST_LINE),
            _ => {
                let remedy = "use a whole number of bytes, or -1 for lines as long as can be";
                return Err(ConfigError::new("log_buffer_size", &size, remedy));
            }
        };
        let filter: Targets = match text("RUST_LOG") {
            None => Targets::default().with_default(LevelFilter::INFO),
            Some(filter) => filter.parse().map_err(|_| {
                let remedy = "use levels such as info, or order=debug,info";
                ConfigError::new("RUST_LOG", &filter, remedy)
            })?,
        };
        Ok(Self {
            format,
            max_line: max_line.clamp(SHORTEST_LINE, LONGEST_LINE),
            filter: match filter.would_enable(PRINTS_BODIES, &Level::TRACE) {
                true => filter.with_target(PRINTS_BODIES, LevelFilter::DEBUG),
                false => filter,
            },
        })
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: Format::Text,
            max_line: DEFAULT_LINE,
            filter: Targets::default().with_default(LevelFilter::INFO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(key: &str, value: &str) -> Result<LogConfig, String> {
        let lookup = |wanted: &str| (wanted == key).then(|| value.to_owned());
        LogConfig::from_lookup(lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_have_a_length_that_fits() {
        let max_line = |value| config("log_buffer_size", value).unwrap().max_line;
        assert_eq!(max_line(""), DEFAULT_LINE);
        assert_eq!(max_line("4096"), 4096);
        assert_eq!(max_line("1"), SHORTEST_LINE);
        assert_eq!(max_line("-1"), LONGEST_LINE);
        assert_eq!(max_line("99999999999"), LONGEST_LINE);
    }

    #[test]
    fn what_cannot_be_taken_is_one_sentence() {
        for (key, value, remedy) in [
            ("log_format", "xml", "use text or json"),
            (
                "log_buffer_size",
                "64k",
                "use a whole number of bytes, or -1 for lines as long as can be",
            ),
            (
                "RUST_LOG",
                "order=loud",
                "use levels such as info, or order=debug,info",
            ),
        ] {
            assert_eq!(
                config(key, value).unwrap_err(),
                format!("{key}={value}: {remedy}")
            );
        }
    }

    #[test]
    fn levels_are_taken_by_module() {
        let filter = config("RUST_LOG", "order=debug,warn").unwrap().filter;
        assert!(filter.would_enable("order::bank", &Level::DEBUG));
        assert!(!filter.would_enable("hyper", &Level::INFO));
        let all = config("RUST_LOG", "trace").unwrap().filter;
        assert!(all.would_enable("order::bank", &Level::TRACE));
        assert!(!all.would_enable("async_nats::connection", &Level::TRACE));
        let usual = config("RUST_LOG", "info").unwrap().filter;
        assert!(!usual.would_enable("async_nats::connection", &Level::DEBUG));
    }
}
