//! Dead letters in a stream: read one by one, deleted by sequence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_nats::header::NATS_MESSAGE_ID;
use serde::Deserialize;
use serde_json::{Value, json};

use super::broker::Nats;
use super::connection::{AskError, Connection};
use super::{publish, stream};
use crate::broker::{Message, OpenError, Publication, PublishError, Stored};
use crate::letters::{Access, LetterStore, Letters, TOPICS};

/// The letters of one subject.
#[derive(Debug)]
pub struct NatsLetters {
    connection: Connection,
    stream: Arc<str>,
    subject: String,
    /// The next is not before this …
    next: u64,
    /// … and the last not behind this.
    last: u64,
}

#[derive(Deserialize)]
struct Names {
    streams: Option<Vec<String>>,
}

/// How many messages a subject has.
#[derive(Deserialize)]
struct Subjects {
    state: SubjectsOf,
    #[serde(default)]
    total: usize,
}

#[derive(Deserialize)]
struct SubjectsOf {
    subjects: Option<BTreeMap<String, u64>>,
}

impl LetterStore for Nats {
    type Letters = NatsLetters;

    async fn letter_topics(&self) -> Result<Vec<String>, OpenError> {
        let connection = self.connection();
        let all = format!("{TOPICS}>");
        let names: Names = connection
            .ask("STREAM.NAMES", &json!({ "subject": all }))
            .await?;
        let split = |page: Subjects| {
            let subjects = page.state.subjects.unwrap_or_default();
            (subjects.into_keys().collect(), page.total)
        };
        let mut topics = BTreeSet::new();
        for name in names.streams.unwrap_or_default() {
            let what = format!("STREAM.INFO.{name}");
            let with = json!({ "subjects_filter": all });
            topics.extend(connection.ask_all(&what, with, split).await?);
        }
        Ok(topics.into_iter().collect())
    }

    async fn letters(&self, topic: &str, access: Access) -> Result<NatsLetters, OpenError> {
        let connection = self.connection();
        let found = stream::find(connection, topic).await?;
        let (name, state) = (&found.config.name, &found.state);
        // Else it would be found out only after the put-back.
        if access == Access::Change && (found.config.deny_delete || found.config.sealed) {
            return Err(OpenError::NotReady(format!(
                "stream {name} lets nobody delete a message, so a letter of {topic} would be there still after it was put back: keep letters in another stream"
            )));
        }
        Ok(NatsLetters {
            connection: connection.clone(),
            stream: name.as_str().into(),
            subject: topic.to_owned(),
            next: state.first_sequence,
            last: state.last_sequence,
        })
    }

    fn name(&self, letter: &Message) -> String {
        format!("{}@{}", letter.topic, letter.position.offset)
    }

    fn topic_at<'a>(&self, place: &'a str) -> &'a str {
        place
    }
}

impl NatsLetters {
    async fn get(&self, wanted: Value) -> Result<Option<Message>, AskError> {
        let Some(mut letter) = stream::message(&self.connection, &self.stream, &wanted).await?
        else {
            return Ok(None);
        };
        // Of the letter itself, made by us: it says nothing of the original, and would be one more with each round.
        let own_id: &str = NATS_MESSAGE_ID.as_ref();
        letter.headers.retain(|header| header.name != own_id);
        Ok(Some(letter))
    }

    async fn delete(&self, sequence: u64) -> Result<(), AskError> {
        let what = format!("STREAM.MSG.DELETE.{}", self.stream);
        let it = json!({ "seq": sequence });
        let deleted = self.connection.ask::<Value>(&what, &it).await;
        let Err(error) = deleted else {
            return Ok(());
        };
        // Somebody else did it, perhaps.
        match self.get(it).await {
            Ok(None) => Ok(()),
            _ => Err(error),
        }
    }
}

impl Letters for NatsLetters {
    async fn next(&mut self) -> Result<Option<Message>, OpenError> {
        if self.next > self.last {
            return Ok(None);
        }
        let wanted = json!({ "seq": self.next, "next_by_subj": self.subject });
        let found = self.get(wanted).await?;
        let found = found.filter(|letter| letter.position.offset <= self.last);
        self.next = found
            .as_ref()
            .map_or(self.last, |letter| letter.position.offset)
            + 1;
        Ok(found)
    }

    async fn at(&mut self, place: &str, offset: u64) -> Result<Option<Message>, OpenError> {
        self.next = offset;
        let found = self.next().await?;
        let is_it = |letter: &Message| letter.position.offset == offset && *letter.topic == *place;
        Ok(found.filter(is_it))
    }

    async fn put_back(
        &mut self,
        letter: &Message,
        back: &Publication,
    ) -> Result<Stored, PublishError> {
        // If it ends here, the same publication is made again: its id is made from the letter's place.
        let stored = publish::publish(&self.connection, back).await?;
        let deleted = self.delete(letter.position.offset).await;
        deleted.map_err(|error| {
            PublishError::Unavailable(format!(
                "it is back in {} and cannot be deleted here: {error}",
                back.topic
            ))
        })?;
        Ok(stored)
    }

    async fn remove(&mut self, letter: &Message) -> Result<(), PublishError> {
        let deleted = self.delete(letter.position.offset).await;
        deleted.map_err(|error| PublishError::Unavailable(format!("it cannot be deleted: {error}")))
    }
}
