//! A call that comes through no socket.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use openfaas_telemetry::TraceContext;
use tokio::time::Instant;

use super::{
    Server, answer,
    answer_body::AnswerBody,
    calling::{Calling, Work},
    connection::Link,
    record::{End, Record},
    service::Noted,
};

/// The same limit, deadline, handler and record as for a request of a connection. `within` is the span that covers it.
pub(crate) fn call(
    server: &Arc<Server>,
    request: Request<Body>,
    within: Option<&TraceContext>,
) -> impl Future<Output = Response<AnswerBody>> + Send + use<> {
    let telemetry = &server.shared.telemetry;
    telemetry.metrics().http().started();
    let span = |_: &_| telemetry.covered(within);
    let noted = Noted::of(request.headers());
    let mut record = noted.record(server, &request, span, Instant::now());
    let work = match (server.shared.limit.try_take(), server.lifecycle.service()) {
        (Some(place), Some(service)) => {
            record.place = Some(place);
            Calling::start(&mut record, service, request)
        }
        (None, _) => refused(&mut record, answer::full(server.shared.limit.size())),
        (_, None) => refused(
            &mut record,
            answer::internal(StatusCode::SERVICE_UNAVAILABLE),
        ),
    };
    let link = Link::new(None);
    link.head_came();
    let calling = Calling::new(work, record, Arc::new(link));
    async move { calling.await.unwrap_or_else(|never| match never {}) }
}

fn refused(record: &mut Record, answer: Response<Body>) -> Work {
    record.end = End::Refused;
    Work::answer(answer)
}
