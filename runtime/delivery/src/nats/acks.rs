//! What was given to us, and how to say so: acks that the server confirms, signs of progress, naks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Subject;
use async_nats::client::RequestErrorKind;
use tokio::time::sleep;

use super::connection::Connection;
use crate::broker::{Position, SourceError};

const ACK: &str = "+ACK";
const PROGRESS: &str = "+WPI";
const NAK: &str = "-NAK";

/// Messages that are ours until they are settled, by their place in the stream.
#[derive(Debug)]
pub(super) struct Acks {
    connection: Connection,
    /// Where to answer for the last delivery of each.
    held: Mutex<BTreeMap<u64, Subject>>,
}

impl Acks {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            connection,
            held: Mutex::default(),
        }
    }

    pub(super) fn hold(&self, offset: u64, answer: Subject) {
        self.lock().insert(offset, answer);
    }

    /// Acknowledges, and waits for the server to confirm it. All confirmations of a connection come through the one
    /// inbox that the client has for its requests.
    pub(super) async fn settle(&self, offset: u64) -> Result<(), SourceError> {
        let Some(answer) = self.lock().get(&offset).cloned() else {
            return Ok(());
        };
        // An ack that waits for the connection to come back would be sent by one who holds it no more.
        let live = self.connection.live().await;
        if !live.is_up() {
            let reason = self.connection.because("not connected");
            return Err(SourceError::Unavailable(reason));
        }
        let confirmed = live.client.request(answer.clone(), ACK.into());
        confirmed.await.map_err(|error| {
            SourceError::Unavailable(match error.kind() {
                RequestErrorKind::NoResponders => "the consumer is gone".into(),
                _ => self.connection.because(error),
            })
        })?;
        let mut held = self.lock();
        // It may have come again meanwhile.
        if held.get(&offset) == Some(&answer) {
            held.remove(&offset);
        }
        Ok(())
    }

    pub(super) async fn progress(&self, positions: &[Position]) {
        for position in positions {
            let answer = self.lock().get(&position.offset).cloned();
            if let Some(answer) = answer {
                self.say(answer, PROGRESS).await;
            }
        }
    }

    /// Says again and again that all of it is in progress, until this is dropped.
    pub(super) async fn keep(&self, every: Duration) -> ! {
        loop {
            let answers: Vec<Subject> = self.lock().values().cloned().collect();
            for answer in answers {
                self.say(answer, PROGRESS).await;
            }
            sleep(every).await;
        }
    }

    /// Gives all back.
    pub(super) async fn release_all(&self) {
        let held = std::mem::take(&mut *self.lock());
        for answer in held.into_values() {
            self.say(answer, NAK).await;
        }
    }

    /// Best effort: what is not heard comes again after `ack_wait`.
    async fn say(&self, answer: Subject, what: &'static str) {
        let live = self.connection.live().await;
        if live.is_up() {
            let _ = live.client.publish(answer, what.into()).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Subject>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
