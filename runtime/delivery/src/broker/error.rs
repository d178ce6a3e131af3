//! Why something asked of a broker was not done.

/// Why a publication is not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The broker is away, slow, full or does not answer: it may be stored or not, and is published again.
    #[error("{0}")]
    Unavailable(String),
    /// The broker will never take it: too large for that topic.
    #[error("too large: {0}")]
    TooLarge(String),
    /// The broker will never take it, for another reason of its own (no key on a compacted topic).
    #[error("refused: {0}")]
    Refused(String),
}

/// Why a subscription does not open, or a destination cannot be stored to. Asked again every 30 s.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Something is missing or wrong at the broker: one sentence that names it and the command that makes it right.
    #[error("{0}")]
    NotReady(String),
    /// The broker does not answer.
    #[error("the broker does not answer: {0}")]
    Unavailable(String),
}

/// Why something asked of a [`Source`](super::Source) was not done. The message may or may not be settled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// No confirmation came; asked again.
    #[error("{0}")]
    Unavailable(String),
    /// This owner does not hold the log any more.
    #[error("this owner does not hold it any more")]
    Lost,
}

impl OpenError {
    /// A function asks for more than its broker can do.
    pub fn no_transactions() -> Self {
        let sentence = "`events.transactions` asks for what only Kafka can do: leave it out, or deliver this function's topics over Kafka";
        Self::NotReady(sentence.to_owned())
    }
}

/// Why replies and the place of their input were not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FinishError {
    /// Neither is stored; asked again.
    #[error("{0}")]
    Unavailable(String),
    /// The broker will never take one of the replies.
    #[error("{0}")]
    Refused(PublishError),
    /// This owner does not hold the log any more.
    #[error("this owner does not hold it any more")]
    Lost,
}

impl From<SourceError> for FinishError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Unavailable(reason) => Self::Unavailable(reason),
            SourceError::Lost => Self::Lost,
        }
    }
}
