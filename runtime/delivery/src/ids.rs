//! Identifiers made from what they stand for, so that the same thing done twice has the same name.

use std::time::{SystemTime, UNIX_EPOCH};

use openfaas_cloudevents::Event;
use sha2::{Digest, Sha256};

/// The first 128 bits of the SHA-256 of `parts`, as 32 lower-case hexadecimal digits.
///
/// Each part goes in with its length before it (64 bits, big endian), so that no two lists of parts run together.
pub fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    hexadecimal(&digest(parts)[..16])
}

/// The first 32 bits of the same hash, as 8 digits: to tell apart names that otherwise would be one.
pub fn short_hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    hexadecimal(&digest(parts)[..4])
}

/// The id of a reply that has none of its own: of its cause's source and id, the function, and its index in the answer.
pub fn reply(source: &str, id: &str, function: &str, index: usize) -> String {
    let index = (index as u64).to_be_bytes();
    hash([
        b"reply".as_slice(),
        source.as_bytes(),
        id.as_bytes(),
        function.as_bytes(),
        &index,
    ])
}

/// What makes the publication of a reply known to a broker when it is repeated (`Nats-Msg-Id`): its subject, the position
/// of the input it answers, and its own id, type and data. With anything less, what a handler answers the second time is
/// swallowed.
pub fn publication(subject: &str, log: &str, offset: u64, reply: &Event) -> String {
    let [id, ty] = [reply.id(), reply.ty()].map(str::as_bytes);
    let offset = offset.to_be_bytes();
    hash([
        b"publication".as_slice(),
        subject.as_bytes(),
        log.as_bytes(),
        &offset,
        id,
        ty,
        reply.data().bytes(),
    ])
}

/// The same for a dead letter: the function, and log, offset and time of the message it ends. A log that was made anew
/// counts from one again; the time tells the two apart.
pub fn letter(
    namespace: &str,
    function: &str,
    log: &str,
    offset: u64,
    time: Option<SystemTime>,
) -> String {
    let since = time
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default();
    let (offset, nanos) = (offset.to_be_bytes(), since.as_nanos().to_be_bytes());
    hash([
        b"letter".as_slice(),
        namespace.as_bytes(),
        function.as_bytes(),
        log.as_bytes(),
        &offset,
        &nanos,
    ])
}

/// The same for a letter that is put back: log and offset of the letter, and when it was stored.
pub fn put_back(log: &str, offset: u64, time: Option<SystemTime>) -> String {
    let since = time
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default();
    let (offset, nanos) = (offset.to_be_bytes(), since.as_nanos().to_be_bytes());
    hash([b"put-back".as_slice(), log.as_bytes(), &offset, &nanos])
}

/// The same for an event that a function publishes of its own: its topic, and what was made for this publication alone.
pub fn emission(topic: &str, unique: &str) -> String {
    hash([b"emission".as_slice(), topic.as_bytes(), unique.as_bytes()])
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}

#[cfg(test)]
mod tests {
    use openfaas_cloudevents::Data;

    use super::*;

    fn of(parts: &[&str]) -> String {
        hash(parts.iter().map(|part| part.as_bytes()))
    }

    #[test]
    fn a_hash_is_stable_and_32_digits_long() {
        // printf '\0\0\0\0\0\0\0\1a' | sha256sum
        assert_eq!(of(&["a"]), "3b196fd4907bedf51c3090e9835f2f7c");
        assert_eq!(of(&["a"]).len(), 32);
        assert_eq!(short_hash([b"a".as_slice()]), of(&["a"])[..8]);
    }

    #[test]
    fn parts_do_not_run_together() {
        let hashes = [
            of(&["ab", "c"]),
            of(&["a", "bc"]),
            of(&["abc"]),
            of(&["abc", ""]),
            of(&["", "abc"]),
        ];
        for (index, one) in hashes.iter().enumerate() {
            assert!(hashes[index + 1..].iter().all(|other| other != one));
        }
    }

    #[test]
    fn a_reply_is_published_once_per_subject_input_and_content() {
        let event = |id: &str, ty: &str, data: &'static str| {
            Event::new(ty, Data::json(data))
                .with_id(id)
                .with_source("/s")
        };
        let reply = event("1", "t", "{}");
        let ids = [
            publication("payments", "orders/3", 17, &reply),
            publication("audit", "orders/3", 17, &reply),
            publication("payments", "orders/4", 17, &reply),
            publication("payments", "orders/3", 18, &reply),
            publication("payments", "orders/3", 17, &event("2", "t", "{}")),
            publication("payments", "orders/3", 17, &event("1", "u", "{}")),
            publication("payments", "orders/3", 17, &event("1", "t", "[]")),
        ];
        for (index, one) in ids.iter().enumerate() {
            assert!(ids[index + 1..].iter().all(|other| other != one), "{index}");
        }
        assert_eq!(
            ids[0],
            publication(
                "payments",
                "orders/3",
                17,
                &reply.with_extension("hopcount", 3)
            )
        );
    }
}
