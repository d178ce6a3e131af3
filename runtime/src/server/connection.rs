//! One connection: its socket, its timers, and its end.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::{
    rt::{Read, ReadBufCursor, Write},
    server::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::Instant};

use super::{Phase, Server, record::Record, request_body::BodyFault, service::CallService};

/// Most bytes of a request's head, as Go's and so of-watchdog's (`MaxHeaderBytes`).
const MAX_HEAD: usize = 1 << 20;

/// What the socket, the service and the timer of one connection share.
pub(crate) struct Link {
    /// The call that took the connection over by an upgrade: it is over when the socket is closed.
    upgraded: Mutex<Option<Box<Record>>>,
    /// How many requests there have been: the number of the one at hand.
    requests: AtomicU64,
    /// The number of the request whose body was too long; 0: none.
    too_long: AtomicU64,
    /// The number of the request whose body was too slow; 0: none.
    too_slow: AtomicU64,
    /// When the connection was made.
    began: Instant,
    /// How long a request's head may take, from the connection's start or the end of the last answer.
    head_limit: Option<Duration>,
    /// When the next request's head has to be here, in milliseconds after `began`; 0: none is waited for.
    head_due: AtomicU64,
}

/// A socket, given up when it takes nothing for too long.
struct Io {
    socket: TokioIo<TcpStream>,
    /// Armed while the socket takes nothing.
    stall: Option<Pin<Box<tokio::time::Sleep>>>,
    /// For how long it may.
    patience: Duration,
    /// Kept until the socket is closed, by whoever has it then.
    _link: Arc<Link>,
}

/// Serves a connection until it ends, by its peer or, once the function closes, after the answer at hand.
pub(crate) async fn serve(server: Arc<Server>, stream: TcpStream) {
    // A socket that is gone already shows it at the first read.
    let _ = stream.set_nodelay(true);
    let link = Arc::new(Link::new(server.read_limit));
    let io = Io {
        socket: TokioIo::new(stream),
        stall: None,
        patience: server.idle_limit,
        _link: link.clone(),
    };
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD).max_header_size(MAX_HEAD);
    let service = CallService::new(server.clone(), link.clone());
    let mut connection = pin!(builder.serve_connection(io, service).with_upgrades());
    let mut closing = pin!(server.lifecycle.closing().notified());
    let mut heard = false;
    let mut closed = false;
    let mut timer = pin!(None::<tokio::time::Sleep>);
    let served = poll_fn(|cx| {
        if !heard {
            // Once is enough: a task's waker stays the same.
            heard = true;
            let _ = closing.as_mut().poll(cx);
        }
        if !closed && server.lifecycle.phase() >= Phase::Closed {
            closed = true;
            connection.as_mut().graceful_shutdown();
        }
        match connection.as_mut().poll(cx) {
            Poll::Pending => link.poll_late(timer.as_mut(), cx).map(Ok),
            served => served,
        }
    });
    if let Err(error) = served.await {
        tracing::debug!("a connection ended early: {error}");
    }
}

// === impl Link ===

impl Link {
    /// A connection that waits for its first head.
    pub(crate) fn new(head_limit: Option<Duration>) -> Link {
        let link = Link {
            upgraded: Mutex::new(None),
            requests: AtomicU64::new(0),
            too_long: AtomicU64::new(0),
            too_slow: AtomicU64::new(0),
            began: Instant::now(),
            head_limit,
            head_due: AtomicU64::new(0),
        };
        link.expect_head(link.began);
        link
    }

    /// The call goes on over the bare socket.
    pub(crate) fn upgrade(&self, record: Box<Record>) {
        *self.upgraded.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
    }

    /// The number of the request at hand.
    pub(crate) fn request(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The body of this request is one that the function does not take. It may be learned after the answer began, and even
    /// after the next request's head came.
    pub(crate) fn set_body_fault(&self, request: u64, fault: BodyFault) {
        let at = match fault {
            BodyFault::TooLong => &self.too_long,
            BodyFault::TooSlow => &self.too_slow,
        };
        at.fetch_max(request, Ordering::Release);
    }

    /// What went wrong with the body of the request at hand.
    pub(crate) fn body_fault(&self) -> Option<BodyFault> {
        let request = self.request();
        if self.too_long.load(Ordering::Acquire) == request {
            return Some(BodyFault::TooLong);
        }
        (self.too_slow.load(Ordering::Acquire) == request).then_some(BodyFault::TooSlow)
    }

    /// From then on a head is waited for. Hyper's own timer for it would go over the connection once more after each answer.
    pub(crate) fn expect_head(&self, since: Instant) {
        if let Some(limit) = self.head_limit {
            let due = (since - self.began + limit).as_millis() as u64;
            self.head_due.store(due.max(1), Ordering::Relaxed);
        }
    }

    /// It is here.
    pub(crate) fn head_came(&self) {
        self.head_due.store(0, Ordering::Relaxed);
        // Only the connection's own task writes it.
        self.requests.store(self.request() + 1, Ordering::Relaxed);
    }

    fn head_due(&self) -> Option<Instant> {
        match self.head_due.load(Ordering::Relaxed) {
            0 => None,
            due => Some(self.began + Duration::from_millis(due)),
        }
    }

    /// Ready once a head is late. One timer serves all heads of a connection: it is set anew only when it runs out.
    fn poll_late(
        &self,
        mut timer: Pin<&mut Option<tokio::time::Sleep>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(due) = self.head_due() else {
            return Poll::Pending;
        };
        if timer.is_none() {
            timer.set(Some(tokio::time::sleep_until(due)));
        } else if timer
            .as_ref()
            .as_pin_ref()
            .is_some_and(|timer| !timer.is_elapsed())
        {
            return Poll::Pending;
        }
        let Some(mut timer) = timer.as_pin_mut() else {
            return Poll::Pending;
        };
        while timer.as_mut().poll(cx).is_ready() {
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}

// === impl Io ===

impl Io {
    /// What came of writing, unless it has been nothing for too long.
    fn unless_stalled<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.stall.is_some() {
                self.stall = None;
            }
            return written;
        }
        let patience = self.patience;
        let stall = self
            .stall
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stall.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the caller took nothing for longer than write_timeout",
        )))
    }
}

impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl Write for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.unless_stalled(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.unless_stalled(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_a_body_is_that_of_its_own_request() {
        let link = Link::new(None);
        link.head_came();
        let first = link.request();
        assert_eq!(link.body_fault(), None);
        link.set_body_fault(first, BodyFault::TooLong);
        assert_eq!(link.body_fault(), Some(BodyFault::TooLong));
        link.head_came();
        assert_eq!(link.body_fault(), None);
        link.set_body_fault(first, BodyFault::TooSlow);
        assert_eq!(link.body_fault(), None, "learned late");
        link.set_body_fault(link.request(), BodyFault::TooSlow);
        assert_eq!(link.body_fault(), Some(BodyFault::TooSlow));
    }
}
