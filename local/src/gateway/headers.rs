//! What the gateway does to the headers of a call and of its answer.

use std::{
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
        TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
    },
};

use super::SERVED_BY;

/// The id of a call.
pub(super) const CALL_ID: HeaderName = HeaderName::from_static("x-call-id");
/// When the gateway got it, in nanoseconds since 1970.
pub(super) const START_TIME: HeaderName = HeaderName::from_static("x-start-time");
/// Who answered.
const X_SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
/// The host that the caller asked for.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The caller.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Set by whoever answers in a function's place.
pub(super) const INTERNAL: HeaderName = HeaderName::from_static("x-openfaas-internal");

/// What never goes on to the next hop: this list, and not what `Connection` names, as in the gateway.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What the gateway notes of a call before it forwards it.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    /// Its id.
    call_id: HeaderValue,
    /// Whether the id is the gateway's own; then the answer bears it too.
    own: bool,
    /// When it came.
    start: HeaderValue,
    /// The media type of its body, which an answer without one takes over.
    content_type: Option<HeaderValue>,
}

impl Stamp {
    /// Takes a stamp of a call that comes in now.
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let given = headers.get(CALL_ID).filter(|id| !id.is_empty());
        let nanoseconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        Self {
            call_id: given.cloned().unwrap_or_else(|| text(&uuid())),
            own: given.is_none(),
            start: text(&nanoseconds.to_string()),
            content_type: headers.get(CONTENT_TYPE).cloned(),
        }
    }

    /// The id of the call.
    pub(super) fn call_id(&self) -> &str {
        self.call_id.to_str().unwrap_or_default()
    }

    /// Makes the headers of a call those that the function gets.
    pub(super) fn call(&self, headers: &mut HeaderMap, peer: Option<SocketAddr>) {
        strip(headers);
        // A body is always sent in chunks, as the gateway sends it.
        headers.remove(CONTENT_LENGTH);
        headers.insert(CALL_ID, self.call_id.clone());
        headers.insert(START_TIME, self.start.clone());
        if let Some(host) = headers.remove(HOST) {
            headers.insert(FORWARDED_HOST, host);
        }
        if let Some(peer) = peer {
            headers
                .entry(FORWARDED_FOR)
                .or_insert_with(|| text(&peer.to_string()));
        }
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(SERVED_BY));
    }

    /// Makes the headers of a function's answer those that the caller gets.
    pub(super) fn answer(&self, headers: &mut HeaderMap) {
        strip(headers);
        let otherwise = || {
            self.content_type
                .clone()
                .unwrap_or(HeaderValue::from_static("text/plain"))
        };
        headers.entry(CONTENT_TYPE).or_insert_with(otherwise);
        self.own(headers);
    }

    /// Adds what every answer of the gateway bears.
    pub(super) fn own(&self, headers: &mut HeaderMap) {
        headers
            .entry(START_TIME)
            .or_insert_with(|| self.start.clone());
        headers
            .entry(X_SERVED_BY)
            .or_insert(HeaderValue::from_static(SERVED_BY));
        if self.own {
            headers
                .entry(CALL_ID)
                .or_insert_with(|| self.call_id.clone());
        }
    }
}

/// A random UUID, version 4.
#[must_use]
pub fn uuid() -> String {
    let random = fastrand::u128(..);
    let id = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{id:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

fn strip(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers<const N: usize>(pairs: [(&'static str, &'static str); N]) -> HeaderMap {
        let pair = |(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.into_iter().map(pair).collect()
    }

    #[test]
    fn a_call_is_stamped_and_loses_what_is_for_one_hop() {
        let mut call = headers([
            ("host", "shop.example"),
            ("connection", "x-kept"),
            ("x-kept", "1"),
            ("te", "trailers"),
            ("content-length", "3"),
            ("traceparent", "00-1-2-01"),
        ]);
        let stamp = Stamp::new(&call);
        stamp.call(&mut call, Some(([10, 0, 0, 1], 99).into()));
        let mut names: Vec<_> = call.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let expected = [
            "traceparent",
            "user-agent",
            "x-call-id",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-kept",
            "x-start-time",
        ];
        assert_eq!(names, expected);
        assert_eq!(call["x-forwarded-for"], "10.0.0.1:99");
        assert_eq!(call["x-forwarded-host"], "shop.example");
        assert_eq!(call["x-start-time"].len(), 19);
    }

    #[test]
    fn a_call_id_of_the_callers_own_is_kept_and_not_echoed() {
        let mut call = headers([("x-call-id", "theirs"), ("x-forwarded-for", "1.2.3.4")]);
        let stamp = Stamp::new(&call);
        stamp.call(&mut call, Some(([10, 0, 0, 1], 99).into()));
        assert_eq!(
            (&call["x-call-id"], &call["x-forwarded-for"]),
            (&text("theirs"), &text("1.2.3.4"))
        );
        let mut answer = HeaderMap::new();
        stamp.answer(&mut answer);
        assert_eq!(answer.get("x-call-id"), None);
        assert_eq!(answer["content-type"], "text/plain");
    }

    #[test]
    fn what_the_function_sets_wins() {
        let stamp = Stamp::new(&headers([("content-type", "application/json")]));
        let mut answer = headers([("x-start-time", "1")]);
        stamp.answer(&mut answer);
        assert_eq!(answer["x-start-time"], "1");
        assert_eq!(answer["content-type"], "application/json");
        assert_eq!(answer["x-call-id"], stamp.call_id());
    }

    #[test]
    fn ids_have_the_form_of_version_4() {
        let id = uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
        assert!(["8", "9", "a", "b"].contains(&&id[19..20]), "{id}");
        assert_ne!(id, uuid());
    }
}
