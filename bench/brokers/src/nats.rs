//! A real nats-server, one node, streams in files.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::{self, context::PublishAckFuture, stream};
use futures_util::StreamExt;
use openfaas_delivery::wiring;
use openfaas_tests::nats::{Server, stream_of};

use crate::broker::{Broker, LETTERS, NAMESPACE, PATIENCE, Pace, Times, data, key};
use crate::error::Error;

/// Publications that are not confirmed yet.
const WINDOW: usize = 4_000;

/// The server and a client of the bench's own.
pub(crate) struct Nats {
    server: Server,
    client: async_nats::Client,
    jetstream: jetstream::Context,
}

impl Broker for Nats {
    const NAME: &'static str = "nats";

    const ABOUT: &'static str = "nats-server, one node, one replica, streams in files; a settled event is one whose ack the server has; \
         beside it async-nats, a pull consumer of the same window, acks confirmed through one shared inbox";

    async fn start() -> Result<Self, Error> {
        let server = Server::start();
        let client = async_nats::connect(server.address());
        let client = client.await.map_err(Error::broker("connecting to NATS"))?;
        let nats = Self {
            server,
            jetstream: jetstream::new(client.clone()),
            client,
        };
        nats.make(LETTERS).await?;
        Ok(nats)
    }

    fn environment(&self) -> Vec<(String, String)> {
        vec![("broker_host".to_owned(), self.server.address())]
    }

    fn raw(&self, topic: &str, name: &str) -> Vec<String> {
        vec![
            "nats".to_owned(),
            self.server.address(),
            stream_of(topic),
            name.to_owned(),
        ]
    }

    fn name_of(function: &str, topic: &str) -> String {
        wiring::durable(NAMESPACE, function, topic)
    }

    async fn fill(&self, topic: &str, events: u64) -> Result<(), Error> {
        self.make(topic).await?;
        let confirmed = futures_util::stream::iter(0..events)
            .then(|number| self.publish(topic, number))
            .map(async |sent| sent?.await.map_err(Error::broker("storing an event")))
            .buffered(WINDOW);
        let mut confirmed = std::pin::pin!(confirmed);
        while let Some(stored) = confirmed.next().await {
            stored?;
        }
        Ok(())
    }

    async fn settled(&self, topic: &str, name: &str) -> Result<u64, Error> {
        let stream = self.jetstream.get_stream_no_info(stream_of(topic)).await;
        let stream = stream.map_err(Error::broker("looking at a stream"))?;
        let Ok(info) = stream.consumer_info(name).await else {
            return Ok(0);
        };
        // What came again counts twice in the one and not in the other.
        Ok(info
            .delivered
            .stream_sequence
            .saturating_sub(info.num_ack_pending as u64))
    }

    async fn latencies(&self, topic: &str, name: &str, pace: Pace) -> Result<Vec<f64>, Error> {
        // An ack is a message like any other: who listens sees it when the server does.
        let acks = format!("$JS.ACK.{}.{name}.>", stream_of(topic));
        let acks = self.client.subscribe(acks).await;
        let mut acks = acks.map_err(Error::broker("listening to acks"))?;
        let times = Times::default();
        let (seen, first) = (times.clone(), pace.first as usize);
        let watch = tokio::spawn(async move {
            while let Some(ack) = acks.next().await {
                if ack.payload.starts_with(b"+ACK")
                    && let Some(sequence) = sequence(&ack.subject)
                {
                    seen.settled((sequence - 1).wrapping_sub(first));
                }
            }
        });
        let publish = async |number| {
            times.published();
            self.publish(topic, number).await.map(drop)
        };
        pace.keep(publish).await?;
        let all_settled = async {
            while times.under_way() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // Who asked sees what is missing.
        let _ = tokio::time::timeout(PATIENCE, all_settled).await;
        watch.abort();
        Ok(times.taken())
    }
}

impl Nats {
    async fn make(&self, topic: &str) -> Result<(), Error> {
        let config = stream::Config {
            name: stream_of(topic),
            subjects: vec![topic.to_owned()],
            ..Default::default()
        };
        let made = self.jetstream.create_stream(config).await;
        made.map(drop).map_err(Error::broker("making a stream"))
    }

    /// Sends an event; what comes back waits for its confirmation.
    async fn publish(&self, topic: &str, number: u64) -> Result<PublishAckFuture, Error> {
        let (id, key) = (number.to_string(), key(number));
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-type", "bench"),
            ("ce-source", "/bench"),
            ("ce-id", &id),
            ("ce-partitionkey", &key),
        ] {
            headers.insert(name, value);
        }
        let sent = self
            .jetstream
            .publish_with_headers(topic.to_owned(), headers, data().into());
        sent.await.map_err(Error::broker("publishing an event"))
    }
}

/// The message that an ack is for: `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.…`
fn sequence(subject: &str) -> Option<usize> {
    subject.split('.').nth(5)?.parse().ok()
}
