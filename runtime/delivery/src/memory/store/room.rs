//! What comes into the in-memory bus and goes out of it, and the room that takes.

use std::sync::Arc;
use std::time::SystemTime;

use super::Store;
use crate::broker::{Message, Position, Publication, PublishError, Stored};
use crate::clock::Time;

/// How much of the bus a publication may fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::memory) enum Room {
    /// Three quarters: a publisher's.
    Most,
    /// The rest too: a reply, a letter, or what takes the place of a letter.
    All,
}

impl Store {
    pub(in crate::memory) fn publish(
        &mut self,
        now: Time,
        wall: SystemTime,
        what: &Publication,
        room: Room,
    ) -> Result<Stored, PublishError> {
        let limits = &self.limits;
        let topic = self.topics.entry(Arc::clone(&what.topic)).or_default();
        topic.forget_before(now - limits.dedup);
        if let Some(offset) = what.dedup.as_ref().and_then(|id| topic.dedup.get(id)) {
            return Ok(Stored {
                position: position(&what.topic, *offset),
                duplicate: true,
            });
        }
        let message = Message {
            topic: Arc::clone(&what.topic),
            position: position(&what.topic, topic.last + 1),
            time: Some(wall),
            key: what.key.clone(),
            headers: what.headers.clone(),
            body: what.body.clone(),
        };
        let size = message.size();
        if size > limits.message {
            return Err(PublishError::TooLarge(format!(
                "{size} bytes for `{}`, which takes {} at most",
                what.topic, limits.message
            )));
        }
        self.make_room(size, room, &what.topic)?;
        let topic = self.topics.entry(Arc::clone(&what.topic)).or_default();
        self.bytes += size;
        topic.last += 1;
        topic.messages.insert(topic.last, Arc::new(message));
        if let Some(id) = &what.dedup {
            topic.dedup.insert(id.clone(), topic.last);
            topic.dedup_order.push_back((now, id.clone()));
        }
        if topic.is_unread() && topic.messages.len() > self.limits.unread {
            self.bytes -= topic.take_oldest();
        }
        Ok(Stored {
            position: position(&what.topic, topic.last),
            duplicate: false,
        })
    }

    /// Publishes what puts a letter back, and takes the letter out: there is always room for what takes its place.
    pub(in crate::memory) fn put_back(
        &mut self,
        now: Time,
        wall: SystemTime,
        what: &Publication,
        letter: (&str, u64),
    ) -> Result<Stored, PublishError> {
        let size = self.size(letter.0, letter.1);
        self.bytes -= size;
        let stored = self.publish(now, wall, what, Room::All);
        self.bytes += size;
        if stored.is_ok() {
            self.delete(letter.0, letter.1);
        }
        stored
    }

    /// Makes room for so many bytes where what nobody reads is in the way.
    fn make_room(&mut self, size: usize, room: Room, topic: &Arc<str>) -> Result<(), PublishError> {
        let limit = match room {
            Room::Most => self.limits.bytes / 4 * 3,
            Room::All => self.limits.bytes,
        };
        while self.bytes + size > limit {
            let unread = self.topics.values_mut();
            let unread = unread.filter_map(|topic| Some((topic.oldest_unread()?, topic)));
            let Some((_, oldest)) = unread.min_by_key(|(time, _)| *time) else {
                let held = self
                    .topics
                    .get(topic)
                    .map_or(0, |topic| topic.messages.len());
                return Err(PublishError::Unavailable(format!(
                    "the in-memory bus is full: {} bytes of {limit} are taken, {held} messages in `{topic}`",
                    self.bytes
                )));
            };
            self.bytes -= oldest.take_oldest();
        }
        Ok(())
    }

    fn size(&self, topic: &str, offset: u64) -> usize {
        let message = self
            .topics
            .get(topic)
            .and_then(|topic| topic.messages.get(&offset));
        message.map_or(0, |message| message.size())
    }

    /// Takes one message out of a topic, whoever still waits for it.
    pub(in crate::memory) fn delete(&mut self, topic: &str, offset: u64) -> bool {
        let Some(topic) = self.topics.get_mut(topic) else {
            return false;
        };
        let held = topic.messages.len();
        self.bytes -= topic.take_out(offset);
        topic.messages.len() < held
    }

    /// Drops a message that every durable of its topic has settled.
    pub(super) fn thin(&mut self, topic: &str, offset: u64) {
        let Some(held) = self.topics.get_mut(topic) else {
            return;
        };
        let wanted = |name: &Arc<str>| {
            self.durables
                .get(name)
                .is_some_and(|durable| durable.wants(offset))
        };
        if held.kept || held.durables.iter().any(wanted) {
            return;
        }
        self.bytes -= held.take_out(offset);
    }
}

fn position(topic: &Arc<str>, offset: u64) -> Position {
    Position {
        log: Arc::clone(topic),
        offset,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::broker::Subscription;
    use crate::memory::Limits;
    use crate::wiring::Start;

    const BODY: usize = 100;

    /// A store of ten bodies.
    fn store() -> Store {
        Store::new(Limits {
            bytes: 10 * BODY,
            ..Limits::default()
        })
    }

    fn publish(store: &mut Store, topic: &str, room: Room) -> Result<u64, PublishError> {
        let what = publication(topic);
        let stored = store.publish(Time::default(), SystemTime::now(), &what, room);
        stored.map(|stored| stored.position.offset)
    }

    fn publication(topic: &str) -> Publication {
        Publication {
            topic: topic.into(),
            dedup: None,
            key: None,
            headers: Vec::new(),
            body: Some(Bytes::from_static(&[0; BODY])),
        }
    }

    fn subscribe(store: &mut Store, topic: &str, durable: &str) -> u64 {
        let subscription = Subscription {
            topic: topic.into(),
            durable: durable.into(),
            start: Start::Oldest,
            ordered: false,
            window: None,
            transactions: false,
        };
        store.open(&subscription).unwrap().0
    }

    /// Publishes until there is no more room; how often.
    fn fill(store: &mut Store, topic: &str, room: Room) -> usize {
        std::iter::from_fn(|| publish(store, topic, room).ok()).count()
    }

    #[test]
    fn publishers_leave_room_for_what_deliveries_store() {
        let mut store = store();
        subscribe(&mut store, "in", "reader");
        store.keep(&"letters".into());
        assert_eq!(fill(&mut store, "in", Room::Most), 7);
        let error = publish(&mut store, "in", Room::Most).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the in-memory bus is full: 700 bytes of 750 are taken, 7 messages in `in`"
        );
        assert_eq!(fill(&mut store, "letters", Room::All), 3);
    }

    #[test]
    fn a_letter_goes_back_though_the_bus_is_full() {
        let mut store = store();
        subscribe(&mut store, "in", "reader");
        store.keep(&"letters".into());
        assert_eq!(fill(&mut store, "letters", Room::All), 10);
        let (now, wall) = (Time::default(), SystemTime::now());
        let back = publication("in");
        store.put_back(now, wall, &back, ("letters", 4)).unwrap();
        let letters = store.messages("letters");
        assert_eq!((letters.len(), store.bytes()), (9, 10 * BODY));
        assert!(letters.iter().all(|letter| letter.position.offset != 4));
        assert_eq!(store.messages("in").len(), 1);
    }

    #[test]
    fn what_nobody_reads_makes_room_oldest_first() {
        let mut store = store();
        assert_eq!(publish(&mut store, "unread", Room::All), Ok(1));
        subscribe(&mut store, "in", "reader");
        assert_eq!(fill(&mut store, "in", Room::All), 10);
        assert!(store.messages("unread").is_empty());
    }

    #[test]
    fn a_durable_that_is_forgotten_holds_nothing_back() {
        let mut store = store();
        let reader = subscribe(&mut store, "in", "reader");
        subscribe(&mut store, "in", "gone");
        for _ in 0..3 {
            publish(&mut store, "in", Room::Most).unwrap();
        }
        let took = store.take(Time::default(), "reader", reader, |_| true);
        store.settle("reader", took.unwrap().position.offset);
        assert_eq!(store.messages("in").len(), 3);
        store.remove("gone");
        assert_eq!((store.messages("in").len(), store.bytes()), (2, 2 * BODY));
        store.limits.unread = 1;
        store.remove("reader");
        assert_eq!((store.messages("in").len(), store.bytes()), (1, BODY));
    }
}
