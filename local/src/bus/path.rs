//! One message and all it caused.

use std::time::{Duration, SystemTime};

use openfaas_cloudevents::Event;
use openfaas_delivery::broker::Position;
use openfaas_telemetry::TraceContext;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Bus, Fate};

/// How many hops are shown. Chains end before that.
const DEEPEST: usize = 64;

/// One message and all it caused: who got it, what came of that, and the messages that came of it in turn.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Path {
    /// The topic it was published to.
    pub topic: String,
    /// Its place there; none when nobody has received it.
    pub offset: Option<u64>,
    /// The event's id.
    pub id: String,
    /// Its source.
    pub source: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: String,
    /// Its subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Its trace id, 32 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// What each function that hangs on the topic made of it.
    pub functions: Vec<Visit>,
}

/// What one function made of a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Visit {
    /// The function.
    pub function: String,
    /// What was decided; none while nothing is.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// When it was first held; none when it was not yet.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "instant")]
    pub received: Option<SystemTime>,
    /// The calls.
    pub attempts: Vec<Attempt>,
    /// From when it was first held until it was settled, or until now.
    #[serde(
        rename = "milliseconds",
        serialize_with = "to_milliseconds",
        deserialize_with = "from_milliseconds"
    )]
    pub took: Duration,
    /// What it replied.
    pub replies: Vec<Path>,
}

/// What was decided about a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    tag = "verdict"
)]
pub enum Verdict {
    /// Nothing yet.
    Pending,
    /// The function took it.
    Done,
    /// The filter left it out.
    Filtered,
    /// It is a dead letter.
    DeadLetter {
        /// Where.
        #[serde(rename = "deadLetterTopic")]
        topic: String,
        /// Why.
        reason: String,
    },
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Counted from 1; a call that brought no answer may have the number of the next one.
    pub number: u32,
    /// How long after the message was first held it began.
    #[serde(
        rename = "afterMilliseconds",
        serialize_with = "to_milliseconds",
        deserialize_with = "from_milliseconds"
    )]
    pub after: Duration,
    /// How long it took.
    #[serde(
        rename = "milliseconds",
        serialize_with = "to_milliseconds",
        deserialize_with = "from_milliseconds"
    )]
    pub took: Duration,
    /// The status of its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<String>,
}

impl Path {
    /// Whether nothing more can come of it: every function has decided about it and about all it caused.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.visits().all(|visit| visit.verdict != Verdict::Pending)
    }

    /// Every visit, this message's first.
    pub fn visits(&self) -> Box<dyn Iterator<Item = &Visit> + '_> {
        Box::new(self.functions.iter().flat_map(|visit| {
            std::iter::once(visit).chain(visit.replies.iter().flat_map(Path::visits))
        }))
    }

    /// What a function made of this message or of one that it caused.
    #[must_use]
    pub fn visit(&self, function: &str) -> Option<&Visit> {
        self.visits().find(|visit| visit.function == function)
    }

    /// How many of them ended as dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> usize {
        self.visits()
            .filter(|visit| matches!(visit.verdict, Verdict::DeadLetter { .. }))
            .count()
    }
}

/// The path of the message at `position`. None when it is no longer remembered.
pub(super) fn of(bus: &Bus, position: &Position) -> Option<Path> {
    let (topic, event) = bus.trail.event(position)?;
    Some(path(bus, &topic, &event, Some(position.clone()), 0))
}

fn path(bus: &Bus, topic: &str, event: &Event, position: Option<Position>, depth: usize) -> Path {
    let position = position.or_else(|| bus.trail.place(topic, event));
    let mut fates = position
        .as_ref()
        .map(|position| bus.trail.fates(position))
        .unwrap_or_default();
    for function in bus.delivered(topic) {
        fates.entry(function).or_insert_with(Fate::new);
    }
    let trace = event
        .text("traceparent")
        .and_then(|text| TraceContext::parse(&text, std::iter::empty()));
    let visits = fates
        .into_iter()
        .map(|(function, fate)| visit(bus, function, fate, depth));
    Path {
        topic: topic.to_owned(),
        offset: position.map(|position| position.offset),
        id: event.id().to_owned(),
        source: event.source().to_owned(),
        ty: event.ty().to_owned(),
        subject: event.subject().map(str::to_owned),
        trace: trace.map(|trace| trace.trace_id().to_string()),
        functions: if depth < DEEPEST {
            visits.collect()
        } else {
            Vec::new()
        },
    }
}

fn visit(bus: &Bus, function: String, fate: Fate, depth: usize) -> Visit {
    let took = fate.took();
    let replies = fate
        .replies
        .iter()
        .map(|(topic, event)| path(bus, topic, event, None, depth + 1))
        .collect();
    // Decided is what the broker was told; a dead letter that is stored and not yet settled may still be repeated.
    let verdict = if fate.settled.is_some() {
        fate.verdict.unwrap_or(Verdict::Done)
    } else {
        Verdict::Pending
    };
    Visit {
        function,
        verdict,
        received: fate.received.map(|moment| bus.trail.wall(moment)),
        attempts: fate.attempts,
        took,
        replies,
    }
}

/// Moments as RFC 3339.
mod instant {
    use std::time::SystemTime;

    use openfaas_cloudevents::timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        instant: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        instant.map(timestamp::format).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let read = |text: String| {
            timestamp::parse(&text).ok_or_else(|| de::Error::custom("no RFC 3339 time"))
        };
        text.map(read).transpose()
    }
}

fn to_milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3)
}

fn from_milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let milliseconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(milliseconds / 1e3).map_err(de::Error::custom)
}
