//! What comes in and is not changed goes out as it came.

use bytes::Bytes;
use openfaas_cloudevents::http::{decode, encode_binary, encode_structured};
use openfaas_cloudevents::{Data, Event, Limits, json, kafka};

use crate::support::{event, from_json, headers, minimal_and, texts, with_members};

#[test]
fn a_structured_event_is_written_as_the_bytes_it_was_read_from() {
    let body = Bytes::from(
        "{ \"type\" : \"t\",\n\t\"time\":\"2018-04-05T17:31:00.120000+00:00\", \"id\":\"\\u0041\\/\", \"subject\":null,\r\n \
         \"data\" : { \"price\":1.50, \"big\":12345678901234567890123, \"e\":1E+2 } ,\"source\":\"/s\", \"specversion\":\"1.0\" }",
    );
    let event = json::decode(body.clone()).unwrap();
    let (_, written) = encode_structured(&event).unwrap();
    assert_eq!(written, body);
    assert_eq!(written.as_ptr(), body.as_ptr(), "not even a copy");
}

#[test]
fn binary_headers_keep_order_and_text() {
    let lines = [
        ("ce-time", "2018-04-05t17:31:00.000000000+00:00"),
        ("ce-zulu", "1"),
        ("ce-id", "0001"),
        ("ce-dataschema", "HTTPS://Example.COM:443/a/../b"),
        ("ce-type", "t"),
        ("ce-alpha", "%e2%82%ac%41"),
        ("ce-specversion", "1.0"),
        ("ce-source", "//HOST/%7Ea"),
        ("content-type", "Application/JSON;Charset=UTF-8"),
    ];
    let event = event(&headers(&lines), "1.50");
    let (written, body) = encode_binary(&event).unwrap();
    let written: Vec<(&str, &str)> = written
        .iter()
        .map(|(n, v)| (n.as_str(), v.to_str().unwrap()))
        .collect();
    assert_eq!(written, lines);
    assert_eq!(body, "1.50");
}

#[test]
fn a_change_takes_effect_and_touches_nothing_else() {
    let body = with_members(
        r#","n":7,"time":"2018-04-05T17:31:00+00:00","dataschema":"HTTP://A","data":{"x":1.0}"#,
    );
    let mut event = from_json(&body).unwrap();
    event.set_attribute("subject", "new").unwrap();
    let written = json::encode(&event).unwrap();
    assert_eq!(
        written,
        body.replace(r#","data""#, r#","subject":"new","data""#)
    );
    event.remove_attribute("subject");
    assert_eq!(json::encode(&event).unwrap(), body);
}

#[test]
fn a_header_text_is_forgotten_with_the_value_it_stood_for() {
    let mut event = event(&minimal_and(&[("ce-subject", "%e2%82%ac")]), "");
    event.set_attribute("subject", "€").unwrap();
    assert_eq!(encode_binary(&event).unwrap().0["ce-subject"], "%E2%82%AC");
}

#[test]
fn types_survive_json_and_texts_survive_every_mode() {
    let first = from_json(&with_members(
        r#","n":-3,"b":true,"s":"true","time":"2018-04-05T17:31:00Z""#,
    ))
    .unwrap();
    let mut touched = first.clone();
    touched.remove_attribute("s");
    touched.set_attribute("s", "true").unwrap();
    assert_eq!(
        json::decode(json::encode(&touched).unwrap()).unwrap(),
        first
    );
    let (binary, body) = encode_binary(&first).unwrap();
    let over_http = event(&binary, body);
    assert_eq!(texts(&over_http), texts(&first));
    let record = kafka::encode_binary(&over_http).unwrap();
    assert_eq!(record.headers.len(), first.attributes().count());
}

#[test]
fn sixty_four_kib_are_forwarded_in_every_mode() {
    let data = "x".repeat(64 * 1024 - 300);
    let message = minimal_and(&[
        ("content-type", "text/plain"),
        ("ce-subject", &"s".repeat(100)),
    ]);
    let first = event(&message, data.clone());
    let (headers, body) = encode_structured(&first).unwrap();
    let second = event(&headers, body);
    assert_eq!(second.data().bytes(), data.as_bytes());
    let (headers, body) = encode_binary(&second).unwrap();
    assert_eq!(body, data);
    assert_eq!(headers, message);
}

#[test]
fn more_than_the_limits_is_refused_before_it_is_read() {
    let limits = Limits {
        body: 100,
        attributes: 50,
        batch: 1,
    };
    let plain = minimal_and(&[("content-type", "text/plain")]);
    for (headers, body) in [
        (plain.clone(), "x".repeat(101)),
        (
            headers(&[("content-type", "application/cloudevents+json")]),
            "x".repeat(101),
        ),
        (
            headers(&[("content-type", "application/cloudevents-batch+json")]),
            "x".repeat(101),
        ),
        (minimal_and(&[("ce-mine", "x".repeat(51))]), String::new()),
        (
            headers(&[("content-type", "application/cloudevents-batch+json")]),
            "[1,2]".to_owned(),
        ),
    ] {
        let error = decode(&headers, body.clone().into(), &limits).unwrap_err();
        assert!(error.is_too_large(), "{body}: {error}");
    }
    assert!(decode(&plain, "x".repeat(100).into(), &limits).is_ok());
    let wide = with_members(&format!(r#","mine":"{}""#, "x".repeat(60)));
    let error = json::decode_within(
        wide.into(),
        &Limits {
            body: 1000,
            ..limits
        },
    )
    .unwrap_err();
    assert!(error.is_too_large(), "{error}");
}

#[test]
fn data_taken_out_typed_and_put_back_is_a_new_event() {
    let event = from_json(&with_members(r#","data":{"n":1.0}"#)).unwrap();
    let typed: Event<serde_json::Value> = event.parse().unwrap();
    assert_eq!(typed.id(), "1");
    let raw = typed.map_data(|_| 7).into_raw().unwrap();
    assert_eq!(raw.datacontenttype(), Some("application/json"));
    assert_eq!(raw.data(), &Data::json("7"));
    let written = json::encode(&raw).unwrap();
    assert!(written.ends_with(br#""data":7}"#));
}
