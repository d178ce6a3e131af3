//! One call of a function, and what came of it: what passes between the engine and a target.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use openfaas_cloudevents::Event;
use openfaas_telemetry::TraceContext;

use crate::wiring::Format;

/// One call. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Call {
    /// The function's name.
    pub function: Arc<str>,
    /// Its namespace; empty where the gateway has only one.
    pub namespace: Arc<str>,
    /// The topic its event came from, or, of a batch, the one that its function asked for (`X-Topic`).
    pub topic: Arc<str>,
    /// Who calls (`X-Connector`).
    pub connector: Arc<str>,
    /// `X-Call-Id`; a new one for each call.
    pub call_id: Arc<str>,
    /// What it is called with.
    pub payload: Payload,
    /// How one event is written; a batch is always JSON.
    pub format: Format,
    /// Which attempt at this event this is, from 1 (`X-Delivery-Attempt`); `None` for a batch, whose events differ.
    pub attempt: Option<u32>,
    /// When this long has passed without an answer, it is a 504. `X-Timeout` tells the function one second less, so that
    /// what will be retried no longer runs.
    pub timeout: Duration,
    /// What else is said of the message that its event came in, as far as there is room.
    pub headers: HeaderMap,
    /// The hop's own span (`traceparent`, `tracestate`).
    pub trace: Option<TraceContext>,
}

/// The events of a call.
#[derive(Debug, Clone)]
pub enum Payload {
    /// One, in the format that the wiring says.
    One(Arc<Event>),
    /// Several, as `application/cloudevents-batch+json`.
    Batch(Vec<Arc<Event>>),
}

/// What came of a call.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// An answer, whole.
    Answered(Answer),
    /// No whole answer within [`Call::timeout`].
    TimedOut,
    /// Nobody took the connection: the function has seen nothing of the call.
    Refused(String),
    /// The connection went while no answer had begun: the function may have been at work.
    Cut(String),
    /// The answer began and did not end.
    CutShort(String),
}

/// An answer as it came, whoever on the way gave it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers. An answer of the function itself always has a Content-Type: a provider adds one where it has none,
    /// and so does a target that calls a function directly.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// The body was larger than the target keeps, and is left out.
    pub oversized: bool,
}

impl Call {
    /// What the function is told of the time it has: a second less than its caller waits, and at least half of that.
    pub fn told(&self) -> Duration {
        self.timeout
            .saturating_sub(Duration::from_secs(1))
            .max(self.timeout / 2)
    }
}

impl Payload {
    /// The events, one or more.
    pub fn events(&self) -> &[Arc<Event>] {
        match self {
            Self::One(event) => std::slice::from_ref(event),
            Self::Batch(events) => events,
        }
    }
}

impl Answer {
    /// An answer with this body.
    pub fn new(status: StatusCode, headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers,
            body: body.into(),
            oversized: false,
        }
    }

    /// A header's value, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
