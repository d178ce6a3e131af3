//! What follows from a verdict: replies or a dead letter are stored, then the input is settled, lane by lane in order.

use std::sync::Arc;

use openfaas_cloudevents::Event;
use openfaas_telemetry::TraceContext;

use super::event::{Finish, Held, Id, Letter, Phase, Reply};
use super::{Output, Owner, Timer};
use crate::broker::{Publication, PublishError, SourceError, Stored};
use crate::dead_letter::{self, Notes};
use crate::engine::mistake::Mistake;
use crate::ids;
use crate::observe::What;
use crate::reply::{self, Cause};

impl Owner {
    /// Checks all replies of an answer, then stores them, then settles the input. `span`: the call's own.
    pub(super) fn reply(&mut self, id: Id, mut replies: Vec<Event>, span: Option<&TraceContext>) {
        let Some(held) = self.held.get(&id) else {
            return;
        };
        let checked = match self.settings.planted.is(Mistake::PublishBeforeCheck) {
            true => self.publications(held, replies.clone(), span),
            false => self.publications(held, std::mem::take(&mut replies), span),
        };
        let replies = match checked {
            Ok(replies) => replies,
            Err(_) if self.settings.planted.is(Mistake::PublishBeforeCheck) => {
                let one = |reply| self.publications(held, vec![reply], span).ok();
                replies.into_iter().filter_map(one).flatten().collect()
            }
            Err(reason) => return self.bury(id, reason),
        };
        self.settle_after(
            id,
            Finish {
                replies,
                ..Finish::default()
            },
        );
    }

    fn publications(
        &self,
        held: &Held,
        replies: Vec<Event>,
        span: Option<&TraceContext>,
    ) -> Result<std::collections::VecDeque<Reply>, String> {
        let Some(event) = held.event.as_deref().filter(|_| !replies.is_empty()) else {
            return Ok(Default::default());
        };
        let wiring = &self.settings.wiring;
        let position = &held.message.position;
        let key = reply::order_key(event, held.message.key.as_deref());
        let cause = Cause::of(event, key.as_deref());
        let span = span.cloned().or_else(|| trace_of(event));
        let finished = reply::finish(replies, &cause, wiring, span.as_ref())
            .map_err(|error| error.to_string())?;
        finished
            .into_iter()
            .map(|reply::Reply { topic, event }| {
                let topic = Arc::from(topic);
                let mut publication = self.codec.encode(&topic, &event, wiring.format)?;
                publication.dedup = Some(match self.settings.planted.is(Mistake::IdOfEvent) {
                    true => event.id().to_owned(),
                    false => ids::publication(&topic, &position.log, position.offset, &event),
                });
                Ok(Reply { event, publication })
            })
            .collect()
    }

    /// Makes an event a dead letter.
    pub(super) fn bury(&mut self, id: Id, reason: String) {
        let Some(held) = self.held.get(&id) else {
            return;
        };
        let notes = self.notes(held, &reason);
        let mut publication =
            dead_letter::letter(&held.message, &self.settings.wiring.dead_letters, &notes);
        if let (true, Some(event)) = (self.settings.planted.is(Mistake::IdOfEvent), &held.event) {
            publication.dedup = Some(event.id().to_owned());
        }
        let letter = Letter {
            publication,
            reason,
            bare: false,
        };
        self.settle_after(
            id,
            Finish {
                letter: Some(letter),
                ..Finish::default()
            },
        );
    }

    fn notes(&self, held: &Held, reason: &str) -> Notes {
        let wiring = &self.settings.wiring;
        Notes::on(&held.message, &wiring.namespace, &wiring.function).because(
            reason,
            held.attempts,
            self.wall,
            &self.settings.connector,
        )
    }

    fn settle_after(&mut self, id: Id, finish: Finish) {
        let Some(held) = self.held.get_mut(&id) else {
            return;
        };
        if std::mem::take(&mut held.resting) {
            self.subscriptions[held.subscription].resting -= 1;
        }
        held.phase = Phase::Finishing(finish);
        let first = held
            .lane
            .is_none_or(|lane| self.lanes.head(lane) == Some(id));
        if first || self.settings.planted.is(Mistake::OvertakeKey) {
            self.finish(id);
        }
    }

    /// The next step towards settling an event whose turn it is.
    pub(super) fn finish(&mut self, id: Id) {
        let planted = self.settings.planted;
        let Some(held) = self.held.get_mut(&id) else {
            return;
        };
        if !self.logs[held.log].is_complete() {
            return;
        }
        let (index, log) = (held.subscription, held.log);
        let position = held.message.position.clone();
        let Phase::Finishing(finish) = &mut held.phase else {
            return;
        };
        if finish.busy {
            return;
        }
        if finish.until > self.now {
            let until = finish.until;
            return self.wake(until, Timer::Event(id));
        }
        finish.busy = true;
        if self.settings.wiring.transactions
            && finish.letter.is_none()
            && !finish.replies.is_empty()
        {
            return self.together(id);
        }
        let publication = match (finish.replies.front(), &finish.letter) {
            (Some(reply), _) => Some(reply.publication.clone()),
            (None, Some(letter)) => Some(letter.publication.clone()),
            (None, None) => None,
        };
        if planted.is(Mistake::SettleBeforeReplies)
            && finish.letter.is_none()
            && publication.is_some()
        {
            self.outputs
                .push_back(Output::SettleAgain(index, position.clone()));
        }
        let next = match publication {
            Some(publication) => Output::Publish(id, self.numbered(id, publication)),
            None => {
                self.logs[log].settles += 1;
                Output::Settle(id, index, position)
            }
        };
        self.outputs.push_back(next);
    }

    /// The publication as it goes out; with the planted mistake under a new id each time.
    fn numbered(&mut self, id: Id, mut publication: Publication) -> Publication {
        if self.settings.planted.is(Mistake::NewIdOnRepeat) {
            publication.dedup = Some(format!("{id}-{}", self.random.next()));
        }
        publication
    }

    pub(super) fn published(&mut self, id: Id, result: Result<Stored, PublishError>) {
        let Some(held) = self.held.get_mut(&id) else {
            return;
        };
        let index = held.subscription;
        let Phase::Finishing(finish) = &mut held.phase else {
            return;
        };
        finish.busy = false;
        let error = match result {
            Ok(_) => {
                finish.failures = 0;
                return self.stored(id);
            }
            Err(error) => error,
        };
        let reason = error.to_string();
        let for_good = !matches!(error, PublishError::Unavailable(_));
        match (&mut finish.letter, finish.replies.is_empty()) {
            (_, false) if for_good => {
                return self.bury(id, format!("its reply cannot be stored: {reason}"));
            }
            (Some(letter), true) if for_good && !letter.bare => return self.strip(id, &reason),
            (Some(_), true) if self.settings.planted.is(Mistake::DropWithoutLetterStore) => {
                finish.letter = None;
                return self.finish(id);
            }
            (_, false) if self.settings.planted.is(Mistake::CallAgainOnPublish) => {
                held.attempts += 1;
                return self.rest(id, std::time::Duration::from_secs(1));
            }
            _ => {}
        }
        let step = if finish.replies.is_empty() {
            "dead letter"
        } else {
            "reply"
        };
        self.tell(
            index,
            self.held.get(&id),
            What::Repeating {
                step,
                reason: &reason,
            },
        );
        self.repeat(id);
    }

    /// A reply or a letter is stored.
    fn stored(&mut self, id: Id) {
        let Some(held) = self.held.get_mut(&id) else {
            return;
        };
        let index = held.subscription;
        let Phase::Finishing(finish) = &mut held.phase else {
            return;
        };
        if let Some(reply) = finish.replies.pop_front() {
            let what = What::Replied {
                topic: &reply.publication.topic,
                event: &reply.event,
            };
            self.tell(index, self.held.get(&id), what);
        } else if let Some(letter) = finish.letter.take() {
            let what = What::DeadLettered {
                topic: &letter.publication.topic,
                reason: &letter.reason,
            };
            self.tell(index, self.held.get(&id), what);
        }
        self.finish(id);
    }

    /// A letter that is refused with its notes is stored without; they are told instead.
    fn strip(&mut self, id: Id, refusal: &str) {
        let Some(held) = self.held.get(&id) else {
            return;
        };
        let index = held.subscription;
        let bare = dead_letter::bare_letter(
            &held.message,
            &self.settings.wiring.dead_letters,
            &self.notes(held, ""),
        );
        self.tell(
            index,
            Some(held),
            What::Repeating {
                step: "dead letter",
                reason: refusal,
            },
        );
        if let Some(Phase::Finishing(Finish {
            letter: Some(letter),
            ..
        })) = self.held.get_mut(&id).map(|held| &mut held.phase)
        {
            letter.publication = bare;
            letter.bare = true;
        }
        self.finish(id);
    }

    /// Tries the step at the front again, after a drawn wait.
    fn repeat(&mut self, id: Id) {
        let Some(Phase::Finishing(finish)) = self.held.get(&id).map(|held| &held.phase) else {
            return;
        };
        let wait = self.draw(finish.failures);
        let until = self.now + wait;
        if let Some(Phase::Finishing(finish)) = self.held.get_mut(&id).map(|held| &mut held.phase) {
            finish.failures = finish.failures.saturating_add(1);
            finish.until = until;
        }
        self.finish(id);
    }

    pub(super) fn settled(&mut self, id: Id, result: Result<(), SourceError>) {
        let Some(held) = self.held.get_mut(&id) else {
            return;
        };
        let index = held.subscription;
        let Phase::Finishing(finish) = &mut held.phase else {
            return;
        };
        finish.busy = false;
        match result {
            Ok(()) => {
                self.tell(index, self.held.get(&id), What::Settled);
                if let Some(held) = self.held.get(&id) {
                    let (log, offset) = (held.log, held.message.position.offset);
                    self.subscriptions[index].settled.add((log, offset));
                    self.logs[log].clear(offset);
                }
                self.forget(id);
            }
            Err(SourceError::Unavailable(reason)) => {
                self.tell(
                    index,
                    self.held.get(&id),
                    What::Repeating {
                        step: "settle",
                        reason: &reason,
                    },
                );
                self.repeat(id);
            }
            Err(SourceError::Lost) if self.settings.planted.is(Mistake::SettleWhenLost) => {
                self.repeat(id);
            }
            // The source says so too, but the next of the lane must not start before it does.
            Err(SourceError::Lost) => self.lost(index),
        }
    }

    /// An event is held no more; the next of its lane has its turn.
    pub(super) fn forget(&mut self, id: Id) {
        let Some(held) = self.held.remove(&id) else {
            return;
        };
        self.by_position
            .remove(&(held.log, held.message.position.offset));
        self.logs[held.log].held -= 1;
        let subscription = &mut self.subscriptions[held.subscription];
        subscription.held -= 1;
        subscription.bytes -= held.size;
        subscription.resting -= usize::from(held.resting);
        subscription.ready.remove(&(held.touched, id));
        self.suspects.ready.remove(&(held.touched, id));
        if self.suspects.running == Some(id) && matches!(held.phase, Phase::Recording) {
            self.suspects.running = None;
        }
        let Some(lane) = held.lane else { return };
        self.lanes.remove(lane, id);
        if let Some(next) = self.lanes.head(lane) {
            self.line_up(next);
        }
    }
}

/// The span that made an event.
pub(in crate::engine) fn trace_of(event: &Event) -> Option<TraceContext> {
    let parent = event.text("traceparent")?;
    TraceContext::parse(&parent, event.text("tracestate").as_deref())
}
