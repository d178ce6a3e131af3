//! What `--check` asks of a server, and `--create` tells it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::broker::Nats;
use super::bucket::Bucket;
use super::config::BUCKET;
use super::stream::{self, covers};
use crate::broker::{Broker, Inspect, OpenError, Purpose};
use crate::wiring::{Order, Wiring};

/// Who does not say by then what we may do does not say it at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who we are, as far as the server tells users themselves.
#[derive(Deserialize)]
struct User {
    data: Option<Account>,
}

#[derive(Deserialize)]
struct Account {
    /// Missing: everything is permitted.
    permissions: Option<Permissions>,
}

#[derive(Deserialize)]
struct Permissions {
    publish: Option<Subjects>,
    subscribe: Option<Subjects>,
}

/// Without `allow` everything that is not denied.
#[derive(Deserialize, Default)]
struct Subjects {
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
}

impl Inspect for Nats {
    async fn reach(&self) -> Result<(), OpenError> {
        let _: Value = self.connection.ask("INFO", &json!({})).await?;
        Ok(())
    }

    async fn find(&self, topic: &str) -> Result<(), OpenError> {
        stream::find(&self.connection, topic).await.map(drop)
    }

    async fn denied(&self, wiring: &Wiring) -> Result<Vec<String>, OpenError> {
        let Some(Permissions { publish, subscribe }) = self.permissions().await else {
            return Ok(Vec::new());
        };
        // Who may not ask is told so below.
        let has_bucket = !matches!(Bucket::find(&self.connection).await, Ok(None));
        let mut denied = Vec::new();
        let mut needs = |subjects: &Option<Subjects>, verb: &str, needed: String, shown: &str| {
            if subjects
                .as_ref()
                .is_some_and(|subjects| !subjects.permit(&needed))
            {
                denied.push(format!(
                    "this user may not {verb} `{shown}`: allow it in the server's permissions"
                ));
            }
        };
        for topic in &wiring.topics {
            let Ok(found) = stream::find(&self.connection, topic).await else {
                continue;
            };
            let (stream, durable) = (&found.config.name, self.durable(wiring, topic));
            let mut asks = vec![
                format!("CONSUMER.INFO.{stream}.{durable}"),
                format!("CONSUMER.CREATE.{stream}.{durable}.{topic}"),
                format!("CONSUMER.MSG.NEXT.{stream}.{durable}"),
                format!("STREAM.MSG.GET.{stream}"),
                format!("STREAM.INFO.KV_{BUCKET}"),
            ];
            if wiring.order == Order::Key {
                asks.push(format!("DIRECT.GET.KV_{BUCKET}.$KV.{BUCKET}.{durable}"));
                let lease = format!("$KV.{BUCKET}.{durable}");
                needs(&publish, "publish to", lease, "$KV.openfaas.>");
                if !has_bucket {
                    asks.push(format!("STREAM.CREATE.KV_{BUCKET}"));
                }
            }
            for ask in asks {
                let needed = format!("$JS.API.{ask}");
                needs(&publish, "publish to", needed.clone(), &needed);
            }
            let ack = format!("$JS.ACK.{stream}.{durable}.1.1.1.1.1");
            needs(&publish, "publish to", ack, "$JS.ACK.>");
        }
        for topic in wiring
            .replies
            .topics()
            .into_iter()
            .chain([wiring.dead_letter_topic()])
        {
            needs(&publish, "publish to", topic.to_owned(), topic);
        }
        needs(
            &subscribe,
            "subscribe to",
            "_INBOX.a.b".to_owned(),
            "_INBOX.>",
        );
        denied.sort();
        denied.dedup();
        Ok(denied)
    }

    async fn create(&self, topic: &str, purpose: Option<Purpose>) -> Result<(), OpenError> {
        if purpose.is_some() && stream::is_pattern(topic) {
            return Err(OpenError::NotReady(format!(
                "{topic} is a pattern: no stream is made for it"
            )));
        }
        let (name, subject) = stream::proposed(topic);
        let config = json!({
            "name": name, "subjects": [subject], "retention": "limits", "storage": "file", "discard": "old",
            "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_age": 0, "num_replicas": 1,
        });
        let what = format!("STREAM.CREATE.{name}");
        let _: Value = self.connection.ask(&what, &config).await?;
        Ok(())
    }
}

impl Nats {
    /// What we may do; `None`: everything, or nobody says.
    async fn permissions(&self) -> Option<Permissions> {
        let live = self.connection.live().await;
        let asked = live.client.request("$SYS.REQ.USER.INFO", "".into());
        let answer = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?;
        let user: User = serde_json::from_slice(&answer.payload).ok()?;
        user.data?.permissions
    }
}

impl Subjects {
    fn permit(&self, subject: &str) -> bool {
        let takes = |list: &Option<Vec<String>>| {
            let mut patterns = list.iter().flatten();
            patterns.any(|pattern| covers(pattern, subject))
        };
        let named = self.allow.as_ref().is_some_and(|allow| !allow.is_empty());
        (!named || takes(&self.allow)) && !takes(&self.deny)
    }
}
