//! A span: one piece of work in a trace.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;

use crate::context::{SpanId, TraceContext};
use crate::otlp::attribute::{Value, key_value};
use crate::otlp::protobuf::{bytes, fixed32, fixed64, prefix, uint};
use crate::queue::Queue;

/// Fields of OTLP's `Span` message.
mod field {
    pub(super) const TRACE_ID: u32 = 1;
    pub(super) const SPAN_ID: u32 = 2;
    pub(super) const TRACE_STATE: u32 = 3;
    pub(super) const PARENT_SPAN_ID: u32 = 4;
    pub(super) const NAME: u32 = 5;
    pub(super) const KIND: u32 = 6;
    pub(super) const START: u32 = 7;
    pub(super) const END: u32 = 8;
    pub(super) const ATTRIBUTES: u32 = 9;
    pub(super) const DROPPED_ATTRIBUTES: u32 = 10;
    pub(super) const LINKS: u32 = 13;
    pub(super) const DROPPED_LINKS: u32 = 14;
    pub(super) const STATUS: u32 = 15;
    pub(super) const FLAGS: u32 = 16;
}

/// In `flags`: it is known whether the parent is remote, and it is.
const PARENT_IS_REMOTE: u32 = 0x300;
/// How many finished recordings a thread keeps to be used again.
const SPARE_RECORDINGS: usize = 64;
/// A recording that grew beyond this is not kept.
const SPARE_CAPACITY: usize = 8 * 1024;

thread_local! {
    #[expect(clippy::vec_box, reason = "what is kept is the box")]
    static SPARE: RefCell<Vec<Box<Recording>>> = const { RefCell::new(Vec::new()) };
}

/// Which side of which kind of call a span stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Work inside the process.
    Internal = 1,
    /// Answering a call.
    Server = 2,
    /// Making a call.
    Client = 3,
    /// Sending a message.
    Producer = 4,
    /// Processing a message.
    Consumer = 5,
}

/// How many attributes and links a span keeps, and how long a text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) attributes: u32,
    pub(crate) links: u32,
    /// In characters.
    pub(crate) value_length: Option<usize>,
}

/// One piece of work. It ends when it is dropped.
///
/// A span that is not sampled is an identity alone: it allocates nothing, and what is said to it is not formatted.
#[derive(Debug)]
#[must_use = "a span ends when it is dropped"]
pub struct Span {
    context: TraceContext,
    /// Nobody but this process knows the context: no exporter, and no caller that named a trace.
    local: bool,
    recording: Option<Box<Recording>>,
}

/// What a sampled span has said so far, most of it as it will be sent.
#[derive(Debug)]
struct Recording {
    sink: Option<Arc<Queue>>,
    encoded: Vec<u8>,
    name: Cow<'static, str>,
    start: u64,
    limits: Limits,
    attributes: u32,
    dropped_attributes: u32,
    links: u32,
    dropped_links: u32,
    failed: bool,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            attributes: 128,
            links: 128,
            value_length: None,
        }
    }
}

// === impl Span ===

impl Span {
    /// A span that is not recorded; `local` when it is nobody's business but this process's.
    pub(crate) fn unrecorded(context: TraceContext, local: bool) -> Self {
        Self {
            context,
            local,
            recording: None,
        }
    }

    /// A span that goes to `sink` when it ends.
    pub(crate) fn recorded(
        sink: &Arc<Queue>,
        limits: Limits,
        kind: Kind,
        name: Cow<'static, str>,
        context: TraceContext,
        parent: Option<(SpanId, bool)>,
    ) -> Self {
        let mut recording = Recording::fresh();
        recording.sink = Some(Arc::clone(sink));
        recording.limits = limits;
        recording.name = name;
        recording.start = nanoseconds(SystemTime::now());
        let out = &mut recording.encoded;
        bytes(out, field::TRACE_ID, &context.trace_id().to_bytes());
        bytes(out, field::SPAN_ID, &context.span_id().to_bytes());
        if let Some(state) = context.tracestate() {
            bytes(out, field::TRACE_STATE, state.as_bytes());
        }
        let mut flags = u32::from(context.flags().bits());
        if let Some((parent, remote)) = parent {
            bytes(out, field::PARENT_SPAN_ID, &parent.to_bytes());
            flags |= if remote { PARENT_IS_REMOTE } else { 0x100 };
        }
        fixed32(out, field::FLAGS, flags);
        uint(out, field::KIND, kind as u64);
        fixed64(out, field::START, recording.start);
        Self {
            context,
            local: false,
            recording: Some(recording),
        }
    }

    /// Its identity.
    pub fn context(&self) -> &TraceContext {
        &self.context
    }

    /// What the next hop is told: nothing where no exporter is set up and no caller named a trace, so that whoever
    /// comes next is free to begin one.
    pub fn outgoing(&self) -> Option<&TraceContext> {
        (!self.local).then_some(&self.context)
    }

    /// Writes [`outgoing`](Self::outgoing) into the headers of a call.
    pub fn inject(&self, headers: &mut HeaderMap) {
        if let Some(context) = self.outgoing() {
            context.inject(headers);
        }
    }

    /// Whether anything said to this span is kept. What costs to compute is computed only then.
    pub fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Gives the span another name, as when the route is known only after routing.
    pub fn rename(&mut self, name: impl Into<Cow<'static, str>>) {
        if let Some(recording) = &mut self.recording {
            recording.name = name.into();
        }
    }

    /// Adds an attribute. Each key is given once.
    pub fn attribute<'a>(&mut self, key: &str, value: impl Into<Value<'a>>) {
        if let Some(recording) = &mut self.recording {
            recording.attribute(key, value.into());
        }
    }

    /// Names another span that this one has to do with without being its child.
    pub fn link(&mut self, other: &TraceContext) {
        if let Some(recording) = &mut self.recording {
            recording.link(other);
        }
    }

    /// The work failed: `error_type` becomes `error.type`, and the status is an error.
    ///
    /// Use few different values: a status code, the name of an error type. The first one counts.
    pub fn error(&mut self, error_type: &str) {
        self.failure(error_type, "");
    }

    /// As [`error`](Self::error), with a sentence for a person to read.
    pub fn failure(&mut self, error_type: &str, message: &str) {
        if let Some(recording) = &mut self.recording {
            recording.fail(error_type, message);
        }
    }

    /// Ends the span now.
    pub fn end(self) {}
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(recording) = self.recording.take() {
            recording.finish();
        }
    }
}

// === impl Recording ===

impl Recording {
    fn fresh() -> Box<Self> {
        let spare = SPARE
            .try_with(|spare| spare.borrow_mut().pop())
            .ok()
            .flatten();
        spare.unwrap_or_else(|| {
            Box::new(Self {
                sink: None,
                encoded: Vec::with_capacity(1024),
                name: Cow::Borrowed(""),
                start: 0,
                limits: Limits::default(),
                attributes: 0,
                dropped_attributes: 0,
                links: 0,
                dropped_links: 0,
                failed: false,
            })
        })
    }

    fn attribute(&mut self, key: &str, value: Value<'_>) {
        if self.attributes == self.limits.attributes {
            self.dropped_attributes += 1;
            return;
        }
        self.attributes += 1;
        let value = match (value, self.limits.value_length) {
            (Value::Str(text), Some(limit)) => Value::Str(first_chars(text, limit)),
            (value, _) => value,
        };
        key_value(&mut self.encoded, field::ATTRIBUTES, key, value);
    }

    fn link(&mut self, other: &TraceContext) {
        if self.links == self.limits.links {
            self.dropped_links += 1;
            return;
        }
        self.links += 1;
        let mut link = Vec::with_capacity(64);
        bytes(&mut link, 1, &other.trace_id().to_bytes());
        bytes(&mut link, 2, &other.span_id().to_bytes());
        if let Some(state) = other.tracestate() {
            bytes(&mut link, 3, state.as_bytes());
        }
        fixed32(&mut link, 6, u32::from(other.flags().bits()));
        bytes(&mut self.encoded, field::LINKS, &link);
    }

    fn fail(&mut self, error_type: &str, message: &str) {
        if std::mem::replace(&mut self.failed, true) {
            return;
        }
        self.attribute("error.type", Value::Str(error_type));
        let mut status = Vec::with_capacity(message.len() + 8);
        if !message.is_empty() {
            bytes(&mut status, 2, message.as_bytes());
        }
        uint(&mut status, 3, 2);
        bytes(&mut self.encoded, field::STATUS, &status);
    }

    fn finish(mut self: Box<Self>) {
        let end = nanoseconds(SystemTime::now()).max(self.start);
        let name = std::mem::take(&mut self.name);
        let out = &mut self.encoded;
        prefix(out, field::NAME, name.len());
        out.extend_from_slice(name.as_bytes());
        fixed64(out, field::END, end);
        if self.dropped_attributes > 0 {
            uint(
                out,
                field::DROPPED_ATTRIBUTES,
                u64::from(self.dropped_attributes),
            );
        }
        if self.dropped_links > 0 {
            uint(out, field::DROPPED_LINKS, u64::from(self.dropped_links));
        }
        if let Some(sink) = self.sink.take() {
            sink.push(out);
        }
        self.keep();
    }

    /// Keeps the allocation for this thread's next span.
    fn keep(mut self: Box<Self>) {
        if self.encoded.capacity() > SPARE_CAPACITY {
            return;
        }
        self.encoded.clear();
        (self.attributes, self.dropped_attributes) = (0, 0);
        (self.links, self.dropped_links) = (0, 0);
        self.failed = false;
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < SPARE_RECORDINGS {
                spare.push(self);
            }
        });
    }
}

/// Nanoseconds since 1970, until 2554.
pub(crate) fn nanoseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}

fn first_chars(text: &str, limit: usize) -> &str {
    text.char_indices()
        .nth(limit)
        .map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests;
