//! A call whose two bodies go on at the same time, bit by bit.

use std::convert::Infallible;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use http::Request;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::runner::Runner;

/// The body of the request: what is said.
type Said = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;

/// A call that is inside a function, for as long as a test wants it to be.
#[derive(Debug)]
pub struct Conversation {
    /// What goes in; none once the request's body has ended.
    said: Option<UnboundedSender<Bytes>>,
    /// What comes out.
    answer: Incoming,
}

impl Conversation {
    /// Posts to a path of the runner's gateway, with `first` as the first bytes of a body that goes on; returns with the
    /// answer's head.
    pub async fn begin(runner: &Runner, path: &str, first: &'static str) -> Self {
        let (said, listened) = unbounded_channel::<Bytes>();
        let frames = futures_util::stream::unfold(listened, async |mut listened| {
            let frame = Frame::data(listened.recv().await?);
            Some((Ok(frame), listened))
        });
        let body = StreamBody::new(Box::pin(frames) as Said);
        let request = Request::post(format!("{}{path}", runner.gateway)).body(body);
        said.send(Bytes::from(first)).unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = client.request(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        Self {
            said: Some(said),
            answer: answer.into_body(),
        }
    }

    /// Sends more.
    pub fn say(&self, more: &'static str) {
        let said = self.said.as_ref().expect("not finished");
        said.send(Bytes::from(more)).unwrap();
    }

    /// Waits for the next bytes; none when the answer has ended.
    pub async fn heard(&mut self) -> Option<Bytes> {
        let frame = self.answer.frame().await?.unwrap();
        Some(frame.into_data().unwrap())
    }

    /// Ends the request's body.
    pub fn finish(&mut self) {
        self.said = None;
    }
}
