//! Log records on the wire.

use std::cell::Cell;
use std::sync::Arc;
use std::time::SystemTime;

use tracing::{Level, Metadata};

use super::attribute::{Value, key_value};
use super::protobuf::{bytes, fixed32, fixed64, prefix, uint};
use crate::fields::Fields;
use crate::queue::Queue;
use crate::scope::Scope;
use crate::span::nanoseconds;

/// Fields of OTLP's `LogRecord` message.
mod field {
    pub(super) const TIME: u32 = 1;
    pub(super) const SEVERITY_NUMBER: u32 = 2;
    pub(super) const SEVERITY_TEXT: u32 = 3;
    pub(super) const BODY: u32 = 5;
    pub(super) const ATTRIBUTES: u32 = 6;
    pub(super) const FLAGS: u32 = 8;
    pub(super) const TRACE_ID: u32 = 9;
    pub(super) const SPAN_ID: u32 = 10;
    pub(super) const OBSERVED_TIME: u32 = 11;
}

thread_local! {
    static EXPORTING: Cell<bool> = const { Cell::new(false) };
}

/// Where log records go.
#[derive(Clone, Debug)]
pub(crate) struct Exported {
    queue: Arc<Queue>,
}

impl Exported {
    pub(crate) fn new(queue: Arc<Queue>) -> Self {
        Self { queue }
    }

    /// What is logged on this thread from now on is about exporting: exporting that too would never end.
    pub(crate) fn exclude_this_thread() {
        EXPORTING.set(true);
    }

    /// Hands over one event.
    pub(crate) fn push(&self, metadata: &Metadata<'_>, fields: &Fields, scope: Option<&Scope>) {
        if EXPORTING.get() {
            return;
        }
        let mut record = Vec::with_capacity(256);
        let now = nanoseconds(SystemTime::now());
        fixed64(&mut record, field::TIME, now);
        fixed64(&mut record, field::OBSERVED_TIME, now);
        uint(
            &mut record,
            field::SEVERITY_NUMBER,
            severity(*metadata.level()),
        );
        bytes(
            &mut record,
            field::SEVERITY_TEXT,
            metadata.level().as_str().as_bytes(),
        );
        if let Some(message) = &fields.message {
            let body = Value::Str(message);
            prefix(&mut record, field::BODY, body.encoded_len());
            body.encode(&mut record);
        }
        key_value(
            &mut record,
            field::ATTRIBUTES,
            "target",
            Value::Str(metadata.target()),
        );
        for (key, value) in &fields.values {
            key_value(&mut record, field::ATTRIBUTES, key, value.as_value());
        }
        if let Some(scope) = scope {
            let context = scope.context();
            let call_id = Value::Str(scope.call_id().as_str());
            key_value(
                &mut record,
                field::ATTRIBUTES,
                "faas.invocation_id",
                call_id,
            );
            fixed32(&mut record, field::FLAGS, u32::from(context.flags().bits()));
            bytes(&mut record, field::TRACE_ID, &context.trace_id().to_bytes());
            bytes(&mut record, field::SPAN_ID, &context.span_id().to_bytes());
        }
        self.queue.push(&record);
    }
}

/// The lowest number of each level's range.
fn severity(level: Level) -> u64 {
    match level {
        Level::TRACE => 1,
        Level::DEBUG => 5,
        Level::INFO => 9,
        Level::WARN => 13,
        Level::ERROR => 17,
    }
}
