//! Over NATS JetStream.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use async_nats::jetstream::stream::{self, DiscardPolicy};
use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::future::join_all;
use openfaas_delivery::wiring;

use super::broker::Broker;
use super::fate::{HOPS, NAMESPACE, Work, topic};
use crate::nats::{Look, Server, stream_of};

/// All dead letters of a run.
const LETTERS: &str = "dead-letter.>";

/// A nats-server.
#[derive(Debug)]
pub struct OnNats {
    server: Mutex<Server>,
    address: String,
    look: Look,
}

impl Broker for OnNats {
    const NAME: &'static str = "nats";

    async fn start() -> Self {
        let server = Server::start();
        let look = server.look().await;
        for hop in 0..=HOPS.len() {
            look.stream(&topic(hop)).await;
        }
        look.stream(LETTERS).await;
        Self {
            address: server.address(),
            server: Mutex::new(server),
            look,
        }
    }

    fn environment(&self) -> Vec<(String, String)> {
        vec![("broker_host".to_owned(), self.address.clone())]
    }

    async fn publish(&self, work: &[Work]) {
        let mut left: Vec<&Work> = work.iter().collect();
        while !left.is_empty() {
            let stored = join_all(left.iter().map(|work| self.publish_one(work))).await;
            let mut stored = stored.into_iter();
            left.retain(|_| !stored.next().expect("one for each"));
        }
    }

    async fn ended(&self) -> Option<usize> {
        let end = self.state(&topic(HOPS.len())).await?;
        let letters = self.state(LETTERS).await?;
        Some((end.messages + letters.messages) as usize)
    }

    async fn unsettled(&self, hop: usize) -> Option<usize> {
        let topic = topic(hop);
        let durable = wiring::durable(NAMESPACE, HOPS[hop], &topic);
        let info = self.look.durable(&topic, &durable).await?;
        Some(info.num_pending as usize + info.num_ack_pending)
    }

    async fn bodies(&self, topic: &str) -> Vec<Bytes> {
        // One stream has the letters of all functions.
        let stream = topic
            .strip_prefix("dead-letter.")
            .map_or_else(|| stream_of(topic), |_| stream_of(LETTERS));
        let stream = self.look.jetstream.get_stream(stream).await.unwrap();
        let consumer = stream
            .create_consumer(pull::OrderedConfig {
                deliver_policy: DeliverPolicy::All,
                filter_subject: topic.to_owned(),
                ..Default::default()
            })
            .await
            .unwrap();
        let mut waiting = consumer.cached_info().num_pending;
        let mut messages = consumer.messages().await.unwrap();
        let mut bodies = Vec::new();
        while waiting > 0 {
            let message = messages.try_next().await.unwrap().expect("one more");
            bodies.push(message.payload.clone());
            waiting -= 1;
        }
        bodies
    }

    async fn take_letters(&self, open: bool) {
        // A stream that is full and drops nothing.
        let change = async || {
            let max_messages = match open {
                true => -1,
                false => i64::try_from(self.state(LETTERS).await?.messages.max(1)).ok()?,
            };
            let config = stream::Config {
                name: stream_of(LETTERS),
                subjects: vec![LETTERS.to_owned()],
                max_messages,
                discard: DiscardPolicy::New,
                ..Default::default()
            };
            self.look.jetstream.update_stream(config).await.ok()
        };
        crate::runner::until("the stream of dead letters is changed", change).await;
    }

    fn kill_and_restart(&self) {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        tokio::task::block_in_place(|| server.restart());
    }
}

impl OnNats {
    /// Whether it is stored.
    async fn publish_one(&self, work: &Work) -> bool {
        let mut headers = HeaderMap::new();
        let (id, key) = (work.number.to_string(), work.key.to_string());
        for (name, value) in [
            ("Nats-Msg-Id", &id[..]),
            ("Content-Type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-type", "chaos.work"),
            ("ce-source", "/chaos"),
            ("ce-id", &id),
            ("ce-partitionkey", &key),
        ] {
            headers.insert(name, value);
        }
        let body = serde_json::to_vec(work).expect("JSON");
        let publish =
            self.look
                .jetstream
                .publish_with_headers(topic(0), headers, Bytes::from(body));
        let stored = async { publish.await.ok()?.await.ok() };
        // A server that was killed never answers what it was asked.
        let stored = tokio::time::timeout(Duration::from_secs(5), stored).await;
        stored.is_ok_and(|stored| stored.is_some())
    }

    async fn state(&self, topic: &str) -> Option<stream::State> {
        let stream = self.look.jetstream.get_stream(stream_of(topic));
        let stream = tokio::time::timeout(Duration::from_secs(2), stream).await;
        Some(stream.ok()?.ok()?.cached_info().state.clone())
    }
}
