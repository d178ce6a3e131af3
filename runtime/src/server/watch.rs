//! Watches for handlers that do not yield, from a thread of its own: a handler can be dropped only where it awaits.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError, TryLockError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::runtime::Handle;

use super::{Server, record::Line};

/// How often it looks. With it, a worker that sleeps while another one is stuck is woken to look after the sockets, which
/// tokio alone does not do.
const PERIOD: Duration = Duration::from_millis(100);
/// Without a free worker for this long the function is unwell.
const PATIENCE: Duration = Duration::from_secs(10);
/// For one caller that is answered from here, to say what it wants.
const CALLER: Duration = Duration::from_millis(500);

/// Which handlers are being polled right now, a place per worker.
#[derive(Debug)]
pub(crate) struct Watch {
    places: Box<[Mutex<Polled>]>,
    /// A second handle of the socket, for answering while no worker can.
    listener: Mutex<Option<TcpListener>>,
}

/// What a worker is at.
#[derive(Debug)]
struct Polled {
    /// Nothing, when not.
    busy: bool,
    line: Line,
    deadline: Instant,
    reported: bool,
}

/// Gives the line back and the place, also when the handler panicked.
struct Leave<'a> {
    place: &'a Mutex<Polled>,
    line: &'a mut Line,
}

thread_local! {
    static PLACE: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed)
    };
}

// === impl Watch ===

impl Watch {
    pub(crate) fn new(workers: usize) -> Watch {
        let places = std::iter::repeat_with(|| Mutex::new(Polled::nothing()));
        Watch {
            places: places.take((workers * 2).next_power_of_two()).collect(),
            listener: Mutex::new(None),
        }
    }

    /// Does `work` and has it watched meanwhile.
    pub(crate) fn during<R>(
        &self,
        line: &mut Line,
        deadline: Instant,
        work: impl FnOnce() -> R,
    ) -> R {
        let place = &self.places[PLACE.with(|place| place & (self.places.len() - 1))];
        let entered = match place.try_lock() {
            Ok(mut polled) if !polled.busy => {
                polled.busy = true;
                polled.reported = false;
                polled.deadline = deadline;
                std::mem::swap(&mut polled.line, line);
                true
            }
            // Two threads of one place, or a look at it right now: not watched for once.
            _ => false,
        };
        let _leave = entered.then(|| Leave { place, line });
        work()
    }

    /// Keeps a handle of the socket to answer from.
    pub(crate) fn listen(&self, listener: TcpListener) {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
    }

    /// Closes it.
    pub(crate) fn close(&self) {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Handlers past their deadline that have not been reported, with how long they are past it.
    fn overdue(&self) -> Vec<(Line, Duration)> {
        let now = Instant::now();
        let overdue = |place: &Mutex<Polled>| {
            let mut polled = match place.try_lock() {
                Ok(polled) => polled,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return None,
            };
            let late = now
                .checked_duration_since(polled.deadline)
                .filter(|late| *late > PERIOD)?;
            if !polled.busy || std::mem::replace(&mut polled.reported, true) {
                return None;
            }
            Some((polled.line.clone(), late))
        };
        self.places.iter().filter_map(overdue).collect()
    }

    /// Answers whoever waits at the socket.
    fn answer(&self) {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(listener) = listener.as_ref() else {
            return;
        };
        while let Ok((stream, _)) = listener.accept() {
            if let Err(error) = unwell(stream) {
                tracing::debug!("a caller left before it was answered: {error}");
            }
        }
    }
}

/// Starts to watch, until the server is gone.
pub(crate) fn start(server: &Arc<Server>) -> io::Result<()> {
    let (server, workers) = (Arc::downgrade(server), Handle::current());
    thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || watch(&server, &workers))
        .map(drop)
}

fn watch(server: &Weak<Server>, workers: &Handle) {
    let mut beat: Option<(Instant, Arc<AtomicBool>)> = None;
    loop {
        thread::sleep(PERIOD);
        let Some(server) = server.upgrade() else {
            return;
        };
        for (line, late) in server.watch.overdue() {
            server.counters.stuck.add(1);
            tracing::error!(
                call_id = %line.call_id,
                "the handler of {} {} has not yielded for {late:.1?} past its deadline: it can be dropped only where it awaits",
                line.method,
                line.uri,
            );
        }
        let free = match beat.take() {
            Some((since, felt)) if !felt.load(Ordering::Relaxed) => {
                let free = since.elapsed() < PATIENCE;
                beat = Some((since, felt));
                free
            }
            _ => true,
        };
        if beat.is_none() && server.calls_in_flight() > 0 {
            let felt = Arc::new(AtomicBool::new(false));
            let feel = felt.clone();
            workers.spawn(async move { feel.store(true, Ordering::Relaxed) });
            beat = Some((Instant::now(), felt));
        }
        if server.lifecycle.set_stuck(!free) {
            match free {
                true => tracing::info!("a worker is free again"),
                false => tracing::error!("no worker has been free for {PATIENCE:?}: health is 503"),
            }
        }
        if !free {
            server.watch.answer();
        }
    }
}

/// 503, written by hand: no worker is there to do it better.
fn unwell(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(CALLER))?;
    stream.set_write_timeout(Some(CALLER))?;
    let mut head = [0; 1024];
    let mut length = 0;
    while length < head.len() && !head[..length].ends_with(b"\r\n\r\n") {
        match stream.read(&mut head[length..])? {
            0 => break,
            read => length += read,
        }
    }
    let mark = match head.starts_with(b"GET /_/health ") {
        true => "",
        false => "x-openfaas-internal: openfaas-runtime\r\nretry-after: 1\r\n",
    };
    write!(
        stream,
        "HTTP/1.1 503 Service Unavailable\r\n{mark}connection: close\r\ncontent-length: 0\r\n\r\n"
    )
}

// === impl Polled ===

impl Polled {
    fn nothing() -> Polled {
        Polled {
            busy: false,
            line: Line::nothing(),
            deadline: Instant::now(),
            reported: false,
        }
    }
}

// === impl Leave ===

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut polled = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut polled.line, self.line);
        polled.busy = false;
    }
}

#[cfg(test)]
mod tests {
    use openfaas_telemetry::CallId;

    use super::*;

    fn line(call_id: &str) -> Line {
        Line {
            call_id: CallId::new(call_id),
            ..Line::nothing()
        }
    }

    #[test]
    fn a_handler_past_its_deadline_is_reported_once_and_its_line_comes_back() {
        let watch = Watch::new(2);
        let mut polled = line("late");
        let past = Instant::now() - Duration::from_secs(3);
        watch.during(&mut polled, past, || {
            let overdue = watch.overdue();
            assert_eq!(overdue.len(), 1);
            assert_eq!(overdue[0].0.call_id.as_str(), "late");
            assert!(overdue[0].1 >= Duration::from_secs(3));
            assert!(watch.overdue().is_empty());
        });
        assert_eq!(polled.call_id.as_str(), "late");
        watch.during(&mut polled, Instant::now() + Duration::from_secs(3), || {
            assert!(watch.overdue().is_empty())
        });
    }

    #[test]
    fn a_panic_leaves_the_place_free() {
        let watch = Watch::new(1);
        let mut polled = line("bad");
        let past = Instant::now() - Duration::from_secs(3);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            watch.during(&mut polled, past, || panic!("as planned"));
        }));
        assert!(panicked.is_err());
        assert!(watch.overdue().is_empty());
        assert_eq!(polled.call_id.as_str(), "bad");
    }

    #[test]
    fn one_place_for_two_watches_the_first() {
        let watch = Watch::new(1);
        let (mut outer, mut inner) = (line("outer"), line("inner"));
        let past = Instant::now() - Duration::from_secs(3);
        watch.during(&mut outer, past, || {
            watch.during(&mut inner, past, || {
                assert_eq!(watch.overdue()[0].0.call_id.as_str(), "outer");
            });
        });
        assert_eq!(
            (outer.call_id.as_str(), inner.call_id.as_str()),
            ("outer", "inner")
        );
    }
}
