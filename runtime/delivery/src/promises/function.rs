//! A function that does what a promise needs, and notes what it was called with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, StatusCode};
use openfaas_cloudevents::{Data, Event, http as binding};
use tokio::sync::Notify;

use crate::batch::{BatchAnswer, Entry};
use crate::call::{Answer, Call, Outcome, Payload};
use crate::target::Target;

/// What it does with an event that it sees for the nth time, from 1.
type Script = dyn Fn(&Event, u32) -> Act + Send + Sync;

/// What it does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Done,
    Reply,
    Retry(Option<u64>),
    Reject,
    /// It was not there.
    Absent,
    /// It dies, and with it whatever it works on.
    Die,
}

/// A clone is the same function.
#[derive(Clone)]
pub(super) struct Function {
    script: Arc<Script>,
    calls: Arc<Mutex<Vec<(String, Instant)>>>,
    sizes: Arc<Mutex<Vec<usize>>>,
    deaths: Arc<AtomicU64>,
    died: Arc<Notify>,
    /// Calls that run, and the most that did at a time.
    running: Arc<Mutex<(usize, usize)>>,
    work: Duration,
    knows_batches: bool,
    /// It dies with its owner, and answers nothing any more.
    door: bool,
}

impl Function {
    pub(super) fn new(script: impl Fn(&Event, u32) -> Act + Send + Sync + 'static) -> Self {
        Self {
            script: Arc::new(script),
            calls: Arc::default(),
            sizes: Arc::default(),
            deaths: Arc::default(),
            died: Arc::default(),
            running: Arc::default(),
            work: Duration::from_millis(2),
            knows_batches: true,
            door: false,
        }
    }

    pub(super) fn in_a_door(self) -> Self {
        Self { door: true, ..self }
    }

    pub(super) fn without_batches(self) -> Self {
        Self {
            knows_batches: false,
            ..self
        }
    }

    pub(super) fn working(self, work: Duration) -> Self {
        Self { work, ..self }
    }

    /// Completes when it dies next, or has since that was last asked.
    pub(super) async fn died(&self) {
        self.died.notified().await;
    }

    /// The most calls that ran at a time.
    pub(super) fn most_at_once(&self) -> usize {
        self.count_running(0).1
    }

    fn count_running(&self, more: isize) -> (usize, usize) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.0 = running.0.saturating_add_signed(more);
        running.1 = running.1.max(running.0);
        *running
    }

    /// What comes of a call in which it died.
    async fn cut(&self, why: &str) -> Outcome {
        match self.door {
            true => std::future::pending().await,
            false => Outcome::Cut(why.into()),
        }
    }

    /// The ids it was called with, in order, and when.
    pub(super) fn calls(&self) -> Vec<(String, Instant)> {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How often it was called with this event.
    pub(super) fn count(&self, id: &str) -> usize {
        self.calls()
            .iter()
            .filter(|(called, _)| called == id)
            .count()
    }

    /// How many events each call had.
    pub(super) fn sizes(&self) -> Vec<usize> {
        self.sizes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn act(&self, event: &Event) -> Act {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push((event.id().to_owned(), Instant::now()));
        let nth = calls
            .iter()
            .filter(|(called, _)| called == event.id())
            .count();
        drop(calls);
        (self.script)(event, nth as u32)
    }
}

impl Target for Function {
    async fn call(&self, call: Call) -> Outcome {
        let life = self.deaths.load(Ordering::Relaxed);
        self.sizes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(call.payload.events().len());
        let outcome = match &call.payload {
            Payload::One(event) => match self.act(event) {
                Act::Done => answer(204, HeaderMap::new(), ""),
                Act::Reply => {
                    let (headers, body) =
                        binding::encode_binary(&reply(event)).expect("a valid reply");
                    answer(200, headers, body)
                }
                Act::Retry(after) => {
                    let mut headers = plain();
                    headers.extend(
                        after.map(|after| (http::header::RETRY_AFTER, HeaderValue::from(after))),
                    );
                    answer(503, headers, "later")
                }
                Act::Reject => answer(422, plain(), "never"),
                Act::Absent => Outcome::Refused("connection refused".into()),
                Act::Die => {
                    self.deaths.fetch_add(1, Ordering::Relaxed);
                    self.died.notify_one();
                    return self.cut("it died").await;
                }
            },
            Payload::Batch(_) if !self.knows_batches => answer(415, plain(), "what is this"),
            Payload::Batch(events) => {
                let results = events.iter().map(|event| self.entry(event)).collect();
                let body = serde_json::to_vec(&BatchAnswer { results }).expect("JSON");
                let headers = HeaderMap::from_iter([(
                    http::header::CONTENT_TYPE,
                    HeaderValue::from_static(BatchAnswer::MEDIA_TYPE),
                )]);
                answer(207, headers, body)
            }
        };
        self.count_running(1);
        tokio::time::sleep(self.work).await;
        self.count_running(-1);
        match self.deaths.load(Ordering::Relaxed) == life {
            true => outcome,
            false => self.cut("it died of something else").await,
        }
    }

    async fn healthy(&self, _: &str, _: &str) -> bool {
        true
    }
}

impl Function {
    fn entry(&self, event: &Event) -> Entry {
        match self.act(event) {
            Act::Reply => Entry::replied(&[reply(event)]).expect("a valid reply"),
            Act::Retry(_) => Entry::retry(None, "later"),
            Act::Reject => Entry::rejected("never"),
            Act::Done | Act::Absent | Act::Die => Entry::done(),
        }
    }
}

fn reply(event: &Event) -> Event {
    let data = Data::text(format!("reply to {}", event.id()));
    Event::new("reply", data)
        .with_id(format!("r-{}", event.id()))
        .with_source("/function")
        .with_datacontenttype("text/plain")
}

fn plain() -> HeaderMap {
    HeaderMap::from_iter([(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain"),
    )])
}

fn answer(status: u16, headers: HeaderMap, body: impl Into<bytes::Bytes>) -> Outcome {
    Outcome::Answered(Answer::new(
        StatusCode::from_u16(status).expect("a status"),
        headers,
        body,
    ))
}
