//! A request on its way in: one pass over its headers, then a place, then the handler.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{body::Body, extract::DefaultBodyLimit};
use http::{
    HeaderMap, HeaderValue, Request, Response, Version,
    header::{HOST, TRANSFER_ENCODING, USER_AGENT},
};
use http_body::Body as _;
use hyper::body::Incoming;
use openfaas_delivery::duration;
use openfaas_telemetry::{CallId, Span};
use tokio::time::Instant;

use super::{
    Server, answer,
    answer_body::AnswerBody,
    calling::{Calling, Work},
    connection::Link,
    health,
    record::{End, Line, Record},
    request_body::RequestBody,
};

/// What hyper calls for each request of one connection.
pub(crate) struct CallService {
    server: Arc<Server>,
    link: Arc<Link>,
}

/// What the headers of a request say to the server itself.
#[derive(Default)]
struct Noted<'a> {
    call_id: Option<&'a str>,
    timeout: Option<&'a str>,
    traced: bool,
    /// From Kubernetes' own probe.
    probe: bool,
    hosts: usize,
}

/// What makes a request one that two readers could understand differently.
#[derive(Clone, Copy)]
enum Fault {
    /// There is not exactly one host.
    Host,
    /// Its transfer encoding is not `chunked` alone.
    Encoding,
}

const PROBE: &[u8] = b"kube-probe";

// === impl CallService ===

impl CallService {
    pub(crate) fn new(server: Arc<Server>, link: Arc<Link>) -> CallService {
        CallService { server, link }
    }

    /// What is no call of the function.
    fn aside(&self, work: Work) -> Calling {
        Calling::aside(work, self.server.clone(), self.link.clone())
    }

    /// Takes the call in: a place, and the handler.
    fn admit(&self, record: &mut Record, request: Request<Incoming>, fault: Option<Fault>) -> Work {
        let server = &self.server;
        if let Some(fault) = fault {
            record.end = End::Refused;
            return fault.answer();
        }
        let limit = server.body_limit;
        if limit.is_some_and(|limit| request.body().size_hint().lower() > limit) {
            record.end = End::Refused;
            return Work::answer(answer::too_long());
        }
        let (place, service) = (server.shared.limit.try_take(), server.lifecycle.service());
        match (place, service) {
            (Some(place), Some(service)) => {
                record.place = Some(place);
                let request = self.request(request, record.started);
                Calling::start(record, || service.0.call(request))
            }
            (None, _) if !server.shared.limit.may_wait() => {
                record.end = End::Refused;
                Work::answer(answer::full(server.shared.limit.size()))
            }
            (place, _) => {
                let server = server.clone();
                let admission = Box::pin(async move {
                    let place = match place {
                        Some(place) => place,
                        None => server.shared.limit.take().await?,
                    };
                    let service = server.lifecycle.wait_for_service().await;
                    Some((place, service.clone()))
                });
                Work::Wait(admission, Box::new(self.request(request, record.started)))
            }
        }
    }

    /// The request as the handler gets it.
    fn request(&self, request: Request<Incoming>, started: Instant) -> Request<Body> {
        let server = &self.server;
        if request.body().is_end_stream() {
            return request.map(|_| Body::empty());
        }
        let deadline = started + server.read_limit.unwrap_or(super::FOREVER);
        let link = self.link.clone();
        let mut request = request.map(|incoming| {
            Body::new(RequestBody::new(
                incoming,
                server.body_limit,
                deadline,
                link,
            ))
        });
        if server.streams {
            match server.whole_limit {
                Some(limit) => DefaultBodyLimit::max(limit).apply(&mut request),
                None => DefaultBodyLimit::disable().apply(&mut request),
            }
        }
        request
    }
}

impl hyper::service::Service<Request<Incoming>> for CallService {
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Calling;

    fn call(&self, request: Request<Incoming>) -> Calling {
        let server = &self.server;
        self.link.head_came();
        let noted = Noted::of(request.headers());
        let fault = noted.fault(&request);
        match (request.uri().path(), fault) {
            ("/_/health" | "/_/ready", Some(fault)) => return self.aside(fault.answer()),
            ("/_/health", None) => {
                return self.aside(Work::answer(health::health(server, request.method())));
            }
            ("/_/ready", None) => {
                return self.aside(health::ready(server, request.map(|_| Body::empty())));
            }
            _ => {}
        }
        let started = Instant::now();
        let telemetry = &server.shared.telemetry;
        telemetry.metrics().http().started();
        server.lifecycle.call_begins();
        let parent = if noted.traced {
            telemetry.extract(request.headers())
        } else {
            None
        };
        let trigger = server.trigger();
        let span =
            |call_id: &CallId| telemetry.server_span(parent.as_ref(), &request, trigger, call_id);
        let mut record = noted.record(server, &request, span, started);
        let work = self.admit(&mut record, request, fault);
        Calling::new(work, record, self.link.clone())
    }
}

// === impl Noted ===

impl<'a> Noted<'a> {
    /// What is kept of the call that this request is.
    fn record(
        &self,
        server: &Arc<Server>,
        request: &Request<Incoming>,
        span: impl FnOnce(&CallId) -> Span,
        started: Instant,
    ) -> Box<Record> {
        let limit = self.timeout(server.exec_limit);
        let deadline = started + limit.unwrap_or(server.exec_limit);
        let call_id = self.call_id.map_or_else(CallId::generate, CallId::new);
        let span = span(&call_id);
        let line = Line {
            method: request.method().clone(),
            uri: request.uri().clone(),
            call_id,
        };
        let mut record = Box::new(Record::new(server.clone(), line, span, started, deadline));
        record.quiet = self.probe;
        record
    }

    fn of(headers: &'a HeaderMap) -> Noted<'a> {
        let mut noted = Noted::default();
        for (name, value) in headers {
            match *name {
                HOST => noted.hosts += 1,
                USER_AGENT => noted.probe = value.as_bytes().starts_with(PROBE),
                _ => match name.as_str() {
                    "traceparent" => noted.traced = true,
                    "x-call-id" => noted.call_id = text(value),
                    "x-timeout" => noted.timeout = text(value),
                    _ => {}
                },
            }
        }
        noted
    }

    fn fault(&self, request: &Request<Incoming>) -> Option<Fault> {
        if self.hosts > 1 || (self.hosts == 0 && request.version() == Version::HTTP_11) {
            return Some(Fault::Host);
        }
        // A body of a known length has no encoding.
        let chunked = request.body().size_hint().exact().is_none();
        (chunked && !is_chunked_once(request.headers())).then_some(Fault::Encoding)
    }

    /// `X-Timeout`, a Go duration that shortens the limit; anything else is ignored, nought and less above all.
    fn timeout(&self, limit: Duration) -> Option<Duration> {
        let text = self.timeout?;
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        duration::parse(text).filter(|asked| !asked.is_zero() && *asked < limit)
    }
}

// === impl Fault ===

impl Fault {
    fn answer(self) -> Work {
        Work::answer(match self {
            Fault::Host => answer::no_host(),
            Fault::Encoding => answer::unknown_encoding(),
        })
    }
}

fn is_chunked_once(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let first = encodings.next();
    first.is_some_and(|first| first.as_bytes().eq_ignore_ascii_case(b"chunked"))
        && encodings.next().is_none()
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().filter(|text| !text.is_empty())
}
