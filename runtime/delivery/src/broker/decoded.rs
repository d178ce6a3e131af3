//! What the codec's answer means to a broker.

use openfaas_cloudevents::{Error, http};

use super::{Decoded, Message, Position};
use crate::{dead_letter, wrap};

impl Decoded {
    /// What `message` is, as the event format of its broker read it: one that never claimed to be a CloudEvent is
    /// wrapped under its position, that of its first life where it was put back.
    pub(crate) fn of(message: &Message, read: Result<http::Message, Error>) -> Self {
        match read {
            Ok(http::Message::Event(event)) => Self::Event(event),
            Ok(http::Message::Batch(_)) => {
                Self::Broken("a batch of events cannot be one message".to_owned())
            }
            Ok(http::Message::Other) => {
                let Position { log, offset } = dead_letter::identity(message);
                let content_type = message.header("content-type");
                let body = message.body.clone();
                Self::Event(wrap::from_broker(&log, offset, content_type, body))
            }
            Err(error) => Self::Broken(error.to_string()),
        }
    }
}
