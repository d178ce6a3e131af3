use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::{
    connection::Link,
    record::{End, Record},
};
use crate::BoxError;

/// An answer's body. It holds the call's record to its end: the place, the duration, the bytes.
pub(crate) struct AnswerBody {
    inner: Body,
    record: Option<Box<Record>>,
    /// Armed while the handler's stream has nothing to give.
    idle: Option<Pin<Box<Sleep>>>,
    /// For how long it may have nothing.
    patience: Duration,
    /// When the answer began, as long as nothing of it has been waited for: what comes with the head takes no time.
    began: Option<Instant>,
    /// When it ended.
    over: Option<Instant>,
    /// The connection, which waits for a next request once this has ended.
    link: Arc<Link>,
}

/// The handler's stream gave nothing for longer than `write_timeout`.
#[derive(Debug, thiserror::Error)]
#[error("the answer stood still for longer than write_timeout")]
struct Idle;

// === impl AnswerBody ===

impl AnswerBody {
    /// An answer that is no call's.
    pub(crate) fn uncounted(inner: Body, link: Arc<Link>) -> AnswerBody {
        AnswerBody {
            inner,
            record: None,
            idle: None,
            patience: Duration::MAX,
            began: None,
            over: None,
            link,
        }
    }

    /// The answer of a call. `whole`: there is nothing more to send than the head.
    pub(crate) fn new(
        inner: Body,
        mut record: Box<Record>,
        link: Arc<Link>,
        whole: bool,
    ) -> AnswerBody {
        let patience = record.server.idle_limit;
        let began = record.answered;
        if whole {
            record.over = began;
            if record.end == End::Open {
                record.end = End::Answered;
            }
        }
        AnswerBody {
            inner,
            record: Some(record),
            idle: None,
            patience,
            began,
            over: None,
            link,
        }
    }

    /// Gives the record back: the answer is over.
    fn end(&mut self, end: End) {
        let over = *self.over.insert(self.began.unwrap_or_else(Instant::now));
        if let Some(mut record) = self.record.take() {
            record.over = Some(over);
            if record.end == End::Open {
                record.end = end;
            }
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
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(record) = &mut this.record {
                    record.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
                }
                if this.inner.is_end_stream() {
                    this.end(End::Answered);
                }
                this.began = None;
                if this.idle.is_some() {
                    this.idle = None;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.end(End::Broken);
                tracing::error!("the answer broke off: {error}");
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                this.end(End::Answered);
                Poll::Ready(None)
            }
            Poll::Pending => {
                this.began = None;
                if this.idle.is_none() && this.patience < Duration::MAX {
                    this.idle = Some(Box::pin(sleep(this.patience)));
                }
                match this.idle.as_mut().map(|idle| idle.as_mut().poll(cx)) {
                    Some(Poll::Ready(())) => {
                        this.end(End::Idle);
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

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.link
            .expect_head(self.over.unwrap_or_else(Instant::now));
    }
}
