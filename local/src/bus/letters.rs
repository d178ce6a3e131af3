//! Dead letters: which there are, what is in each, and the way back.

use openfaas_delivery::{
    broker::{Message, Position, PublishError},
    dead_letter::Notes,
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
    ///
    /// # Errors
    /// The broker does not give them: a sentence.
    pub async fn letters(&self) -> Result<Vec<Letter>, String> {
        let letters = self.all_letters().await?;
        let shown = letters.iter().map(|letter| self.topics.shown(letter));
        Ok(shown.collect())
    }

    /// One dead letter with all that is in it.
    ///
    /// # Errors
    /// The broker does not give it: a sentence.
    pub async fn open_letter(&self, topic: &str, offset: u64) -> Result<Option<Opened>, String> {
        let letter = self.find_letter(topic, offset).await?;
        Ok(letter.map(|letter| self.topics.opened(&letter)))
    }

    /// Puts a letter back for the function that it was for, and for no other. Returns where it lies then.
    ///
    /// # Errors
    /// When it would reach nobody; the letter is untouched then.
    pub async fn redrive(&self, topic: &str, offset: u64) -> Result<Position, RedriveError> {
        let found = self.find_letter(topic, offset).await;
        let found = found.map_err(|why| RedriveError::Publish(PublishError::Unavailable(why)))?;
        let message = found.ok_or_else(|| RedriveError::Gone(topic.to_owned(), offset))?;
        let notes = Notes::of(&message).ok_or(RedriveError::NoNotes)?;
        if !self.subscribers(&notes.topic).contains(&notes.function) {
            return Err(RedriveError::NobodyThere {
                function: notes.function,
                topic: notes.topic,
            });
        }
        let stored = self.topics.put_back(&message, &notes).await;
        let stored = stored.map_err(RedriveError::Publish)?;
        if let Some(event) = self.topics.event(&message) {
            self.trail.published(&stored.position, &notes.topic, &event);
        }
        Ok(stored.position)
    }

    async fn find_letter(&self, topic: &str, offset: u64) -> Result<Option<Message>, String> {
        let mut letters = self.all_letters().await?.into_iter();
        Ok(letters.find(|letter| &*letter.topic == topic && letter.position.offset == offset))
    }

    async fn all_letters(&self) -> Result<Vec<Message>, String> {
        let consumers = self.consumers().into_iter();
        let own: Vec<String> = consumers.map(|(wiring, _)| wiring.dead_letters).collect();
        self.topics.letters(&own).await
    }
}
