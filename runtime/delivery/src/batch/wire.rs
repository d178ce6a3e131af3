//! The 207 on the wire: `{"results":[{"status":204},{"status":503,"retryAfter":5,"error":"…"}]}`.

use std::borrow::Cow;
use std::time::Duration;

use openfaas_cloudevents::{Error, Event, json};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::answer::BACK_OFF;

/// The body of a 207.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct BatchAnswer {
    /// One per event, in the order of the batch.
    pub results: Vec<Entry>,
}

/// What became of one event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// What the answer's status would have been, had the event been sent alone; 424 for one that was not tried because
    /// an earlier one of its `partitionkey` is to be retried.
    pub status: u16,
    /// Replies, each in the JSON format of CloudEvents. Only with 200 or 201.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<Box<RawValue>>>,
    /// The wait that a retry asks for, in seconds; may have a fraction.
    #[serde(
        default,
        rename = "retryAfter",
        skip_serializing_if = "Option::is_none",
        serialize_with = "seconds"
    )]
    pub retry_after: Option<f64>,
    /// `back-off` beside a `retryAfter` of 0, as [`WAIT`](crate::answer::WAIT) is beside a Retry-After of 0: no wait is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Cow<'static, str>>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl BatchAnswer {
    /// The status of an answer of this form.
    pub const STATUS: http::StatusCode = http::StatusCode::MULTI_STATUS;
    /// Its media type.
    pub const MEDIA_TYPE: &str = "application/json";
}

impl Entry {
    /// Only a status.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            events: None,
            retry_after: None,
            wait: None,
            error: None,
        }
    }

    /// Done, nothing to say: 204.
    pub fn done() -> Self {
        Self::new(204)
    }

    /// Done, with replies: 200; 204 without any.
    ///
    /// # Errors
    /// A reply that is no valid CloudEvent.
    pub fn replied(replies: &[Event]) -> Result<Self, Error> {
        if replies.is_empty() {
            return Ok(Self::done());
        }
        let events = replies.iter().map(raw).collect::<Result<_, _>>()?;
        Ok(Self {
            events: Some(events),
            ..Self::new(200)
        })
    }

    /// Again, after a while, whatever `codes` says: 503. Without a wait that is the sender's back-off.
    pub fn retry(after: Option<Duration>, error: impl Into<String>) -> Self {
        Self {
            retry_after: Some(after.unwrap_or_default().as_secs_f64()),
            wait: after.is_none().then_some(Cow::Borrowed(BACK_OFF)),
            error: Some(error.into()),
            ..Self::new(503)
        }
    }

    /// Never: 422.
    pub fn rejected(error: impl Into<String>) -> Self {
        Self {
            error: Some(error.into()),
            ..Self::new(422)
        }
    }

    /// Not tried, because an earlier one of its `partitionkey` is to be retried: 424.
    pub fn not_tried() -> Self {
        Self::new(424)
    }
}

/// Whole seconds without a fraction, as in a Retry-After.
fn seconds<S: Serializer>(wait: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match wait {
        Some(wait) if wait.fract() == 0.0 => serializer.serialize_u64(*wait as u64),
        other => other.serialize(serializer),
    }
}

fn raw(event: &Event) -> Result<Box<RawValue>, Error> {
    let text = json::encode(event)?;
    // What the codec writes is JSON, and JSON is UTF-8.
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned()))
}
