//! Events to topics.

mod bus;
mod error;
mod way;

use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

use axum::extract::FromRequestParts;
use http::{Uri, request::Parts};
use openfaas_cloudevents::{Event, IntoData};
use openfaas_delivery::{
    ids,
    reply::{HOPS, ReplyError},
    wiring::{self, Format},
};
use openfaas_telemetry::{CallId, MessageFacts, Scope, Span, Telemetry};
use tokio::time::{Instant, sleep, timeout_at};

pub use error::PublishError;

use crate::{Context, call::Call, chain, config::Config};
use way::{Failed, Publication, Way};

/// Publishes events to topics: of NATS JetStream or Kafka (`events_broker` and the feature of that name), or of the bus of
/// `openfaas-local`, which needs neither.
///
/// An event that is published while another one is handled is of its chain: it carries the trace, names its cause
/// (`causationid`, `correlationid`), takes its order key and counts as the next hop; past `events_max_hops`, 32 by default,
/// it is refused. One that has no id gets a new one each time; give it one of your own where a handler that is called again
/// is to publish the same event again.
///
/// ```no_run
/// # use openfaas_runtime::{Context, Event, PublishError};
/// # async fn example(context: Context) -> Result<(), PublishError> {
/// let event = Event::new("order.placed", serde_json::json!({ "total": 9 })).with_id("o-1");
/// context.publisher().publish("orders", event).await?;
/// # Ok(())
/// # }
/// ```
///
/// Cheap to clone; clones share their connection, which is made when it is first needed. Come by it through
/// [`Context::publisher`], as an argument of an HTTP handler, or, for where there is no call, by [`Publisher::from_env`].
#[derive(Clone)]
pub struct Publisher {
    inner: Arc<Inner>,
    /// The call that publishes.
    within: Option<Context>,
}

struct Inner {
    way: Way,
    format: Format,
    /// How many functions a chain may pass.
    max_hops: u32,
}

/// How long nobody's publication is tried.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a handler has left, at most, to answer after a publication that failed; a tenth of its time, if that is less.
const ANSWERING: Duration = Duration::from_secs(1);

/// The first pause before it is tried again, which then doubles, and the longest.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

// === impl Publisher ===

impl Publisher {
    /// Publishes where the environment says: `events_broker` and what belongs to it, or the local runner.
    ///
    /// What is wrong with the environment is said by each publication, as [`PublishError::Config`]: a function does not start
    /// with it anyway, so only a tool or a test comes that far, and most of those never publish.
    pub fn from_env() -> Publisher {
        match Config::from_env() {
            Ok(config) => Publisher::new(&config),
            Err(wrong) => {
                let way = Way::Wrong(Box::new(wrong));
                Publisher::by(way, Format::default(), wiring::Wiring::MAX_HOPS)
            }
        }
    }

    /// Publishes by a POST of each event to this address, as a local runner's bus takes it: with the topic in the query.
    /// In a test, [`testing::start`](crate::testing::start) makes a function that can stand in for it.
    pub fn at(url: Uri) -> Publisher {
        Publisher::by(
            Way::to_bus(url),
            Format::default(),
            wiring::Wiring::MAX_HOPS,
        )
    }

    pub(crate) fn new(config: &Config) -> Publisher {
        let way = match (&config.events, &config.bus) {
            (Some(events), _) => Way::by(&events.connection),
            (None, Some(bus)) => Way::to_bus(bus.clone()),
            (None, None) => Way::Nowhere,
        };
        let events = config.events.as_ref();
        let wiring = events.and_then(|events| events.wiring.as_ref());
        let format = wiring.map(|wiring| wiring.format).unwrap_or_default();
        Publisher::by(way, format, config.max_hops)
    }

    fn by(way: Way, format: Format, max_hops: u32) -> Publisher {
        Publisher {
            inner: Arc::new(Inner {
                way,
                format,
                max_hops,
            }),
            within: None,
        }
    }

    /// The same publisher for what is published within this call.
    pub(crate) fn within(mut self, context: Context) -> Publisher {
        self.within = Some(context);
        self
    }

    /// Publishes an event to a topic and waits until the broker has stored it. A broker that is away is tried again, until
    /// shortly before the caller's own deadline, so that the handler still can answer; where there is none, for 30 s.
    ///
    /// # Errors
    /// It is not stored, or not known to be: see [`PublishError`].
    ///
    /// # Cancel safety
    /// Dropped before it is done, the event may be stored or not.
    pub async fn publish<T: IntoData>(
        &self,
        topic: &str,
        event: Event<T>,
    ) -> Result<(), PublishError> {
        let caller = self.within.clone().or_else(Call::current);
        let mut span = self.span(topic, caller.as_ref());
        let published = self.store(topic, event, caller.as_ref(), &span).await;
        if let Err(error) = &published {
            span.failure(error.kind(), &error.to_string());
        }
        published
    }

    async fn store<T: IntoData>(
        &self,
        topic: &str,
        event: Event<T>,
        caller: Option<&Context>,
        span: &Span,
    ) -> Result<(), PublishError> {
        let (inner, topic_of) = (&*self.inner, || topic.to_owned());
        match &inner.way {
            Way::Nowhere => return Err(PublishError::NoBroker { topic: topic_of() }),
            Way::Wrong(wrong) => {
                return Err(PublishError::Config {
                    topic: topic_of(),
                    reason: (**wrong).clone(),
                });
            }
            _ => {}
        }
        wiring::publishable(topic, inner.way.broker()).map_err(|reason| PublishError::Refused {
            topic: topic_of(),
            reason,
        })?;
        let event = event.into_raw().map_err(|error| PublishError::Encode {
            topic: topic_of(),
            source: error.into(),
        })?;
        let event = self.identify(topic, event, caller, span)?;
        let publication = Publication {
            topic,
            event: &event,
            format: inner.format,
            dedup: ids::emission(topic, CallId::generate().as_str()),
        };
        let left = caller.and_then(Context::remaining);
        let left = left.map_or(PATIENCE, |left| left - ANSWERING.min(left / 10));
        let deadline = Instant::now() + left;
        let mut reason = "nothing was heard".to_owned();
        let mut pause = PAUSE;
        loop {
            match timeout_at(deadline, inner.way.store(&publication)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(Failed::Never(reason))) => {
                    return Err(PublishError::Refused {
                        topic: topic_of(),
                        reason,
                    });
                }
                Ok(Err(Failed::Now(why))) => reason = why,
                Err(_) => reason = inner.way.trouble().unwrap_or(reason),
            }
            if timeout_at(deadline, sleep(pause)).await.is_err() {
                return Err(PublishError::Unavailable {
                    topic: topic_of(),
                    reason,
                });
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The event as it is published: of the chain of the call it is published in.
    fn identify(
        &self,
        topic: &str,
        event: Event,
        caller: Option<&Context>,
        span: &Span,
    ) -> Result<Event, PublishError> {
        let limit = self.inner.max_hops;
        let too_many = |hops| PublishError::TooManyHops {
            topic: topic.to_owned(),
            hops,
            limit,
        };
        let encode = |source: crate::BoxError| PublishError::Encode {
            topic: topic.to_owned(),
            source,
        };
        let identified = chain::identify(event, caller, span, limit);
        let mut event = identified.map_err(|error| match error {
            ReplyError::TooManyHops { hops, .. } => too_many(hops),
            other => encode(other.into()),
        })?;
        // A call that handles no event may stand in a chain of calls all the same.
        let hops = caller.map_or(0, Context::hops);
        if caller.is_none_or(|caller| caller.cause().is_none()) {
            if hops > 0 {
                if hops + 1 > limit {
                    return Err(too_many(hops + 1));
                }
                let hops = i32::try_from(hops + 1).unwrap_or(i32::MAX);
                event = event.with_extension(HOPS, hops);
            }
            if let (None, Some(trace)) = (event.attribute("traceparent"), span.outgoing()) {
                event = event.with_extension("traceparent", trace.traceparent());
                if let Some(state) = trace.tracestate() {
                    event = event.with_extension("tracestate", state);
                }
            }
        }
        event.validate().map_err(|error| encode(error.into()))?;
        Ok(event)
    }

    fn span(&self, topic: &str, caller: Option<&Context>) -> Span {
        let telemetry =
            caller.map_or_else(Telemetry::disabled, |caller| caller.telemetry().clone());
        // A span of the author's inside the call is nearer than the call's own.
        let scope = Scope::current();
        let nearer = scope.as_ref().and_then(Scope::outgoing);
        let parent = caller.and_then(Context::trace).map(|trace| {
            let nearer = nearer.filter(|nearer| nearer.trace_id() == trace.trace_id());
            nearer.unwrap_or(trace)
        });
        let facts = MessageFacts {
            system: self
                .inner
                .way
                .broker()
                .map_or("memory", wiring::Broker::name),
            destination: topic,
            ..MessageFacts::default()
        };
        telemetry.send_span(parent, &facts)
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("broker", &self.inner.way.broker())
            .finish_non_exhaustive()
    }
}

impl<S: Sync> FromRequestParts<S> for Publisher {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Publisher, Infallible> {
        Ok(Call::current_with(&parts.headers).publisher())
    }
}
