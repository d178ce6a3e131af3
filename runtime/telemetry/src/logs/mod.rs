//! Log lines on stderr: text or JSON, each line of a call with its ids, never in anybody's way.

mod writer;

use std::io::Write;
use std::time::Duration;

use crate::config::ConfigError;
use crate::context::TraceContext;
use writer::Writer;

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
#[derive(Clone, Debug, Default)]
pub struct LogConfig {
    format: Format,
}

/// The log of this process. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Logs {
    format: Format,
    writer: Option<Writer>,
}

/// A call that is over, as the request log tells it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The verb.
    pub method: &'a str,
    /// Path and query, as they came.
    pub target: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// From the first line of the call to the end of the answer.
    pub duration: Duration,
    /// `X-Call-Id`.
    pub call_id: &'a str,
    /// The call's span.
    pub context: &'a TraceContext,
    /// What went wrong, in a word: `timeout`, `client_gone`.
    pub outcome: Option<&'a str>,
}

impl LogConfig {
    /// Reads `log_format` (`text` or `json`), `log_buffer_size` (longest line in bytes) and `RUST_LOG`.
    ///
    /// # Errors
    /// The first variable that cannot be taken as it is.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let format = match lookup("log_format").as_deref().map(str::trim) {
            None | Some("" | "text") => Format::Text,
            Some("json") => Format::Json,
            Some(other) => return Err(ConfigError::new("log_format", other, "use text or json")),
        };
        Ok(Self { format })
    }
}

/// Starts the log on stderr, and makes it what `tracing` and panics of this process write to.
///
/// If the program has installed a `tracing` subscriber of its own, that one stays.
pub fn init(config: LogConfig) -> Logs {
    Logs::to(config, std::io::stderr())
}

impl Logs {
    /// Writes nothing.
    pub fn disabled() -> Self {
        Self {
            format: Format::Text,
            writer: None,
        }
    }

    /// Lines to `out` from a thread of their own.
    pub fn to(config: LogConfig, out: impl Write + Send + 'static) -> Self {
        let notice = |count| format!("{count} log lines were dropped\n").into_bytes();
        Self {
            format: config.format,
            writer: Writer::start(out, notice).ok(),
        }
    }

    /// Logs a call that is over: formatted in a buffer of this thread, handed over with one copy.
    pub fn request(&self, request: &Request<'_>) {
        let Some(writer) = &self.writer else { return };
        let line = format!(
            "{} {} - {} - ContentLength: {}B ({:.4}s) call_id={} trace_id={}\n",
            request.method,
            request.target,
            request.status,
            request.bytes,
            request.duration.as_secs_f64(),
            request.call_id,
            request.context.trace_id()
        );
        writer.push(line.as_bytes());
    }

    /// How many lines were dropped because nobody read them fast enough.
    pub fn dropped(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::dropped)
    }

    /// Waits until everything logged so far is written, for at most `within`. Whether it was.
    pub fn flush(&self, within: Duration) -> bool {
        self.writer
            .as_ref()
            .is_none_or(|writer| writer.flush(within))
    }
}
