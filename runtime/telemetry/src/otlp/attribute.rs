//! `KeyValue` and `AnyValue`.

use super::protobuf::{bytes, field_len, fixed64, prefix, uint, varint_len};

/// The value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Text.
    Str(&'a str),
    /// A truth.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any number.
    Double(f64),
}

impl Value<'_> {
    /// How long [`encode`](Self::encode) makes it.
    pub(crate) fn encoded_len(&self) -> usize {
        match self {
            Self::Str(text) => 1 + varint_len(text.len() as u64) + text.len(),
            Self::Bool(_) => 2,
            Self::Int(number) => 1 + varint_len(*number as u64),
            Self::Double(_) => 9,
        }
    }

    /// This value as an `AnyValue`, without what stands before it.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Str(text) => bytes(out, 1, text.as_bytes()),
            Self::Bool(truth) => uint(out, 2, u64::from(truth)),
            Self::Int(number) => uint(out, 3, number as u64),
            Self::Double(number) => fixed64(out, 4, number.to_bits()),
        }
    }
}

/// Writes one `KeyValue` as field `field` of the message around it.
pub(crate) fn key_value(out: &mut Vec<u8>, field: u32, key: &str, value: Value<'_>) {
    let value_len = value.encoded_len();
    let len = field_len(1, key.len()) + field_len(2, value_len);
    out.reserve(len + 8);
    prefix(out, field, len);
    bytes(out, 1, key.as_bytes());
    prefix(out, 2, value_len);
    value.encode(out);
}

macro_rules! from {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for Value<'_> {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from! { bool => Bool, i64 => Int, i32 => Int, u32 => Int, u16 => Int, u8 => Int, f64 => Double, f32 => Double }

impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Double(value as f64), Self::Int)
    }
}

impl From<usize> for Value<'_> {
    fn from(value: usize) -> Self {
        (value as u64).into()
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Str(value)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Str(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_value_holds_exactly_what_its_prefixes_say() {
        let mut out = Vec::new();
        key_value(&mut out, 9, "k", Value::Str("ab"));
        assert_eq!(out, b"\x4a\x09\x0a\x01k\x12\x04\x0a\x02ab");
        for value in [
            Value::Bool(true),
            Value::Int(-1),
            Value::Double(0.5),
            Value::Int(300),
        ] {
            let mut encoded = Vec::new();
            value.encode(&mut encoded);
            assert_eq!(encoded.len(), value.encoded_len(), "{value:?}");
        }
    }

    #[test]
    fn a_number_too_large_for_the_wire_becomes_a_double() {
        assert_eq!(Value::from(u64::MAX), Value::Double(u64::MAX as f64));
        assert_eq!(Value::from(7_usize), Value::Int(7));
    }
}
