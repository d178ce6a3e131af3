use std::sync::Arc;

use http::{HeaderValue, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use openfaas_delivery::{
    call::{Answer, Call, Outcome},
    target::Target,
};
use tokio::task::JoinHandle;

use crate::server::{Server, inside};

/// Calls the function in this process: the way of a request, without a connection.
pub(super) struct Inside(pub(super) Arc<Server>);

/// A call on a task of its own, so that a handler that computes holds up neither the others nor the broker. Dropped, it is
/// given up.
struct OnATask(JoinHandle<Outcome>);

// === impl Inside ===

impl Target for Inside {
    fn call(&self, call: Call) -> impl Future<Output = Outcome> + Send {
        let answering = inside::call(&self.0, &call);
        let mut task = OnATask(tokio::spawn(async move {
            let (mut head, body) = answering.await.into_parts();
            if !head.status.is_success() {
                // As a provider has it, which tells a function's own answer from a gateway's.
                let text = HeaderValue::from_static("text/plain");
                head.headers.entry(CONTENT_TYPE).or_insert(text);
            }
            match body.collect().await {
                Ok(body) => {
                    Outcome::Answered(Answer::new(head.status, head.headers, body.to_bytes()))
                }
                Err(error) => Outcome::CutShort(error.to_string()),
            }
        }));
        async move {
            let outcome = (&mut task.0).await;
            outcome.unwrap_or_else(|broken| Outcome::Cut(broken.to_string()))
        }
    }

    async fn healthy(&self, _: &str, _: &str) -> bool {
        self.0.is_healthy()
    }
}

// === impl OnATask ===

impl Drop for OnATask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
