//! The spans that an author makes with `tracing` inside a call: children of the call's span, exported if it is.

use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Registry, SpanRef};

use crate::fields::Fields;
use crate::scope::Scope;
use crate::span::{Kind, Span};

/// Gives every `tracing` span that is made inside a call its place in the call's trace.
#[derive(Debug)]
pub(crate) struct AuthorLayer;

/// What is kept with a `tracing` span.
#[derive(Debug)]
pub(crate) struct AuthorSpan {
    pub(crate) fields: Fields,
    /// What happens inside the span belongs here; nothing when it was made outside of any call.
    scope: Option<Scope>,
    /// The span that is exported, when the call is sampled.
    span: Option<Span>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for AuthorLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(new) = ctx.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let above = match new.parent() {
            Some(parent) => innermost(parent.scope()),
            None => None,
        };
        let above = above.or_else(|| attributes.is_contextual().then(Scope::of_task).flatten());
        let span = above
            .as_ref()
            .filter(|above| above.context().sampled())
            .map(|above| {
                let name = || attributes.metadata().name().into();
                above
                    .telemetry()
                    .start_span(Kind::Internal, Some(above.context()), false, name)
            });
        let scope = match (&span, above) {
            (Some(span), Some(above)) => Some(above.within(span)),
            (_, above) => above,
        };
        new.extensions_mut().insert(AuthorSpan {
            fields,
            scope,
            span,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        if let Some(author) = span.extensions_mut().get_mut::<AuthorSpan>() {
            values.record(&mut author.fields);
        }
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, ctx: Context<'_, S>) {
        let followed = ctx.span(follows).and_then(|followed| {
            let extensions = followed.extensions();
            let author = extensions.get::<AuthorSpan>()?;
            Some(author.span.as_ref()?.context().clone())
        });
        let (Some(span), Some(followed)) = (ctx.span(id), followed) else {
            return;
        };
        let mut extensions = span.extensions_mut();
        if let Some(span) = extensions
            .get_mut::<AuthorSpan>()
            .and_then(|author| author.span.as_mut())
        {
            span.link(&followed);
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        let author = ctx
            .span(&id)
            .and_then(|span| span.extensions_mut().remove::<AuthorSpan>());
        if let Some(AuthorSpan {
            fields,
            span: Some(mut span),
            ..
        }) = author
        {
            for (key, value) in &fields.values {
                span.attribute(key, value.as_value());
            }
        }
    }
}

/// The scope that an event in these spans belongs to: the innermost span's that has one.
pub(crate) fn innermost<'a, R: LookupSpan<'a> + 'a>(
    mut spans: impl Iterator<Item = SpanRef<'a, R>>,
) -> Option<Scope> {
    spans.find_map(|span| span.extensions().get::<AuthorSpan>()?.scope.clone())
}

/// The scope of the `tracing` span that this thread is in, if it is in one.
pub(crate) fn current() -> Option<Scope> {
    tracing::dispatcher::get_default(|dispatch: &Dispatch| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        let current = registry.current_span();
        innermost(registry.span(current.id()?)?.scope())
    })
}

#[cfg(test)]
mod tests;
