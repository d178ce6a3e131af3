//! The spans that functions send, by trace.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use openfaas_telemetry::{
    TraceId,
    receiver::{DecodeError, ReceivedSpan, decode},
};

/// How many spans are kept.
const KEPT: usize = 50_000;

/// The spans of a run. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Traces(Arc<Mutex<Kept>>);

/// Spans by trace.
#[derive(Debug, Default)]
struct Kept {
    /// The spans of each trace, in the order they came.
    spans: HashMap<TraceId, Vec<ReceivedSpan>>,
    /// The trace of each span, oldest first.
    order: VecDeque<TraceId>,
}

impl Traces {
    /// Takes in the body of an OTLP/HTTP trace request.
    ///
    /// # Errors
    /// When it is no OTLP; nothing of it is taken then.
    pub fn receive(&self, body: &[u8]) -> Result<(), DecodeError> {
        let spans = decode(body)?;
        let mut kept = self.lock();
        for span in spans {
            kept.add(span);
        }
        Ok(())
    }

    /// The spans of one trace that came so far, in the order they began.
    #[must_use]
    pub fn spans(&self, trace: TraceId) -> Vec<ReceivedSpan> {
        let mut spans = self.lock().spans.get(&trace).cloned().unwrap_or_default();
        spans.sort_by_key(|span| span.start);
        spans
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn add(&mut self, span: ReceivedSpan) {
        if self.order.len() == KEPT
            && let Some(trace) = self.order.pop_front()
            && let Some(spans) = self.spans.get_mut(&trace)
        {
            spans.remove(0);
            if spans.is_empty() {
                self.spans.remove(&trace);
            }
        }
        self.order.push_back(span.trace_id);
        self.spans.entry(span.trace_id).or_default().push(span);
    }
}
