//! The thread that writes log lines, so that a pipe which is full or closed holds up nobody else.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Most bytes of lines that wait to be written.
const CAPACITY: usize = 1024 * 1024;
/// What an idle writer keeps of its buffers.
const IDLE_CAPACITY: usize = 64 * 1024;
/// How long lines are gathered before they are written: a thousand writes a second, however many lines.
const LINGER: Duration = Duration::from_millis(1);
/// How long to wait for a reader that made its end of the pipe non-blocking and is not reading.
const FULL_PIPE: Duration = Duration::from_millis(5);

/// The producers' end.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Something to write, or somebody who waits for it to be written.
    work: Condvar,
    /// Everything is written.
    idle: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// The thread has taken lines that it has not written yet.
    writing: bool,
    /// The thread sleeps until there is work.
    asleep: bool,
    /// Somebody waits in `flush`: no gathering.
    hurry: bool,
}

impl Writer {
    /// Starts the thread. It lives as long as the process does.
    pub(crate) fn start(
        out: impl Write + Send + 'static,
        notice: impl Fn(u64) -> Vec<u8> + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || thread.run(out, notice))?;
        Ok(Self { shared })
    }

    /// Hands over whole lines. What finds no room is dropped and counted.
    pub(crate) fn push(&self, line: &[u8]) {
        let mut state = self.shared.lock();
        if state.waiting.len() + line.len() > CAPACITY {
            drop(state);
            self.shared.drop_lines(line);
            return;
        }
        state.waiting.extend_from_slice(line);
        let wake = std::mem::take(&mut state.asleep);
        drop(state);
        if wake {
            self.shared.work.notify_one();
        }
    }

    /// How many lines were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything handed over so far is written, for at most `within`. Whether it was.
    pub(crate) fn flush(&self, within: Duration) -> bool {
        let end = Instant::now() + within;
        let mut state = self.shared.lock();
        while state.writing || !state.waiting.is_empty() {
            state.hurry = true;
            self.shared.work.notify_one();
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.idle.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Shared {
    fn run(&self, mut out: impl Write, notice: impl Fn(u64) -> Vec<u8>) {
        let mut lines = Vec::new();
        let mut reported = 0;
        loop {
            self.next(&mut lines);
            if !write(&mut out, &lines) {
                self.drop_lines(&lines);
            }
            let dropped = self.dropped.load(Ordering::Relaxed);
            if dropped > reported && write(&mut out, &notice(dropped - reported)) {
                reported = dropped;
            }
            lines.clear();
        }
    }

    /// Exchanges the empty `lines` for those that wait, once there are any.
    fn next(&self, lines: &mut Vec<u8>) {
        let mut state = self.lock();
        state.writing = false;
        while state.waiting.is_empty() {
            state.hurry = false;
            state.asleep = true;
            self.idle.notify_all();
            lines.shrink_to(IDLE_CAPACITY);
            state = wait(&self.work, state);
        }
        let gather = |state: &mut State| !state.hurry && state.waiting.len() < CAPACITY / 2;
        let gathered = self.work.wait_timeout_while(state, LINGER, gather);
        state = gathered.unwrap_or_else(PoisonError::into_inner).0;
        std::mem::swap(&mut state.waiting, lines);
        state.writing = true;
    }

    fn drop_lines(&self, lines: &[u8]) {
        let count = lines.iter().filter(|byte| **byte == b'\n').count();
        self.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a>(condvar: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condvar.wait(state).unwrap_or_else(PoisonError::into_inner)
}

/// Whether all of it was written.
fn write(out: &mut impl Write, mut lines: &[u8]) -> bool {
    while !lines.is_empty() {
        match out.write(lines) {
            Ok(0) => return false,
            Ok(written) => lines = &lines[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(FULL_PIPE),
            Err(_) => return false,
        }
    }
    true
}
