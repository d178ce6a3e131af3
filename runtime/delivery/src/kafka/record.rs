//! Records of librdkafka and messages of ours.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rdkafka::message::{
    BorrowedMessage, Header as Native, Headers as _, Message as _, OwnedHeaders, Timestamp,
};
use rdkafka::producer::BaseRecord;

use super::producer::{Opaque, log};
use crate::broker::{Header, Message, Position, Publication};

/// A record as it came.
pub(super) fn message(record: &BorrowedMessage<'_>) -> Message {
    let bytes = |bytes: Option<&[u8]>| bytes.map(Bytes::copy_from_slice);
    let millis = match record.timestamp() {
        Timestamp::NotAvailable => None,
        Timestamp::CreateTime(millis) | Timestamp::LogAppendTime(millis) => {
            u64::try_from(millis).ok()
        }
    };
    let topic = record.topic();
    Message {
        topic: topic.into(),
        position: Position {
            log: log(topic, record.partition()),
            offset: record.offset().max(0) as u64,
        },
        time: millis.map(|millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis)),
        key: bytes(record.key()),
        headers: headers(record),
        body: bytes(record.payload()),
    }
}

fn headers(record: &BorrowedMessage<'_>) -> Vec<Header> {
    let Some(headers) = record.headers() else {
        return Vec::new();
    };
    // rdkafka panics on a name that is not UTF-8, which no Kafka client can write but by mistake.
    let header = |index| {
        let header = catch_unwind(AssertUnwindSafe(|| headers.get(index))).ok()?;
        Some(Header {
            name: header.key.to_owned(),
            value: header.value.map(Bytes::copy_from_slice),
        })
    };
    (0..headers.count()).filter_map(header).collect()
}

/// A publication as a record, and who is told what becomes of it.
pub(super) fn record(
    publication: &Publication,
    tell: Opaque,
) -> BaseRecord<'_, [u8], [u8], Opaque> {
    let mut headers = OwnedHeaders::new_with_capacity(publication.headers.len());
    for header in &publication.headers {
        headers = headers.insert(Native {
            key: &header.name,
            value: header.value.as_deref(),
        });
    }
    let mut record: BaseRecord<'_, [u8], [u8], Opaque> =
        BaseRecord::with_opaque_to(&publication.topic, tell).headers(headers);
    if let Some(key) = &publication.key {
        record = record.key(key);
    }
    if let Some(body) = &publication.body {
        record = record.payload(body);
    }
    record
}
