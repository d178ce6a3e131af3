//! What a person wants to see of delivery, told as it happens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openfaas_cloudevents::Event;

use crate::broker::Position;
use crate::clock::Time;
use crate::wiring::Start;

/// One thing that happened to one message, or to a subscription as a whole. Borrowed: an observer copies what it keeps.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// When, on the engine's clock.
    pub at: Time,
    /// The function it is about.
    pub function: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The topic it is about; empty for what concerns the whole function.
    pub topic: &'a str,
    /// The message it is about.
    pub position: Option<&'a Position>,
    /// Its event, with id, type, source, causation, correlation and trace; `None` for one that is broken.
    pub event: Option<&'a Event>,
    /// What happened.
    pub what: What<'a>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum What<'a> {
    /// A message is held from now on.
    Received,
    /// The filter, or a redrive meant for another function, leaves it out; it is settled without a call.
    Filtered,
    /// It came although it is held, or was just settled: not started again.
    Repeated,
    /// A call with this event begins.
    Started {
        /// Counted from 1: answers it had so far that count, and one.
        attempt: u32,
        /// How many events share the call.
        batch: usize,
    },
    /// The call ended with an answer to this event.
    Answered {
        /// The HTTP status, of the entry in a batch.
        status: u16,
        /// How long the call took.
        took: Duration,
    },
    /// The call ended without an answer: the function is down, full, or died.
    Unanswered {
        /// Why, in words.
        reason: &'a str,
        /// The event may be what it died of: it runs alone from now on.
        suspect: bool,
    },
    /// The call ended and said nothing of this event (a batch that failed as a whole, or held it back): it is called
    /// again, uncharged.
    Untold {
        /// Why, in words.
        reason: &'a str,
    },
    /// It is tried again, but not before this moment.
    Waiting {
        /// The moment.
        until: Time,
        /// What it has been charged so far.
        attempts: u32,
    },
    /// One of its replies is stored.
    Replied {
        /// In this topic.
        topic: &'a str,
        /// The reply, with its identity set.
        event: &'a Event,
    },
    /// It became a dead letter, and that is stored.
    DeadLettered {
        /// In this topic.
        topic: &'a str,
        /// Why, in words.
        reason: &'a str,
    },
    /// Something could not be stored or settled; it is repeated, without a call and without an attempt.
    Repeating {
        /// What: `reply`, `dead letter`, `settle`, `record`.
        step: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// The broker will not give it again.
    Settled,
    /// It was let go unsettled, so that it comes again.
    LetGo,
    /// The subscription changed its state.
    State(State<'a>),
    /// How the subscription stands; told at once when it opens and then from time to time, to who asks for it.
    Standing(Standing),
    /// Retention removed so many messages before they were ever delivered.
    Gone {
        /// So many.
        count: u64,
    },
}

/// How much of a subscription is not done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Messages that are not settled, as [`Source::lag`](crate::broker::Source::lag) counts them; `None`: the broker did
    /// not say.
    pub lag: Option<u64>,
    /// For how long the oldest message that is held lies at the broker, as far as it says when it stored it.
    pub oldest: Duration,
    /// Messages that are held.
    pub held: usize,
    /// Those of them that are in a call.
    pub in_flight: usize,
    /// Those of them that wait for a retry.
    pub waiting: usize,
    /// As many are held as may be: no more is taken for now.
    pub paused: bool,
}

/// The state of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State<'a> {
    /// It cannot take events: one sentence that says what is missing.
    NotReady(&'a str),
    /// It takes events.
    Ready,
    /// It could take events, and waits to be let in: another owner of it is alive.
    StandsBy,
    /// Its durable or group was made just now, and so `events.start` counted; said this once.
    Began {
        /// Where it begins.
        start: Start,
        /// So many events wait there already.
        waiting: u64,
    },
    /// The broker broke off, for this reason: what runs is finished, the rest let go, and it begins again.
    Interrupted(&'a str),
    /// It is somebody else's, for this reason: all is let go, and it begins again.
    Lost(&'a str),
    /// The function is down or full; events wait, one call per back-off step.
    Down(&'a str),
    /// The last answers were all retries; events wait, one call per back-off step, and a retry costs nothing.
    Sick,
    /// The function answers again.
    Up,
    /// Messages of an earlier owner are taken first.
    TakingOver {
        /// So many are pending.
        pending: usize,
    },
    /// The function does not know batches: one by one until its image changes.
    OneByOne,
    /// Nothing new is started.
    Draining,
}

/// Somebody who wants to see. Called in the middle of delivery: quick, and never blocking.
pub trait Observer: Send + Sync + 'static {
    /// This happened.
    fn observe(&self, observation: &Observation<'_>);
}

/// A line for each repeat would fill a log while a broker takes nothing: of each step of a subscription one in ten seconds
/// is for people.
#[derive(Debug, Default)]
pub struct Repeats(Mutex<BTreeMap<[String; 4], (Time, u64)>>);

/// How long nothing is said of a step after something was.
const SAID: Duration = Duration::from_secs(10);

impl Repeats {
    /// How often this step was repeated since something was said of it, this time included; `None`: that was just now.
    pub fn say(&self, observation: &Observation<'_>, step: &str) -> Option<u64> {
        let Observation {
            at,
            namespace,
            function,
            topic,
            ..
        } = *observation;
        let place = [namespace, function, topic, step].map(str::to_owned);
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((last, since)) = said.get_mut(&place) else {
            said.insert(place, (at, 0));
            return Some(1);
        };
        *since += 1;
        if at.since(*last) < SAID {
            return None;
        }
        *last = at;
        Some(std::mem::take(since))
    }
}

/// Nobody is looking.
impl Observer for () {
    fn observe(&self, _: &Observation<'_>) {}
}

impl<O: Observer> Observer for Arc<O> {
    fn observe(&self, observation: &Observation<'_>) {
        (**self).observe(observation);
    }
}

impl<A: Observer, B: Observer> Observer for (A, B) {
    fn observe(&self, observation: &Observation<'_>) {
        self.0.observe(observation);
        self.1.observe(observation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_repeats_of_one_step_one_in_ten_seconds_is_said() {
        let repeats = Repeats::default();
        let at = |seconds, topic| Observation {
            at: Time::from_origin(Duration::from_secs(seconds)),
            function: "order",
            namespace: "fn",
            topic,
            position: None,
            event: None,
            what: What::Settled,
        };
        assert_eq!(repeats.say(&at(1, "orders"), "settle"), Some(1));
        assert_eq!(repeats.say(&at(2, "orders"), "settle"), None);
        assert_eq!(repeats.say(&at(2, "orders"), "reply"), Some(1));
        assert_eq!(repeats.say(&at(2, "bills"), "settle"), Some(1));
        assert_eq!(repeats.say(&at(10, "orders"), "settle"), None);
        assert_eq!(repeats.say(&at(11, "orders"), "settle"), Some(3));
        assert_eq!(repeats.say(&at(12, "orders"), "settle"), None);
    }
}
