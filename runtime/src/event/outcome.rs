use openfaas_cloudevents::{Event, IntoData};

use crate::{BoxError, Failure};

/// What became of an event: its replies, or why it was not done.
///
/// No reply acknowledges the event (204), one is answered as a binary CloudEvent, several as a batch (200).
pub type Outcome = Result<Vec<Event>, Failure>;

/// What a handler of events may return: `()`, [`Event<U>`](Event), `Option<Event<U>>`, `Vec<Event<U>>`, or a `Result` of
/// one of these with any error.
///
/// `()`, `None` and an empty `Vec` acknowledge the event; an `Event` is a reply. The error is a [`Failure`], which says
/// whether the event is retried or rejected, or anything else that turns into a boxed error (each `std::error::Error`,
/// `anyhow::Error`, a `String`), which is a retry. The data `U` is any `serde::Serialize`, or [`Data`](crate::Data).
#[diagnostic::on_unimplemented(
    message = "a handler of events cannot return `{Self}`",
    label = "neither an acknowledgement nor a reply",
    note = "return `()`, `Event<U>`, `Option<Event<U>>`, `Vec<Event<U>>`, or a `Result` of one of these",
    note = "`U` implements `serde::Serialize` or is `openfaas_runtime::Data`; the error is a `Failure` or anything that `?` turns into a boxed error"
)]
pub trait IntoOutcome {
    /// Turns the value into replies or a failure.
    fn into_outcome(self) -> Outcome;
}

// === impl IntoOutcome ===

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Ok(Vec::new())
    }
}

impl<U: IntoData> IntoOutcome for Event<U> {
    fn into_outcome(self) -> Outcome {
        Ok(vec![encode(self)?])
    }
}

impl<U: IntoData> IntoOutcome for Option<Event<U>> {
    fn into_outcome(self) -> Outcome {
        self.map(encode)
            .transpose()
            .map(|reply| reply.into_iter().collect())
    }
}

impl<U: IntoData> IntoOutcome for Vec<Event<U>> {
    fn into_outcome(self) -> Outcome {
        self.into_iter().map(encode).collect()
    }
}

impl<T: IntoOutcome, E: Into<BoxError>> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(done) => done.into_outcome(),
            Err(error) => Err(Failure::from_box(error.into())),
        }
    }
}

/// The reply with its data as bytes. What cannot be encoded now cannot be encoded at the next attempt either.
fn encode<U: IntoData>(reply: Event<U>) -> Result<Event, Failure> {
    reply
        .into_raw()
        .map_err(|error| Failure::reject(format!("the reply's data cannot be encoded: {error}")))
}
