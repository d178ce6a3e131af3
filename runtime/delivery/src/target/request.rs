//! The request that a call becomes.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use openfaas_cloudevents::{Error, http as binding, json};

use crate::call::{Answer, Call, Payload};
use crate::duration;
use crate::wiring::Format;

/// The topic the events came from; OpenFaaS's connectors say it so.
const TOPIC: HeaderName = HeaderName::from_static("x-topic");
/// Who calls; likewise.
const CONNECTOR: HeaderName = HeaderName::from_static("x-connector");
const CALL_ID: HeaderName = HeaderName::from_static("x-call-id");
/// A Go duration, by which the function gives up.
const TIMEOUT: HeaderName = HeaderName::from_static("x-timeout");
const ATTEMPT: HeaderName = HeaderName::from_static("x-delivery-attempt");

/// Servers take about a hundred header lines, and a gateway adds some of its own. What is only said of a message goes as
/// far as this …
const MOST_LINES: usize = 80;

/// … and this, in bytes.
const MOST_BYTES: usize = 16 << 10;

/// A call as a POST to `uri`.
///
/// # Errors
/// An event that cannot be written in the format of the call.
pub fn request(call: &Call, uri: Uri) -> Result<Request<Bytes>, Error> {
    let (mut headers, body) = payload(call)?;
    let mut say = |name: HeaderName, value: &str| {
        // A topic that no header can hold is left out.
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            headers.insert(name, value);
        }
    };
    say(TOPIC, &call.topic);
    say(CONNECTOR, &call.connector);
    say(USER_AGENT, &call.connector);
    say(CALL_ID, &call.call_id);
    say(TIMEOUT, &duration::format(call.told()));
    // Without this a Go gateway asks for gzip in our name.
    say(ACCEPT_ENCODING, "identity");
    if let Some(attempt) = call.attempt {
        say(ATTEMPT, &attempt.to_string());
    }
    if let Some(trace) = &call.trace {
        trace.inject(&mut headers);
    }
    add(&call.headers, &mut headers);
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Says of the message what there is room for.
fn add(said: &HeaderMap, headers: &mut HeaderMap) {
    let mut room = MOST_BYTES;
    for (name, value) in said {
        let size = name.as_str().len() + value.len();
        if headers.len() >= MOST_LINES || size > room {
            return;
        }
        room -= size;
        headers.append(name, value.clone());
    }
}

/// The answer to an event that no request can hold: it will never be delivered.
pub fn unwritable(error: &Error) -> Answer {
    let body = format!("the event cannot be written: {error}");
    Answer::new(StatusCode::UNPROCESSABLE_ENTITY, HeaderMap::new(), body)
}

fn payload(call: &Call) -> Result<(HeaderMap, Bytes), Error> {
    match (&call.payload, call.format) {
        (Payload::One(event), Format::Binary) => binding::encode(event),
        (Payload::One(event), Format::Structured) => binding::encode_structured(event),
        (Payload::Batch(events), _) => {
            let mut body = BytesMut::from(&b"["[..]);
            for (index, event) in events.iter().enumerate() {
                if index > 0 {
                    body.put_u8(b',');
                }
                body.extend_from_slice(&json::encode(event)?);
            }
            body.put_u8(b']');
            let media_type = HeaderValue::from_static(json::BATCH_MEDIA_TYPE);
            Ok((
                HeaderMap::from_iter([(CONTENT_TYPE, media_type)]),
                body.freeze(),
            ))
        }
    }
}
