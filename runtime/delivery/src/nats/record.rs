//! What lies in the bucket under the name of a durable: who holds it, and what that one left.

use serde::{Deserialize, Serialize};

use crate::broker::Record;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Who wrote it: an instance, and a number of its own for each time it opens.
    pub(super) holder: String,
    pub(super) state: State,
    /// What a door knows of its last events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) notes: Option<Notes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Held, or its holder ended without a drain.
    Open,
    /// Left in order: free.
    Clean,
}

/// A [`Record`] on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Notes {
    open: bool,
    floor: u64,
    unclean: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    suspects: Vec<(u64, u32)>,
}

impl From<&Record> for Notes {
    fn from(record: &Record) -> Self {
        Self {
            open: record.open,
            floor: record.floor,
            unclean: record.unclean,
            suspects: record.suspects.clone(),
        }
    }
}

impl From<Notes> for Record {
    fn from(notes: Notes) -> Self {
        Self {
            open: notes.open,
            floor: notes.floor,
            unclean: notes.unclean,
            suspects: notes.suspects,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_as_it_was_written() {
        let record = Record {
            open: true,
            floor: 17,
            unclean: 1,
            suspects: vec![(18, 2)],
        };
        let entry = Entry {
            holder: "pod/1".into(),
            state: State::Open,
            notes: Some(Notes::from(&record)),
        };
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(
            text,
            r#"{"holder":"pod/1","state":"open","notes":{"open":true,"floor":17,"unclean":1,"suspects":[[18,2]]}}"#
        );
        let read: Entry = serde_json::from_str(&text).unwrap();
        assert_eq!(read.notes.map(Record::from), Some(record));
    }
}
