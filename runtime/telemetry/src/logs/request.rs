//! The request log: one line for each call, past the machinery of `tracing`.

use std::time::Duration;

use http::StatusCode;
use tracing::Level;

use super::Format;
use super::line::Line;
use crate::context::TraceContext;

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
    /// Whether a line of text says the id once more, in brackets, where of-watchdog has it.
    pub bracketed_call_id: bool,
    /// What went wrong, in a word: `timeout`, `client_gone`.
    pub outcome: Option<&'a str>,
}

impl Request<'_> {
    /// As text this is of-watchdog's line, `GET /x - 200 OK - ContentLength: 210B (0.0042s)`, and then the ids.
    pub(super) fn write(&self, out: &mut Vec<u8>, format: Format, max: usize) {
        let level = if self.status >= 500 {
            Level::WARN
        } else {
            Level::INFO
        };
        let reason = StatusCode::from_u16(self.status).ok();
        let reason = reason
            .and_then(|status| status.canonical_reason())
            .unwrap_or("");
        match format {
            Format::Text => {
                let mut line = Line::begin(out, format, max, level, "");
                self.summary(&mut line, reason);
                line.raw(" - ContentLength: ");
                line.number(self.bytes);
                line.raw("B (");
                self.seconds(&mut line);
                line.raw("s)");
                if self.bracketed_call_id {
                    line.raw(" [");
                    line.escaped(self.call_id);
                    line.raw("]");
                }
                if let Some(outcome) = self.outcome {
                    line.raw(" ");
                    line.escaped(outcome);
                }
                line.end(Some((self.call_id, self.context)));
            }
            Format::Json => {
                let mut line = Line::begin(out, format, max, level, "request");
                line.raw(",\"message\":\"");
                self.summary(&mut line, reason);
                line.raw("\",\"fields\":{\"method\":\"");
                line.escaped(self.method);
                line.raw("\",\"path\":\"");
                line.escaped(self.target);
                line.raw("\",\"status\":");
                line.number(u64::from(self.status));
                line.raw(",\"bytes\":");
                line.number(self.bytes);
                line.raw(",\"seconds\":");
                self.seconds(&mut line);
                if let Some(outcome) = self.outcome {
                    line.raw(",\"outcome\":\"");
                    line.escaped(outcome);
                    line.raw("\"");
                }
                line.raw("}");
                line.end(Some((self.call_id, self.context)));
            }
        }
    }

    fn summary(&self, line: &mut Line<'_>, reason: &str) {
        line.escaped(self.method);
        line.raw(" ");
        line.escaped(self.target);
        line.raw(" - ");
        line.number(u64::from(self.status));
        line.raw(if reason.is_empty() { "" } else { " " });
        line.raw(reason);
    }

    /// Seconds with four digits after the point.
    fn seconds(&self, line: &mut Line<'_>) {
        line.number(self.duration.as_secs());
        let rest = self.duration.subsec_micros() / 100;
        line.fraction([1000, 100, 10, 1].map(|unit| (rest / unit % 10) as u8));
    }
}
