//! Log lines on stderr: text or JSON, each line of a call with its ids, never in anybody's way.
//!
//! Lines are handed to a thread of their own. When a reader is slow or gone, lines are dropped and counted; a call
//! never waits for one.

mod config;
mod layer;
mod line;
mod request;
mod time;
mod writer;

pub use config::{Format, LogConfig};
pub use request::Request;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing::Level;
use tracing_subscriber::layer::SubscriberExt;

use crate::author::AuthorLayer;
use crate::fields::FieldValue;
use crate::otlp::logs::Exported;
use crate::scope::Scope;
use layer::LogLayer;
use line::{Line, with_buffer};
use writer::Writer;

/// The log of this process. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Logs {
    inner: Option<Arc<Inner>>,
}

#[derive(Debug)]
struct Inner {
    format: Format,
    max_line: usize,
    writer: Writer,
    /// Where records go beside the lines.
    exported: OnceLock<Exported>,
}

/// Starts the log on stderr, and makes it what `tracing` and panics of this process write to.
///
/// If the program has installed a `tracing` subscriber of its own, that one stays.
pub fn init(config: LogConfig) -> Logs {
    let logs = Logs::to(config.clone(), std::io::stderr());
    if let Some(inner) = &logs.inner {
        let _ = tracing::dispatcher::set_global_default(inner.subscriber(config));
        let log = Arc::clone(inner);
        std::panic::set_hook(Box::new(move |info| log.panic(info)));
    }
    logs
}

impl Logs {
    /// Writes nothing.
    pub fn disabled() -> Self {
        Self { inner: None }
    }

    /// Lines to `out`, from a thread of their own.
    pub fn to(config: LogConfig, out: impl Write + Send + 'static) -> Self {
        let format = config.format;
        let notice = move |count| dropped(format, count);
        let inner = Writer::start(out, notice).ok().map(|writer| Inner {
            format,
            max_line: config.max_line,
            writer,
            exported: OnceLock::new(),
        });
        Self {
            inner: inner.map(Arc::new),
        }
    }

    /// A `tracing` subscriber whose events come out as lines here, and whose spans become spans of the call they are
    /// made in. [`init`] installs one for the whole process.
    pub fn subscriber(&self, config: LogConfig) -> tracing::Dispatch {
        match &self.inner {
            Some(inner) => inner.subscriber(config),
            None => tracing::Dispatch::none(),
        }
    }

    /// Logs a call that is over: formatted in a buffer of this thread, handed over with one copy.
    pub fn request(&self, request: &Request<'_>) {
        if let Some(inner) = &self.inner {
            inner.line(|out| request.write(out, inner.format, inner.max_line));
        }
    }

    /// How many lines were dropped because nobody read them fast enough.
    pub fn dropped(&self) -> u64 {
        self.inner
            .as_ref()
            .map_or(0, |inner| inner.writer.dropped())
    }

    /// Waits until everything logged so far is written, for at most `within`. Whether it was.
    pub fn flush(&self, within: Duration) -> bool {
        self.inner
            .as_ref()
            .is_none_or(|inner| inner.writer.flush(within))
    }

    /// Sends what `tracing` logs from now on to `exported` too; the first one stays.
    pub(crate) fn export_to(&self, exported: Exported) {
        if let Some(inner) = &self.inner {
            let _ = inner.exported.set(exported);
        }
    }
}

impl Inner {
    fn subscriber(self: &Arc<Self>, config: LogConfig) -> tracing::Dispatch {
        let layers = tracing_subscriber::registry()
            .with(config.filter)
            .with(AuthorLayer)
            .with(LogLayer::new(Arc::clone(self)));
        layers.into()
    }

    fn line(&self, make: impl FnOnce(&mut Vec<u8>)) {
        with_buffer(|out| {
            make(out);
            self.writer.push(out);
        });
    }

    /// A panic in a handler must not wait for stderr any more than a log line does.
    fn panic(&self, info: &PanicHookInfo<'_>) {
        let scope = Scope::current();
        self.line(|out| {
            let mut line = Line::begin(out, self.format, self.max_line, Level::ERROR, "panic");
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let message = info.payload_as_str().unwrap_or("a value that is no text");
            line.message(format_args!("panicked at {place}: {message}"));
            let backtrace = Backtrace::capture();
            if backtrace.status() == BacktraceStatus::Captured {
                line.field("backtrace", &FieldValue::Str(backtrace.to_string()));
            }
            line.end(
                scope
                    .as_ref()
                    .map(|scope| (scope.call_id().as_str(), scope.context())),
            );
        });
    }
}

fn dropped(format: Format, count: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut line = Line::begin(&mut out, format, 4096, Level::WARN, "log");
    line.message(format_args!(
        "lines were dropped, as nobody read them fast enough"
    ));
    line.field("count", &FieldValue::Int(count.cast_signed()));
    line.end(None);
    out
}

#[cfg(test)]
mod tests;
