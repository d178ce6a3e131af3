//! Asking a function whether it is healthy, as a cluster's probe does.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

/// How long an answer may take, as the probe of OpenFaaS CE has it.
const ANSWER: Duration = Duration::from_secs(1);

/// How often a healthy function is asked, as there.
const PERIOD: Duration = Duration::from_secs(2);

/// How many failures in a row end a function that was healthy, as there.
const FAILURES: u32 = 3;

/// How long a function may take to become healthy. Longer than the 8 s of OpenFaaS CE: this machine may be compiling.
const START: Duration = Duration::from_secs(30);

/// How often a function that starts is asked.
const START_PERIOD: Duration = Duration::from_millis(20);

/// Whether `GET /_/health` is answered with 200 in time.
pub async fn healthy(address: SocketAddr) -> bool {
    matches!(
        timeout(ANSWER, ask(address)).await,
        Ok(Some(StatusCode::OK))
    )
}

/// Asks again and again, calls `ready` at the first good answer, and returns what is wrong once it is time to give up.
pub async fn watch(address: SocketAddr, ready: impl FnOnce()) -> String {
    let began = Instant::now();
    while !healthy(address).await {
        if began.elapsed() > START {
            return format!("did not become healthy within {} s", START.as_secs());
        }
        sleep(START_PERIOD).await;
    }
    ready();
    let mut failures = 0;
    while failures < FAILURES {
        sleep(PERIOD).await;
        failures = if healthy(address).await {
            0
        } else {
            failures + 1
        };
    }
    format!("failed {FAILURES} health checks in a row")
}

async fn ask(address: SocketAddr) -> Option<StatusCode> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::get("/_/health")
        .header("host", address.to_string())
        // By this name a function knows that nobody wants a log line of it.
        .header("user-agent", "kube-probe/openfaas-local")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let answer = async move {
        sender
            .send_request(request)
            .await
            .ok()
            .map(|answer| answer.status())
    };
    // The connection ends once the sender is dropped; until then it does the work of the other half.
    tokio::join!(answer, connection).0
}
