//! The value of one member of an event's object, whatever JSON it is.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::AttributeValue;
use crate::error::Problem;

/// The value of a member that is an attribute or base64.
pub(super) enum Member<'a> {
    Null,
    Text(Cow<'a, str>),
    Value(AttributeValue),
    Not(Problem),
}

impl<'a> serde::Deserialize<'a> for Member<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'a> Visitor<'a> for MemberVisitor {
    type Value = Member<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute")
    }

    fn visit_unit<E>(self) -> Result<Member<'a>, E> {
        Ok(Member::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Member<'a>, E> {
        Ok(Member::Value(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Member<'a>, E> {
        Ok(
            i32::try_from(value).map_or(Member::Not(Problem::Integer), |number| {
                Member::Value(number.into())
            }),
        )
    }

    fn visit_i64<E>(self, value: i64) -> Result<Member<'a>, E> {
        Ok(
            i32::try_from(value).map_or(Member::Not(Problem::Integer), |number| {
                Member::Value(number.into())
            }),
        )
    }

    fn visit_f64<E>(self, _: f64) -> Result<Member<'a>, E> {
        Ok(Member::Not(Problem::Integer))
    }

    fn visit_borrowed_str<E>(self, value: &'a str) -> Result<Member<'a>, E> {
        Ok(Member::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Member<'a>, E> {
        Ok(Member::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Member<'a>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Member::Not(Problem::Structure))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Member<'a>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Member::Not(Problem::Structure))
    }
}
