//! W3C trace context: who a span is, and how it travels in headers and event attributes.

use std::fmt;
use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::tracestate;

/// The header and the CloudEvents attribute that name the span on the other side of a hop.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header and the CloudEvents attribute in which tracing systems keep notes of their own.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The header in which an application passes on notes of its own.
pub const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// Most bytes of baggage that are passed on, as W3C has it; more of it is not passed on at all.
const MAX_BAGGAGE: usize = 8192;
/// Length of a version 00 `traceparent`.
const TRACEPARENT_LEN: usize = 55;
const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// The value of each byte as a digit, or [`NO_DIGIT`].
const VALUES: [u8; 256] = values();
const NO_DIGIT: u8 = 0x80;

/// Sixteen bytes, never all zero: one trace.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId([u8; 16]);

/// Eight bytes, never all zero: one span of a trace.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId([u8; 8]);

/// The flags of a trace: whether it is sampled, and whether its id is random enough to sample by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TraceFlags(u8);

/// One span's identity as the next hop is told it.
///
/// Parsing follows the W3C recommendation to the letter: a `traceparent` that is wrong anywhere is ignored whole, later
/// versions are read as far as version 00 goes, the random flag survives, and a `tracestate` that is wrong is dropped
/// without the `traceparent`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceContext {
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
    tracestate: Option<Arc<str>>,
    baggage: Option<Arc<str>>,
}

// === impl TraceId, SpanId, TraceFlags ===

impl TraceId {
    /// The id with these bytes; `None` when all are zero.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }

    /// The bytes, most significant first.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Its lower-case hexadecimal digits.
    pub(crate) fn hex(self) -> [u8; 32] {
        let mut text = [0; 32];
        hex(&self.0, &mut text);
        text
    }

    /// A new id, drawn at random.
    pub(crate) fn random() -> Self {
        Self::from_bytes(fastrand::u128(..).to_be_bytes()).unwrap_or_else(Self::random)
    }

    /// The low 63 bits that `traceidratio` compares with its threshold.
    pub(crate) fn low_bits(self) -> u64 {
        let low = u128::from_be_bytes(self.0) as u64;
        low >> 1
    }
}

impl SpanId {
    /// The id with these bytes; `None` when all are zero.
    pub fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        (bytes != [0; 8]).then_some(Self(bytes))
    }

    /// The bytes, most significant first.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0
    }

    /// Its lower-case hexadecimal digits.
    pub(crate) fn hex(self) -> [u8; 16] {
        let mut text = [0; 16];
        hex(&self.0, &mut text);
        text
    }

    /// A new id, drawn at random.
    pub(crate) fn random() -> Self {
        Self::from_bytes(fastrand::u64(..).to_be_bytes()).unwrap_or_else(Self::random)
    }
}

impl TraceFlags {
    /// The spans of this trace are recorded.
    pub const SAMPLED: Self = Self(0x01);
    /// The trace id's last seven bytes are random.
    pub const RANDOM: Self = Self(0x02);

    /// The bits that version 00 knows; all others are sent as zero.
    pub fn from_bits(bits: u8) -> Self {
        Self(bits & 0x03)
    }

    /// The bits.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether the spans of this trace are recorded.
    pub fn sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// The same flags with the sampled bit as given.
    pub fn with_sampled(self, sampled: bool) -> Self {
        Self((self.0 & !Self::SAMPLED.0) | u8::from(sampled))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(ascii(&self.hex()))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(ascii(&self.hex()))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanId({self})")
    }
}

impl fmt::Debug for TraceFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceFlags({:02x})", self.0)
    }
}

// === impl TraceContext ===

impl TraceContext {
    /// A context of these parts.
    pub fn new(trace_id: TraceId, span_id: SpanId, flags: TraceFlags) -> Self {
        Self {
            trace_id,
            span_id,
            flags,
            tracestate: None,
            baggage: None,
        }
    }

    /// The first span of a new trace.
    pub fn new_root(sampled: bool) -> Self {
        let flags = TraceFlags::RANDOM.with_sampled(sampled);
        Self::new(TraceId::random(), SpanId::random(), flags)
    }

    /// A new span below this one, of the same trace, flags and tracestate.
    pub fn child(&self) -> Self {
        Self {
            span_id: SpanId::random(),
            ..self.clone()
        }
    }

    /// The same span with the sampled flag as given.
    pub fn with_sampled(mut self, sampled: bool) -> Self {
        self.flags = self.flags.with_sampled(sampled);
        self
    }

    /// Reads a `traceparent` and the `tracestate` values that came with it, in their order.
    ///
    /// `None` when the `traceparent` is not valid; the `tracestate` is not looked at then.
    pub fn parse<'a>(
        traceparent: &str,
        tracestate: impl IntoIterator<Item = &'a str>,
    ) -> Option<Self> {
        let mut context = parse_traceparent(traceparent.as_bytes())?;
        context.tracestate = tracestate::combine(tracestate);
        Some(context)
    }

    /// Reads the `traceparent`, `tracestate` and `baggage` headers. Two `traceparent` headers are none.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let traceparent = values.next()?;
        if values.next().is_some() {
            return None;
        }
        let mut context = parse_traceparent(traceparent.as_bytes())?;
        if headers.contains_key(TRACESTATE) {
            let values: Result<Vec<_>, _> = headers
                .get_all(TRACESTATE)
                .iter()
                .map(HeaderValue::to_str)
                .collect();
            context.tracestate = values.ok().and_then(tracestate::combine);
        }
        if headers.contains_key(BAGGAGE) {
            context.baggage = baggage(headers);
        }
        Some(context)
    }

    /// Writes this context into the headers of an outgoing message, in place of what they say. Baggage that is there
    /// already stays.
    pub fn inject(&self, headers: &mut HeaderMap) {
        let mut text = [0; TRACEPARENT_LEN];
        self.write_traceparent(&mut text);
        headers.remove(TRACESTATE);
        if let Ok(value) = HeaderValue::from_bytes(&text) {
            headers.insert(TRACEPARENT, value);
        }
        if let Some(Ok(value)) = self.tracestate().map(HeaderValue::from_str) {
            headers.insert(TRACESTATE, value);
        }
        if let Some(Ok(value)) = self.baggage().map(HeaderValue::from_str) {
            headers.entry(BAGGAGE).or_insert(value);
        }
    }

    /// This context as a `traceparent` of version 00.
    pub fn traceparent(&self) -> String {
        let mut text = [0; TRACEPARENT_LEN];
        self.write_traceparent(&mut text);
        ascii(&text).to_owned()
    }

    /// The trace.
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The span.
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The flags.
    pub fn flags(&self) -> TraceFlags {
        self.flags
    }

    /// Whether the spans of this trace are recorded.
    pub fn sampled(&self) -> bool {
        self.flags.sampled()
    }

    /// The combined `tracestate`, at most 512 characters.
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_deref()
    }

    /// The combined `baggage`, untouched.
    pub fn baggage(&self) -> Option<&str> {
        self.baggage.as_deref()
    }

    /// The same without baggage.
    pub(crate) fn without_baggage(mut self) -> Self {
        self.baggage = None;
        self
    }

    fn write_traceparent(&self, text: &mut [u8; TRACEPARENT_LEN]) {
        text.fill(b'-');
        text[..2].fill(b'0');
        hex(&self.trace_id.0, &mut text[3..35]);
        hex(&self.span_id.0, &mut text[36..52]);
        hex(&[self.flags.0], &mut text[53..]);
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.traceparent())
    }
}

fn parse_traceparent(text: &[u8]) -> Option<TraceContext> {
    let (known, rest) = text.split_at_checked(TRACEPARENT_LEN)?;
    let mut version = [0; 1];
    unhex(&known[..2], &mut version)?;
    match version[0] {
        0x00 if !rest.is_empty() => return None,
        0xff => return None,
        _ if rest.first().is_some_and(|byte| *byte != b'-') => return None,
        _ => {}
    }
    if known[2] != b'-' || known[35] != b'-' || known[52] != b'-' {
        return None;
    }
    let (mut trace_id, mut span_id, mut flags) = ([0; 16], [0; 8], [0; 1]);
    unhex(&known[3..35], &mut trace_id)?;
    unhex(&known[36..52], &mut span_id)?;
    unhex(&known[53..], &mut flags)?;
    Some(TraceContext::new(
        TraceId::from_bytes(trace_id)?,
        SpanId::from_bytes(span_id)?,
        TraceFlags::from_bits(flags[0]),
    ))
}

fn baggage(headers: &HeaderMap) -> Option<Arc<str>> {
    let values = headers.get_all(BAGGAGE).iter().map(HeaderValue::to_str);
    let list = values.collect::<Result<Vec<_>, _>>().ok()?.join(",");
    (list.len() <= MAX_BAGGAGE).then(|| list.into())
}

const fn values() -> [u8; 256] {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < DIGITS.len() {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
}

fn hex(bytes: &[u8], text: &mut [u8]) {
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0x0f)];
    }
}

/// Lower case only: upper case is not valid in a `traceparent`.
fn unhex(text: &[u8], bytes: &mut [u8]) -> Option<()> {
    let mut wrong = 0;
    for (pair, byte) in text.chunks_exact(2).zip(bytes) {
        let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
        wrong |= high | low;
        *byte = high << 4 | (low & 0x0f);
    }
    (wrong & NO_DIGIT == 0).then_some(())
}

fn ascii(text: &[u8]) -> &str {
    std::str::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
