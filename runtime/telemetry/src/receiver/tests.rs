use super::*;
use crate::otlp::protobuf::{bytes, fixed64, uint};

fn message(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// A request of one span with these fields.
fn request(span: &[u8]) -> Vec<u8> {
    crate::otlp::request(&[], &message(|out| bytes(out, 2, span)))
}

fn with_ids(out: &mut Vec<u8>) {
    bytes(out, 1, &[1; 16]);
    bytes(out, 2, &[2; 8]);
}

#[test]
fn an_empty_request_has_no_spans() {
    assert_eq!(decode(b""), Ok(vec![]));
}

#[test]
fn a_span_needs_its_ids_and_nothing_else() {
    let spans = decode(&request(&message(with_ids))).unwrap();
    assert_eq!(spans[0].trace_id.to_bytes(), [1; 16]);
    assert_eq!(
        (&*spans[0].name, spans[0].kind, spans[0].parent),
        ("", Kind::Internal, None)
    );
    assert_eq!(spans[0].duration(), Duration::ZERO);
    for wrong in [&[0; 16][..], &[1; 15], b""] {
        let span = message(|out| {
            bytes(out, 1, wrong);
            bytes(out, 2, &[2; 8]);
        });
        assert_eq!(decode(&request(&span)), Err(DecodeError::Id));
    }
}

#[test]
fn fields_that_nobody_knows_are_passed_over() {
    let span = message(|out| {
        with_ids(out);
        bytes(out, 11, b"an event");
        fixed64(out, 99, 7);
        uint(out, 2000, 7);
    });
    assert_eq!(decode(&request(&span)).map(|spans| spans.len()), Ok(1));
}

#[test]
fn values_of_every_type_are_read() {
    let array = message(|out| {
        bytes(out, 1, &message(|out| uint(out, 3, 7)));
        bytes(out, 1, &message(|out| bytes(out, 1, b"x")));
    });
    let item = message(|out| {
        bytes(out, 1, b"k");
        bytes(out, 2, &message(|out| uint(out, 2, 1)));
    });
    let value = |field, inner: &[u8]| any_value(&message(|out| bytes(out, field, inner)), 0);
    let expected = [ReceivedValue::Int(7), ReceivedValue::Str("x".into())];
    assert_eq!(value(5, &array), Ok(ReceivedValue::Array(expected.into())));
    let map = message(|out| bytes(out, 1, &item));
    let expected = ReceivedValue::Map(vec![("k".into(), ReceivedValue::Bool(true))]);
    assert_eq!(value(6, &map), Ok(expected));
    assert_eq!(value(7, b"ab"), Ok(ReceivedValue::Bytes(b"ab".into())));
    assert_eq!(any_value(b"", 0), Ok(ReceivedValue::Empty));
}

#[test]
fn values_in_values_end_somewhere() {
    let mut value = message(|out| uint(out, 3, 7));
    for _ in 0..20 {
        let items = message(|out| bytes(out, 1, &value));
        value = message(|out| bytes(out, 5, &items));
    }
    assert_eq!(any_value(&value, 0), Err(DecodeError::Depth));
}

#[test]
fn whatever_is_cut_off_or_of_a_wrong_type_is_an_error() {
    let span = message(with_ids);
    let whole = request(&span);
    for end in 1..whole.len() {
        assert!(decode(&whole[..end]).is_err(), "cut at {end}");
    }
    let wrong = message(|out| {
        with_ids(out);
        uint(out, 5, 1);
    });
    assert_eq!(decode(&request(&wrong)), Err(DecodeError::WireType(5)));
    let wrong = message(|out| {
        with_ids(out);
        bytes(out, 5, b"\xff");
    });
    assert_eq!(decode(&request(&wrong)), Err(DecodeError::Utf8(5)));
    assert_eq!(decode(&[0xff; 16]), Err(DecodeError::Truncated));
    assert_eq!(decode(b"\x0b"), Err(DecodeError::WireType(1)));
}

#[test]
fn noise_is_never_a_panic() {
    let whole = request(&message(with_ids));
    for _ in 0..20_000 {
        let mut noise = whole.clone();
        for _ in 0..fastrand::usize(1..6) {
            let place = fastrand::usize(..noise.len());
            noise[place] = fastrand::u8(..);
        }
        let _ = decode(&noise);
    }
}
