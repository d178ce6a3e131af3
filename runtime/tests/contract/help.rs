//! What several of these tests need.

use openfaas_runtime::State;
use openfaas_runtime::axum::body::Body;
use openfaas_runtime::axum::http::Request;
use openfaas_runtime::testing::Running;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

pub(super) use crate::common::{config, header};

/// The longest a test waits for anything that is right.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for what has to end, and says what did not.
pub(super) async fn soon<T>(what: &str, ends: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, ends).await {
        Ok(end) => end,
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}

/// Waits for what must become true, and says what did not.
pub(super) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !soon(what, is_so()).await {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) fn get_with(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = headers
        .iter()
        .fold(Request::get(path), |request, (name, value)| {
            request.header(*name, *value)
        });
    request.body(Body::empty()).unwrap()
}

/// Sends bytes as they are and reads until the other side closes.
pub(super) async fn raw(running: &Running, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), socket.read_to_end(&mut answer)).await;
    // A reset after the answer is as good as an end.
    let _ = read.expect("an end to the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

/// A handler that waits until it is let go.
#[derive(Clone, Default)]
pub(super) struct Gate {
    pub(super) open: Arc<Notify>,
    inside: Arc<AtomicUsize>,
}

impl Gate {
    pub(super) async fn pass(State(gate): State<Gate>) -> &'static str {
        gate.inside.fetch_add(1, Ordering::SeqCst);
        gate.open.notified().await;
        "through"
    }

    pub(super) async fn entered(&self, count: usize) {
        eventually("a call inside", async || {
            self.inside.load(Ordering::SeqCst) == count
        })
        .await;
    }
}
