//! Dead letters as a person handles them: read, put back, removed.
//!
//! A broker that is a [`LetterStore`] opens the letters of one topic as [`Letters`]. How a letter looks to a person is a
//! [`Letter`], with all that is in it an [`Opened`].

use std::future::Future;

use serde::{Deserialize, Serialize};

use crate::broker::{
    Codec, Decoded, Header, Message, OpenError, Publication, PublishError, Stored,
};
use crate::dead_letter::{self, Notes};

/// Where letters lie by their name, unless an annotation says otherwise: topics that begin with this.
pub const TOPICS: &str = "dead-letter.";

/// What is wanted with the letters of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read them.
    Read,
    /// To put them back or remove them: whoever else does that with this topic is done with it, where a broker can tell.
    Change,
}

/// A broker whose dead letters can be handled.
pub trait LetterStore: Codec {
    /// The letters of one topic.
    type Letters: Letters;

    /// The topics with letters in them, as far as their name says so ([`TOPICS`]), each once.
    ///
    /// # Errors
    /// The broker does not say.
    fn letter_topics(&self) -> impl Future<Output = Result<Vec<String>, OpenError>> + Send;

    /// The letters that lie in a topic now.
    ///
    /// # Errors
    /// The topic is not there, or the letters cannot be handled as asked for: one sentence that says what would help.
    fn letters(
        &self,
        topic: &str,
        access: Access,
    ) -> impl Future<Output = Result<Self::Letters, OpenError>> + Send;

    /// What a letter is called: its place, `@`, and its offset there.
    fn name(&self, letter: &Message) -> String;

    /// The topic of a letter with such a place.
    fn topic_at<'a>(&self, place: &'a str) -> &'a str;
}

/// The letters of one topic, as they were when it was opened. What is a letter only since then is left out.
pub trait Letters: Send {
    /// The next letter, the oldest first.
    ///
    /// # Errors
    /// The broker does not give it.
    fn next(&mut self) -> impl Future<Output = Result<Option<Message>, OpenError>> + Send;

    /// The letter with this place and offset; afterwards [`next`](Self::next) goes on behind it.
    ///
    /// # Errors
    /// The broker does not give it.
    fn at(
        &mut self,
        place: &str,
        offset: u64,
    ) -> impl Future<Output = Result<Option<Message>, OpenError>> + Send;

    /// Stores what [puts a letter back](dead_letter::put_back), and then, or in the same step, removes the letter. An
    /// interruption may leave both, never neither.
    ///
    /// # Errors
    /// The letter may still be there, whether it was put back or not; to do it again is right.
    fn put_back(
        &mut self,
        letter: &Message,
        back: &Publication,
    ) -> impl Future<Output = Result<Stored, PublishError>> + Send;

    /// Removes a letter for good.
    ///
    /// # Errors
    /// It may still be there.
    fn remove(&mut self, letter: &Message)
    -> impl Future<Output = Result<(), PublishError>> + Send;
}

/// A dead letter as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// The topic it lies in.
    pub topic: String,
    /// Its place there.
    pub offset: u64,
    /// Why it is one, how often it was tried, when, by whom.
    pub notes: Notes,
    /// How often it was put back before.
    #[serde(default)]
    pub redriven: u32,
    /// The id of its event, unless that is broken.
    pub id: Option<String>,
    /// The type of its event.
    #[serde(rename = "type")]
    pub ty: Option<String>,
}

/// A dead letter with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Where it lies and why.
    #[serde(flatten)]
    pub letter: Letter,
    /// Its headers as they were, in their order.
    pub headers: Vec<(String, String)>,
    /// Its body, as text where it is text.
    pub body: String,
}

impl Letter {
    /// What `codec` and the notes make of a message.
    pub fn of(codec: &impl Codec, message: &Message) -> Self {
        let event = match codec.decode(message) {
            Decoded::Event(event) => Some(event),
            Decoded::Broken(_) => None,
        };
        Self {
            topic: message.topic.to_string(),
            offset: message.position.offset,
            notes: Notes::of(message).unwrap_or_default(),
            redriven: dead_letter::redrive(message).map_or(0, |redrive| redrive.times),
            id: event.as_ref().map(|event| event.id().to_owned()),
            ty: event.as_ref().map(|event| event.ty().to_owned()),
        }
    }

    /// When it became one, without what is smaller than a second.
    pub fn when(&self) -> String {
        let time = &self.notes.time;
        match time.split_once('.') {
            Some((whole, rest)) => {
                let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{whole}{zone}")
            }
            None => time.clone(),
        }
    }
}

impl Opened {
    /// The same with headers, but for the notes, and body.
    pub fn of(codec: &impl Codec, message: &Message) -> Self {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let header = |header: &Header| {
            let value = header.value.as_deref().map(text).unwrap_or_default();
            (header.name.clone(), value)
        };
        let of_notes = |header: &&Header| !header.name.eq_ignore_ascii_case(dead_letter::NOTES);
        Self {
            letter: Letter::of(codec, message),
            headers: message
                .headers
                .iter()
                .filter(of_notes)
                .map(header)
                .collect(),
            body: message.body.as_deref().map(text).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_whole_seconds() {
        for (time, shown) in [
            ("2026-11-21T16:04:33.123456789Z", "2026-11-21T16:04:33Z"),
            ("2026-11-21T16:04:33.5+01:00", "2026-11-21T16:04:33+01:00"),
            ("2026-11-21T16:04:33Z", "2026-11-21T16:04:33Z"),
            ("", ""),
        ] {
            let letter = Letter {
                topic: "dead".into(),
                offset: 1,
                notes: Notes {
                    time: time.into(),
                    ..Notes::default()
                },
                redriven: 0,
                id: None,
                ty: None,
            };
            assert_eq!(letter.when(), shown);
        }
    }
}
