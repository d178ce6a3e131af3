//! What holds for every event: it comes out of any chain of modes as it went in.

use bytes::Bytes;
use openfaas_cloudevents::http::{Message, decode, encode_batch, encode_binary, encode_structured};
use openfaas_cloudevents::{AttributeValue, Data, Event, Limits, json, kafka, nats};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::{option, sample};

use crate::support::{cases, texts};

/// Text that an attribute may be: no control characters, no noncharacters.
pub(crate) fn text() -> BoxedStrategy<String> {
    let refused = |c: char| {
        let code = u32::from(c);
        c.is_control() || matches!(code, 0xfdd0..=0xfdef) || code & 0xfffe == 0xfffe
    };
    let anything = any::<char>().prop_map(move |c| if refused(c) { 'x' } else { c });
    let awkward = sample::select(vec![
        ' ', '"', '%', '\\', '4', '1', 'é', '€', '😀', '~', '!', '\u{a0}',
    ]);
    vec(prop_oneof![awkward, anything], 1..20)
        .prop_map(|chars| chars.into_iter().collect())
        .boxed()
}

fn time() -> BoxedStrategy<String> {
    (
        0..10_000u32,
        1..13u32,
        1..29u32,
        0..24u32,
        0..60u32,
        0..61u32,
        option::of("[0-9]{1,12}"),
        "Z|z|[+-](0[0-9]|1[0-9]|2[0-3]):[0-5][0-9]",
    )
        .prop_map(|(y, m, d, h, min, s, fraction, zone)| {
            let fraction = fraction
                .map(|digits| format!(".{digits}"))
                .unwrap_or_default();
            format!("{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}{fraction}{zone}")
        })
        .boxed()
}

fn value() -> BoxedStrategy<AttributeValue> {
    prop_oneof![
        any::<bool>().prop_map(AttributeValue::Boolean),
        any::<i32>().prop_map(AttributeValue::Integer),
        text().prop_map(AttributeValue::String),
        vec(any::<u8>(), 0..20).prop_map(|bytes| AttributeValue::Binary(bytes.into())),
        // Without an authority, whose port would have to be a number.
        "[a-z][a-z0-9+.-]{0,5}:(/?[a-zA-Z0-9:@~._-][a-zA-Z0-9/:@~._-]{0,19})?"
            .prop_map(AttributeValue::Uri),
        "/[a-z](/[a-zA-Z0-9:%@!$&'()*+,;=._~-]{0,8}){0,3}"
            .prop_map(|path| AttributeValue::UriReference(path.replace('%', "%2F"))),
        time().prop_map(AttributeValue::Timestamp),
    ]
    .boxed()
}

/// Data with the media types that fit it.
fn data() -> BoxedStrategy<(Data, Option<String>)> {
    let json_type = sample::select(vec![
        "application/json",
        "Text/JSON; charset=utf-8",
        "application/vnd.x+json;v=1",
    ]);
    let text_type = sample::select(vec![
        "text/plain",
        "application/xml; charset=UTF-8",
        "TEXT/CSV;header=\"a;b\"",
    ]);
    let json = vec(
        (
            "[a-z]{1,4}",
            any::<f64>().prop_filter("JSON has no other numbers", |n| n.is_finite()),
        ),
        0..4,
    )
    .prop_map(|members| {
        let members: Vec<String> = members
            .into_iter()
            .map(|(name, n)| format!(" \"{name}\" :{n:?}"))
            .collect();
        format!("{{{} }}", members.join(","))
    });
    prop_oneof![
        Just((Data::absent(), None)),
        (json.clone(), option::of(json_type.clone()))
            .prop_map(|(text, media)| (Data::json(text), media.map(str::to_owned))),
        (json, json_type.clone())
            .prop_map(|(text, media)| (Data::opaque(text), Some(media.to_owned()))),
        (text(), text_type).prop_map(|(text, media)| (Data::text(text), Some(media.to_owned()))),
        (vec(any::<u8>(), 1..50), option::of(json_type))
            .prop_map(|(bytes, media)| (Data::binary(bytes), media.map(str::to_owned))),
        (vec(any::<u8>(), 1..50), Just("application/octet-stream"))
            .prop_map(|(bytes, media)| (Data::opaque(bytes), Some(media.to_owned()))),
        vec(any::<u8>(), 1..50).prop_map(|bytes| (Data::opaque(bytes), None)),
    ]
    .boxed()
}

pub(crate) fn event() -> BoxedStrategy<Event> {
    (
        text(),
        text(),
        "/[a-z]{1,8}",
        option::of(text()),
        option::of(time()),
        btree_map("[a-z0-9]{1,20}", value(), 0..5),
        data(),
    )
        .prop_map(
            |(id, ty, source, subject, time, extensions, (data, media_type))| {
                let mut event = Event::new(ty, data).with_id(id).with_source(source);
                for (name, value) in [
                    ("subject", subject),
                    ("time", time),
                    ("datacontenttype", media_type),
                ] {
                    if let Some(value) = value {
                        event
                            .set_attribute(name, value)
                            .expect("it is made to be valid");
                    }
                }
                for (name, value) in extensions
                    .into_iter()
                    .filter(|(name, _)| name != "data" && event_has_no(name))
                {
                    event
                        .set_attribute(&name, value)
                        .expect("it is made to be valid");
                }
                event
            },
        )
        .boxed()
}

fn event_has_no(name: &str) -> bool {
    ![
        "id",
        "source",
        "type",
        "specversion",
        "subject",
        "time",
        "datacontenttype",
        "dataschema",
    ]
    .contains(&name)
}

/// A mode of some protocol: writes the event and reads it back.
type Mode = (&'static str, fn(&Event) -> Event);

pub(crate) const MODES: [Mode; 7] = [
    ("HTTP binary", |event| {
        let (headers, body) = encode_binary(event).unwrap();
        one(decode(&headers, body, &Limits::default()))
    }),
    ("HTTP structured", |event| {
        let (headers, body) = encode_structured(event).unwrap();
        one(decode(&headers, body, &Limits::default()))
    }),
    ("HTTP batch", |event| {
        let (headers, body) = encode_batch(std::slice::from_ref(event)).unwrap();
        match decode(&headers, body, &Limits::default()) {
            Ok(Message::Batch(mut events)) if events.len() == 1 => events.remove(0),
            other => panic!("not a batch of one: {other:?}"),
        }
    }),
    ("Kafka binary", |event| {
        from_kafka(kafka::encode_binary(event).unwrap())
    }),
    ("Kafka structured", |event| {
        from_kafka(kafka::encode_structured(event).unwrap())
    }),
    ("NATS binary", |event| {
        from_nats(nats::encode_binary(event).unwrap())
    }),
    ("NATS structured", |event| {
        from_nats(nats::encode_structured(event).unwrap())
    }),
];

fn one(message: Result<Message, openfaas_cloudevents::Error>) -> Event {
    match message {
        Ok(Message::Event(event)) => event,
        other => panic!("not one event: {other:?}"),
    }
}

fn from_kafka(record: kafka::Record) -> Event {
    let headers = record
        .headers
        .iter()
        .map(|(name, value)| (&**name, Some(&**value)));
    one(kafka::decode(
        headers,
        record.value.clone(),
        &Limits::default(),
    ))
}

fn from_nats((headers, payload): (nats::Headers, Bytes)) -> Event {
    one(nats::decode(
        headers.iter().map(|(name, value)| (&**name, &**value)),
        payload,
        &Limits::default(),
    ))
}

/// Attributes in order, with the media type made explicit and last, where binary modes carry it.
fn meaning(event: &Event) -> (Vec<(String, String)>, Data) {
    let mut attributes = texts(event);
    attributes.retain(|(name, _)| name != "datacontenttype");
    (attributes, event.data().clone())
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn an_event_survives_any_chain_of_modes(event in event(), chain in vec(0..MODES.len(), 1..6)) {
        let declared = event.datacontenttype().map(str::to_owned);
        let mut travelling = event.clone();
        for hop in &chain {
            travelling = MODES[*hop].1(&travelling);
            let way = || chain.iter().map(|hop| MODES[*hop].0).collect::<Vec<_>>().join(", ");
            prop_assert_eq!(meaning(&travelling), meaning(&event), "{}", way());
            if let Some(declared) = &declared {
                prop_assert_eq!(travelling.datacontenttype(), Some(&**declared), "{}", way());
            }
        }
    }

    #[test]
    fn writing_what_was_read_changes_no_byte(event in event()) {
        let (headers, body) = encode_binary(&event).unwrap();
        let again = one(decode(&headers, body.clone(), &Limits::default()));
        prop_assert_eq!(encode_binary(&again).unwrap(), (headers, body));
        let structured = json::encode(&event).unwrap();
        let mut again = json::decode(structured.clone()).unwrap();
        prop_assert_eq!(json::encode(&again).unwrap(), structured.clone());
        again.set_attribute("touched", 1).unwrap();
        again.remove_attribute("touched");
        prop_assert_eq!(json::encode(&again).unwrap(), structured);
    }

    #[test]
    fn a_batch_is_its_events_in_order(events in vec(event(), 0..5)) {
        let body = json::encode_batch(&events).unwrap();
        let read = json::decode_batch(body.clone()).unwrap();
        prop_assert_eq!(read.iter().map(meaning).collect::<Vec<_>>(), events.iter().map(meaning).collect::<Vec<_>>());
        prop_assert_eq!(json::encode_batch(&read).unwrap(), body);
    }

    #[test]
    fn every_text_is_read_from_the_header_that_it_is_written_as(text in text()) {
        let event = Event::new("t", Data::absent()).with_id("1").with_source("/s").with_extension("mine", text.as_str());
        let (headers, _) = encode_binary(&event).unwrap();
        prop_assert!(headers["ce-mine"].as_bytes().iter().all(|b| matches!(b, 0x21..=0x7e) && *b != b'"'));
        let read = one(decode(&headers, Bytes::new(), &Limits::default()));
        prop_assert_eq!(read.text("mine").unwrap(), text);
    }
}
