//! What an author writes with `tracing`, as log lines.

use std::sync::Arc;

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::Inner;
use super::line::Line;
use crate::author::{AuthorSpan, innermost};
use crate::fields::Fields;
use crate::scope::Scope;

/// Writes a line for each event.
pub(super) struct LogLayer {
    log: Arc<Inner>,
}

impl LogLayer {
    pub(super) fn new(log: Arc<Inner>) -> Self {
        Self { log }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let scope = ctx
            .event_scope(event)
            .and_then(innermost)
            .or_else(Scope::of_task);
        self.log.line(|out| {
            let (format, max) = (self.log.format, self.log.max_line);
            let mut line = Line::begin(out, format, max, *metadata.level(), metadata.target());
            line.message(format_args!(
                "{}",
                fields.message.as_deref().unwrap_or_default()
            ));
            for (key, value) in &fields.values {
                line.field(key, value);
            }
            for span in ctx
                .event_scope(event)
                .into_iter()
                .flat_map(|scope| scope.from_root())
            {
                let extensions = span.extensions();
                let fields = extensions
                    .get::<AuthorSpan>()
                    .map(|author| &*author.fields.values);
                line.span(span.name(), fields.unwrap_or_default());
            }
            line.end(
                scope
                    .as_ref()
                    .map(|scope| (scope.call_id().as_str(), scope.context())),
            );
        });
        if let Some(exported) = self.log.exported.get() {
            exported.push(metadata, &fields, scope.as_ref());
        }
    }
}
