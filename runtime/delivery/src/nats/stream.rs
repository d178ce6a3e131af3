//! Streams: the user's, found by subject.

use std::sync::Arc;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RawMessage, RetentionPolicy};
use serde::Deserialize;
use serde_json::{Value, json};

use super::codec;
use super::connection::{AskError, Connection};
use super::consumer::consumers_of;
use crate::broker::{Message, OpenError, Purpose};
use crate::wiring;

/// The names of streams, or null where there is none.
#[derive(Deserialize)]
struct Names {
    streams: Option<Vec<String>>,
}

/// A message, as the API gives it.
#[derive(Deserialize)]
struct Got {
    message: RawMessage,
}

/// The streams that store something of this subject.
pub(super) async fn names(connection: &Connection, subject: &str) -> Result<Vec<String>, AskError> {
    let names: Names = connection
        .ask("STREAM.NAMES", &json!({ "subject": subject }))
        .await?;
    Ok(names.streams.unwrap_or_default())
}

/// A message of a stream: `wanted` says which, as the API does. `None`: there is none.
pub(super) async fn message(
    connection: &Connection,
    stream: &Arc<str>,
    wanted: &Value,
) -> Result<Option<Message>, AskError> {
    let what = format!("STREAM.MSG.GET.{stream}");
    let got: Got = match connection.ask(&what, wanted).await {
        Ok(got) => got,
        Err(error) if error.code() == Some(ErrorCode::NO_MESSAGE_FOUND) => return Ok(None),
        Err(error) => return Err(error),
    };
    let sequence = got.message.sequence;
    let message = codec::stored(got.message, stream);
    message
        .map(Some)
        .map_err(|error| AskError::Away(format!("message {sequence} of {stream}: {error}")))
}

/// The one stream that stores this subject.
pub(super) async fn find(connection: &Connection, subject: &str) -> Result<Info, OpenError> {
    let names = names(connection, subject).await?;
    match names.as_slice() {
        [] => Err(OpenError::NotReady(format!(
            "no stream stores {subject}: make one with `{}`",
            command(subject)
        ))),
        [name] => Ok(connection
            .ask(&format!("STREAM.INFO.{name}"), &json!({}))
            .await?),
        several => Err(OpenError::NotReady(format!(
            "{subject} lies in more than one stream ({}): name subjects of one of them, one topic each",
            several.join(", ")
        ))),
    }
}

/// Whether what is published to this subject lies in its stream as that.
pub(super) fn check_source(config: &Config, subject: &str) -> Result<(), OpenError> {
    match &config.subject_transform {
        Some(transform) if transform.source.is_empty() || covers(&transform.source, subject) => {
            let (name, other) = (&config.name, &transform.destination);
            Err(OpenError::NotReady(format!(
                "stream {name} stores {subject} as {other}, so nobody finds it there: take the subject transform out of the stream"
            )))
        }
        _ => Ok(()),
    }
}

/// Whether what is published to this subject is kept.
pub(super) async fn check(
    connection: &Connection,
    subject: &str,
    purpose: Purpose,
) -> Result<(), OpenError> {
    if is_pattern(subject) {
        return Err(OpenError::NotReady(format!(
            "{subject} is a pattern, to which nothing can be published: name one subject"
        )));
    }
    let stream = find(connection, subject).await?;
    let (config, state) = (&stream.config, &stream.state);
    let name = &config.name;
    let full = |limit: i64, now: u64| limit > 0 && now >= limit.unsigned_abs();
    let refuses = config.discard == DiscardPolicy::New;
    let wrong = if config.sealed {
        format!("stream {name} is sealed: store {subject} in another one")
    } else if config.no_ack {
        format!(
            "stream {name} does not say what it has stored: let it with `nats stream edit {name} --ack`"
        )
    } else if refuses && full(config.max_messages, state.messages) {
        format!(
            "stream {name} is full, which keeps {subject} out: make room with `nats stream edit {name} --max-msgs=-1`"
        )
    } else if refuses && full(config.max_bytes, state.bytes) {
        format!(
            "stream {name} is full, which keeps {subject} out: make room with `nats stream edit {name} --max-bytes=-1`"
        )
    } else if purpose == Purpose::DeadLetter && !refuses && config.max_messages_per_subject > 0 {
        format!(
            "stream {name} keeps the last {} of {subject}, so a dead letter would push another one out: keep all with `nats stream edit {name} --max-msgs-per-subject=-1`",
            config.max_messages_per_subject
        )
    } else if config.retention == RetentionPolicy::Interest
        && (purpose == Purpose::DeadLetter || !is_wanted(connection, name, subject).await?)
    {
        format!(
            "stream {name} keeps only what a consumer waits for, and nobody waits for {subject}: keep all with `nats stream edit {name} --retention=limits`, or start who consumes it first"
        )
    } else {
        return Ok(());
    };
    Err(OpenError::NotReady(wrong))
}

/// Whether a consumer of this stream takes this subject.
async fn is_wanted(
    connection: &Connection,
    stream: &str,
    subject: &str,
) -> Result<bool, OpenError> {
    let takes = |filter: &str| filter.is_empty() || covers(filter, subject);
    let consumers = consumers_of(connection, stream).await?;
    Ok(consumers.iter().any(|consumer| {
        let several = &consumer.config.filter_subjects;
        match several.as_slice() {
            [] => takes(&consumer.config.filter_subject),
            several => several.iter().any(|filter| takes(filter)),
        }
    }))
}

/// Whether this subject has wildcards.
pub(super) fn is_pattern(subject: &str) -> bool {
    subject.split('.').any(|token| token == "*" || token == ">")
}

/// Whether a pattern takes whatever `subject` takes.
pub(super) fn covers(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for wanted in pattern.split('.') {
        match (wanted, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(token)) if token != ">" => {}
            (wanted, Some(token)) if wanted == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

/// The command that makes a stream for a subject.
fn command(subject: &str) -> String {
    let (name, subject) = proposed(subject);
    format!("nats stream add {name} --subjects='{subject}' --defaults")
}

/// The stream that is proposed for a subject, and what it takes.
pub(super) fn proposed(subject: &str) -> (String, &str) {
    let takes = match subject.starts_with("dead-letter.") {
        true => "dead-letter.>",
        false => subject,
    };
    (wiring::stream(subject), takes)
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::stream::SubjectTransform;

    use super::*;

    #[test]
    fn what_a_stream_stores_under_another_subject_is_not_found_there() {
        let config = |source: &str| Config {
            subject_transform: Some(SubjectTransform {
                source: source.into(),
                destination: "other.>".into(),
            }),
            ..Config::default()
        };
        for (source, subject, found) in [
            ("", "orders", false),
            ("orders.>", "orders.eu", false),
            ("bills.>", "orders.eu", true),
        ] {
            let checked = check_source(&config(source), subject);
            assert_eq!(checked.is_ok(), found, "{source} {subject}");
        }
        assert_eq!(check_source(&Config::default(), "orders"), Ok(()));
    }

    #[test]
    fn a_pattern_covers_what_it_takes() {
        for (pattern, subject, expected) in [
            ("orders", "orders", true),
            ("orders", "orders.new", false),
            ("orders.*", "orders.new", true),
            ("orders.*", "orders", false),
            ("orders.*", "orders.new.eu", false),
            ("orders.*", "orders.*", true),
            ("orders.*", "orders.>", false),
            ("orders.>", "orders.*", true),
            ("orders.>", "orders.new.eu", true),
            ("orders.>", "orders", false),
            (">", "orders", true),
            ("*.new", "orders.new", true),
            ("*.new", "orders.old", false),
        ] {
            assert_eq!(covers(pattern, subject), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn a_missing_stream_comes_with_the_command_that_makes_it() {
        for (subject, expected) in [
            (
                "orders",
                "nats stream add ORDERS --subjects='orders' --defaults",
            ),
            (
                "orders.>",
                "nats stream add ORDERS --subjects='orders.>' --defaults",
            ),
            (">", "nats stream add EVENTS --subjects='>' --defaults"),
            (
                "dead-letter.openfaas-fn.order",
                "nats stream add DEAD-LETTERS --subjects='dead-letter.>' --defaults",
            ),
        ] {
            assert_eq!(command(subject), expected);
        }
    }
}
