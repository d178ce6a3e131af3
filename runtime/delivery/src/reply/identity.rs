//! Who a reply is, and which event it comes of.

use openfaas_cloudevents::{AttributeValue, Event};
use openfaas_telemetry::TraceContext;

use crate::{ids, wrap};

/// The id of the event that a reply answers.
pub const CAUSATION: &str = "causationid";
/// The id of the event that began the chain.
pub const CORRELATION: &str = "correlationid";
/// How many functions the chain has passed.
pub const HOPS: &str = "hopcount";
/// The key by which events are kept in order.
pub const PARTITION_KEY: &str = "partitionkey";

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// What a reply takes from the event it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Its `id`.
    pub id: String,
    /// Its `source`.
    pub source: String,
    /// Its `correlationid`; its own id where it has none, for then the chain begins with it.
    pub correlation: String,
    /// Its `hopcount`; 0 where it has none, or one that is no number.
    pub hops: u32,
    /// Its order key.
    pub key: Option<String>,
    /// Its `traceparent`, by which a reply that only copied it is told from one that has its own.
    pub traceparent: Option<String>,
}

impl Cause {
    /// What a reply takes from `event`. `key` is its order key as the broker knows it ([`order_key`](super::order_key));
    /// `None` is its `partitionkey`.
    pub fn of<T>(event: &Event<T>, key: Option<&str>) -> Self {
        let text = |name: &str| {
            event
                .text(name)
                .filter(|text| !text.is_empty())
                .map(|text| text.into_owned())
        };
        Self {
            id: event.id().to_owned(),
            source: event.source().to_owned(),
            correlation: text(CORRELATION).unwrap_or_else(|| event.id().to_owned()),
            hops: text(HOPS).and_then(|hops| hops.parse().ok()).unwrap_or(0),
            key: key.map(str::to_owned).or_else(|| text(PARTITION_KEY)),
            traceparent: text(TRACEPARENT),
        }
    }

    /// The `hopcount` of what it causes.
    pub fn next_hop(&self) -> u32 {
        self.hops.saturating_add(1)
    }
}

/// Gives replies their identity: the same answer stamped twice, by whomever, is stamped once.
///
/// Set whatever the answer says: `causationid`, `correlationid`, `hopcount`. Set where it is missing: `id` (a hash of the
/// cause's source and id, the function and the reply's index), `source` (`/function/<function>`), `partitionkey` (the
/// cause's order key). `span`, the one that made the replies, becomes `traceparent` and `tracestate` where they have none,
/// or only their cause's.
pub fn stamp(
    replies: Vec<Event>,
    cause: &Cause,
    function: &str,
    span: Option<&TraceContext>,
) -> Vec<Event> {
    let stamped = |(index, reply)| one(index, reply, cause, function, span);
    replies.into_iter().enumerate().map(stamped).collect()
}

fn one(
    index: usize,
    mut reply: Event,
    cause: &Cause,
    function: &str,
    span: Option<&TraceContext>,
) -> Event {
    if reply.id().is_empty() {
        reply = reply.with_id(ids::reply(&cause.source, &cause.id, function, index));
    }
    if reply.source().is_empty() {
        reply = reply.with_source(wrap::function_source(function));
    }
    reply = set(reply, CAUSATION, &*cause.id);
    reply = set(reply, CORRELATION, &*cause.correlation);
    reply = set(
        reply,
        HOPS,
        i32::try_from(cause.next_hop()).unwrap_or(i32::MAX),
    );
    if let (None, Some(key)) = (reply.partition_key(), &cause.key) {
        reply = set(reply, PARTITION_KEY, &**key);
    }
    match span {
        Some(span) => trace(reply, cause, span),
        None => reply,
    }
}

fn trace(mut reply: Event, cause: &Cause, span: &TraceContext) -> Event {
    let own = reply
        .text(TRACEPARENT)
        .is_some_and(|own| Some(&*own) != cause.traceparent.as_deref());
    if own {
        return reply;
    }
    reply = set(reply, TRACEPARENT, span.traceparent());
    match span.tracestate() {
        Some(tracestate) => set(reply, TRACESTATE, tracestate),
        None => {
            reply.remove_attribute(TRACESTATE);
            reply
        }
    }
}

/// Sets an attribute that says something else, and only then: an event that nobody changed leaves as it came.
fn set(reply: Event, name: &str, value: impl Into<AttributeValue>) -> Event {
    let value = value.into();
    if reply.text(name).as_deref() == Some(&*value.text()) {
        reply
    } else {
        reply.with_extension(name, value)
    }
}
