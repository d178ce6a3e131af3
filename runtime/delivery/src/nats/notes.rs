//! The record of a door that shares its durable with others: it lies under the name of its host.

use super::bucket::{Bucket, WriteError};
use super::connection::Connection;
use super::record::{Entry, Notes, State};
use crate::broker::{OpenError, Record, SourceError};

/// Where one door's record lies.
#[derive(Debug, Clone)]
pub(super) struct NotesOf {
    pub(super) connection: Connection,
    pub(super) instance: String,
    pub(super) key: String,
    pub(super) replicas: usize,
}

impl NotesOf {
    /// What the last owner of this name left.
    pub(super) async fn read(&self) -> Result<Option<Record>, OpenError> {
        let Some(bucket) = Bucket::find(&self.connection).await? else {
            return Ok(None);
        };
        let entry = bucket.read(&self.key).await?.entry;
        Ok(entry.and_then(|entry| entry.notes).map(Record::from))
    }

    pub(super) async fn write(&self, record: &Record) -> Result<(), SourceError> {
        let unavailable =
            |error: &dyn std::fmt::Display| SourceError::Unavailable(error.to_string());
        let bucket = Bucket::open(&self.connection, self.replicas)
            .await
            .map_err(|error| unavailable(&error))?;
        let revision = bucket
            .read(&self.key)
            .await
            .map_err(|error| unavailable(&error))?
            .revision;
        let entry = Entry {
            holder: self.instance.clone(),
            state: if record.open {
                State::Open
            } else {
                State::Clean
            },
            notes: Some(Notes::from(record)),
        };
        match bucket.write(&self.key, &entry, revision).await {
            Ok(_) => Ok(()),
            Err(WriteError::Overtaken) => Err(unavailable(&"written by another of this name")),
            Err(WriteError::Away(reason)) => Err(unavailable(&reason)),
        }
    }
}
