//! `/_/health` and `/_/ready`: neither counted nor limited.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};

use super::{Server, answer, calling::Work};
use crate::BoxError;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// 200 `OK` or 503; 405 for anything but GET, HEAD included.
pub(crate) fn health(server: &Server, method: &Method) -> Response<Body> {
    if method != Method::GET {
        return answer::empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    if !server.is_healthy() {
        return answer::empty(StatusCode::SERVICE_UNAVAILABLE);
    }
    let mut response = Response::new(Body::from("OK"));
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

/// In this order: 503 while not healthy or not initialised, or while a topic of its own gives no events, 429 while full, what
/// `ready_path` answers, what the readiness check says, 200.
pub(crate) fn ready(server: &Arc<Server>, request: Request<Body>) -> Work {
    if request.method() != Method::GET {
        return Work::answer(answer::empty(StatusCode::METHOD_NOT_ALLOWED));
    }
    let Some(service) = server.lifecycle.service().filter(|_| server.is_healthy()) else {
        return Work::answer(answer::empty(StatusCode::SERVICE_UNAVAILABLE));
    };
    if let Err(why) = server.door.ready() {
        return Work::answer(checked(Err(why.into())));
    }
    if server.shared.limit.is_full() {
        return Work::answer(answer::empty(StatusCode::TOO_MANY_REQUESTS));
    }
    if let Some(path) = &server.ready_path {
        let mut request = request;
        *request.uri_mut() = path.clone();
        let service = service.clone();
        return Work::Aside(Box::pin(within(server.exec_limit, async move {
            service.0.call(request).await
        })));
    }
    match &server.ready {
        None => Work::answer(answer::empty(StatusCode::OK)),
        Some(check) => {
            // Called where a panic in it is caught.
            let check = check.clone();
            Work::Aside(Box::pin(within(server.exec_limit, async move {
                checked(check().await)
            })))
        }
    }
}

fn checked(checked: Result<(), BoxError>) -> Response<Body> {
    let Err(error) = checked else {
        return answer::empty(StatusCode::OK);
    };
    let mut response = Response::new(Body::from(format!("not ready: {error}\n")));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

async fn within(
    limit: Duration,
    answering: impl Future<Output = Response<Body>>,
) -> Response<Body> {
    match tokio::time::timeout(limit, answering).await {
        Ok(response) => response,
        Err(_) => answer::internal(StatusCode::GATEWAY_TIMEOUT),
    }
}
