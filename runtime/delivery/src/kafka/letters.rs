//! Dead letters in a topic, out of which nobody can take a record.
//!
//! That a letter is gone is said by a marker: a record without key and body in the letter's own partition, so that
//! retention never takes it before its letter. Put-back and marker are one transaction, under an id made from the topic: one
//! who begins ends all others first, and then reads the markers. So nothing is put back twice.

mod reader;
mod writer;

use std::sync::Arc;

use rdkafka::producer::Producer as _;
use serde::{Deserialize, Serialize};

use self::reader::Reader;
use self::writer::Writer;
use super::broker::Kafka;
use super::check;
use super::producer::log;
use crate::broker::{
    Header, Message, OpenError, Position, Publication, PublishError, Purpose, Stored,
};
use crate::dead_letter::GONE;
use crate::letters::{Access, LetterStore, Letters, TOPICS};

/// The letters of one topic.
#[derive(Debug)]
pub struct KafkaLetters {
    /// Away while a thread uses it.
    reader: Option<Box<Reader>>,
    /// `None`: they can only be read.
    writer: Option<Arc<Writer>>,
}

/// What [`GONE`] says, as JSON: where the letter lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Gone {
    partition: i32,
    offset: u64,
}

impl LetterStore for Kafka {
    type Letters = KafkaLetters;

    async fn letter_topics(&self) -> Result<Vec<String>, OpenError> {
        let client = self.client()?;
        let found = check::on_a_thread(move || {
            let metadata = client.client().fetch_metadata(None, check::TIMEOUT);
            let metadata = metadata.map_err(|error| client.context().explain(&error))?;
            let names = metadata.topics().iter().map(|topic| topic.name());
            let named = names.filter(|name| name.starts_with(TOPICS));
            Ok(named.map(str::to_owned).collect())
        });
        found.await.map_err(OpenError::Unavailable)
    }

    async fn letters(&self, topic: &str, access: Access) -> Result<KafkaLetters, OpenError> {
        let topic: Arc<str> = topic.into();
        self.exists(&topic, check::config(Purpose::DeadLetter))
            .await?;
        let settings = Arc::clone(self.settings());
        let opened = check::on_a_thread(move || {
            let writer = match access {
                Access::Read => None,
                // Before the markers are read: nobody else sets any from here on.
                Access::Change => Some(Arc::new(Writer::open(&settings, &topic)?)),
            };
            let reader = Reader::open(&settings, &topic).map_err(|error| error.to_string())?;
            Ok(KafkaLetters {
                reader: Some(Box::new(reader)),
                writer,
            })
        });
        opened.await.map_err(OpenError::Unavailable)
    }

    fn name(&self, letter: &Message) -> String {
        letter.position.to_string()
    }

    fn topic_at<'a>(&self, place: &'a str) -> &'a str {
        place.rsplit_once('/').map_or(place, |(topic, _)| topic)
    }
}

impl KafkaLetters {
    /// Reads on a thread of its own.
    async fn read(
        &mut self,
        work: impl FnOnce(&mut Reader) -> Result<Option<Message>, String> + Send + 'static,
    ) -> Result<Option<Message>, OpenError> {
        let ended = || OpenError::Unavailable("reading was interrupted".into());
        let mut reader = self.reader.take().ok_or_else(ended)?;
        let done = check::on_a_thread(move || {
            let found = work(&mut reader);
            Ok((reader, found))
        });
        let (reader, found) = done.await.map_err(OpenError::Unavailable)?;
        self.reader = Some(reader);
        found.map_err(OpenError::Unavailable)
    }

    /// Stores records, all or none.
    async fn write(
        &self,
        records: Vec<(Publication, Option<i32>)>,
    ) -> Result<Stored, PublishError> {
        let Some(writer) = self.writer.clone() else {
            let reason = "these letters were opened to be read".to_owned();
            return Err(PublishError::Refused(reason));
        };
        let done = check::on_a_thread(move || Ok(writer.write(&records)));
        done.await.map_err(PublishError::Unavailable)?
    }
}

impl Letters for KafkaLetters {
    async fn next(&mut self) -> Result<Option<Message>, OpenError> {
        self.read(Reader::next).await
    }

    async fn at(&mut self, place: &str, offset: u64) -> Result<Option<Message>, OpenError> {
        let place = place.to_owned();
        self.read(move |reader| reader.at(&place, offset)).await
    }

    async fn put_back(
        &mut self,
        letter: &Message,
        back: &Publication,
    ) -> Result<Stored, PublishError> {
        let (marker, partition) = marker(letter)?;
        self.write(vec![(back.clone(), None), (marker, Some(partition))])
            .await
    }

    async fn remove(&mut self, letter: &Message) -> Result<(), PublishError> {
        let (marker, partition) = marker(letter)?;
        self.write(vec![(marker, Some(partition))]).await?;
        Ok(())
    }
}

/// The record that says that this letter is gone, and the partition that it belongs in.
fn marker(letter: &Message) -> Result<(Publication, i32), PublishError> {
    let Position { log, offset } = &letter.position;
    let number = log.rsplit_once('/').and_then(|(_, n)| n.parse().ok());
    let partition = number
        .ok_or_else(|| PublishError::Refused(format!("{log} is no partition of a Kafka topic")))?;
    let gone = Gone {
        partition,
        offset: *offset,
    };
    let gone = serde_json::to_string(&gone).unwrap_or_default();
    let marker = Publication {
        topic: Arc::clone(&letter.topic),
        dedup: None,
        key: None,
        headers: vec![Header::new(GONE, gone)],
        body: None,
    };
    Ok((marker, partition))
}

/// The letter that is gone by this record; `None` where it is no marker.
fn gone(record: &Message) -> Option<Position> {
    let gone: Gone = serde_json::from_str(record.header(GONE)?).ok()?;
    Some(Position {
        log: log(&record.topic, gone.partition),
        offset: gone.offset,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_names_its_letter() {
        let letter = Message {
            topic: "dead-letter.a.b".into(),
            position: Position {
                log: "dead-letter.a.b/3".into(),
                offset: 17,
            },
            time: None,
            key: None,
            headers: Vec::new(),
            body: None,
        };
        let (marker, partition) = marker(&letter).unwrap();
        assert_eq!(partition, 3);
        assert_eq!(
            marker.headers[0].text(),
            Some(r#"{"partition":3,"offset":17}"#)
        );
        let stored = Message {
            headers: marker.headers,
            ..letter.clone()
        };
        assert_eq!(gone(&stored), Some(letter.position.clone()));
        assert_eq!(gone(&letter), None);
    }
}
