//! Durables of ours in all streams, and their records in the bucket.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, Config};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::broker::Nats;
use super::bucket::Bucket;
use super::config::{BUCKET, Times};
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
        let mut full = Vec::new();
        for stream in &streams {
            let consumers = consumers_of(connection, stream).await?;
            let full_ones = consumers.iter().filter(|it| it.is_full());
            full.extend(full_ones.map(|it| (it.name.clone(), it.config.ack_wait)));
            found.extend(consumers.into_iter().filter_map(|it| leaving(stream, it)));
        }
        let renewed = self.renewed(&full).await?;
        for leaving in &mut found {
            leaving.in_use |= renewed.contains(&leaving.name);
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
    /// Those of these ordered durables whose owner lives, and renews its lease. `full` are their names and how long they wait for
    /// an ack.
    async fn renewed(&self, full: &[(String, Duration)]) -> Result<BTreeSet<String>, OpenError> {
        let Some(ack_wait) = full.iter().map(|(_, ack_wait)| *ack_wait).max() else {
            return Ok(BTreeSet::new());
        };
        let Some(bucket) = Bucket::find(self.connection()).await? else {
            return Ok(BTreeSet::new());
        };
        let mut before = Vec::new();
        for (name, _) in full {
            before.push((name, bucket.read(name).await?.revision));
        }
        sleep(Times { ack_wait }.renew() * 2).await;
        let mut renewed = BTreeSet::new();
        for (name, revision) in before {
            if bucket.read(name).await?.revision != revision {
                renewed.insert(name.clone());
            }
        }
        Ok(renewed)
    }

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
        in_use: consumer.num_waiting > 0
            || (consumer.num_ack_pending > 0 && !consumer.is_ordered()),
    })
}
