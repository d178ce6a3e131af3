//! Dead letters: which there are, what is in each, and the way back.

use openfaas_cloudevents::Event;
use openfaas_delivery::{
    broker::{Codec, Decoded, Message, Position, PublishError},
    dead_letter::{self, Notes},
    letters::{Letter, Opened},
};
use thiserror::Error;

use super::Bus;

/// Why a letter was not put back. It lies where it lay.
#[derive(Debug, Error)]
pub enum RedriveError {
    /// There is no such letter.
    #[error("{0} holds no letter {1}")]
    Gone(String, u64),
    /// Its notes did not fit.
    #[error("the letter bears no notes that say which function it is for")]
    NoNotes,
    /// Nobody would take it.
    #[error(
        "{function} does not hang on {topic} now: deploy it with `topic: {topic}`, then put the letter back"
    )]
    NobodyThere {
        /// The function it was for.
        function: String,
        /// The topic it came from.
        topic: String,
    },
    /// The bus did not take it.
    #[error("the bus does not take it")]
    Publish(#[source] PublishError),
}

impl Bus {
    /// All dead letters, oldest first in each topic, also of functions that are gone.
    #[must_use]
    pub fn letters(&self) -> Vec<Letter> {
        let topics = self.topics.dead_letter_topics().into_iter();
        let messages = topics.flat_map(|topic| self.topics.messages(&topic));
        messages
            .map(|message| Letter::of(&self.topics, &message))
            .collect()
    }

    /// One dead letter with all that is in it.
    #[must_use]
    pub fn open_letter(&self, topic: &str, offset: u64) -> Option<Opened> {
        let message = self.message(topic, offset)?;
        Some(Opened::of(&self.topics, &message))
    }

    /// Puts a letter back for the function that it was for, and for no other. Returns where it lies then.
    ///
    /// # Errors
    /// When it would reach nobody; the letter is untouched then.
    pub fn redrive(&self, topic: &str, offset: u64) -> Result<Position, RedriveError> {
        let message = self
            .message(topic, offset)
            .ok_or_else(|| RedriveError::Gone(topic.to_owned(), offset))?;
        let notes = Notes::of(&message).ok_or(RedriveError::NoNotes)?;
        if !self.subscribers(&notes.topic).contains(&notes.function) {
            return Err(RedriveError::NobodyThere {
                function: notes.function,
                topic: notes.topic,
            });
        }
        let stored = self
            .topics
            .put_back(&dead_letter::put_back(&message, &notes), &message.position)
            .map_err(RedriveError::Publish)?;
        if let Some(event) = self.event(&message) {
            self.trail.published(&stored.position, &event);
        }
        Ok(stored.position)
    }

    fn message(&self, topic: &str, offset: u64) -> Option<std::sync::Arc<Message>> {
        self.topics
            .messages(topic)
            .into_iter()
            .find(|message| message.position.offset == offset)
    }

    fn event(&self, message: &Message) -> Option<Event> {
        match self.topics.decode(message) {
            Decoded::Event(event) => Some(event),
            Decoded::Broken(_) => None,
        }
    }
}
