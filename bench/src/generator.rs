//! A load generator in one thread: for what wrk cannot do, a fixed rate and a fixed count, and for where there is no wrk.
//!
//! While nothing is due and nothing has come it sleeps for a moment: on few cores one that waits actively takes the
//! server's time, and measures the scheduler.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// How long it waits for answers that are still out when the plan's end has come.
const GRACE: Duration = Duration::from_secs(10);

/// How long it sleeps while there is nothing to do; the system makes about 60 µs of it.
const MOMENT: Duration = Duration::from_micros(5);

/// What load to put on a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Where it listens.
    pub(crate) port: u16,
    /// How many connections are kept open; each has one request out at most.
    pub(crate) connections: usize,
    /// Requests per second over all connections. Without one, each connection asks again as soon as it is answered.
    pub(crate) rate: Option<f64>,
    /// When to stop asking.
    pub(crate) until: Until,
}

/// When to stop asking.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After this many requests.
    Requests(u64),
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// Per answer, in the order of latency: from the moment its request was due. A request that had to wait for a
    /// free connection waits on this clock too.
    latencies: Vec<Duration>,
}

/// One connection.
struct Connection {
    stream: TcpStream,
    /// When the request that is out was due.
    due: Option<Instant>,
    /// What has come of its answer.
    received: Vec<u8>,
}

// === impl Plan ===

impl Plan {
    /// When the request after `asked` others is due.
    fn due(&self, asked: u64, started: Instant, now: Instant) -> Instant {
        match self.rate {
            Some(rate) => started + Duration::from_secs_f64(asked as f64 / rate),
            None => now,
        }
    }
}

// === impl Until ===

impl Until {
    fn is_reached(self, asked: u64, elapsed: Duration) -> bool {
        match self {
            Self::Elapsed(span) => elapsed >= span,
            Self::Requests(count) => asked >= count,
        }
    }
}

// === impl Outcome ===

impl Outcome {
    /// How many answers there were.
    pub(crate) fn answers(&self) -> usize {
        self.latencies.len()
    }

    /// Answers per second.
    pub(crate) fn per_second(&self) -> f64 {
        self.answers() as f64 / self.took.as_secs_f64()
    }

    /// The latency that `share` of the answers stay within.
    pub(crate) fn latency(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let place = (last as f64 * share).round() as usize;
        self.latencies.get(place).copied().unwrap_or_default()
    }
}

// === impl Connection ===

impl Connection {
    /// Sends the request that was due at `due`.
    fn ask(&mut self, due: Instant) -> io::Result<()> {
        self.due = Some(due);
        self.stream.write_all(REQUEST)
    }

    /// Reads what is there. Gives the due time of the request that this completes, if it does.
    ///
    /// # Errors
    /// When the connection is closed, or the answer is not a 200 with a Content-Length.
    fn read(&mut self) -> io::Result<Option<Instant>> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        match answer_length(&self.received)? {
            Some(length) if self.received.len() >= length => {
                self.received.clear();
                Ok(self.due.take())
            }
            _ => Ok(None),
        }
    }
}

/// Puts the load on the server.
///
/// # Errors
/// When a connection fails, is closed, or is answered with anything but a 200 that has a Content-Length.
pub(crate) fn run(plan: Plan) -> io::Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(plan.connections);
    let mut connections = connect(plan, &poll)?;
    let mut idle: VecDeque<usize> = (0..connections.len()).collect();
    let mut latencies = Vec::new();
    let mut asked = 0_u64;
    let started = Instant::now();
    let mut last = started;
    loop {
        let now = Instant::now();
        while !plan.until.is_reached(asked, now - started) && plan.due(asked, started, now) <= now {
            let Some(free) = idle.pop_front() else { break };
            connections[free].ask(plan.due(asked, started, now))?;
            asked += 1;
        }
        if plan.until.is_reached(asked, now - started) && idle.len() == connections.len() {
            break;
        }
        if now > last + GRACE {
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                "an answer did not come",
            ));
        }
        poll.poll(&mut events, Some(Duration::ZERO))?;
        if events.is_empty() {
            std::thread::sleep(MOMENT);
        }
        for event in &events {
            let place = event.token().0;
            if let Some(due) = connections[place].read()? {
                last = Instant::now();
                latencies.push(last - due);
                idle.push_back(place);
            }
        }
    }
    latencies.sort_unstable();
    Ok(Outcome {
        took: last - started,
        latencies,
    })
}

fn connect(plan: Plan, poll: &Poll) -> io::Result<Vec<Connection>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, plan.port));
    (0..plan.connections)
        .map(|place| {
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(place), Interest::READABLE)?;
            Ok(Connection {
                stream,
                due: None,
                received: Vec::with_capacity(1024),
            })
        })
        .collect()
}

/// How long the answer at the start of `received` is in all, once its head is there.
fn answer_length(received: &[u8]) -> io::Result<Option<usize>> {
    let Some(head) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let invalid = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
    let text =
        std::str::from_utf8(&received[..head]).map_err(|_| invalid("a head that is not text"))?;
    let (status, fields) = text.split_once("\r\n").unwrap_or((text, ""));
    if !status.starts_with("HTTP/1.1 200") {
        return Err(invalid(status));
    }
    let length = fields.split("\r\n").find_map(|field| {
        let (name, value) = field.split_once(':')?;
        let length = value.trim().parse::<usize>().ok()?;
        name.eq_ignore_ascii_case("content-length")
            .then_some(length)
    });
    match length {
        Some(length) => Ok(Some(head + 4 + length)),
        None => Err(invalid("an answer without Content-Length")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_when_its_content_length_is_there() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
        assert_eq!(answer_length(answer).ok().flatten(), Some(answer.len()));
        assert_eq!(answer_length(&answer[..20]).ok().flatten(), None);
    }

    #[test]
    fn any_status_but_200_is_an_error() {
        let error =
            answer_length(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").expect_err("a refusal");
        assert_eq!(error.to_string(), "HTTP/1.1 503 Service Unavailable");
    }

    #[test]
    fn latencies_are_taken_by_share() {
        let outcome = Outcome {
            took: Duration::from_secs(1),
            latencies: (1..=100).map(Duration::from_millis).collect(),
        };
        assert_eq!(outcome.latency(0.0), Duration::from_millis(1));
        assert_eq!(outcome.latency(0.99), Duration::from_millis(99));
        assert!((outcome.per_second() - 100.0).abs() < 1e-9);
    }
}
