//! One trace covers each chain: the spans that the functions sent say so.

use std::collections::BTreeSet;

use openfaas_telemetry::{SpanId, TraceContext, receiver::ReceivedSpan};

use super::Promise;
use crate::{bus::Path, traces::Traces};

/// Compares the spans that came with the functions that each event came to. `published` are the contexts that the events
/// of `paths` were published under.
#[must_use]
pub fn check(traces: &Traces, published: &[TraceContext], paths: &[Path]) -> Promise {
    let one = |(root, path): (&TraceContext, &Path)| {
        let kept = in_one_trace(root, path)
            .and_then(|()| connected(&traces.spans(root.trace_id()), root, path));
        kept.map_err(|why| format!("{}: {why}", path.id))
    };
    Promise::new(
        "one trace covers the whole chain of each order",
        published.iter().zip(paths).try_for_each(one),
    )
}

/// The same for events on whose way a process died, and its last spans with it: only what the events bear is compared.
#[must_use]
pub fn check_deadly(published: &[TraceContext], paths: &[Path]) -> Promise {
    let kept = published
        .iter()
        .zip(paths)
        .try_for_each(|(root, path)| in_one_trace(root, path));
    Promise::new("a death in the middle does not break the trace", kept)
}

/// Every event on the way belongs to the trace that the first was published under.
fn in_one_trace(root: &TraceContext, path: &Path) -> Result<(), String> {
    match elsewhere(path, &root.trace_id().to_string()) {
        Some(other) => Err(format!(
            "the event in {} belongs to another trace",
            other.topic
        )),
        None => Ok(()),
    }
}

/// Every function on the way sent spans, and each span hangs on another one, the first on who published.
fn connected(spans: &[ReceivedSpan], root: &TraceContext, path: &Path) -> Result<(), String> {
    let services: BTreeSet<&str> = spans.iter().map(|span| span.service.as_str()).collect();
    if let Some(silent) = path
        .visits()
        .find(|visit| !services.contains(visit.function.as_str()))
    {
        return Err(format!("no span of {} is in it", silent.function));
    }
    let known: BTreeSet<SpanId> = spans
        .iter()
        .map(|span| span.span_id)
        .chain([root.span_id()])
        .collect();
    match spans
        .iter()
        .find(|span| span.parent.is_none_or(|parent| !known.contains(&parent)))
    {
        Some(span) => Err(format!(
            "the span {} of {} hangs on nothing",
            span.name, span.service
        )),
        None => Ok(()),
    }
}

fn elsewhere<'a>(path: &'a Path, trace: &str) -> Option<&'a Path> {
    if path.trace.as_deref() != Some(trace) {
        return Some(path);
    }
    path.functions
        .iter()
        .flat_map(|visit| &visit.replies)
        .find_map(|reply| elsewhere(reply, trace))
}
