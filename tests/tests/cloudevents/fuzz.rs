//! Valid messages with bytes changed, inserted, deleted and doubled: nothing panics, and what is still read can be
//! written in every mode and is stable from then on.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use openfaas_cloudevents::http::{Message, decode, encode_binary, encode_structured};
use openfaas_cloudevents::{Event, Limits, json, kafka, nats};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample;

use crate::properties::{MODES, event};
use crate::support::{cases, texts};

/// One change to a message's bytes; places are shares of its length.
#[derive(Clone, Debug)]
enum Mutation {
    Set(sample::Index, u8),
    Insert(sample::Index, Vec<u8>),
    Delete(sample::Index, usize),
    Double(sample::Index, usize),
    Swap(sample::Index, sample::Index),
}

/// Pieces that mean something to one of the parsers.
const PIECES: [&[u8]; 24] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"-0",
    b"1e9",
    b"\\ud800",
    b"\\u0000",
    b"%",
    b"%C0",
    b"%41",
    b";",
    b"=",
    b"/",
    b"\x00",
    b"\xff",
    b"\xe2\x82\xac",
    b"\"data_base64\":\"",
];

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        (any::<sample::Index>(), sample::select(PIECES.to_vec()))
            .prop_map(|(at, piece)| Mutation::Insert(at, piece.to_vec())),
        (any::<sample::Index>(), 1..12usize).prop_map(|(at, length)| Mutation::Delete(at, length)),
        (any::<sample::Index>(), 1..40usize).prop_map(|(at, length)| Mutation::Double(at, length)),
        (any::<sample::Index>(), any::<sample::Index>()).prop_map(|(a, b)| Mutation::Swap(a, b)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutations: &[Mutation]) {
    for mutation in mutations
        .iter()
        .filter(|_| !bytes.is_empty())
        .cloned()
        .collect::<Vec<_>>()
    {
        let length = bytes.len();
        if length == 0 {
            return;
        }
        match mutation {
            Mutation::Set(at, byte) => bytes[at.index(length)] = byte,
            Mutation::Insert(at, piece) => {
                let at = at.index(length);
                bytes.splice(at..at, piece);
            }
            Mutation::Delete(at, count) => {
                let at = at.index(length);
                bytes.drain(at..length.min(at + count));
            }
            Mutation::Double(at, count) => {
                let at = at.index(length);
                let piece = bytes[at..length.min(at + count)].to_vec();
                bytes.splice(at..at, piece);
            }
            Mutation::Swap(a, b) => bytes.swap(a.index(length), b.index(length)),
        }
    }
}

/// What holds for an event that was read from anything at all.
fn is_sound(event: &Event) -> Result<(), TestCaseError> {
    prop_assert_eq!(event.validate(), Ok(()));
    for (mode, way) in MODES {
        let once = way(event);
        let twice = way(&once);
        prop_assert_eq!(texts(&twice), texts(&once), "{}", mode);
        prop_assert_eq!(twice.data(), once.data(), "{}", mode);
        prop_assert_eq!(once.data().bytes(), event.data().bytes(), "{}", mode);
    }
    Ok(())
}

fn all_are_sound(
    message: Result<Message, openfaas_cloudevents::Error>,
) -> Result<(), TestCaseError> {
    match message {
        Ok(Message::Event(event)) => is_sound(&event),
        Ok(Message::Batch(events)) => events.iter().try_for_each(is_sound),
        Ok(Message::Other) => Ok(()),
        Err(error) => {
            prop_assert!(error.to_string().len() < 400, "{}", error);
            Ok(())
        }
    }
}

/// Headers as lines, so that names and values can be mutated like everything else.
fn lines(headers: &HeaderMap) -> Vec<u8> {
    headers
        .iter()
        .flat_map(|(name, value)| {
            [name.as_str().as_bytes(), b":", value.as_bytes(), b"\n"].concat()
        })
        .collect()
}

fn pairs(lines: &[u8]) -> Vec<(String, Vec<u8>)> {
    lines
        .split(|b| *b == b'\n')
        .filter_map(|line| {
            let colon = line.iter().position(|b| *b == b':')?;
            Some((
                String::from_utf8_lossy(&line[..colon]).into_owned(),
                line[colon + 1..].to_vec(),
            ))
        })
        .collect()
}

/// Those lines that an HTTP server would let through.
fn header_map(pairs: &[(String, Vec<u8>)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    headers
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_mutated_structured_event_is_read_soundly_or_refused(event in event(), mutations in vec(mutation(), 1..6)) {
        let mut body = json::encode(&event).unwrap().to_vec();
        mutate(&mut body, &mutations);
        let headers = encode_structured(&event).unwrap().0;
        all_are_sound(decode(&headers, body.into(), &Limits::default()))?;
    }

    #[test]
    fn a_mutated_batch_is_read_soundly_or_refused(events in vec(event(), 1..3), mutations in vec(mutation(), 1..4)) {
        let mut body = json::encode_batch(&events).unwrap().to_vec();
        mutate(&mut body, &mutations);
        if let Ok(events) = json::decode_batch(body.into()) {
            events.iter().try_for_each(is_sound)?;
        }
    }

    #[test]
    fn mutated_headers_are_read_soundly_or_refused(event in event(), mutations in vec(mutation(), 1..6)) {
        let (headers, body) = encode_binary(&event).unwrap();
        let mut lines = lines(&headers);
        mutate(&mut lines, &mutations);
        let pairs = pairs(&lines);
        all_are_sound(decode(&header_map(&pairs), body.clone(), &Limits::default()))?;
        let nats: Vec<(&str, String)> =
            pairs.iter().map(|(name, value)| (&**name, String::from_utf8_lossy(value).into_owned())).collect();
        all_are_sound(nats::decode(nats.iter().map(|(n, v)| (*n, &**v)), body.clone(), &Limits::default()))?;
        let kafka: Vec<(String, Vec<u8>)> = pairs.into_iter().map(|(n, v)| (n.replace("ce-", "ce_"), v)).collect();
        let kafka = kafka.iter().map(|(name, value)| (&**name, Some(&**value)));
        all_are_sound(kafka::decode(kafka, Some(body), &Limits::default()))?;
    }

    #[test]
    fn bytes_of_no_kind_at_all_are_read_soundly_or_refused(headers in vec(("(ce-[a-z]{0,4}|content-type)", vec(any::<u8>(), 0..30)), 0..6), body in vec(any::<u8>(), 0..200)) {
        let mut headers = header_map(&headers);
        headers.insert("ce-specversion", HeaderValue::from_static("1.0"));
        all_are_sound(decode(&headers, Bytes::from(body.clone()), &Limits::default()))?;
        prop_assert!(json::decode(body.into()).is_err());
    }
}
