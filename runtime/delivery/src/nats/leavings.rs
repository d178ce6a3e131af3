//! Durables of ours in all streams, and their records in the bucket.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, Config};
use serde::Deserialize;
use serde_json::{Value, json};

use super::broker::Nats;
use super::config::BUCKET;
use super::connection::AskError;
use super::consumer::{Consumer, consumers_of};
use crate::broker::OpenError;
use crate::leavings::{Leaving, Leavings};
use crate::wiring::owner_of_durable;

/// A page of the names of all streams.
#[derive(Deserialize)]
struct Streams {
    streams: Option<Vec<String>>,
    total: usize,
}

impl Leavings for Nats {
    async fn leavings(&self) -> Result<Vec<Leaving>, OpenError> {
        let connection = self.connection();
        let split = |page: Streams| (page.streams.unwrap_or_default(), page.total);
        let streams = connection.ask_all("STREAM.NAMES", json!({}), split).await?;
        let mut found = Vec::new();
        for stream in &streams {
            let consumers = consumers_of(connection, stream).await?;
            found.extend(consumers.into_iter().filter_map(|it| leaving(stream, it)));
        }
        Ok(found)
    }

    async fn forget(&self, leaving: &Leaving) -> Result<(), OpenError> {
        let Leaving { name, place, .. } = leaving;
        // First what only the durable leads to.
        let records = format!("STREAM.PURGE.KV_{BUCKET}");
        for key in [name.clone(), format!("{name}.>")] {
            let filter = json!({ "filter": format!("$KV.{BUCKET}.{key}") });
            self.end(&records, &filter, ErrorCode::STREAM_NOT_FOUND)
                .await?;
        }
        let durable = format!("CONSUMER.DELETE.{place}.{name}");
        self.end(&durable, &json!({}), ErrorCode::CONSUMER_NOT_FOUND)
            .await?;
        Ok(())
    }
}

impl Nats {
    /// Asks for an end of something, which may have ended before.
    async fn end(&self, what: &str, it: &Value, gone: ErrorCode) -> Result<(), AskError> {
        match self.connection().ask::<Value>(what, it).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(gone) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What of ours this consumer is.
fn leaving(stream: &str, consumer: Consumer) -> Option<Leaving> {
    let Config {
        deliver_subject,
        ack_policy,
        durable_name,
        filter_subject,
        ..
    } = &consumer.config;
    let as_ours =
        deliver_subject.is_none() && *ack_policy == AckPolicy::Explicit && durable_name.is_some();
    let (namespace, function) = owner_of_durable(&consumer.name, filter_subject)?;
    as_ours.then(|| Leaving {
        namespace: namespace.to_owned(),
        function: function.to_owned(),
        name: consumer.name.clone(),
        place: stream.to_owned(),
        in_use: consumer.num_waiting > 0,
    })
}
