//! What functions write: the latest lines of each one, and every line as it comes.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use openfaas_cloudevents::timestamp;
use serde::{Serialize, Serializer};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    sync::broadcast,
};

/// How many lines are kept of one function.
const KEPT: usize = 5_000;

/// Bytes of one line; what is longer goes on in the next one.
const LONGEST: usize = 64 * 1024;

/// How many lines a reader may fall behind before it misses some.
const BEHIND: usize = 4_096;

/// One line, in the form of `GET /system/logs`.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The function.
    pub name: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Which of its processes.
    pub instance: Arc<str>,
    /// When the line was read.
    #[serde(serialize_with = "rfc3339")]
    pub timestamp: SystemTime,
    /// The line without its end.
    pub text: String,
}

/// Which lines are asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only those of this process.
    pub instance: Option<String>,
    /// Only those from this time on.
    pub since: Option<SystemTime>,
    /// Only so many, the latest.
    pub tail: Option<usize>,
}

/// The lines of all functions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Logs {
    /// The latest lines by function.
    kept: Arc<Mutex<HashMap<Arc<str>, VecDeque<Line>>>>,
    /// Every line as it comes.
    live: broadcast::Sender<Line>,
}

/// Whose lines a stream of bytes holds.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The function.
    pub name: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// The process.
    pub instance: Arc<str>,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            kept: Arc::default(),
            live: broadcast::Sender::new(BEHIND),
        }
    }
}

impl Logs {
    /// Adds a line.
    pub fn push(&self, line: Line) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = kept.entry(line.name.clone()).or_default();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line.clone());
        // Inside the lock: a reader who follows sees each line once, among the kept ones or live.
        let _ = self.live.send(line);
    }

    /// Every line of every function from now on.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Line> {
        self.live.subscribe()
    }

    /// The kept lines of one function that are `wanted`, and every later line of every function.
    #[must_use]
    pub fn read(&self, function: &str, wanted: &Wanted) -> (Vec<Line>, broadcast::Receiver<Line>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let live = self.live.subscribe();
        let mut lines: Vec<Line> = kept
            .get(function)
            .into_iter()
            .flatten()
            .filter(|line| wanted.covers(line))
            .cloned()
            .collect();
        if let Some(tail) = wanted.tail {
            lines.drain(..lines.len().saturating_sub(tail));
        }
        (lines, live)
    }

    /// Reads `stream` to its end, line by line.
    pub async fn pump(self, origin: Origin, stream: impl AsyncRead + Unpin) {
        let mut reader = BufReader::with_capacity(LONGEST, stream);
        let mut line = Vec::new();
        loop {
            let (taken, ended) = match reader.fill_buf().await {
                Ok([]) | Err(_) => break,
                Ok(bytes) => match bytes.iter().position(|byte| *byte == b'\n') {
                    Some(end) => {
                        line.extend_from_slice(&bytes[..end]);
                        (end + 1, true)
                    }
                    None => {
                        line.extend_from_slice(bytes);
                        (bytes.len(), line.len() >= LONGEST)
                    }
                },
            };
            reader.consume(taken);
            if ended {
                self.push(origin.line(&std::mem::take(&mut line)));
            }
        }
        if !line.is_empty() {
            self.push(origin.line(&line));
        }
    }
}

impl Wanted {
    /// Whether `line` is one of those, whatever the number.
    #[must_use]
    pub fn covers(&self, line: &Line) -> bool {
        self.instance
            .as_ref()
            .is_none_or(|instance| **instance == *line.instance)
            && self.since.is_none_or(|since| line.timestamp >= since)
    }
}

impl Origin {
    /// A line of this origin, read now.
    #[must_use]
    pub fn line(&self, bytes: &[u8]) -> Line {
        Line {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            instance: self.instance.clone(),
            timestamp: SystemTime::now(),
            text: String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes)).into_owned(),
        }
    }
}

fn rfc3339<S: Serializer>(instant: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&timestamp::format(*instant))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin {
            name: "order".into(),
            namespace: "openfaas-fn".into(),
            instance: "order-1".into(),
        }
    }

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[tokio::test]
    async fn the_latest_lines_are_given_and_the_rest_follows() {
        let logs = Logs::default();
        logs.clone().pump(origin(), &b"one\ntwo\r\nthree"[..]).await;
        let wanted = Wanted {
            tail: Some(2),
            ..Wanted::default()
        };
        let (lines, mut live) = logs.read("order", &wanted);
        assert_eq!(texts(&lines), ["two", "three"]);
        logs.push(origin().line(b"four"));
        assert_eq!(live.recv().await.unwrap().text, "four");
    }

    #[tokio::test]
    async fn a_line_without_end_is_cut_and_goes_on() {
        let logs = Logs::default();
        let long = vec![b'x'; LONGEST * 2 + 5];
        logs.clone().pump(origin(), &long[..]).await;
        let (lines, _) = logs.read("order", &Wanted::default());
        assert_eq!(
            lines.iter().map(|line| line.text.len()).sum::<usize>(),
            long.len()
        );
        assert!(lines.len() >= 2);
    }

    #[test]
    fn no_more_than_the_bound_is_kept() {
        let logs = Logs::default();
        for n in 0..KEPT + 10 {
            logs.push(origin().line(n.to_string().as_bytes()));
        }
        let (lines, _) = logs.read("order", &Wanted::default());
        assert_eq!(lines.len(), KEPT);
        assert_eq!(lines[0].text, "10");
    }
}
