//! Replies and the place of their input in one step, where the broker can.

use super::event::{Finish, Id, Phase};
use super::{Output, Owner};
use crate::broker::{FinishError, SourceError};
use crate::observe::What;

impl Owner {
    /// The last step of an event with replies; one with a letter has none, and is settled after it.
    pub(super) fn together(&mut self, id: Id) {
        let Some(held) = self.held.get(&id) else {
            return;
        };
        let Phase::Finishing(Finish { replies, .. }) = &held.phase else {
            return;
        };
        let replies = replies.iter().map(|reply| reply.publication.clone());
        let position = held.message.position.clone();
        let step = Output::Finish(id, held.subscription, position, replies.collect());
        self.logs[held.log].settles += 1;
        self.outputs.push_back(step);
    }

    pub(super) fn finished(&mut self, id: Id, result: Result<(), FinishError>) {
        let result = match result {
            Ok(()) => {
                self.replied(id);
                Ok(())
            }
            Err(FinishError::Refused(error)) => {
                return self.bury(id, format!("its reply cannot be stored: {error}"));
            }
            Err(FinishError::Unavailable(reason)) => Err(SourceError::Unavailable(reason)),
            Err(FinishError::Lost) => Err(SourceError::Lost),
        };
        self.settled(id, result);
    }

    /// Its replies are stored.
    fn replied(&mut self, id: Id) {
        let Some(held) = self.held.get_mut(&id) else {
            return;
        };
        let index = held.subscription;
        let Phase::Finishing(finish) = &mut held.phase else {
            return;
        };
        for reply in std::mem::take(&mut finish.replies) {
            let what = What::Replied {
                topic: &reply.publication.topic,
                event: &reply.event,
            };
            self.tell(index, self.held.get(&id), what);
        }
    }
}
