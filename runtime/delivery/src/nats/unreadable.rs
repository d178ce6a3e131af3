//! Messages with headers that the client does not read: it ends the connection, and the server gives the same message again
//! over the next one. The API gives headers as data, so that they are found there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::Info;
use serde_json::json;
use tokio::time::Instant;

use super::codec;
use super::connection::Connection;
use super::consumer::Durable;
use super::stream;
use crate::broker::Message;

/// An opening looks for them no longer; the next one goes on from there.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far was looked, by durable, where nothing was found so far.
#[derive(Debug, Default)]
pub(super) struct Unreadable(Mutex<HashMap<Arc<str>, u64>>);

impl Unreadable {
    /// Those that lie between what is settled and what was given out of a durable. One of them may be settled already, and is
    /// then a letter twice.
    pub(super) async fn find(
        &self,
        connection: &Connection,
        durable: &Durable,
        info: &Info,
    ) -> Vec<Message> {
        let stream: Arc<str> = durable.stream.as_str().into();
        let name = &durable.subscription.durable;
        let first = info.ack_floor.stream_sequence + 1;
        let before = self.looked().remove(name);
        let mut next = before.map_or(first, |next| next.max(first));
        let mut found = Vec::new();
        let end = Instant::now() + PATIENCE;
        while next <= info.delivered.stream_sequence {
            let wanted = json!({ "seq": next, "next_by_subj": &*durable.subscription.topic });
            let message = stream::message(connection, &stream, &wanted).await;
            if message.is_err() || Instant::now() >= end {
                if found.is_empty() {
                    self.looked().insert(Arc::clone(name), next);
                }
                break;
            }
            let Ok(Some(message)) = message else { break };
            next = message.position.offset + 1;
            let given = message.position.offset <= info.delivered.stream_sequence;
            if given && !message.headers.iter().all(codec::is_readable) {
                found.push(message);
            }
        }
        found
    }

    fn looked(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the server hears of a message that did not come to us.
pub(super) fn answer(durable: &Durable, info: &Info, message: &Message) -> String {
    let (stream, name) = (&durable.stream, durable.name());
    let (offset, delivery) = (message.position.offset, info.delivered.consumer_sequence);
    // `$JS.ACK.STREAM.CONSUMER.DELIVERIES.STREAM-SEQUENCE.CONSUMER-SEQUENCE.TIME.PENDING` (ADR-15). With explicit
    // acknowledgements the server goes by the stream's sequence.
    format!("$JS.ACK.{stream}.{name}.1.{offset}.{delivery}.0.0")
}
