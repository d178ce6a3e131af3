//! A function that answers every way there is, and dies.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};
use openfaas_cloudevents::{Data, Event, http as binding};
use tokio::sync::oneshot;

use super::ledger::{Answered, Bad, Given, Ledger, OwnerId, Serial, serial_of};
use super::plan::{Form, Nature, REPLY_LIMIT};
use super::world::{TaskId, World};
use crate::answer::{INTERNAL, RUNTIME};
use crate::batch::{BatchAnswer, Entry};
use crate::call::{Answer, Call, Outcome, Payload};
use crate::clock::{Clock, Time};
use crate::reply;
use crate::target::Target;

/// The process of the function, whoever calls it. A clone is the same process.
#[derive(Clone)]
pub(super) struct Function {
    world: World,
    ledger: Ledger,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// It runs again from then on.
    up_at: Time,
    /// It cannot be reached until then.
    outage: Time,
    /// It answers nothing but retries until then.
    sick: Time,
    lives: u64,
    next: u64,
    running: BTreeMap<u64, Running>,
    /// The engine's own task, where the function is part of it.
    host: Option<TaskId>,
}

/// A call that the process works on.
struct Running {
    owner: OwnerId,
    serials: Vec<Serial>,
    answer: oneshot::Sender<Heard>,
}

/// An outcome, and what it says of whom.
type Heard = (Outcome, Vec<(Serial, Given)>);

/// The function as one run of an engine reaches it.
pub(super) struct Reach {
    pub(super) function: Function,
    pub(super) owner: OwnerId,
    /// The engine lives; what a dead one had just sent may be lost.
    pub(super) alive: Arc<AtomicBool>,
}

impl Function {
    pub(super) fn new(world: World, ledger: Ledger) -> Self {
        Self {
            world,
            ledger,
            state: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn outage(&self, long: Duration) {
        self.lock().outage = self.world.now() + long;
    }

    pub(super) fn sicken(&self, long: Duration) {
        self.lock().sick = self.world.now() + long;
    }

    fn reachable(&self) -> bool {
        let now = self.world.now();
        let state = self.lock();
        now >= state.up_at && now >= state.outage
    }

    /// The process dies, with every call that it works on. `of` is the event that killed it, and whose call it was.
    pub(super) fn die(&self, of: Option<(Serial, OwnerId)>) {
        let restart = self.ledger.plan.process.restart;
        let running = {
            let mut state = self.lock();
            state.lives += 1;
            state.up_at = self.world.now() + restart;
            std::mem::take(&mut state.running)
        };
        self.ledger.note(|| format!("function: dies of {of:?}"));
        if let Some((serial, _)) = of {
            self.ledger.open().fates[serial].kills += 1;
        }
        if self.ledger.plan.door {
            let host = {
                let mut state = self.lock();
                state.up_at = Time::default();
                state.host.take()
            };
            host.into_iter().for_each(|host| self.world.kill(host, 0));
            return;
        }
        for call in running.into_values() {
            if of.is_none_or(|(serial, owner)| {
                owner != call.owner && !call.serials.contains(&serial)
            }) {
                self.accident(call.owner, &call.serials);
            }
            let outcome = match self.world.below(4) {
                0 => Outcome::Cut("connection reset".into()),
                1 => Outcome::CutShort("the answer ended early".into()),
                2 => answer(502, &[(INTERNAL, "gateway")], "Can't reach service"),
                _ => answer(500, &[(INTERNAL, "faas-netes")], "error"),
            };
            self.send(call.answer, (outcome, Vec::new()));
        }
    }

    /// The function is part of this task: what kills one kills the other.
    pub(super) fn live_in(&self, host: TaskId) {
        let mut state = self.lock();
        state.lives += 1;
        state.running.clear();
        state.host = Some(host);
    }

    /// A call ended, and the event in it had no part in that.
    fn accident(&self, owner: OwnerId, serials: &[Serial]) {
        let mut book = self.ledger.open();
        let suspect = |serial| {
            book.owners
                .get(&owner)
                .is_some_and(|watched| watched.suspects.contains(serial))
        };
        if let [serial] = serials
            && suspect(serial)
        {
            book.fates[*serial].accidents += 1;
        }
    }

    fn send(&self, to: oneshot::Sender<Heard>, what: Heard) {
        self.world
            .after(self.world.latency(), move || drop(to.send(what)));
    }

    /// A call is here.
    fn arrive(&self, owner: OwnerId, call: &Call, to: oneshot::Sender<Heard>) {
        let serials: Vec<Serial> = call
            .payload
            .events()
            .iter()
            .filter_map(|event| serial_of(event))
            .collect();
        if !self.reachable() {
            let outcome = match self.world.below(6) {
                0 => answer(
                    503,
                    &[(INTERNAL, "faas-netes"), ("retry-after", "2")],
                    "no endpoints",
                ),
                1 => answer(404, &[], ""),
                2 => answer(500, &[], "error finding function f"),
                3 => {
                    self.accident(owner, &serials);
                    answer(502, &[], "")
                }
                _ => Outcome::Refused("connection refused".into()),
            };
            return self.send(to, (outcome, Vec::new()));
        }
        let plan = Arc::clone(&self.ledger.plan);
        if self.lock().running.len() >= plan.process.limit {
            let headers: &[_] = if self.world.chance(500) {
                &[("retry-after", "1")]
            } else {
                &[]
            };
            let headers = [headers, &[(INTERNAL, RUNTIME)]].concat();
            return self.send(to, (answer(429, &headers, "full"), Vec::new()));
        }
        self.ledger.arrived(owner, &serials);
        let work: Duration = serials
            .iter()
            .map(|serial| plan.events[*serial].service)
            .sum();
        let allowed = call.timeout.saturating_sub(Duration::from_secs(1));
        let (id, life) = {
            let mut state = self.lock();
            state.next += 1;
            let id = state.next;
            state.running.insert(
                id,
                Running {
                    owner,
                    serials: serials.clone(),
                    answer: to,
                },
            );
            (id, state.lives)
        };
        let (function, call) = (self.clone(), call.clone());
        self.world.after(work.min(allowed), move || {
            function.finish(id, life, owner, &call, &serials, work > allowed)
        });
    }

    /// The work on a call is done, unless the process died meanwhile.
    fn finish(
        &self,
        id: u64,
        life: u64,
        owner: OwnerId,
        call: &Call,
        serials: &[Serial],
        late: bool,
    ) {
        if self.lock().lives != life {
            return;
        }
        if let Some(killer) = serials.iter().find(|serial| self.kills(**serial)) {
            return self.die(Some((*killer, owner)));
        }
        let Some(running) = self.lock().running.remove(&id) else {
            return;
        };
        if late {
            // The runtime gives up by itself, one second before the engine does, and says so or says nothing.
            if self.world.chance(500) {
                let given = serials
                    .iter()
                    .map(|serial| (*serial, Given::Retry(None)))
                    .collect();
                self.send(
                    running.answer,
                    (
                        answer(504, &[("content-type", "text/plain")], "deadline"),
                        given,
                    ),
                );
            } else {
                std::mem::forget(running.answer);
            }
            return;
        }
        let heard = match &call.payload {
            Payload::One(_) => match self.one(serials[0], &call.payload.events()[0]) {
                Some(heard) => heard,
                None => return std::mem::forget(running.answer),
            },
            Payload::Batch(_) => self.batch(call, serials),
        };
        self.send(running.answer, heard);
    }

    fn kills(&self, serial: Serial) -> bool {
        let book = self.ledger.open();
        matches!(self.ledger.plan.events[serial].nature, Nature::Killer(times) if book.fates[serial].kills < times)
    }

    /// The answer to one event; none, where it keeps silent.
    fn one(&self, serial: Serial, event: &Event) -> Option<Heard> {
        let said = self.say(serial, event)?;
        let (outcome, given) = match said {
            Said::Retry => {
                let (headers, asked) = self.when();
                let status = [503, 500, 409, 429][self.world.below(4) as usize];
                let mut answer = Answer::new(
                    StatusCode::from_u16(status).unwrap_or_default(),
                    headers,
                    "later",
                );
                answer
                    .headers
                    .insert("content-type", HeaderValue::from_static("text/plain"));
                (Outcome::Answered(answer), Given::Retry(asked))
            }
            Said::Rejected => (
                answer(422, &[("content-type", "text/plain")], "never"),
                Given::Rejected,
            ),
            Said::Garbled => (
                answer(
                    200,
                    &[("content-type", "application/cloudevents+json")],
                    "{",
                ),
                Given::Retry(None),
            ),
            Said::Done(replies) if replies.is_empty() => (answer(204, &[], ""), Given::Done),
            Said::Done(replies) => {
                let (headers, body) = match replies.as_slice() {
                    [one] => binding::encode_binary(one),
                    several => binding::encode_batch(several),
                }
                .unwrap_or_default();
                (
                    Outcome::Answered(Answer::new(StatusCode::OK, headers, body)),
                    Given::Done,
                )
            }
        };
        Some((outcome, vec![(serial, given)]))
    }

    fn batch(&self, call: &Call, serials: &[Serial]) -> Heard {
        let process = self.ledger.plan.process;
        let plain = ("content-type", "text/plain");
        if !process.knows_batches {
            let status = [200, 400, 415, 422][self.world.below(4) as usize];
            return (answer(status, &[plain], "what is this"), Vec::new());
        }
        if self.world.chance(process.wrong_batch) {
            let (headers, asked) = self.when();
            let given = serials
                .iter()
                .map(|serial| (*serial, Given::Retry(asked)))
                .collect();
            let mut outcome = match self.world.below(3) {
                0 => {
                    return (
                        answer(
                            207,
                            &[("content-type", "application/json")],
                            r#"{"results":[]}"#,
                        ),
                        Vec::new(),
                    );
                }
                1 => Answer::new(StatusCode::INTERNAL_SERVER_ERROR, headers, "oh"),
                _ => Answer::new(StatusCode::CONFLICT, headers, "oh"),
            };
            outcome
                .headers
                .insert("content-type", HeaderValue::from_static("text/plain"));
            return (Outcome::Answered(outcome), given);
        }
        let mut given = Vec::new();
        let mut held: Vec<String> = Vec::new();
        let mut entry = |serial: Serial, event: &Event| {
            let key = event.partition_key().map(|key| key.into_owned());
            if key.as_ref().is_some_and(|key| held.contains(key)) {
                return Entry::not_tried();
            }
            let (entry, said) = self.entry(serial, event);
            if let (Given::Retry(_), Some(key)) = (said, key) {
                held.push(key);
            }
            given.push((serial, said));
            entry
        };
        let results = serials
            .iter()
            .zip(call.payload.events())
            .map(|(serial, event)| entry(*serial, event))
            .collect();
        let body = serde_json::to_vec(&BatchAnswer { results }).unwrap_or_default();
        (
            answer(
                207,
                &[("content-type", BatchAnswer::MEDIA_TYPE)],
                &String::from_utf8_lossy(&body),
            ),
            given,
        )
    }

    fn entry(&self, serial: Serial, event: &Event) -> (Entry, Given) {
        match self.say(serial, event) {
            Some(Said::Rejected) => (Entry::rejected("never"), Given::Rejected),
            Some(Said::Done(replies)) => (
                Entry::replied(&replies).unwrap_or_else(|_| Entry::done()),
                Given::Done,
            ),
            Some(Said::Retry | Said::Garbled) | None
                if self.world.chance(self.ledger.plan.process.says_when) =>
            {
                let after = Duration::from_millis(10) + self.world.up_to(Duration::from_secs(20));
                let slack = Duration::from_millis(1);
                let asked = Some((after.saturating_sub(slack), after + slack));
                (Entry::retry(Some(after), "later"), Given::Retry(asked))
            }
            Some(Said::Retry | Said::Garbled) | None => {
                (Entry::retry(None, "later"), Given::Retry(None))
            }
        }
    }

    /// A Retry-After, in either form, if it feels like it; and within what it means.
    fn when(&self) -> (HeaderMap, Option<(Duration, Duration)>) {
        let mut headers = HeaderMap::new();
        if !self.world.chance(self.ledger.plan.process.says_when) {
            return (headers, None);
        }
        let seconds = [1, 5, 30, 700][self.world.below(4) as usize];
        let asked = Duration::from_secs(seconds);
        if seconds == 1 || self.world.chance(700) {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            return (headers, Some((asked, asked)));
        }
        let date = httpdate::fmt_http_date(self.world.wall() + asked);
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from_str(&date).unwrap_or(HeaderValue::from_static("0")),
        );
        (
            headers,
            Some((asked.saturating_sub(Duration::from_secs(2)), asked)),
        )
    }

    fn say(&self, serial: Serial, event: &Event) -> Option<Said> {
        let now = self.world.now();
        let sick = now < self.lock().sick;
        let plan = Arc::clone(&self.ledger.plan);
        let planned = &plan.events[serial];
        let mut book = self.ledger.open();
        let fate = &mut book.fates[serial];
        let nth = fate.tries;
        fate.tries += 1;
        if sick {
            return Some(Said::Retry);
        }
        match planned.nature {
            Nature::Flaky(times) if nth < times => return Some(Said::Retry),
            Nature::Hopeless => return Some(Said::Retry),
            Nature::Silent(times) if nth < times => return None,
            Nature::Garbled(times) if nth < times => return Some(Said::Garbled),
            Nature::Rejected => {
                fate.condemned = true;
                return Some(Said::Rejected);
            }
            _ => {}
        }
        let bad = match planned.nature {
            Nature::Bulky => Some(Bad::AtBroker),
            Nature::Stray => Some(Bad::AtCheck),
            // Only an event of its own can have passed so many functions.
            Nature::Endless if planned.form == Form::Event => Some(Bad::AtCheck),
            _ => None,
        };
        let count = if bad.is_some() {
            planned.replies.max(1)
        } else {
            planned.replies
        };
        let version = if planned.fickle { nth } else { 0 };
        let replies: Vec<Event> = (0..count)
            .map(|index| {
                let last = index + 1 == count;
                let ty = if last && planned.nature == Nature::Stray {
                    "stray"
                } else {
                    "done"
                };
                let padding = if last && planned.nature == Nature::Bulky {
                    REPLY_LIMIT
                } else {
                    0
                };
                let text = format!("{serial}/{version}/{index}/{}", "x".repeat(padding));
                let reply = Event::new(ty, Data::text(text))
                    .with_source("/f")
                    .with_datacontenttype("text/plain");
                // An id of the author's own, the same for every version of the answer.
                if planned.fickle {
                    reply.with_id(format!("r{serial}-{index}"))
                } else {
                    reply
                }
            })
            .collect();
        fate.condemned |= bad.is_some();
        let texts = replies
            .iter()
            .map(|reply| String::from_utf8_lossy(reply.data().bytes()).into_owned())
            .collect();
        fate.done.push(Answered {
            replies: texts,
            bad,
        });
        drop(book);
        // As the runtime does.
        let cause = reply::Cause::of(event, None);
        Some(Said::Done(reply::stamp(replies, &cause, "f", None)))
    }
}

/// What the function says of one event.
enum Said {
    Done(Vec<Event>),
    Retry,
    Rejected,
    Garbled,
}

impl Target for Reach {
    async fn call(&self, call: Call) -> Outcome {
        let (to, heard) = oneshot::channel();
        let world = self.function.world.clone();
        let (function, owner, alive) = (self.function.clone(), self.owner, Arc::clone(&self.alive));
        let lost = world.chance(500);
        let door = function.ledger.plan.door;
        let way = if door {
            Duration::ZERO
        } else {
            world.latency()
        };
        world.after(way, move || {
            if alive.load(Ordering::Relaxed) || !(lost || door) {
                function.arrive(owner, &call, to);
            }
        });
        match heard.await {
            Ok((outcome, given)) => {
                let mut book = self.function.ledger.open();
                book.owners.entry(owner).or_default().given.extend(given);
                outcome
            }
            // It never answers.
            Err(_) => std::future::pending().await,
        }
    }

    async fn healthy(&self, _: &str, _: &str) -> bool {
        let world = self.function.world.clone();
        world.sleep(world.latency()).await;
        self.function.reachable()
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Outcome {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::try_from(*name),
            HeaderValue::from_str(value),
        ) {
            map.append(name, value);
        }
    }
    Outcome::Answered(Answer::new(
        StatusCode::from_u16(status).unwrap_or_default(),
        map,
        body.to_owned(),
    ))
}
