use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request},
};
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE},
};
use openfaas_telemetry::Scope;
use tokio::time::{Sleep, sleep_until};

use super::{
    Server, answer,
    answer_body::AnswerBody,
    connection::Link,
    limit::Place,
    record::{End, Record},
    request_body::BodyFault,
};
use crate::{
    call::Call,
    endpoint::{Answering, FunctionService},
};

/// A call on its way to its answer: what hyper polls. Hyper moves it about, so what is large in it is boxed.
pub(crate) struct Calling {
    work: Work,
    record: Option<Box<Record>>,
    link: Arc<Link>,
    /// Whose answer this is where it is no call's.
    aside: Option<Arc<Server>>,
    /// Armed as soon as the handler has something to wait for.
    timer: Option<Pin<Box<Sleep>>>,
}

/// What a call waits for.
pub(crate) enum Work {
    /// Nothing: this is its answer.
    Answer(Box<Response<Body>>),
    /// An answer that is no call of the function.
    Aside(Answering),
    /// A place, or the initialiser.
    Wait(Admission, Box<Request>),
    /// The handler.
    Run(Answering),
    /// It is over.
    Over,
}

/// A place and what to call, for whom none was free at once; `None`: there is no place for it.
pub(crate) type Admission = Pin<Box<dyn Future<Output = Option<(Place, FunctionService)>> + Send>>;

/// What came of polling the work once.
enum Step {
    Answer(Response<Body>),
    Panic,
    Pending,
}

// === impl Calling ===

impl Calling {
    pub(crate) fn new(work: Work, record: Box<Record>, link: Arc<Link>) -> Calling {
        Calling {
            work,
            record: Some(record),
            link,
            aside: None,
            timer: None,
        }
    }

    /// What is no call: neither counted nor limited.
    pub(crate) fn aside(work: Work, server: Arc<Server>, link: Arc<Link>) -> Calling {
        Calling {
            work,
            record: None,
            link,
            aside: Some(server),
            timer: None,
        }
    }

    /// Starts the handler.
    pub(crate) fn start(record: &mut Record, begin: impl FnOnce() -> Answering) -> Work {
        let Record { call, scope, .. } = record;
        let started = catch_unwind(AssertUnwindSafe(|| {
            Scope::enter(scope, || Call::enter(call, begin))
        }));
        match started {
            Ok(answering) => Work::Run(answering),
            Err(_) => Work::answer(panicked(Some(record))),
        }
    }
}

impl Future for Calling {
    type Output = Result<Response<AnswerBody>, std::convert::Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut response = match this.work.step(&mut this.record, cx) {
            Step::Answer(response) => response,
            Step::Panic => panicked(this.record.as_deref_mut()),
            Step::Pending => {
                let Some(record) = &mut this.record else {
                    return Poll::Pending;
                };
                let timer = this
                    .timer
                    .get_or_insert_with(|| Box::pin(sleep_until(record.deadline)));
                ready!(timer.as_mut().poll(cx));
                timed_out(record)
            }
        };
        this.work = Work::Over;
        let link = this.link.clone();
        Poll::Ready(Ok(match this.record.take() {
            Some(record) => finish(record, response, link),
            None => {
                if let Some(server) = &this.aside {
                    close_if_leaving(server, response.headers_mut());
                }
                response.map(|body| AnswerBody::uncounted(body, link))
            }
        }))
    }
}

// === impl Work ===

impl Work {
    /// This answer.
    pub(crate) fn answer(response: Response<Body>) -> Work {
        Work::Answer(Box::new(response))
    }

    fn step(&mut self, record: &mut Option<Box<Record>>, cx: &mut Context<'_>) -> Step {
        loop {
            match self {
                Work::Answer(_) | Work::Over => {
                    let Work::Answer(response) = std::mem::replace(self, Work::Over) else {
                        return Step::Pending;
                    };
                    return Step::Answer(*response);
                }
                Work::Aside(answering) => {
                    match catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(cx))) {
                        Ok(Poll::Ready(response)) => return Step::Answer(response),
                        Ok(Poll::Pending) => return Step::Pending,
                        Err(_) => return Step::Panic,
                    }
                }
                Work::Wait(admission, _) => {
                    let Poll::Ready(admitted) = admission.as_mut().poll(cx) else {
                        return Step::Pending;
                    };
                    let (Work::Wait(_, request), Some(record)) =
                        (std::mem::replace(self, Work::Over), record.as_mut())
                    else {
                        return Step::Pending;
                    };
                    match admitted {
                        Some((place, service)) => {
                            record.place = Some(place);
                            *self = Calling::start(record, || service.0.call(*request));
                        }
                        None => {
                            record.end = End::Refused;
                            return Step::Answer(answer::full(record.server.shared.limit.size()));
                        }
                    }
                }
                Work::Run(answering) => {
                    let Some(record) = record else {
                        return Step::Pending;
                    };
                    let Record {
                        server,
                        call,
                        scope,
                        line,
                        deadline,
                        ..
                    } = &mut **record;
                    let polled = catch_unwind(AssertUnwindSafe(|| {
                        server.watch.during(line, deadline.into_std(), || {
                            let polling = || answering.as_mut().poll(cx);
                            Scope::enter(scope, || Call::enter(call, polling))
                        })
                    }));
                    return match polled {
                        // Whoever set the deadline no longer listens to an answer that comes after it.
                        Ok(Poll::Ready(response)) => Step::Answer(match record.answered_now() {
                            now if now >= record.deadline => timed_out(record),
                            _ => response,
                        }),
                        Ok(Poll::Pending) => Step::Pending,
                        Err(_) => Step::Panic,
                    };
                }
            }
        }
    }
}

/// The head of the answer, and its body with the record in it.
fn finish(
    mut record: Box<Record>,
    response: Response<Body>,
    link: Arc<Link>,
) -> Response<AnswerBody> {
    let response = match link.body_fault() {
        None => response,
        Some(fault) => {
            record.end = End::Refused;
            match fault {
                BodyFault::TooLong => answer::too_long(),
                BodyFault::TooSlow => answer::too_slow(),
            }
        }
    };
    let (mut head, body) = response.into_parts();
    record.status = head.status;
    if let Some(route) = head.extensions.get::<MatchedPath>() {
        record.span.route(&record.line.method, route.as_str());
    }
    let took = record.answered_now() - record.started;
    head.headers
        .insert(answer::X_DURATION_SECONDS, answer::seconds(took));
    close_if_leaving(&record.server, &mut head.headers);
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        record.end = End::Answered;
        link.upgrade(record);
        return Response::from_parts(head, AnswerBody::uncounted(body, link));
    }
    let whole = http_body::Body::is_end_stream(&body);
    if !whole && !head.headers.contains_key(CONTENT_TYPE) {
        // A provider would put the request's own there.
        head.headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
    }
    let whole = whole || record.line.method == Method::HEAD;
    Response::from_parts(head, AnswerBody::new(body, record, link, whole))
}

/// While the function is leaving, each answer is the last of its connection.
fn close_if_leaving(server: &Server, headers: &mut HeaderMap) {
    if server.lifecycle.is_leaving() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// 504, empty, as of-watchdog answers it.
fn timed_out(record: &mut Record) -> Response<Body> {
    record.end = End::Timeout;
    record.cancel();
    answer::internal(StatusCode::GATEWAY_TIMEOUT)
}

/// 500, empty. What the panic said is in the log already, by the process's panic hook.
fn panicked(record: Option<&mut Record>) -> Response<Body> {
    if let Some(record) = record {
        record.end = End::Panic;
        record.cancel();
    }
    answer::internal(StatusCode::INTERNAL_SERVER_ERROR)
}
