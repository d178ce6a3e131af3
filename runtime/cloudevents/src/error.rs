//! Why a message is no event, or an event cannot become a message.

/// Why a message is no CloudEvent, or why an event cannot be written as a message.
///
/// It says which attribute and what is wrong with it, never what its value is: a value may be somebody's secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A required attribute is not there.
    #[error("the required attribute `{0}` is missing")]
    Missing(&'static str),
    /// An attribute has a value it must not have.
    #[error("attribute `{name}` {problem}")]
    Attribute {
        /// The attribute, cut to 40 characters.
        name: String,
        /// What is wrong with its value.
        problem: Problem,
    },
    /// Something is named as no attribute may be named.
    #[error("`{0}` is no attribute name: one is made of a-z and 0-9 alone, and is not `data`")]
    Name(String),
    /// One attribute, the data, or the content type, is there twice.
    #[error("`{0}` is there more than once")]
    Duplicate(String),
    /// `datacontenttype` is a header of its own, where only `Content-Type` may carry it.
    #[error("`datacontenttype` has a header of its own; only the content type header may carry it")]
    ContentTypeTwice,
    /// A CloudEvents media type of a format that this codec does not speak.
    #[error("the CloudEvents format `{0}` is not supported, only JSON is")]
    Format(String),
    /// A structured message in another encoding than UTF-8.
    #[error("a structured event has to be UTF-8, its content type says another charset")]
    Charset,
    /// The body of a structured message is not JSON.
    #[error("the body is not JSON: {reason}")]
    Json {
        /// What the parser met, and where.
        reason: String,
    },
    /// The body of a structured message is JSON, but not of the shape it has to have.
    #[error("the body is not {0}")]
    Shape(&'static str),
    /// `data` and `data_base64` in one event.
    #[error("`data` and `data_base64` exclude each other, both are there")]
    BothData,
    /// `data_base64` is not base64.
    #[error("`data_base64` is not a base64 string")]
    Base64,
    /// `data` is no string, while `datacontenttype` is not JSON.
    #[error("`data` has to be a string where `datacontenttype` is not JSON")]
    DataNotText,
    /// A structured Kafka record without a value.
    #[error("a structured event needs a body, there is none")]
    NoBody,
    /// A message or a batch beyond what [`Limits`](crate::Limits) allows.
    #[error("{what} of {size} is over the limit of {limit}")]
    TooLarge {
        /// What is too large, with its unit.
        what: &'static str,
        /// How large it is, as far as it was looked at.
        size: usize,
        /// How large it may be.
        limit: usize,
    },
    /// One event of a batch is broken.
    #[error("event {index} of the batch: {error}")]
    InBatch {
        /// Its position, from 0 on.
        index: usize,
        /// What is wrong with it.
        error: Box<Error>,
    },
}

impl Error {
    /// Whether a limit was exceeded, so that the same message may be fine elsewhere.
    pub fn is_too_large(&self) -> bool {
        match self {
            Self::TooLarge { .. } => true,
            Self::InBatch { error, .. } => error.is_too_large(),
            _ => false,
        }
    }

    pub(crate) fn attribute(name: &str, problem: Problem) -> Self {
        Self::Attribute {
            name: shown(name),
            problem,
        }
    }

    pub(crate) fn name(name: &str) -> Self {
        Self::Name(shown(name))
    }

    pub(crate) fn duplicate(name: &str) -> Self {
        Self::Duplicate(shown(name))
    }
}

/// What is wrong with an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is empty and must not be.
    #[error("is empty")]
    Empty,
    /// It holds a control character or a Unicode noncharacter.
    #[error("holds a character that is not allowed, at byte {0}")]
    Character(usize),
    /// Its bytes, percent-decoded, are not UTF-8.
    #[error("is not UTF-8")]
    Utf8,
    /// It is no time as RFC 3339 writes one.
    #[error("is not an RFC 3339 time such as 2026-01-31T12:00:00Z")]
    Timestamp,
    /// It is no absolute URI of RFC 3986.
    #[error("is not an absolute URI (RFC 3986)")]
    Uri,
    /// It is no URI reference of RFC 3986.
    #[error("is not a URI-reference (RFC 3986)")]
    UriReference,
    /// It is no media type of RFC 2046.
    #[error("is not a media type such as application/json (RFC 2046)")]
    MediaType,
    /// It is a number that is no 32-bit integer.
    #[error("is not a whole number between -2147483648 and 2147483647")]
    Integer,
    /// It is an array or an object.
    #[error("is an array or an object; it has to be a string, a whole number or a boolean")]
    Structure,
    /// A string is required.
    #[error("is not a string")]
    NotText,
    /// A `specversion` other than 1.0.
    #[error("is not 1.0, the one version that is supported")]
    Version,
}

/// A name from outside as an error may show it: cut to 40 characters, control characters escaped.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(40).flat_map(char::escape_debug).collect()
}
