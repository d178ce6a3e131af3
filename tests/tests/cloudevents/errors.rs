//! An error says which attribute and what is wrong with it, and never what its value is.

use openfaas_cloudevents::{Data, json};

use crate::support::{from_json, minimal_and, refusal, with_members};

const SECRET: &str = "hunter2";

#[test]
fn errors_name_the_attribute_and_hide_its_value() {
    for (members, sentence) in [
        (
            r#","time":"hunter2""#,
            "attribute `time` is not an RFC 3339 time such as 2026-01-31T12:00:00Z",
        ),
        (
            r#","dataschema":"hunter2""#,
            "attribute `dataschema` is not an absolute URI (RFC 3986)",
        ),
        (
            r#","datacontenttype":"hunter2""#,
            "attribute `datacontenttype` is not a media type such as application/json (RFC 2046)",
        ),
        (
            r#","mine":{"password":"hunter2"}"#,
            "attribute `mine` is an array or an object; it has to be a string, a whole number or a boolean",
        ),
        (
            r#","subject":"hunter2\u0007""#,
            "attribute `subject` holds a character that is not allowed, at byte 7",
        ),
        (
            r#","data_base64":"hunter2""#,
            "`data_base64` is not a base64 string",
        ),
        (
            r#","datacontenttype":"text/plain","data":["hunter2"]"#,
            "`data` has to be a string where `datacontenttype` is not JSON",
        ),
        (
            r#","mine":"hunter2","mine":"hunter2""#,
            "`mine` is there more than once",
        ),
    ] {
        assert_eq!(
            from_json(&with_members(members)).unwrap_err().to_string(),
            sentence
        );
    }
    for number in ["1.0", "1"] {
        let versioned = with_members("").replace(r#""1.0""#, number);
        assert_eq!(
            from_json(&versioned).unwrap_err().to_string(),
            "attribute `specversion` is not a string"
        );
    }
    let versioned = with_members("").replace("1.0", SECRET);
    assert_eq!(
        from_json(&versioned).unwrap_err().to_string(),
        "attribute `specversion` is not 1.0, the one version that is supported"
    );
}

#[test]
fn broken_json_is_told_by_its_place_alone() {
    for body in [
        r#"{"id":hunter2}"#,
        r#"{"id":"hunter2"#,
        r#""hunter2""#,
        r#"["hunter2"]"#,
        r#"{"id":"hunter2"}}"#,
    ] {
        let sentence = from_json(body).unwrap_err().to_string();
        assert!(!sentence.contains(SECRET), "{sentence}");
        assert!(sentence.starts_with("the body is not"), "{sentence}");
    }
    assert!(
        from_json("{\n\"id\": oops}")
            .unwrap_err()
            .to_string()
            .contains("line 2 column")
    );
}

#[test]
fn headers_are_told_by_name_and_never_by_value() {
    let error = refusal(&minimal_and(&[("ce-mine", &b"hunter2%ff"[..])]), "").to_string();
    assert_eq!(error, "attribute `mine` is not UTF-8");
    let error = refusal(&minimal_and(&[("ce-time", "hunter2")]), "").to_string();
    assert!(
        error.contains("`time`") && !error.contains(SECRET),
        "{error}"
    );
}

#[test]
fn a_name_in_an_error_is_bounded_and_printable() {
    let error = from_json(&with_members(&format!(r#","{}\n":1"#, "É".repeat(100))))
        .unwrap_err()
        .to_string();
    assert!(
        error.chars().count() < 150 && !error.contains('\n'),
        "{error}"
    );
}

#[test]
fn data_of_a_wrong_shape_is_told_by_its_path() {
    #[derive(Debug, serde::Deserialize)]
    struct Order {
        #[serde(rename = "lines")]
        _lines: Vec<Line>,
    }
    #[derive(Debug, serde::Deserialize)]
    struct Line {
        #[serde(rename = "price")]
        _price: u32,
    }
    for (data, place, reason) in [
        (
            r#"{"lines":[{"price":1},{"price":"hunter2"}]}"#,
            "lines[1].price",
            "invalid type: string, expected u32",
        ),
        (
            r#"{"lines":[{"price":-5}]}"#,
            "lines[0].price",
            "invalid value: integer, expected u32",
        ),
        (
            r#"{"lines":"hunter2"}"#,
            "lines",
            "invalid type: string, expected a sequence",
        ),
        (r#"{"lines":[{}]}"#, "lines[0]", "missing field `price`"),
        ("{hunter2", ".", "key must be a string"),
    ] {
        let event = openfaas_cloudevents::Event::new("t", Data::json(data));
        let error = event.parse::<Order>().unwrap_err().to_string();
        assert!(error.contains(place) && error.contains(reason), "{error}");
        assert!(!error.contains(SECRET), "{error}");
    }
}

#[test]
fn an_unknown_variant_is_not_cited() {
    #[derive(Debug, serde::Deserialize)]
    enum Size {
        Small,
    }
    let event = openfaas_cloudevents::Event::new("t", Data::json(r#""hunter2""#));
    let error = event.parse::<Size>().unwrap_err().to_string();
    assert!(
        error.contains("unknown variant, expected `Small`") && !error.contains(SECRET),
        "{error}"
    );
    assert!(matches!(
        Data::json(r#""Small""#).parse::<Size>(None),
        Ok(Size::Small)
    ));
}

#[test]
fn a_batch_says_which_of_its_events_it_means() {
    let body = format!(
        "[{},{}]",
        with_members(""),
        with_members(r#","time":"hunter2""#)
    );
    let error = json::decode_batch(body.into()).unwrap_err().to_string();
    assert!(
        error.starts_with("event 1 of the batch: attribute `time`"),
        "{error}"
    );
    assert!(!error.contains(SECRET));
}
