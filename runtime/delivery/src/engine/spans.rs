//! What the engine shows of its calls in traces: a span for each attempt at an event, one for each batch.

use std::collections::BTreeMap;

use openfaas_telemetry::{MessageFacts, Span, Telemetry};

use super::owner::{CallId, trace_of};
use crate::call::{Call, Outcome, Payload};
use crate::reply::CORRELATION;

/// Where spans go.
#[derive(Clone)]
pub(super) struct Tracer {
    pub(super) telemetry: Telemetry,
    /// The broker, as `messaging.system` has it.
    pub(super) system: &'static str,
}

/// The spans of the calls of one function. Without a tracer there are none, and calls go out as they are.
pub(super) struct Spans {
    tracer: Option<Tracer>,
    /// The durable or group of each subscription.
    groups: Vec<String>,
    /// Those that are recorded and have not ended.
    running: BTreeMap<CallId, Span>,
}

/// What became of the events of a call, as far as its answer decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// To be settled, after its replies.
    Done,
    /// To be called again.
    Retry,
    /// To be settled after its dead letter.
    DeadLetter,
    /// There was no answer of the function: to be called again.
    Unanswered,
    /// A batch that failed as a whole: to be called again.
    Untold,
    /// Let go while the call ran: it comes again, to whomever.
    LetGo,
    /// A batch with several of these.
    Mixed,
}

impl Spans {
    pub(super) fn new(tracer: Option<Tracer>, groups: Vec<String>) -> Self {
        Self {
            tracer,
            groups,
            running: BTreeMap::new(),
        }
    }

    /// Begins the span of a call to a subscription's function, which then bears it.
    pub(super) fn begin(&mut self, id: CallId, index: usize, call: &mut Call) {
        let Some(Tracer { telemetry, system }) = &self.tracer else {
            return;
        };
        let (one, batch) = match &call.payload {
            Payload::One(event) => (Some(event), None),
            Payload::Batch(events) => (None, Some(events)),
        };
        let conversation_id = one.and_then(|event| event.text(CORRELATION));
        let facts = MessageFacts {
            system,
            destination: &call.topic,
            group: self.groups.get(index).map_or("", String::as_str),
            function: &call.function,
            id: one.map(|event| event.id()),
            conversation_id: conversation_id.as_deref(),
            body_size: one.map(|event| event.data().bytes().len()),
            batch: batch.map(Vec::len),
            attempt: call.attempt,
        };
        let mut span = telemetry.process_span(call.trace.as_ref(), &facts);
        call.trace = span.outgoing().cloned();
        if !span.is_recording() {
            return;
        }
        let origins = batch.into_iter().flatten();
        origins
            .filter_map(|event| trace_of(event))
            .for_each(|origin| span.link(&origin));
        self.running.insert(id, span);
    }

    /// The call has ended like this.
    pub(super) fn ended(&mut self, id: CallId, outcome: &Outcome) {
        let Some(span) = self.running.get_mut(&id) else {
            return;
        };
        match outcome {
            Outcome::Answered(answer) => span.received(answer.status.as_u16()),
            Outcome::TimedOut => span.error("timeout"),
            Outcome::Refused(reason) => span.failure("refused", reason),
            Outcome::Cut(reason) => span.failure("cut", reason),
            Outcome::CutShort(reason) => span.failure("cut_short", reason),
        }
    }

    /// What follows from it is decided: the span is complete.
    pub(super) fn judged(&mut self, id: CallId, fate: Fate) {
        if let Some(mut span) = self.running.remove(&id) {
            span.outcome(fate.name());
            if !matches!(fate, Fate::Done | Fate::Mixed) {
                span.error(fate.name());
            }
        }
    }
}

impl Fate {
    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry => "retry",
            Self::DeadLetter => "dead_letter",
            Self::Unanswered => "unanswered",
            Self::Untold => "untold",
            Self::LetGo => "let_go",
            Self::Mixed => "mixed",
        }
    }
}
