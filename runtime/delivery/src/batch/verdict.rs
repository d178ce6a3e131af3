//! What an answer to a batch settles, and whom it charges.

use std::borrow::{Borrow, Cow};
use std::time::{Duration, SystemTime};

use openfaas_cloudevents::{Event, json};

use super::wire::{BatchAnswer, Entry};
use crate::answer::{BACK_OFF, Rules, Silence, Unavailable, Verdict, retry_after};
use crate::call::{Answer, Outcome};

/// What becomes of a batch after a call.
#[derive(Debug, Clone, PartialEq)]
pub enum BatchVerdict {
    /// A valid 207: one verdict per event, in the order of the batch.
    Settled(Vec<EventVerdict>),
    /// The function does not know batches: one by one until its image changes. Charges nobody.
    Unsupported {
        /// Said once.
        reason: String,
    },
    /// Halve the batch, and try again after a while. Charges nobody.
    Split {
        /// The wait it asked for, not yet clamped.
        after: Option<Duration>,
        /// For the log.
        reason: String,
    },
    /// No answer of the function. Charges nobody.
    Unavailable(Unavailable),
}

/// What becomes of one event of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum EventVerdict {
    /// As if it had been sent alone.
    Tried {
        /// The status of its entry; 503 where that was a 424 for nothing.
        status: u16,
        /// What it means.
        verdict: Verdict,
    },
    /// It waits for an earlier one of its `partitionkey`. Costs nothing.
    NotTried,
}

impl BatchVerdict {
    /// Judges what came of a call with these events. `now` is the time of day, for a Retry-After that is a date.
    pub fn of<E: Borrow<Event>>(
        events: &[E],
        outcome: &Outcome,
        rules: &Rules<'_>,
        now: SystemTime,
    ) -> Self {
        let answer = match Unavailable::of(outcome, now) {
            Ok(answer) => answer,
            Err(Silence::Unavailable(unavailable)) => return Self::Unavailable(unavailable),
            Err(Silence::TimedOut) => {
                return Self::Split {
                    after: None,
                    reason: "no answer by the deadline".to_owned(),
                };
            }
        };
        match answer.status.as_u16() {
            207 if answer.oversized => Self::Split {
                after: None,
                reason: "its answer is too large".to_owned(),
            },
            207 => match entries(answer, events.len()) {
                Ok(entries) => Self::Settled(settle(events, entries, rules)),
                Err(reason) => Self::Unsupported { reason },
            },
            200..=299 | 400 | 415 | 422 => Self::Unsupported {
                reason: format!("answered {} to a batch", answer.status),
            },
            _ => Self::Split {
                after: retry_after(&answer.headers, now),
                reason: format!("answered {} to a batch", answer.status),
            },
        }
    }
}

/// The entries of a 207, if there is a valid one for each event.
fn entries(answer: &Answer, events: usize) -> Result<Vec<Entry>, String> {
    let BatchAnswer { results } = serde_json::from_slice(&answer.body)
        .map_err(|error| format!("answered a 207 that cannot be read: {error}"))?;
    if results.len() != events {
        return Err(format!(
            "answered {} results for {events} events",
            results.len()
        ));
    }
    for (index, entry) in results.iter().enumerate() {
        if !(200..=599).contains(&entry.status) {
            return Err(format!("result {index} has the status {}", entry.status));
        }
        if entry
            .retry_after
            .is_some_and(|seconds| Duration::try_from_secs_f64(seconds).is_err())
        {
            return Err(format!("result {index} has a retryAfter that is no wait"));
        }
    }
    Ok(results)
}

fn settle<E: Borrow<Event>>(
    events: &[E],
    entries: Vec<Entry>,
    rules: &Rules<'_>,
) -> Vec<EventVerdict> {
    let mut held: Vec<Cow<'_, str>> = Vec::new();
    let mut verdicts = Vec::with_capacity(events.len());
    for (event, entry) in events.iter().zip(entries) {
        let key = event.borrow().partition_key();
        let waits = key.as_ref().is_some_and(|key| held.contains(key));
        if entry.status == 424 && waits {
            verdicts.push(EventVerdict::NotTried);
            continue;
        }
        // Where nothing before it is to be retried, nothing kept it from being tried.
        let status = if entry.status == 424 {
            503
        } else {
            entry.status
        };
        let verdict = verdict(status, entry, rules);
        if let (Verdict::Retry { .. }, Some(key), false) = (&verdict, key, waits) {
            held.push(key);
        }
        verdicts.push(EventVerdict::Tried { status, verdict });
    }
    verdicts
}

fn verdict(status: u16, entry: Entry, rules: &Rules<'_>) -> Verdict {
    let after = entry
        .retry_after
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let reason = match entry.error {
        Some(error) if !error.is_empty() => format!("answered {}: {error}", entry.status),
        _ => format!("answered {}", entry.status),
    };
    let (200 | 201, true, Some(events)) = (status, rules.replies, entry.events) else {
        let retry = status == 503 && after.is_some();
        let after = after.filter(|_| entry.wait.as_deref() != Some(BACK_OFF));
        return Verdict::of_status(status, retry, after, reason, rules.codes);
    };
    let replies: Result<Vec<Event>, _> = events
        .iter()
        .map(|event| json::decode_within(event.get().to_owned().into(), rules.limits))
        .collect();
    match replies {
        Ok(replies) => Verdict::Done { replies },
        Err(error) if error.is_too_large() => Verdict::Reject {
            reason: format!("its reply is too large: {error}"),
        },
        Err(error) => Verdict::Retry {
            after: None,
            reason: format!("its reply is a broken CloudEvent: {error}"),
        },
    }
}

#[cfg(test)]
mod tests;
