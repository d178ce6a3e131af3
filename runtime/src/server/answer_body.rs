use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use super::record::{End, Record};
use crate::BoxError;

pin_project! {
    /// An answer's body. It holds the call's record to its end: the place, the duration, the bytes.
    pub(crate) struct AnswerBody {
        #[pin]
        inner: Body,
        record: Option<Box<Record>>,
        // Armed while the handler's stream has nothing to give.
        #[pin]
        idle: Option<Sleep>,
        // For how long it may have nothing.
        patience: Duration,
    }
}

/// The handler's stream gave nothing for longer than `write_timeout`.
#[derive(Debug, thiserror::Error)]
#[error("the answer stood still for longer than write_timeout")]
struct Idle;

// === impl AnswerBody ===

impl AnswerBody {
    /// An answer that is no call's.
    pub(crate) fn uncounted(inner: Body) -> AnswerBody {
        AnswerBody {
            inner,
            record: None,
            idle: None,
            patience: Duration::MAX,
        }
    }

    /// The answer of a call. `whole`: there is nothing more to send than the head.
    pub(crate) fn new(inner: Body, mut record: Box<Record>, whole: bool) -> AnswerBody {
        let patience = record.server.idle_limit;
        if whole && record.end == End::Open {
            record.end = End::Answered;
        }
        AnswerBody {
            inner,
            record: Some(record),
            idle: None,
            patience,
        }
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let end = |record: &mut Option<Box<Record>>, end| {
            if let Some(mut record) = record.take()
                && record.end == End::Open
            {
                record.end = end;
            }
        };
        match this.inner.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(record) = this.record {
                    record.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
                }
                if this.inner.is_end_stream() {
                    end(this.record, End::Answered);
                }
                if this.idle.is_some() {
                    this.idle.set(None);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                end(this.record, End::Broken);
                tracing::error!("the answer broke off: {error}");
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                end(this.record, End::Answered);
                Poll::Ready(None)
            }
            Poll::Pending => {
                if this.idle.is_none() && *this.patience < Duration::MAX {
                    this.idle.set(Some(sleep(*this.patience)));
                }
                match this.idle.as_mut().as_pin_mut().map(|idle| idle.poll(cx)) {
                    Some(Poll::Ready(())) => {
                        end(this.record, End::Idle);
                        Poll::Ready(Some(Err(Box::new(Idle))))
                    }
                    _ => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
