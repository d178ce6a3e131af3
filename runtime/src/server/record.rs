use std::{cell::OnceCell, sync::Arc};

use http::{Method, StatusCode, Uri};
use openfaas_telemetry::{CallId, Scope, Span, logs};
use tokio::time::Instant;

use super::{Phase, Server, limit::Place};
use crate::call::Call;

/// What is kept of one call, from its first header to the last byte of its answer. Dropped, the call is over: it is
/// counted and logged, its span ends, its place is free.
pub(crate) struct Record {
    pub(crate) server: Arc<Server>,
    /// What the handler can ask for. Moved out while the handler is polled.
    pub(crate) call: Option<Call>,
    /// What log lines and spans of the author's own belong to. Moved out like `call`.
    pub(crate) scope: Option<Scope>,
    pub(crate) line: Line,
    pub(crate) span: Span,
    pub(crate) started: Instant,
    /// When the handler is given up.
    pub(crate) deadline: Instant,
    /// When there was an answer.
    pub(crate) answered: Option<Instant>,
    /// When it was out.
    pub(crate) over: Option<Instant>,
    /// The place it takes, once it has one.
    pub(crate) place: Option<Place>,
    /// Of the answer; 499 as long as there is none.
    pub(crate) status: StatusCode,
    /// Of the answer's body, so far.
    pub(crate) bytes: u64,
    pub(crate) end: End,
    /// No line for it in the request log.
    pub(crate) quiet: bool,
}

/// A call as a log line names it.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) call_id: CallId,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Not yet. A call that is dropped like this has lost its caller, or was cut.
    Open,
    /// The whole answer is out.
    Answered,
    /// The handler had not answered by the deadline.
    Timeout,
    /// The answer began, and then nothing came of it for too long.
    Idle,
    /// The answer's body failed.
    Broken,
    /// The handler panicked.
    Panic,
    /// There was no place, or the request was none to take.
    Refused,
}

/// Counted for a caller who left before there was a status (nginx's number for it).
const CLIENT_CLOSED_REQUEST: u16 = 499;

// === impl Line ===

impl Line {
    /// The line of no call.
    pub(crate) fn nothing() -> Line {
        Line {
            method: Method::GET,
            uri: Uri::default(),
            call_id: CallId::new(""),
        }
    }
}

// === impl Record ===

impl Record {
    pub(crate) fn new(
        server: Arc<Server>,
        line: Line,
        span: Span,
        started: Instant,
        deadline: Instant,
    ) -> Record {
        Record {
            call: Some(Call {
                shared: server.shared.clone(),
                deadline: Some(deadline),
                context: OnceCell::new(),
            }),
            scope: Some(Scope::new(
                &server.shared.telemetry,
                &span,
                line.call_id.clone(),
            )),
            server,
            line,
            span,
            started,
            deadline,
            answered: None,
            over: None,
            place: None,
            status: StatusCode::from_u16(CLIENT_CLOSED_REQUEST).expect("three digits are a status"),
            bytes: 0,
            end: End::Open,
            quiet: false,
        }
    }

    /// There is an answer; asked again, it gives the time of the first.
    pub(crate) fn answered_now(&mut self) -> Instant {
        *self.answered.get_or_insert_with(Instant::now)
    }

    /// Nobody waits for the handler any more.
    pub(crate) fn cancel(&self) {
        if let Some(call) = &self.call {
            call.cancel();
        }
    }

    fn settle(&mut self) {
        let server = &self.server;
        let duration = self.over.unwrap_or_else(Instant::now) - self.started;
        let outcome = match self.end {
            End::Answered => None,
            End::Refused => Some("refused"),
            End::Timeout => Some("timeout"),
            End::Idle => Some("idle"),
            End::Broken => Some("broken"),
            End::Panic => Some("panic"),
            End::Open if std::thread::panicking() => Some("panic"),
            End::Open if server.lifecycle.phase() == Phase::Cutting => Some("cut"),
            End::Open => Some("caller_left"),
        };
        if let Some(outcome) = outcome.filter(|_| self.end != End::Refused) {
            self.span.error(outcome);
        }
        self.span.answered(self.status.as_u16());
        server.shared.telemetry.metrics().http().finished(
            &self.line.method,
            self.status.as_u16(),
            duration,
        );
        server.counters.over(self.status.as_u16(), outcome);
        if server.request_log && !self.quiet {
            let target = self
                .line
                .uri
                .path_and_query()
                .map_or("/", |target| target.as_str());
            server.logs.request(&logs::Request {
                method: self.line.method.as_str(),
                target,
                status: self.status.as_u16(),
                bytes: self.bytes,
                duration,
                call_id: self.line.call_id.as_str(),
                context: self.span.context(),
                bracketed_call_id: server.log_call_id,
                outcome,
            });
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.end == End::Open {
            self.cancel();
        }
        self.settle();
        self.place = None;
        self.server.lifecycle.call_ends();
    }
}
