use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::Link;
use crate::BoxError;

pin_project! {
    /// A request's body as the handler reads it: not longer than `max_body`, not later than `read_timeout`.
    pub(crate) struct RequestBody {
        #[pin]
        incoming: Incoming,
        // Bytes that may still come.
        left: u64,
        // When all of it has to be here.
        deadline: Instant,
        // Armed as soon as something is waited for.
        #[pin]
        timer: Option<Sleep>,
        // Where the server learns what went wrong.
        link: Arc<Link>,
        // Which of its requests this belongs to.
        request: u64,
    }
}

/// Why a request's body did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFault {
    /// It is longer than `max_body`.
    TooLong,
    /// It took longer than `read_timeout`.
    TooSlow,
}

/// The body is longer than `max_body`.
#[derive(Debug, thiserror::Error)]
#[error("the request's body is longer than max_body")]
struct TooLong;

/// The body did not come within `read_timeout`.
#[derive(Debug, thiserror::Error)]
#[error("the request's body did not come within read_timeout")]
struct TooSlow;

// === impl RequestBody ===

impl RequestBody {
    pub(crate) fn new(
        incoming: Incoming,
        limit: Option<u64>,
        deadline: Instant,
        link: Arc<Link>,
    ) -> RequestBody {
        RequestBody {
            incoming,
            left: limit.unwrap_or(u64::MAX),
            deadline,
            timer: None,
            request: link.request(),
            link,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        match this.incoming.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                match this.left.checked_sub(length) {
                    Some(left) => *this.left = left,
                    None => {
                        this.link.set_body_fault(*this.request, BodyFault::TooLong);
                        return Poll::Ready(Some(Err(Box::new(TooLong))));
                    }
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(end) => Poll::Ready(end.map(|frame| frame.map_err(BoxError::from))),
            Poll::Pending => {
                if this.timer.is_none() {
                    this.timer.set(Some(sleep_until(*this.deadline)));
                }
                if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                    ready!(timer.poll(cx));
                }
                this.link.set_body_fault(*this.request, BodyFault::TooSlow);
                Poll::Ready(Some(Err(Box::new(TooSlow))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
