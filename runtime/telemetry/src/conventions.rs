//! The spans of this project by OpenTelemetry's semantic conventions (1.44): HTTP, FaaS, CloudEvents, messaging.
//!
//! Who makes such a span says what happened; the names of spans and attributes are spelled here alone.

use http::header::{HOST, HeaderMap, HeaderName, USER_AGENT};
use http::{Method, Request, Uri, Version};

use crate::context::TraceContext;
use crate::scope::CallId;
use crate::span::{Kind, Span};
use crate::telemetry::Telemetry;

/// Query parameters whose values the conventions want hidden: signatures of signed URLs.
const SIGNATURES: [&str; 4] = ["AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature"];

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What brought a call to a function (`faas.trigger`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A request.
    Http,
    /// An event.
    PubSub,
    /// A schedule.
    Timer,
    /// Anything else.
    Other,
}

/// What an event says about itself.
#[derive(Clone, Copy, Debug)]
pub struct EventFacts<'a> {
    /// `id`.
    pub id: &'a str,
    /// `source`.
    pub source: &'a str,
    /// `type`.
    pub ty: &'a str,
    /// `subject`.
    pub subject: Option<&'a str>,
}

/// A call of another function through the gateway.
#[derive(Clone, Copy, Debug)]
pub struct ClientCall<'a> {
    /// The verb.
    pub method: &'a Method,
    /// Where the call goes.
    pub url: &'a Uri,
    /// The function that is called.
    pub function: &'a str,
}

/// A message on its way to a function, or a batch of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessageFacts<'a> {
    /// `nats`, `kafka`, or `memory`.
    pub system: &'a str,
    /// Topic or subject.
    pub destination: &'a str,
    /// Consumer group or durable.
    pub group: &'a str,
    /// Who is called with it.
    pub function: &'a str,
    /// The message's id.
    pub id: Option<&'a str>,
    /// What all messages of one conversation share.
    pub conversation_id: Option<&'a str>,
    /// Bytes of the body.
    pub body_size: Option<usize>,
    /// How many messages, when it is a batch.
    pub batch: Option<usize>,
    /// Which attempt at a single message this is, from 1.
    pub attempt: Option<u32>,
}

// === impl Telemetry ===

impl Telemetry {
    /// The span of a call that came in over HTTP: `GET`, or `GET /orders/{id}` once [`Span::route`] has named the route.
    pub fn server_span<B>(
        &self,
        parent: Option<&TraceContext>,
        request: &Request<B>,
        trigger: Trigger,
        call_id: &CallId,
    ) -> Span {
        let (name, method) = method_name(request.method());
        let mut span = self.start_span(Kind::Server, parent, true, || name.into());
        let first = self.is_first_call();
        if !span.is_recording() {
            return span;
        }
        span.attribute("http.request.method", method);
        if method == "_OTHER" {
            span.attribute("http.request.method_original", request.method().as_str());
        }
        span.attribute("url.path", request.uri().path());
        if let Some(query) = request.uri().query() {
            span.attribute("url.query", &*without_signatures(query));
        }
        span.attribute("url.scheme", "http");
        span.attribute("network.protocol.version", version(request.version()));
        server_address(&mut span, request.headers());
        if let Some(address) = client_address(request.headers()) {
            span.attribute("client.address", address);
        }
        if let Some(agent) = text(request.headers(), USER_AGENT) {
            span.attribute("user_agent.original", agent);
        }
        span.attribute("faas.trigger", trigger.name());
        span.attribute("faas.invocation_id", call_id.as_str());
        if first {
            span.attribute("faas.coldstart", true);
        }
        span
    }

    /// The span of one event that came alone: a child of the hop that brought it, linked to where the event was made.
    pub fn event_span(
        &self,
        hop: &TraceContext,
        origin: Option<&TraceContext>,
        event: &EventFacts<'_>,
    ) -> Span {
        let mut span = self.start_span(Kind::Consumer, Some(hop), false, || event.span_name());
        if let Some(origin) = origin.filter(|origin| origin.span_id() != hop.span_id()) {
            span.link(origin);
        }
        event.describe(&mut span);
        span
    }

    /// The span of one event of a batch: a child of where the event was made, linked to the batch; of the batch where
    /// it says nothing.
    pub fn batched_event_span(
        &self,
        batch: &TraceContext,
        origin: Option<&TraceContext>,
        event: &EventFacts<'_>,
    ) -> Span {
        let (parent, remote) = origin.map_or((batch, false), |origin| (origin, true));
        let mut span = self.start_span(Kind::Consumer, Some(parent), remote, || event.span_name());
        if remote {
            span.link(batch);
        }
        event.describe(&mut span);
        span
    }

    /// The span of a call to another function.
    pub fn client_span(&self, parent: Option<&TraceContext>, call: &ClientCall<'_>) -> Span {
        let (name, method) = method_name(call.method);
        let path = call.url.path();
        let mut span = self.start_span(Kind::Client, parent, false, || {
            format!("{name} {path}").into()
        });
        if !span.is_recording() {
            return span;
        }
        span.attribute("http.request.method", method);
        span.attribute("url.full", &*without_secrets(call.url));
        span.attribute("url.template", path);
        if let Some(host) = call.url.host() {
            span.attribute("server.address", host);
        }
        let scheme_port = if call.url.scheme_str() == Some("https") {
            443
        } else {
            80
        };
        span.attribute("server.port", call.url.port_u16().unwrap_or(scheme_port));
        span.attribute("faas.invoked_name", call.function);
        span.attribute("faas.invoked_provider", "openfaas");
        span
    }

    /// The span of a message on its way to the broker: `send orders`.
    pub fn send_span(&self, parent: Option<&TraceContext>, message: &MessageFacts<'_>) -> Span {
        let mut span = self.start_span(Kind::Producer, parent, false, || {
            format!("send {}", message.destination).into()
        });
        for (key, value) in [
            ("messaging.system", message.system),
            ("messaging.operation.name", "send"),
            ("messaging.operation.type", "send"),
            ("messaging.destination.name", message.destination),
        ] {
            span.attribute(key, value);
        }
        span
    }

    /// The span of one attempt to have a message, or a batch of them, processed by a function: `process orders`. `parent` is
    /// where the message was made; a batch has none, and is linked to where its messages were.
    pub fn process_span(&self, parent: Option<&TraceContext>, message: &MessageFacts<'_>) -> Span {
        let mut span = self.start_span(Kind::Consumer, parent, true, || {
            format!("process {}", message.destination).into()
        });
        if !span.is_recording() {
            return span;
        }
        for (key, value) in [
            ("messaging.system", Some(message.system)),
            ("messaging.operation.name", Some("process")),
            ("messaging.operation.type", Some("process")),
            ("messaging.destination.name", Some(message.destination)),
            ("messaging.consumer.group.name", Some(message.group)),
            ("messaging.message.id", message.id),
            ("messaging.message.conversation_id", message.conversation_id),
            ("faas.invoked_name", Some(message.function)),
            ("faas.invoked_provider", Some("openfaas")),
        ] {
            if let Some(value) = value {
                span.attribute(key, value);
            }
        }
        if let Some(size) = message.body_size {
            span.attribute("messaging.message.body.size", size);
        }
        if let Some(count) = message.batch {
            span.attribute("messaging.batch.message_count", count);
        }
        if let Some(attempt) = message.attempt {
            span.attribute("openfaas.delivery.attempt", attempt);
        }
        span
    }
}

// === impl Span ===

impl Span {
    /// The route that a server span's call took, such as `/orders/{id}`.
    pub fn route(&mut self, method: &Method, route: &str) {
        if self.is_recording() {
            self.rename(format!("{} {route}", method_name(method).0));
            self.attribute("http.route", route);
        }
    }

    /// The status a server span's call was answered with. Only 5xx is an error of the server.
    pub fn answered(&mut self, status: u16) {
        self.status(status, 500);
    }

    /// The status a client span's call was answered with. 4xx and 5xx are errors to the caller.
    pub fn received(&mut self, status: u16) {
        self.status(status, 400);
    }

    /// What became of the message or the batch of a [`process_span`](Telemetry::process_span): few different words.
    pub fn outcome(&mut self, outcome: &'static str) {
        self.attribute("openfaas.delivery.outcome", outcome);
    }

    fn status(&mut self, status: u16, error_from: u16) {
        if !self.is_recording() {
            return;
        }
        self.attribute("http.response.status_code", status);
        if status >= error_from {
            self.error(&status.to_string());
        }
    }
}

// === impl Trigger, EventFacts ===

impl Trigger {
    /// As `faas.trigger` has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::PubSub => "pubsub",
            Self::Timer => "timer",
            Self::Other => "other",
        }
    }
}

impl EventFacts<'_> {
    fn span_name(&self) -> std::borrow::Cow<'static, str> {
        format!("CloudEvents Process {}", self.ty).into()
    }

    fn describe(&self, span: &mut Span) {
        span.attribute("cloudevents.event_id", self.id);
        span.attribute("cloudevents.event_source", self.source);
        span.attribute("cloudevents.event_spec_version", "1.0");
        span.attribute("cloudevents.event_type", self.ty);
        if let Some(subject) = self.subject {
            span.attribute("cloudevents.event_subject", subject);
        }
    }
}

/// The verb in a span's name, and as an attribute: verbs that nobody knows would be a name each.
fn method_name(method: &Method) -> (&'static str, &'static str) {
    let name = match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => return ("HTTP", "_OTHER"),
    };
    (name, name)
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn server_address(span: &mut Span, headers: &HeaderMap) {
    let Some(host) = text(headers, HOST) else {
        return;
    };
    match host
        .rsplit_once(':')
        .map(|(name, port)| (name, port.parse::<u16>()))
    {
        Some((name, Ok(port))) => {
            span.attribute("server.address", name);
            span.attribute("server.port", port);
        }
        _ => span.attribute("server.address", host),
    }
}

/// Who called first, as far as proxies say.
fn client_address(headers: &HeaderMap) -> Option<&str> {
    let list = text(headers, FORWARDED_FOR)?;
    let first = list.split(',').next().unwrap_or(list).trim();
    (!first.is_empty()).then_some(first)
}

fn without_signatures(query: &str) -> std::borrow::Cow<'_, str> {
    let is_secret = |pair: &str| {
        pair.split_once('=')
            .is_some_and(|(key, _)| SIGNATURES.contains(&key))
    };
    if !query.split('&').any(is_secret) {
        return query.into();
    }
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if is_secret(pair) => format!("{key}=REDACTED"),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&").into()
}

/// The URL without user and password, and without signatures.
fn without_secrets(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or("http");
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    match url.query() {
        Some(query) => format!(
            "{scheme}://{host}{}?{}",
            url.path(),
            without_signatures(query)
        ),
        None => format!("{scheme}://{host}{}", url.path()),
    }
}

#[cfg(test)]
mod tests;
