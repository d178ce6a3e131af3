//! The `tracestate` list: checked, combined and shortened by the W3C rules.

use std::sync::Arc;

/// Most members of a list; one with more is not valid.
const MAX_MEMBERS: usize = 32;
/// What has to be passed on at least, and what we pass on at most, in characters.
const MAX_LENGTH: usize = 512;
/// Members longer than this go first when a list is too long.
const LONG_MEMBER: usize = 128;
/// Longest key and longest value.
const MAX_PART: usize = 256;

/// Combines the values of one message's `tracestate` headers, in their order.
///
/// `None` when there is no member, or when one is not valid: then the list says nothing.
pub(crate) fn combine<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Arc<str>> {
    let mut members: Vec<&str> = Vec::new();
    for value in values {
        for member in value.split(',') {
            let member = member.trim_matches([' ', '\t']);
            if member.is_empty() {
                continue;
            }
            if !is_member(member) || members.len() == MAX_MEMBERS {
                return None;
            }
            members.push(member);
        }
    }
    shorten(&mut members);
    (!members.is_empty()).then(|| members.join(",").into())
}

/// Drops whole members until the list fits: first the last of those that are long, then the last.
fn shorten(members: &mut Vec<&str>) {
    let length = |members: &[&str]| members.iter().map(|member| member.len() + 1).sum::<usize>();
    while length(members) > MAX_LENGTH + 1 {
        let long = members
            .iter()
            .rposition(|member| member.len() > LONG_MEMBER);
        members.remove(long.unwrap_or(members.len() - 1));
    }
}

fn is_member(member: &str) -> bool {
    member
        .split_once('=')
        .is_some_and(|(key, value)| is_key(key) && is_value(value))
}

/// Level 2 of the recommendation: a tenant's `@` is a character like the others, and a key may begin with a digit.
fn is_key(key: &str) -> bool {
    let first = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let other = |byte: &u8| first(byte) || b"_-*/@".contains(byte);
    let bytes = key.as_bytes();
    key.len() <= MAX_PART && bytes.first().is_some_and(first) && bytes.iter().all(other)
}

fn is_value(value: &str) -> bool {
    let printable = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b',' && byte != b'=';
    (1..=MAX_PART).contains(&value.len()) && value.bytes().all(printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combined(values: &[&str]) -> Option<String> {
        combine(values.iter().copied()).map(|list| list.to_string())
    }

    #[test]
    fn several_headers_combine_in_order_without_the_space_around_members() {
        let list = combined(&["foo=1 , \t bar=a b", "", " ,", "baz@vendor=3"]);
        assert_eq!(list.as_deref(), Some("foo=1,bar=a b,baz@vendor=3"));
        assert_eq!(combined(&[]), None);
        assert_eq!(combined(&["", " , "]), None);
    }

    #[test]
    fn every_character_that_is_allowed_is_kept() {
        let value: String = (' '..='~').filter(|c| *c != ',' && *c != '=').collect();
        let member = format!("0az_-*/@={}", value.trim());
        assert_eq!(combined(&[&member]), Some(member));
    }

    #[test]
    fn one_wrong_member_discards_the_list() {
        let long_key = format!("{}=1", "k".repeat(257));
        let long_value = format!("k={}", "v".repeat(257));
        for wrong in [
            "foo",
            "foo=",
            "=1",
            "Foo=1",
            "_foo=1",
            "foo =1",
            "foo=1=2",
            "foo=\u{e9}",
            "foo=\u{1}",
            &long_key,
            &long_value,
        ] {
            assert_eq!(combined(&["ok=1", wrong]), None, "{wrong}");
        }
    }

    #[test]
    fn more_than_32_members_are_not_valid() {
        let list = |count| {
            let members: Vec<_> = (0..count).map(|index| format!("k{index}=1")).collect();
            members.join(",")
        };
        assert_eq!(combined(&[&list(32)]), Some(list(32)));
        assert_eq!(combined(&[&list(33)]), None);
    }

    #[test]
    fn a_list_that_is_too_long_loses_long_members_first_and_then_the_last() {
        let long = format!("long={}", "v".repeat(200));
        let list = |count: usize| {
            let members: Vec<_> = (0..count)
                .map(|index| format!("k{index:02}={}", "v".repeat(16)))
                .collect();
            members.join(",")
        };
        assert_eq!(list(24).len(), 24 * 21 - 1);
        assert_eq!(combined(&[&long, &list(24)]), Some(list(24)));
        assert_eq!(combined(&[&list(31)]), Some(list(24)));
    }
}
