//! What the function says: of one event, of a batch, and when it wants to be asked again.

use std::sync::Arc;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};
use openfaas_cloudevents::{Data, Event, http as binding};

use super::{Function, Heard};
use crate::batch::{BatchAnswer, Entry};
use crate::call::{Answer, Call, Outcome};
use crate::clock::Clock;
use crate::reply;
use crate::sim::ledger::{Answered, Bad, Given, Serial};
use crate::sim::plan::{Form, Nature, REPLY_LIMIT};

/// What the function says of one event.
enum Said {
    Done(Vec<Event>),
    Retry,
    Rejected,
    Garbled,
}

impl Function {
    /// The answer to one event; none, where it keeps silent.
    pub(super) fn one(&self, serial: Serial, event: &Event) -> Option<Heard> {
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

    pub(super) fn batch(&self, call: &Call, serials: &[Serial]) -> Heard {
        let served = self.served();
        let plain = ("content-type", "text/plain");
        if !served.knows_batches {
            let status = [200, 400, 415, 422][self.world.below(4) as usize];
            return (answer(status, &[plain], "what is this"), Vec::new());
        }
        if self.world.chance(served.wrong_batch) {
            let (headers, asked) = self.when();
            let given = whole(serials, asked);
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
                if self.world.chance(self.served().says_when) =>
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
        if !self.world.chance(self.served().says_when) {
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
        Some(Said::Done(reply::stamp(
            replies,
            &cause,
            &self.served().wiring.function,
            None,
        )))
    }
}

/// A batch that fails as a whole, and is to come again then.
pub(super) fn whole(
    serials: &[Serial],
    asked: Option<(Duration, Duration)>,
) -> Vec<(Serial, Given)> {
    let given = |serial: &Serial| (*serial, Given::Whole(asked));
    serials.iter().map(given).collect()
}

/// An answer with these headers.
pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Outcome {
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
