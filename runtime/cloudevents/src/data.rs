//! The data of an event: what came over the wire.

use std::fmt;

use bytes::Bytes;

use crate::{DataError, FromData};

/// The data of an event as it came over the wire. Cheap to clone: the bytes are shared.
#[derive(Clone, Default)]
pub struct Data {
    kind: Kind,
    bytes: Bytes,
}

/// What is known of the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There is no data.
    #[default]
    Absent,
    /// A JSON text.
    Json,
    /// Text of some other media type.
    Text,
    /// Bytes that were declared to be binary (`data_base64`).
    Binary,
    /// The body of a binary-mode message: whatever `datacontenttype` says.
    Opaque,
}

impl Data {
    /// No data at all.
    pub fn absent() -> Self {
        Self::default()
    }

    /// A JSON text. The caller answers for its being one; a structured event carries it as base64 if it is not.
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self {
            kind: Kind::Json,
            bytes: text.into(),
        }
    }

    /// Text that is not JSON.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Text,
            bytes: text.into().into(),
        }
    }

    /// Bytes; a structured event carries them as base64 whatever the media type says.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self {
            kind: Kind::Binary,
            bytes: bytes.into(),
        }
    }

    /// A message's body, whose nature its media type tells.
    pub fn opaque(body: impl Into<Bytes>) -> Self {
        Self {
            kind: Kind::Opaque,
            bytes: body.into(),
        }
    }

    pub(crate) fn shared_text(bytes: Bytes) -> Self {
        Self {
            kind: Kind::Text,
            bytes,
        }
    }

    /// The bytes; empty where there are none.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes; empty where there are none.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Whether there is no data. Data that is empty, or the JSON text `null`, is there.
    pub fn is_absent(&self) -> bool {
        self.kind == Kind::Absent
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// This data as a `T`.
    ///
    /// # Errors
    /// When it is not what `T` reads; the error says where.
    pub fn parse<T: FromData>(&self, content_type: Option<&str>) -> Result<T, DataError> {
        T::from_data(self, content_type)
    }
}

impl PartialEq for Data {
    /// Equal bytes, and both there or both not.
    fn eq(&self, other: &Self) -> bool {
        self.is_absent() == other.is_absent() && self.bytes == other.bytes
    }
}

impl Eq for Data {}

impl fmt::Debug for Data {
    /// At most the first 256 bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 256;
        if self.is_absent() {
            return f.write_str("Absent");
        }
        let start = self.bytes.slice(..self.bytes.len().min(SHOWN));
        write!(f, "{:?}({start:?}", self.kind)?;
        if self.bytes.len() > SHOWN {
            write!(f, "… {} bytes", self.bytes.len())?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_not_absent_and_empty_is_not_either() {
        assert_ne!(Data::json("null"), Data::absent());
        assert_ne!(Data::binary(""), Data::absent());
    }

    #[test]
    fn debug_is_bounded() {
        let shown = format!("{:?}", Data::text("x".repeat(10_000)));
        assert!(
            shown.len() < 300 && shown.contains("10000 bytes"),
            "{shown}"
        );
    }
}
