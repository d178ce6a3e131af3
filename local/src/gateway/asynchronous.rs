//! `/async-function/NAME[/…]`: a call that nobody waits for.
//!
//! It is accepted with 202 while the queue has room, tried until its answer needs no retry or its attempts are used up, and
//! the last answer goes to the address of `X-Callback-Url`.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, StatusCode, Uri,
    header::{CONTENT_LENGTH, HOST, RETRY_AFTER},
    request::Parts,
};
use openfaas_delivery::{answer::retry_after, wiring::RetryPolicy};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Gateway,
    callback::{self, Outcome},
    error::{Failure, Refused},
    headers::{INTERNAL, Stamp},
    invoke::call,
    target::Target,
};

/// The prefix of every function's URL for calls that nobody waits for.
const PREFIX: &str = "/async-function/";

/// Where the answer is to go.
const CALLBACK: HeaderName = HeaderName::from_static("x-callback-url");

/// Bytes of a body that is queued.
const LARGEST: usize = 10 * 1024 * 1024;

/// Bytes of an answer that is kept for a callback.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;

/// How many calls of the queue run at once.
const RUNNING: usize = 32;

/// Calls that nobody waits for. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Room in the queue; a call keeps its place until its callback is done.
    room: Arc<Semaphore>,
    /// Room to run.
    running: Arc<Semaphore>,
    /// The calls.
    tasks: TaskTracker,
    /// Ends the waiting for another attempt.
    pub(super) stop: CancellationToken,
    /// Ends all else.
    cut: CancellationToken,
    /// How many calls, or their callbacks, were not done for that.
    given_up: Arc<AtomicUsize>,
}

/// One call of the queue.
#[derive(Debug)]
struct Job {
    /// Its method, URL and headers.
    parts: Parts,
    /// Its body.
    body: Bytes,
    /// Who called.
    peer: SocketAddr,
    /// Its id and time.
    stamp: Stamp,
    /// Where the answer is to go.
    callback: Option<Uri>,
    /// How often and when to try.
    policy: RetryPolicy,
    /// Its place in the queue.
    _room: OwnedSemaphorePermit,
}

impl Queue {
    /// A queue with room for so many calls.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Self {
            room: Arc::new(Semaphore::new(room)),
            running: Arc::new(Semaphore::new(RUNNING)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            given_up: Arc::default(),
        }
    }

    /// Finishes the calls and callbacks that run, for as long as `limit`, gives up those that wait for another attempt,
    /// and returns how many were given up.
    pub async fn end(&self, limit: Duration) -> usize {
        self.tasks.close();
        self.stop.cancel();
        if timeout(limit, self.tasks.wait()).await.is_err() {
            self.cut.cancel();
            self.tasks.wait().await;
        }
        self.given_up.load(Ordering::Relaxed)
    }
}

/// Accepts a call.
pub(super) async fn submit(
    State(gateway): State<Gateway>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response {
    let stamp = Stamp::new(request.headers());
    let mut response = match accept(&gateway, &stamp, peer, request).await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(refusal) => refusal,
    };
    stamp.own(response.headers_mut());
    response
}

async fn accept(
    gateway: &Gateway,
    stamp: &Stamp,
    peer: SocketAddr,
    request: Request<Body>,
) -> Result<(), Response> {
    let (mut parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return Err(Refused::Method.into_response());
    }
    let target =
        Target::below(PREFIX, &parts.uri).ok_or_else(|| Refused::NoName.into_response())?;
    let function = gateway.functions.find(target.name);
    let function =
        function.ok_or_else(|| Refused::Unknown(target.name.to_owned()).into_response())?;
    let callback = match parts.headers.remove(CALLBACK) {
        Some(url) => Some(callback::address(&url).map_err(IntoResponse::into_response)?),
        None => None,
    };
    let full = || {
        let failure = Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the queue is full; try again later",
        );
        let mut response = failure.into_response();
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        response
            .headers_mut()
            .insert(INTERNAL, HeaderValue::from_static("queue"));
        response
    };
    let room = gateway
        .queue
        .room
        .clone()
        .try_acquire_owned()
        .map_err(|_| full())?;
    let too_large = |_| {
        Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "a queued body holds at most 10 MiB",
        )
        .into_response()
    };
    let body = to_bytes(body, LARGEST).await.map_err(too_large)?;
    let policy = policy(&function.desired().spec.annotations);
    let job = Job {
        parts,
        body,
        peer,
        stamp: stamp.clone(),
        callback,
        policy,
        _room: room,
    };
    gateway.queue.tasks.spawn(job.run(gateway.clone()));
    Ok(())
}

/// What the annotations say of retries. They were checked when the function was deployed.
fn policy(annotations: &BTreeMap<String, String>) -> RetryPolicy {
    RetryPolicy::from_annotations(annotations).unwrap_or_default()
}

impl Job {
    async fn run(self, gateway: Gateway) {
        let done = tokio::select! {
            biased;
            () = gateway.queue.cut.cancelled() => false,
            done = self.work(&gateway) => done,
        };
        if !done {
            gateway.queue.given_up.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether it was done, however it ended.
    async fn work(&self, gateway: &Gateway) -> bool {
        let began = Instant::now();
        let mut retries = 0;
        let outcome = loop {
            let outcome = self.attempt(gateway).await;
            if !self.wants_retry(&outcome) || retries + 1 >= self.policy.attempts {
                break outcome;
            }
            let wait = self.wait_after(&outcome, retries);
            tokio::select! {
                biased;
                () = gateway.queue.stop.cancelled() => return false,
                () = sleep(wait) => retries += 1,
            }
        };
        let Some(callback) = &self.callback else {
            return true;
        };
        let report = callback::Report {
            function: Target::below(PREFIX, &self.parts.uri).map_or("", |target| target.name),
            call_id: self.stamp.call_id(),
            duration: began.elapsed(),
            retries,
            attempts: self.policy.attempts,
        };
        callback::send(gateway, callback, &report, outcome).await
    }

    async fn attempt(&self, gateway: &Gateway) -> Outcome {
        let Ok(_running) = gateway.queue.running.acquire().await else {
            return Outcome::unreached();
        };
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.parts.method.clone();
        *request.uri_mut() = self.parts.uri.clone();
        *request.headers_mut() = self.parts.headers.clone();
        match call(gateway, &self.stamp, Some(self.peer), PREFIX, request).await {
            Ok(answer) => {
                let (parts, body) = answer.into_parts();
                match to_bytes(body, LARGEST_ANSWER).await {
                    Ok(body) => Outcome {
                        status: parts.status,
                        headers: parts.headers,
                        body,
                    },
                    Err(_) => Outcome::unreached(),
                }
            }
            Err(Refused::Unknown(_)) => Outcome {
                status: StatusCode::NOT_FOUND,
                ..Outcome::unreached()
            },
            Err(_) => Outcome::unreached(),
        }
    }

    fn wants_retry(&self, outcome: &Outcome) -> bool {
        let failed = outcome.status.is_client_error() || outcome.status.is_server_error();
        failed
            && (self.policy.codes.contains(outcome.status.as_u16())
                || outcome.headers.contains_key(INTERNAL))
    }

    fn wait_after(&self, outcome: &Outcome, retries: u32) -> Duration {
        match retry_after(&outcome.headers, SystemTime::now()) {
            Some(asked) => self.policy.clamp(asked),
            None => self.policy.longest_wait(retries).mul_f64(fastrand::f64()),
        }
    }
}

/// What of the answer's headers describes its own way back, and not the answer.
pub(super) const OF_THE_WAY: [HeaderName; 2] = [CONTENT_LENGTH, HOST];
