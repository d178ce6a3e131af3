//! The key-value bucket of leases and records: made by whoever first needs it.

use std::sync::{Arc, Mutex, PoisonError};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::kv::{self, Operation, Store, UpdateErrorKind};
use async_nats::jetstream::stream::Info;
use serde_json::json;

use super::config::BUCKET;
use super::connection::{AskError, Connection, Live};
use super::record::Entry;
use crate::broker::OpenError;

/// The bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    connection: Connection,
    /// As one client knows it.
    known: Mutex<(Arc<Live>, Store)>,
}

/// What lies under a key.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// 0 where nothing ever was.
    pub(super) revision: u64,
    /// `None` where there is nothing, or nothing of ours.
    pub(super) entry: Option<Entry>,
}

/// Why an entry is not written.
#[derive(Debug)]
pub(super) enum WriteError {
    /// Somebody wrote there since.
    Overtaken,
    /// It may be written or not.
    Away(String),
}

impl Bucket {
    /// The bucket, if there is one.
    pub(super) async fn find(connection: &Connection) -> Result<Option<Self>, OpenError> {
        let stream = format!("STREAM.INFO.KV_{BUCKET}");
        match connection.ask::<Info>(&stream, &json!({})).await {
            Ok(_) => {}
            Err(error) if error.code() == Some(ErrorCode::STREAM_NOT_FOUND) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let live = connection.live().await;
        let store = store(&live).await.map_err(OpenError::from)?;
        Ok(Some(Self::known(connection, live, store)))
    }

    fn known(connection: &Connection, live: Arc<Live>, store: Store) -> Self {
        Self {
            connection: connection.clone(),
            known: Mutex::new((live, store)),
        }
    }

    /// The store of the client as it is now.
    async fn store(&self) -> Result<Store, AskError> {
        let live = self.connection.live().await;
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, found) = known().clone();
        if Arc::ptr_eq(&of, &live) {
            return Ok(found);
        }
        let found = store(&live).await?;
        *known() = (live, found.clone());
        Ok(found)
    }

    /// The bucket, made where it is missing with as many replicas as the stream it serves.
    pub(super) async fn open(connection: &Connection, replicas: usize) -> Result<Self, OpenError> {
        if let Some(found) = Self::find(connection).await? {
            return Ok(found);
        }
        let config = kv::Config {
            bucket: BUCKET.into(),
            description: "Who holds the ordered durables of openfaas functions".into(),
            history: 1,
            num_replicas: replicas,
            ..kv::Config::default()
        };
        let live = connection.live().await;
        match live.jetstream.create_key_value(config).await {
            Ok(store) => Ok(Self::known(connection, live, store)),
            Err(error) if connection.is_up() => Err(OpenError::NotReady(format!(
                "the bucket {BUCKET} is missing and cannot be made ({error}): make it with `nats kv add {BUCKET}`"
            ))),
            Err(error) => Err(OpenError::Unavailable(error.to_string())),
        }
    }

    pub(super) async fn read(&self, key: &str) -> Result<Found, AskError> {
        let store = self.store().await?;
        let found = store
            .entry(key)
            .await
            .map_err(|error| AskError::Away(error.to_string()))?;
        Ok(found.map_or_else(Found::default, |found| Found {
            revision: found.revision,
            entry: Some(found.value)
                .filter(|_| found.operation == Operation::Put)
                .and_then(|value| serde_json::from_slice(&value).ok()),
        }))
    }

    /// Writes what follows on this revision, and gives back its own.
    pub(super) async fn write(
        &self,
        key: &str,
        entry: &Entry,
        revision: u64,
    ) -> Result<u64, WriteError> {
        let value =
            serde_json::to_vec(entry).map_err(|error| WriteError::Away(error.to_string()))?;
        let store = self.store().await;
        let store = store.map_err(|error| WriteError::Away(error.to_string()))?;
        store
            .update(key, value.into(), revision)
            .await
            .map_err(|error| match error.kind() {
                UpdateErrorKind::WrongLastRevision => WriteError::Overtaken,
                _ => WriteError::Away(error.to_string()),
            })
    }
}

async fn store(live: &Live) -> Result<Store, AskError> {
    let found = live.jetstream.get_key_value(BUCKET).await;
    found.map_err(|error| AskError::Away(format!("bucket {BUCKET}: {error}")))
}
