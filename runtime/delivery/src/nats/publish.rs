//! Storing a publication: done when JetStream has said so.

use async_nats::client::{Request, RequestErrorKind};
use async_nats::jetstream::{self, ErrorCode, publish::PublishAck, response::Response};

use super::codec;
use super::connection::Connection;
use crate::broker::{Position, Publication, PublishError, Stored};

pub(super) async fn publish(
    connection: &Connection,
    publication: &Publication,
) -> Result<Stored, PublishError> {
    // What is sent over a connection that is cut would leave whenever it is back, after we have given up on it.
    let live = connection
        .up()
        .await
        .map_err(|error| PublishError::Unavailable(error.to_string()))?;
    let topic = &publication.topic;
    let request = Request::new()
        .payload(publication.body.clone().unwrap_or_default())
        .headers(codec::header_map(publication));
    let answer = live.client.send_request(topic.to_string(), request);
    let answer = answer.await.map_err(|error| match error.kind() {
        RequestErrorKind::NoResponders => {
            PublishError::Unavailable(format!("no stream stores {topic}"))
        }
        RequestErrorKind::MaxPayloadExceeded => PublishError::TooLarge(error.to_string()),
        RequestErrorKind::InvalidSubject => PublishError::Refused(format!("{topic}: {error}")),
        _ => PublishError::Unavailable(connection.because(error)),
    })?;
    match serde_json::from_slice(&answer.payload) {
        Ok(Response::Ok(PublishAck {
            stream,
            sequence,
            duplicate,
            ..
        })) => Ok(Stored {
            position: Position {
                log: stream.into(),
                offset: sequence,
            },
            duplicate,
        }),
        Ok(Response::Err { error }) => Err(refused(&error)),
        Err(error) => Err(PublishError::Unavailable(format!(
            "what answers for {topic} is no stream: {error}"
        ))),
    }
}

/// A stream that is full, sealed or without a leader may take it another time; what is wrong with the message stays wrong.
fn refused(error: &jetstream::Error) -> PublishError {
    let reason = error.to_string();
    match error.error_code() {
        ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM => {
            PublishError::TooLarge(reason)
        }
        ErrorCode::STREAM_SEALED => PublishError::Unavailable(reason),
        _ if error.code() >= 500 => PublishError::Unavailable(reason),
        _ => PublishError::Refused(reason),
    }
}
