//! Single histories of an owner in virtual time, where every drawn wait is the longest there is.

mod leaving;
mod recovery;

use std::collections::VecDeque;

use http::{HeaderMap, HeaderValue, StatusCode};
use openfaas_cloudevents::Data;

use super::*;
use crate::answer::{BACK_OFF, INTERNAL, RUNTIME, WAIT};
use crate::call::Answer;
use crate::memory::Bus;

/// Draws the longest wait there is.
struct Longest;

/// An owner, and what it wants done.
struct Scene {
    owner: Owner,
    now: Time,
    /// Calls in flight, oldest first, with the event of each.
    calls: VecDeque<(CallId, String)>,
    /// A health check is under way.
    asked: bool,
    letters: usize,
    /// Events that are to be finished together with so many replies.
    finishing: VecDeque<(Id, usize)>,
    offset: u64,
}

impl Random for Longest {
    fn next(&mut self) -> u64 {
        u64::MAX
    }
}

impl Scene {
    /// First waits of a second, and so many calls at once.
    fn new(concurrency: usize) -> Self {
        Self::wired(|wiring| wiring.concurrency = concurrency)
    }

    /// First waits of a second, and more.
    fn wired(more: impl FnOnce(&mut Wiring)) -> Self {
        let mut wiring = Wiring::new("f", "fn", ["in"]);
        wiring.retry.attempts = 10;
        wiring.retry.min_wait = Duration::from_secs(1);
        wiring.retry.max_wait = Duration::from_secs(3_600);
        more(&mut wiring);
        let settings = Settings {
            wiring: Arc::new(wiring),
            connector: Arc::from("test"),
            limits: Limits::default(),
            door: false,
            deadline: Duration::from_secs(60),
            traced: false,
            planted: Planted::default(),
        };
        let codec = Arc::new(Bus::default());
        let owner = Owner::new(settings, codec, Arc::new(()), Box::new(Longest), 1 << 20);
        let mut scene = Self {
            owner,
            now: Time::default(),
            calls: VecDeque::new(),
            asked: false,
            letters: 0,
            finishing: VecDeque::new(),
            offset: 0,
        };
        scene.tell(Input::Opened(0, None));
        let assignment = Assignment {
            log: Arc::from("in"),
            ..Assignment::default()
        };
        scene.tell(Input::Assigned(0, assignment));
        scene
    }

    /// Something happens; what can be stored or settled is so at once.
    fn tell(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.owner.handle(self.now, SystemTime::UNIX_EPOCH, input);
            while let Some(output) = self.owner.output() {
                match output {
                    Output::Call(id, _, call) => {
                        let event = call.payload.events()[0].id().to_owned();
                        self.calls.push_back((id, event));
                    }
                    Output::AskHealth => self.asked = true,
                    Output::Publish(id, publication) => {
                        self.letters += 1;
                        let position = Position {
                            log: publication.topic,
                            offset: 0,
                        };
                        let stored = Stored {
                            position,
                            duplicate: false,
                        };
                        inputs.push_back(Input::Published(id, Ok(stored)));
                    }
                    Output::Finish(id, .., replies) => {
                        self.finishing.push_back((id, replies.len()));
                    }
                    Output::Settle(id, ..) => inputs.push_back(Input::Settled(id, Ok(()))),
                    _ => {}
                }
            }
        }
    }

    fn receive(&mut self, id: &str) {
        self.receive_event(Event::new("t", Data::absent()).with_id(id));
    }

    fn receive_event(&mut self, event: Event) {
        self.offset += 1;
        let message = Message {
            topic: Arc::from("in"),
            position: Position {
                log: Arc::from("in"),
                offset: self.offset,
            },
            time: None,
            key: None,
            headers: Vec::new(),
            body: None,
        };
        let event = Decoded::Event(event.with_source("/s"));
        self.tell(Input::Message(0, Arc::new(message), event));
    }

    /// The oldest call ends like this; the event it was about.
    fn answer(&mut self, outcome: Outcome) -> String {
        let (call, event) = self.calls.pop_front().expect("a call is in flight");
        self.tell(Input::Called(call, outcome, None));
        event
    }

    fn health(&mut self, well: bool) {
        assert!(std::mem::take(&mut self.asked), "its health is asked");
        self.tell(Input::Health(well));
    }

    /// Lets time pass until a call is in flight or a health check is under way; how long that took.
    fn wait(&mut self) -> Duration {
        let since = self.now;
        while self.calls.is_empty() && !self.asked {
            self.now = self.owner.wake_at().expect("it will go on");
            self.tell(Input::Tick);
        }
        self.now.since(since)
    }
}

fn refused() -> Outcome {
    Outcome::Refused("connection refused".to_owned())
}

fn dies() -> Outcome {
    Outcome::Cut("connection reset".to_owned())
}

fn done() -> Outcome {
    Outcome::Answered(Answer::new(StatusCode::NO_CONTENT, HeaderMap::new(), ""))
}

/// A retry that the function itself asks for, with these headers.
fn retry(said: &[(&'static str, &'static str)]) -> Outcome {
    let plain = ("content-type", "text/plain");
    let headers = [&[plain], said].concat().into_iter().map(|(name, value)| {
        let name = http::HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    });
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Outcome::Answered(Answer::new(status, headers.collect(), "later"))
}

fn full(seconds: u64) -> Outcome {
    let mut headers = HeaderMap::new();
    headers.insert(INTERNAL, HeaderValue::from_static(RUNTIME));
    headers.insert(http::header::RETRY_AFTER, HeaderValue::from(seconds));
    Outcome::Answered(Answer::new(StatusCode::TOO_MANY_REQUESTS, headers, "full"))
}

#[test]
fn after_each_death_health_checks_begin_anew() {
    let mut scene = Scene::new(1);
    scene.receive("killer");
    for death in 0..5 {
        scene.wait();
        assert_eq!(scene.answer(dies()), "killer");
        for seconds in [0, 1, 2] {
            let waited = scene.wait();
            assert_eq!(waited, Duration::from_secs(seconds), "death {death}");
            scene.health(seconds == 2);
        }
    }
}

#[test]
fn neighbours_of_a_killer_go_on_as_soon_as_the_function_is_well() {
    let mut scene = Scene::new(1);
    scene.receive("killer");
    scene.receive("neighbour");
    for _ in 0..6 {
        scene.answer(refused());
        scene.wait();
    }
    while scene.calls[0].1 != "killer" {
        scene.answer(refused());
        scene.wait();
    }
    let died_at = scene.now;
    while scene
        .calls
        .front()
        .is_none_or(|(_, event)| event == "killer")
    {
        if !scene.calls.is_empty() {
            scene.answer(dies());
            scene.health(true);
        }
        scene.wait();
    }
    assert_eq!(scene.now, died_at);
    assert_eq!(scene.answer(done()), "neighbour");
}

#[test]
fn a_moment_that_a_full_function_named_is_kept_to_though_it_is_well() {
    let mut scene = Scene::new(2);
    scene.receive("one");
    scene.receive("other");
    scene.answer(full(30));
    scene.answer(dies());
    scene.health(true);
    assert_eq!(scene.wait(), Duration::from_secs(30));
}

#[test]
fn what_is_left_of_a_killer_is_its_letter() {
    let mut scene = Scene::new(1);
    scene.receive("killer");
    while scene.letters == 0 {
        scene.wait();
        scene.answer(dies());
        if scene.letters == 0 {
            scene.health(true);
        }
    }
    scene.receive("next");
    scene.health(true);
    assert_eq!(scene.wait(), Duration::ZERO);
    assert_eq!(scene.answer(done()), "next");
}

#[test]
fn a_wait_that_is_named_replaces_the_one_that_grows() {
    let nought = ("retry-after", "0");
    let mut scene = Scene::new(1);
    scene.receive("one");
    for (said, seconds) in [
        ([nought].as_slice(), 1),
        (&[], 2),
        (&[nought, (WAIT, BACK_OFF)], 4),
        (&[nought], 1),
        (&[("retry-after", "7")], 7),
        (&[nought, (WAIT, BACK_OFF)], 32),
    ] {
        scene.answer(retry(said));
        assert_eq!(scene.wait(), Duration::from_secs(seconds), "{said:?}");
    }
}

/// Batches of three, the first of which waits for ten seconds.
fn lingering() -> Scene {
    Scene::wired(|wiring| {
        wiring.batch_size = 3;
        wiring.batch_linger = Duration::from_secs(10);
    })
}

#[test]
fn a_batch_starts_when_it_is_full_or_its_first_event_has_waited_for_long_enough() {
    let mut scene = lingering();
    scene.receive("a");
    scene.receive("b");
    assert!(scene.calls.is_empty());
    scene.receive("c");
    assert_eq!(scene.calls.pop_front().expect("a full batch").1, "a");
    scene.receive("d");
    scene.now = scene.now + Duration::from_secs(4);
    scene.receive("e");
    assert_eq!(scene.wait(), Duration::from_secs(6));
    assert_eq!(scene.calls.pop_front().expect("a batch").1, "d");
}

#[test]
fn an_event_that_has_waited_for_longer_hastens_a_batch() {
    let mut scene = lingering();
    scene.receive("old");
    scene.wait();
    let tried = scene.now;
    scene.now = scene.now + Duration::from_millis(500);
    scene.receive("new");
    scene.answer(retry(&[]));
    scene.wait();
    assert_eq!(scene.now.since(tried), Duration::from_secs(10));
    assert_eq!(scene.calls.pop_front().expect("a batch").1, "old");
}

#[test]
fn what_the_end_of_a_call_lets_through_fills_a_batch() {
    let mut scene = lingering();
    let receive = |scene: &mut Scene, ids: &[&str]| {
        for id in ids {
            let event = Event::new("t", Data::absent()).with_id(*id);
            scene.receive_event(event.with_extension("partitionkey", "key"));
        }
    };
    receive(&mut scene, &["1"]);
    scene.wait();
    scene.receive("other");
    receive(&mut scene, &["2", "3"]);
    scene.now = scene.now + Duration::from_secs(1);
    assert_eq!(scene.answer(done()), "1");
    assert_eq!(scene.calls.pop_front().expect("a full batch").1, "other");
}

#[test]
fn with_transactions_replies_and_the_place_of_their_input_are_one_step() {
    let mut scene = Scene::wired(|wiring| {
        wiring.transactions = true;
        wiring.replies = crate::wiring::ReplyTopics::parse("out").expect("a topic");
    });
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/plain"));
    scene.receive("one");
    scene.answer(Outcome::Answered(Answer::new(
        StatusCode::OK,
        headers,
        "reply",
    )));
    assert_eq!((scene.letters, scene.finishing.len()), (0, 1));
    let (id, replies) = scene.finishing.pop_front().expect("it is finished");
    assert_eq!(replies, 1);
    let away = FinishError::Unavailable("away".into());
    scene.tell(Input::Finished(id, Err(away)));
    assert!(scene.finishing.is_empty(), "after a wait");
    scene.now = scene.owner.wake_at().expect("it will go on");
    scene.tell(Input::Tick);
    assert_eq!(scene.finishing.pop_front(), Some((id, 1)), "without a call");
    let refused = FinishError::Refused(PublishError::TooLarge("for `out`".into()));
    scene.tell(Input::Finished(id, Err(refused)));
    assert_eq!(scene.letters, 1);
    assert!(scene.finishing.is_empty(), "without replies");
    assert_eq!(scene.owner.holding().0, 0);
}
