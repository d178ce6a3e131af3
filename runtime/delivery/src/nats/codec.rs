//! How an event stands in a NATS message, and a NATS message in ours.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::stream::RawMessage;
use async_nats::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use openfaas_cloudevents::{Event, Limits, nats as binding};

use crate::broker::{Decoded, Header, Message, Position, Publication};
use crate::wiring::Format;

/// Reads a message; one that never claimed to be a CloudEvent is wrapped.
pub(super) fn decode(message: &Message) -> Decoded {
    if let Some(header) = message.headers.iter().find(|header| !is_readable(header)) {
        return Decoded::Broken(format!(
            "no client of NATS has to read its header {:?}: a name is of visible ASCII without a colon, a value of UTF-8 without CR, and the first line is NATS/1.0",
            header.name
        ));
    }
    let headers = message
        .headers
        .iter()
        .filter_map(|header| Some((header.name.as_str(), header.text()?)));
    let body = message.body.clone().unwrap_or_default();
    Decoded::of(message, binding::decode(headers, body, &Limits::default()))
}

/// Writes an event.
pub(super) fn encode(
    topic: &Arc<str>,
    event: &Event,
    format: Format,
) -> Result<Publication, String> {
    let (headers, body) = match format {
        Format::Binary => binding::encode_binary(event),
        Format::Structured => binding::encode_structured(event),
    }
    .map_err(|error| error.to_string())?;
    let headers = headers
        .into_iter()
        .map(|(name, value)| Header::new(name, value))
        .collect();
    Ok(Publication {
        topic: Arc::clone(topic),
        dedup: None,
        key: None,
        headers,
        body: Some(body),
    })
}

/// A message as it came.
pub(super) fn message(
    message: async_nats::Message,
    topic: Arc<str>,
    position: Position,
    time: SystemTime,
) -> Message {
    Message {
        topic,
        position,
        time: Some(time),
        key: None,
        headers: message.headers.as_ref().map(headers).unwrap_or_default(),
        body: Some(message.payload),
    }
}

/// A message as it lies in its stream, whatever its headers are.
///
/// # Errors
/// The server's own encoding of it is none.
pub(super) fn stored(message: RawMessage, log: &Arc<str>) -> Result<Message, base64::DecodeError> {
    let headers = message.headers.map(|block| STANDARD.decode(block));
    let headers = headers.transpose()?.unwrap_or_default();
    Ok(Message {
        topic: message.subject.into(),
        position: Position {
            log: Arc::clone(log),
            offset: message.sequence,
        },
        time: Some(SystemTime::from(message.time)),
        key: None,
        headers: sorted(lines(&headers)),
        body: Some(STANDARD.decode(message.payload)?.into()),
    })
}

/// The lines of a block of headers (`NATS/1.0`, then `name: value`, each with CRLF after it). One without a colon is a name
/// without a value, as is a first one of another version; one that begins with white space goes on with the value before it.
fn lines(block: &[u8]) -> Vec<Header> {
    let bare = |line: &[u8]| Header {
        name: String::from_utf8_lossy(line).into_owned(),
        value: None,
    };
    let lines = block.split(|byte| *byte == b'\n');
    let mut lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let version = lines
        .next()
        .filter(|line| !block.is_empty() && !is_version(line));
    let mut headers: Vec<Header> = version.map(bare).into_iter().collect();
    for line in lines {
        let goes_on = line.first().is_some_and(u8::is_ascii_whitespace);
        let colon = line.iter().position(|byte| *byte == b':');
        match (goes_on, headers.last_mut(), colon) {
            _ if line.is_empty() => {}
            (
                true,
                Some(Header {
                    value: Some(value), ..
                }),
                _,
            ) => {
                *value = [value, line].concat().into();
            }
            (_, _, Some(colon)) => {
                let value = Bytes::copy_from_slice(line[colon + 1..].trim_ascii());
                headers.push(Header::new(String::from_utf8_lossy(&line[..colon]), value));
            }
            (_, _, None) => headers.push(bare(line)),
        }
    }
    headers
}

/// Whether a client reads this first line: the version, and perhaps a status of three digits with words after it.
fn is_version(line: &[u8]) -> bool {
    let line = std::str::from_utf8(line).ok();
    line.and_then(|line| line.strip_prefix("NATS/1.0"))
        .is_some_and(|rest| {
            let status = rest.trim().split(' ').next().unwrap_or_default();
            status.is_empty() || status.parse::<StatusCode>().is_ok()
        })
}

/// Whether a client reads this header; ours ends the connection for one that it does not.
pub(super) fn is_readable(header: &Header) -> bool {
    let value = header.text();
    header.name.bytes().all(is_of_name) && value.is_some_and(|value| !value.contains('\r'))
}

/// Whether a name may have this byte (NATS ADR-4).
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b':'
}

/// The headers of a publication, its dedup id among them. What cannot be in one is written in another way: bytes of a name
/// as `%XX`, bytes of a value that are no UTF-8 as U+FFFD, and the end of a line as a space.
pub(super) fn header_map(publication: &Publication) -> HeaderMap {
    let mut map = HeaderMap::new();
    for header in &publication.headers {
        let value = String::from_utf8_lossy(header.value.as_deref().unwrap_or_default());
        map.append(&*possible(&header.name), value.replace(['\r', '\n'], " "));
    }
    if let Some(id) = &publication.dedup {
        map.insert(NATS_MESSAGE_ID, id.as_str());
    }
    map
}

/// A name that a header can have.
fn possible(name: &str) -> Cow<'_, str> {
    if !name.is_empty() && name.bytes().all(is_of_name) {
        return name.into();
    }
    let byte = |byte: u8| match is_of_name(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    match name {
        "" => "%".into(),
        name => name.bytes().map(byte).collect::<String>().into(),
    }
}

fn headers(map: &HeaderMap) -> Vec<Header> {
    let headers = map
        .iter()
        .flat_map(|(name, values)| {
            let name: &str = name.as_ref();
            let value = move |value: &async_nats::HeaderValue| {
                Header::new(name, Bytes::copy_from_slice(value.as_ref()))
            };
            values.iter().map(value)
        })
        .collect();
    sorted(headers)
}

/// By name: the client keeps the order of values of one name, and none of the names.
fn sorted(mut headers: Vec<Header>) -> Vec<Header> {
    headers.sort_by(|one, other| one.name.cmp(&other.name));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header for each line, as its name and its value.
    fn read(block: &[u8]) -> Vec<(String, Option<Vec<u8>>)> {
        let value = |value: Bytes| value.to_vec();
        let pair = |header: Header| (header.name, header.value.map(value));
        lines(block).into_iter().map(pair).collect()
    }

    #[test]
    fn a_block_of_headers_is_read_whatever_is_in_it() {
        let block =
            b"NATS/1.0\r\nA: one\r\n  more\r\nB:caf\xe9\r\nno colon\r\nX Y: z\r\n: none\r\nC: x\ry\r\n\r\n";
        let expected = [
            ("A", Some(&b"one  more"[..])),
            ("B", Some(b"caf\xe9")),
            ("no colon", None),
            ("X Y", Some(b"z")),
            ("", Some(b"none")),
            ("C", Some(b"x\ry")),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)));
        assert_eq!(read(block), expected);
        let readable: Vec<_> = lines(block).iter().map(is_readable).collect();
        assert_eq!(readable, [true, false, false, false, true, false]);
    }

    #[test]
    fn a_first_line_of_another_version_is_a_header_that_nobody_reads() {
        for version in ["NATS/1.0", "NATS/1.0 503", "NATS/1.0 404 No Messages"] {
            let block = format!("{version}\r\nA: one\r\n\r\n");
            assert_eq!(
                read(block.as_bytes()),
                [("A".to_owned(), Some(b"one".to_vec()))]
            );
        }
        for version in ["NATS/2.0", "", "NATS/1.0 many", "A: zero"] {
            let block = format!("{version}\r\nA: one\r\n\r\n");
            let headers = lines(block.as_bytes());
            assert_eq!(headers[0].name, version);
            assert!(!is_readable(&headers[0]));
            assert_eq!(headers[1].name, "A");
        }
        assert_eq!(read(b""), []);
    }

    #[test]
    fn a_letter_can_be_written_whatever_headers_it_has() {
        let letter = Publication {
            topic: "dead".into(),
            dedup: None,
            key: None,
            headers: lines(b"NATS/1.0\r\nX Y: caf\xe9\r\nno colon\r\n: none\r\n"),
            body: None,
        };
        let map = header_map(&letter);
        let value = |name: &str| map.get(name).map(|value| value.as_str().to_owned());
        assert_eq!(value("X%20Y").as_deref(), Some("caf\u{fffd}"));
        assert_eq!(value("no%20colon").as_deref(), Some(""));
        assert_eq!(value("%").as_deref(), Some("none"));
    }
}
