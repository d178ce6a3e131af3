//! HTTP binding, section 3.2: structured mode, and how the modes are told apart.

use http::header::CONTENT_TYPE;
use openfaas_cloudevents::http::encode_structured;
use openfaas_cloudevents::{Error, json};

use crate::support::{event, headers, refusal, with_members};

#[test]
fn the_media_type_is_matched_by_its_prefix_in_any_case_with_any_parameters() {
    for media_type in [
        "application/cloudevents+json",
        "application/cloudevents+json; charset=UTF-8",
        "Application/CloudEvents+JSON",
        "application/cloudevents+json;charset=\"utf-8\";profile=x",
        "application/cloudevents",
        "application/cloudevents; charset=utf-8",
    ] {
        let event = event(&headers(&[("content-type", media_type)]), with_members(""));
        assert_eq!(event.id(), "1", "{media_type}");
    }
}

#[test]
fn other_formats_and_charsets_are_refused_and_never_taken_for_something_else() {
    for media_type in [
        "application/cloudevents+avro",
        "application/cloudevents+protobuf; x=y",
        "application/cloudevents+json; broken",
    ] {
        let error = refusal(&headers(&[("content-type", media_type)]), with_members(""));
        assert!(matches!(error, Error::Format(_)), "{media_type}: {error}");
    }
    let utf16 = headers(&[(
        "content-type",
        "application/cloudevents+json; charset=utf-16",
    )]);
    assert_eq!(refusal(&utf16, with_members("")), Error::Charset);
}

#[test]
fn the_body_counts_when_headers_repeat_the_attributes() {
    let repeated = headers(&[
        ("content-type", "application/cloudevents+json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "another"),
        ("ce-broken-name", "x"),
    ]);
    assert_eq!(event(&repeated, with_members("")).id(), "1");
}

#[test]
fn what_is_written_is_structured_json() {
    let event = event(
        &headers(&[("content-type", "application/cloudevents+json")]),
        with_members(""),
    );
    let (headers, body) = encode_structured(&event).unwrap();
    assert_eq!(headers[CONTENT_TYPE], "application/cloudevents+json");
    assert_eq!(headers.len(), 1);
    assert_eq!(json::decode(body).unwrap(), event);
}

#[test]
fn an_empty_or_broken_body_is_refused() {
    for (body, shape) in [
        ("", false),
        ("{", false),
        ("[]", true),
        ("\"x\"", true),
        ("null", true),
        ("7", true),
    ] {
        let error = refusal(
            &headers(&[("content-type", "application/cloudevents+json")]),
            body,
        );
        let expected = if shape {
            matches!(error, Error::Shape(_))
        } else {
            matches!(error, Error::Json { .. })
        };
        assert!(expected, "{body}: {error}");
    }
}

#[test]
fn what_follows_the_object_is_refused() {
    let error = refusal(
        &headers(&[("content-type", "application/cloudevents+json")]),
        with_members("") + "x",
    );
    assert!(matches!(error, Error::Json { .. }), "{error}");
}
