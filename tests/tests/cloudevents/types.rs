//! Attribute names, the seven types and the required attributes (spec.md, "Context Attributes").

use std::time::SystemTime;

use openfaas_cloudevents::{AttributeValue, Error, Event, Problem, http, json};

use crate::support::{event, from_json, minimal_and, texts, with_members};

fn complete() -> Event {
    Event::new("t", openfaas_cloudevents::Data::absent())
        .with_id("1")
        .with_source("/s")
}

#[test]
fn all_seven_types_are_written_in_their_canonical_text() {
    let event = complete()
        .with_extension("exboolean", true)
        .with_extension("exinteger", -5)
        .with_extension("exstring", "text")
        .with_extension("exbinary", b"Ma".to_vec())
        .with_extension("exuri", AttributeValue::Uri("https://a.example".into()))
        .with_extension(
            "exuriref",
            AttributeValue::UriReference("//authority/path".into()),
        )
        .with_extension("extime", SystemTime::UNIX_EPOCH);
    let (headers, _) = http::encode_binary(&event).unwrap();
    for (name, text) in [
        ("ce-exboolean", "true"),
        ("ce-exinteger", "-5"),
        ("ce-exstring", "text"),
        ("ce-exbinary", "TWE="),
        ("ce-exuri", "https://a.example"),
        ("ce-exuriref", "//authority/path"),
        ("ce-extime", "1970-01-01T00:00:00Z"),
    ] {
        assert_eq!(headers[name], text, "{name}");
    }
    let object = String::from_utf8(json::encode(&event).unwrap().to_vec()).unwrap();
    assert!(
        object.contains(r#""exboolean":true,"exinteger":-5,"exstring":"text","exbinary":"TWE=""#),
        "{object}"
    );
}

#[test]
fn an_integer_has_32_bits() {
    for (text, number) in [
        ("2147483647", i32::MAX),
        ("-2147483648", i32::MIN),
        ("0", 0),
    ] {
        let event = from_json(&with_members(&format!(r#","n":{text}"#))).unwrap();
        assert_eq!(event.attribute("n"), Some(&AttributeValue::Integer(number)));
    }
    for text in [
        "2147483648",
        "-2147483649",
        "1.5",
        "1e3",
        "1.0",
        "99999999999999999999999",
    ] {
        let error = from_json(&with_members(&format!(r#","n":{text}"#))).unwrap_err();
        assert_eq!(
            error,
            Error::Attribute {
                name: "n".into(),
                problem: Problem::Integer
            },
            "{text}"
        );
    }
}

#[test]
fn each_required_attribute_is_missed_by_name() {
    for missing in ["specversion", "id", "source", "type"] {
        let mut event = complete();
        event.remove_attribute(missing);
        assert_eq!(http::encode_binary(&event), Err(Error::Missing(missing)));
        assert_eq!(json::encode(&event), Err(Error::Missing(missing)));
        let object: String = [
            ("specversion", "1.0"),
            ("id", "1"),
            ("source", "/s"),
            ("type", "t"),
        ]
        .iter()
        .filter(|(name, _)| *name != missing)
        .map(|(name, value)| format!(r#""{name}":"{value}","#))
        .collect();
        let object = format!("{{{}}}", object.trim_end_matches(','));
        assert_eq!(from_json(&object), Err(Error::Missing(missing)));
    }
}

#[test]
fn null_is_the_same_as_absent_also_for_a_required_attribute() {
    let event = from_json(&with_members(r#","subject":null,"time":null,"mine":null"#)).unwrap();
    assert_eq!(event.attributes().count(), 4);
    let error =
        from_json(r#"{"specversion":"1.0","id":null,"source":"/s","type":"t"}"#).unwrap_err();
    assert_eq!(error, Error::Missing("id"));
}

#[test]
fn core_attributes_must_not_be_empty_and_extensions_may() {
    for name in [
        "id",
        "source",
        "type",
        "subject",
        "datacontenttype",
        "dataschema",
        "time",
        "specversion",
    ] {
        let error = complete().set_attribute(name, "").unwrap_err();
        assert_eq!(
            error,
            Error::Attribute {
                name: name.into(),
                problem: Problem::Empty
            }
        );
    }
    let event = event(&minimal_and(&[("ce-mine", "")]), "");
    assert_eq!(event.text("mine").as_deref(), Some(""));
}

#[test]
fn a_name_is_lower_case_letters_and_digits_and_not_data() {
    for name in [
        "",
        "MyExtension",
        "my.extension",
        "my-extension",
        "my_extension",
        "data",
        "größe",
    ] {
        assert!(
            matches!(complete().set_attribute(name, "x"), Err(Error::Name(_))),
            "{name}"
        );
        let built = complete().with_extension(name, "x");
        assert!(
            matches!(http::encode_binary(&built), Err(Error::Name(_))),
            "{name}"
        );
        assert!(
            matches!(json::encode(&built), Err(Error::Name(_))),
            "{name}"
        );
    }
    let long = "a".repeat(30);
    assert!(
        complete()
            .set_attribute(&long, "longer than advised, but allowed")
            .is_ok()
    );
}

#[test]
fn a_refused_attribute_leaves_the_event_as_it_was() {
    let mut event = complete().with_subject("before");
    event.set_attribute("subject", "with\ncontrol").unwrap_err();
    event.set_attribute("time", "lunchtime").unwrap_err();
    assert_eq!(event.subject(), Some("before"));
    assert_eq!(event.time(), None);
}

#[test]
fn a_string_must_not_hold_control_characters_or_noncharacters() {
    for bad in [
        "a\u{0}",
        "a\u{1f}",
        "a\u{7f}",
        "a\u{9f}",
        "a\u{fffe}",
        "a\u{fdd0}",
        "a\u{10ffff}",
    ] {
        let error = complete().set_attribute("mine", bad).unwrap_err();
        assert_eq!(
            error,
            Error::Attribute {
                name: "mine".into(),
                problem: Problem::Character(1)
            }
        );
    }
}

#[test]
fn an_unpaired_surrogate_is_not_json() {
    let error = from_json(&with_members(r#","mine":"\uDEAD""#)).unwrap_err();
    assert!(matches!(error, Error::Json { .. }), "{error}");
    let event = from_json(&with_members(r#","mine":"\uD83D\uDE00""#)).unwrap();
    assert_eq!(event.text("mine").as_deref(), Some("😀"));
}

#[test]
fn only_version_1_0_is_taken() {
    for version in ["0.3", "0.9", "1.1", "2.0", "1.0.2", "1"] {
        let error = from_json(&with_members("").replace("1.0", version)).unwrap_err();
        assert_eq!(
            error,
            Error::Attribute {
                name: "specversion".into(),
                problem: Problem::Version
            }
        );
    }
}

#[test]
fn attributes_are_found_and_replaced_in_their_place() {
    let mut event = complete().with_subject("a").with_extension("mine", 1);
    event.set_attribute("subject", "b").unwrap();
    event.set_attribute("mine", true).unwrap();
    event.remove_attribute("nobody");
    let names: Vec<String> = texts(&event).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["specversion", "type", "id", "source", "subject", "mine"]
    );
    assert_eq!(
        event.attribute("mine"),
        Some(&AttributeValue::Boolean(true))
    );
}
