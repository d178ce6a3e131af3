//! What an answer means: done, again, never, or no answer of the function at all.

mod gateway;
mod retry_after;

use std::fmt;
use std::time::{Duration, SystemTime};

use openfaas_cloudevents::http::Message;
use openfaas_cloudevents::{Data, Event, Limits};

pub use retry_after::retry_after;

use crate::call::{Answer, Outcome};
use crate::wiring::Codes;
use crate::wrap;

/// What becomes of an event after a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The function did it; these are its replies, not yet finished.
    Done {
        /// In the order in which the answer has them.
        replies: Vec<Event>,
    },
    /// It asks to be called again with this event. Costs an attempt.
    Retry {
        /// The wait it asked for, not yet clamped; `None` where it named none: whenever back-off says.
        after: Option<Duration>,
        /// For the log and, after the last attempt, the dead letter.
        reason: String,
    },
    /// It will never take this event: a dead letter.
    Reject {
        /// For the dead letter.
        reason: String,
    },
    /// This was no answer of the function. Costs nothing.
    Unavailable(Unavailable),
}

/// Why a call had no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// What is known of the function.
    pub state: State,
    /// When to ask again, if anybody said so.
    pub after: Option<Duration>,
    /// For the log.
    pub reason: String,
}

/// What is known of a function that did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It is not there, not ready, or not to be reached: it has not seen the event.
    Down,
    /// It has no room now: it has not seen the event.
    Full,
    /// The call ended while it may have been at work: the event is a suspect.
    Died,
}

/// By what an answer is judged.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The statuses that ask for a retry.
    pub codes: &'a Codes,
    /// Whether the function has a reply topic; without one the body of a 2xx is ignored.
    pub replies: bool,
    /// What is read of replies.
    pub limits: &'a Limits,
}

/// The type of a reply that was no CloudEvent.
pub const REPLY_TYPE: &str = "openfaas.reply";

/// Beside a Retry-After of 0: the function asks for a retry and names no time, so the wait is drawn as after any other
/// answer. Retry-After is there because it makes a 503 a retry whatever `codes` says.
pub const WAIT: &str = "x-delivery-wait";

/// Its value.
pub const BACK_OFF: &str = "back-off";

/// Who gave an answer that is not the function's own: `X-OpenFaaS-Internal`.
pub const INTERNAL: &str = "x-openfaas-internal";

/// How this runtime names itself there.
pub const RUNTIME: &str = "openfaas-runtime";

impl Verdict {
    /// Judges what came of a call with one event. `now` is the time of day, for a Retry-After that is a date.
    pub fn of(outcome: &Outcome, rules: &Rules<'_>, now: SystemTime) -> Self {
        match Unavailable::of(outcome, now) {
            Ok(answer) => Self::of_answer(answer, rules, now),
            Err(Silence::TimedOut) => {
                let reason = "no answer by the deadline".to_owned();
                Self::of_status(504, false, None, reason, rules.codes)
            }
            Err(Silence::Unavailable(unavailable)) => Self::Unavailable(unavailable),
        }
    }

    /// Judges a status alone, with the wait that came with it. `retry`: it is one whatever `codes` says.
    pub(crate) fn of_status(
        status: u16,
        retry: bool,
        after: Option<Duration>,
        reason: String,
        codes: &Codes,
    ) -> Self {
        match status {
            200..=299 => Self::Done {
                replies: Vec::new(),
            },
            _ if retry || codes.contains(status) => Self::Retry { after, reason },
            _ => Self::Reject { reason },
        }
    }

    fn of_answer(answer: &Answer, rules: &Rules<'_>, now: SystemTime) -> Self {
        let status = answer.status.as_u16();
        if matches!(status, 200 | 201) && rules.replies {
            return replies(answer, rules.limits);
        }
        if answer.status.is_success() {
            return Self::Done {
                replies: Vec::new(),
            };
        }
        let after = retry_after(&answer.headers, now);
        let retry = status == 503 && after.is_some();
        let after = after.filter(|_| answer.header(WAIT) != Some(BACK_OFF));
        Self::of_status(status, retry, after, said(answer), rules.codes)
    }
}

/// Whether it was the function itself that gave this answer.
pub fn is_own(answer: &Answer) -> bool {
    gateway::judge(answer).is_none()
}

/// Why there is no answer to judge.
pub(crate) enum Silence {
    TimedOut,
    Unavailable(Unavailable),
}

impl Unavailable {
    /// The answer of the function, if the outcome is one.
    pub(crate) fn of(outcome: &Outcome, now: SystemTime) -> Result<&Answer, Silence> {
        let (state, reason) = match outcome {
            Outcome::Answered(answer) => {
                return match gateway::judge(answer) {
                    None => Ok(answer),
                    Some(state) => Err(Silence::Unavailable(Self {
                        state,
                        after: retry_after(&answer.headers, now),
                        reason: said(answer),
                    })),
                };
            }
            Outcome::TimedOut => return Err(Silence::TimedOut),
            Outcome::Refused(reason) => (State::Down, reason),
            Outcome::Cut(reason) | Outcome::CutShort(reason) => (State::Died, reason),
        };
        Err(Silence::Unavailable(Self {
            state,
            after: None,
            reason: reason.clone(),
        }))
    }
}

fn replies(answer: &Answer, limits: &Limits) -> Verdict {
    if answer.oversized {
        return Verdict::Reject {
            reason: format!("its answer is larger than {} bytes", limits.body),
        };
    }
    match openfaas_cloudevents::http::decode(&answer.headers, answer.body.clone(), limits) {
        Ok(Message::Event(event)) => Verdict::Done {
            replies: vec![event],
        },
        Ok(Message::Batch(replies)) => Verdict::Done { replies },
        Ok(Message::Other) if answer.body.is_empty() || answer.status.as_u16() != 200 => {
            Verdict::Done {
                replies: Vec::new(),
            }
        }
        Ok(Message::Other) => {
            let data = Data::opaque(answer.body.clone());
            let media_type = wrap::media_type(answer.header("content-type"));
            let reply = Event::new(REPLY_TYPE, data);
            let reply = match media_type {
                Some(media_type) => reply.with_datacontenttype(media_type),
                None => reply,
            };
            Verdict::Done {
                replies: vec![reply],
            }
        }
        Err(error) if error.is_too_large() => Verdict::Reject {
            reason: format!("its reply is too large: {error}"),
        },
        Err(error) => Verdict::Retry {
            after: None,
            reason: format!("its reply is a broken CloudEvent: {error}"),
        },
    }
}

/// The status, who gave it if not the function, and the beginning of the body, for people.
fn said(answer: &Answer) -> String {
    const SHOWN: usize = 512;
    let start = &answer.body[..answer.body.len().min(SHOWN)];
    let text = String::from_utf8_lossy(start);
    let text = text.trim().replace(|c: char| c.is_control(), " ");
    let colon = if text.is_empty() { "" } else { ": " };
    match answer.header(INTERNAL).filter(|by| !by.is_empty()) {
        Some(by) => format!("{by} answered {}{colon}{text}", answer.status),
        None => format!("answered {}{colon}{text}", answer.status),
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "down",
            Self::Full => "full",
            Self::Died => "died",
        })
    }
}

#[cfg(test)]
mod tests;
