//! A call that comes through no socket.

use std::{future::ready, sync::Arc};

use axum::body::Body;
use http::{Method, Response, StatusCode, Uri};
use openfaas_delivery::{
    call::Call,
    target::{request, unwritable},
};
use openfaas_telemetry::CallId;
use tokio::time::Instant;

use super::{
    Server, answer,
    answer_body::AnswerBody,
    calling::{Calling, Work},
    connection::Link,
    record::{End, Line, Record},
};
use crate::endpoint::{Answering, FunctionService};

/// The same limit, deadline, handler and record as for a request of a connection; the call's own span covers it.
pub(crate) fn call(
    server: &Arc<Server>,
    call: &Call,
) -> impl Future<Output = Response<AnswerBody>> + Send + use<> {
    let telemetry = &server.shared.telemetry;
    telemetry.metrics().http().started();
    let started = Instant::now();
    let mut record = Box::new(Record::new(
        server.clone(),
        Line {
            method: Method::POST,
            uri: Uri::from_static("/"),
            call_id: CallId::new(&call.call_id),
        },
        telemetry.covered(call.trace.as_ref()),
        started,
        started + server.exec_limit.min(call.told()),
    ));
    let work = match (server.shared.limit.try_take(), server.lifecycle.service()) {
        (Some(place), Some(service)) => {
            record.place = Some(place);
            Calling::start(&mut record, || begin(service, call))
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

/// With its events as they are; as a request, where only that will do: for a layer, or a handler of requests.
fn begin(service: &FunctionService, call: &Call) -> Answering {
    let direct = service.0.deliver(call);
    direct.unwrap_or_else(|| match request(call, Uri::from_static("/")) {
        Ok(request) => service.0.call(request.map(Body::from)),
        Err(error) => {
            let answer = unwritable(&error);
            let mut response = Response::new(Body::from(answer.body));
            *response.status_mut() = answer.status;
            Box::pin(ready(response))
        }
    })
}

fn refused(record: &mut Record, answer: Response<Body>) -> Work {
    record.end = End::Refused;
    Work::answer(answer)
}
