//! The CloudEvents codec beside cloudevents-sdk, message for message.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cloudevents::AttributesWriter as _;
use cloudevents::message::{BinaryDeserializer as _, StructuredDeserializer as _};
use http::HeaderMap;
use openfaas_cloudevents::http::{Message, decode, encode_binary, encode_structured};
use openfaas_cloudevents::{Event, Limits};

/// Interleaved pairs per row.
const PAIRS: usize = 301;
/// How long one side of a pair runs: less than the scheduler's slice, so that most pairs run undisturbed.
const SLICE: Duration = Duration::from_millis(2);

/// One thing that both codecs do.
struct Row {
    what: &'static str,
    ours: Box<dyn FnMut()>,
    theirs: Box<dyn FnMut()>,
    /// Microseconds that ours may take.
    budget: Option<f64>,
}

/// Measures every row, prints the table, and says whether ours kept its budgets.
///
/// # Errors
/// A sentence that names the rows over their budget.
pub(crate) fn run() -> Result<(), String> {
    println!(
        "codec: one event of 1 KiB, µs; the fastest tenth of {PAIRS} interleaved pairs, median ratio"
    );
    println!(
        "{:<44} {:>9} {:>15} {:>8} {:>8}",
        "", "ours", "cloudevents-sdk", "budget", "ratio"
    );
    let mut missed = Vec::new();
    for mut row in rows() {
        let (ours, theirs, ratio) = measure(&mut row);
        let budget = row
            .budget
            .map_or_else(|| "–".to_owned(), |limit| format!("{limit:.2}"));
        println!(
            "{:<44} {ours:>9.3} {theirs:>15.3} {budget:>8} {ratio:>7.1}×",
            row.what
        );
        if row.budget.is_some_and(|limit| ours > limit) {
            missed.push(row.what);
        }
    }
    if missed.is_empty() {
        Ok(())
    } else {
        Err(format!("over budget: {}", missed.join(", ")))
    }
}

fn measure(row: &mut Row) -> (f64, f64, f64) {
    micros(&mut row.ours);
    micros(&mut row.theirs);
    let pairs: Vec<(f64, f64)> = (0..PAIRS)
        .map(|_| (micros(&mut row.ours), micros(&mut row.theirs)))
        .collect();
    (
        quantile(0.1, pairs.iter().map(|pair| pair.0)),
        quantile(0.1, pairs.iter().map(|pair| pair.1)),
        quantile(0.5, pairs.iter().map(|pair| pair.1 / pair.0)),
    )
}

/// Microseconds of one call, over as many as fit into a slice.
fn micros(call: &mut dyn FnMut()) -> f64 {
    const STRIDE: u32 = 20;
    let start = Instant::now();
    let mut calls = 0;
    while start.elapsed() < SLICE {
        (0..STRIDE).for_each(|_| call());
        calls += STRIDE;
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

/// The value below which the given share lies. A budget is about the code, so its figure is one that other work on the
/// machine has not stretched.
fn quantile(share: f64, values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[(values.len() as f64 * share) as usize]
}

fn rows() -> Vec<Row> {
    let event = sample();
    let (binary, body) = encode_binary(&event).expect("the sample is valid");
    let (structured, envelope) = encode_structured(&event).expect("the sample is valid");
    vec![
        reading("decode, binary mode", Some(1.5), &binary, &body),
        reading("decode, structured mode", Some(4.0), &structured, &envelope),
        forwarding("decode and encode, binary mode", &binary, &body),
        passing(
            "decode and encode, structured, unchanged",
            &structured,
            &envelope,
            false,
        ),
        passing(
            "decode and encode, structured, new subject",
            &structured,
            &envelope,
            true,
        ),
    ]
}

/// An event of 1 KiB of JSON data with the attributes that an order in a chain has.
fn sample() -> Event {
    let lines: Vec<_> = (0..13)
        .map(|n| serde_json::json!({ "sku": format!("article-{n:05}"), "count": n, "price": 12.5, "note": "as before, please" }))
        .collect();
    let data = serde_json::json!({ "order": "A-2026-000017", "lines": lines });
    Event::new("com.example.order.placed", data)
        .with_id("0b7c7f4e-6a0e-4a2c-9c53-3f9a1c6d7e11")
        .with_source("/function/storefront")
        .with_subject("orders/A-2026-000017")
        .with_time("2026-01-31T12:00:00.250Z")
        .with_extension("partitionkey", "customer-4711")
        .with_extension(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        .into_raw()
        .expect("JSON is data")
}

fn ours(headers: &HeaderMap, body: &Bytes) -> Event {
    match decode(headers, body.clone(), &Limits::default()) {
        Ok(Message::Event(event)) => event,
        other => panic!("the sample was read as {other:?}"),
    }
}

/// The SDK reads out of a vector, so it has to be given one.
fn theirs(headers: &HeaderMap, body: &Bytes) -> cloudevents::Event {
    cloudevents::binding::http::to_event(headers, body.to_vec()).expect("the SDK reads the sample")
}

fn reading(what: &'static str, budget: Option<f64>, headers: &HeaderMap, body: &Bytes) -> Row {
    let (h1, b1, h2, b2) = (headers.clone(), body.clone(), headers.clone(), body.clone());
    Row {
        what,
        budget,
        ours: Box::new(move || drop(black_box(ours(&h1, &b1)))),
        theirs: Box::new(move || drop(black_box(theirs(&h2, &b2)))),
    }
}

fn forwarding(what: &'static str, headers: &HeaderMap, body: &Bytes) -> Row {
    let (h1, b1, h2, b2) = (headers.clone(), body.clone(), headers.clone(), body.clone());
    Row {
        what,
        budget: None,
        ours: Box::new(move || drop(black_box(encode_binary(&ours(&h1, &b1))))),
        theirs: Box::new(move || {
            let serializer = cloudevents::binding::http::Serializer::new(Request::default());
            drop(black_box(theirs(&h2, &b2).deserialize_binary(serializer)));
        }),
    }
}

fn passing(what: &'static str, headers: &HeaderMap, body: &Bytes, change: bool) -> Row {
    let (h1, b1, h2, b2) = (headers.clone(), body.clone(), headers.clone(), body.clone());
    Row {
        what,
        budget: None,
        ours: Box::new(move || {
            let mut event = ours(&h1, &b1);
            if change {
                event
                    .set_attribute("subject", "orders/other")
                    .expect("a subject");
            }
            drop(black_box(encode_structured(&event)));
        }),
        theirs: Box::new(move || {
            let mut event = theirs(&h2, &b2);
            if change {
                event.set_subject(Some("orders/other"));
            }
            let serializer = cloudevents::binding::http::Serializer::new(Request::default());
            drop(black_box(event.deserialize_structured(serializer)));
        }),
    }
}

/// What the SDK writes into: the headers and body of a request.
#[derive(Default)]
struct Request {
    headers: HeaderMap,
}

impl cloudevents::binding::http::Builder<(HeaderMap, Vec<u8>)> for Request {
    fn header(&mut self, key: &str, value: http::HeaderValue) {
        self.headers.insert(
            http::HeaderName::try_from(key).expect("a header name"),
            value,
        );
    }

    fn body(&mut self, bytes: Vec<u8>) -> cloudevents::message::Result<(HeaderMap, Vec<u8>)> {
        Ok((std::mem::take(&mut self.headers), bytes))
    }

    fn finish(&mut self) -> cloudevents::message::Result<(HeaderMap, Vec<u8>)> {
        self.body(Vec::new())
    }
}
