use super::*;

const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

fn parse(traceparent: &str) -> Option<TraceContext> {
    TraceContext::parse(traceparent, [])
}

#[test]
fn a_valid_traceparent_comes_back_as_it_was() {
    let context = parse(VALID).unwrap();
    assert!(context.sampled());
    assert_eq!(context.traceparent(), VALID);
    assert_eq!(context.trace_id().to_string(), &VALID[3..35]);
    assert_eq!(context.span_id().to_string(), &VALID[36..52]);
}

#[test]
fn what_is_wrong_anywhere_is_ignored_whole() {
    for wrong in [
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0G",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c.b7ad6b7169203331-01",
        "00.0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331.01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.later",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333é-01",
    ] {
        assert_eq!(parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_later_version_is_read_as_far_as_ours_goes() {
    let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-what-comes-later";
    assert_eq!(parse(later).unwrap().traceparent(), VALID);
    assert_eq!(parse(&later[..55]).unwrap().traceparent(), VALID);
}

#[test]
fn the_random_flag_survives_a_child_and_a_change_of_sampling() {
    let child = parse(VALID).unwrap().child().with_sampled(false);
    assert_eq!(child.flags(), TraceFlags::RANDOM);
    assert_ne!(child.span_id().to_string(), &VALID[36..52]);
    assert_eq!(child.trace_id().to_string(), &VALID[3..35]);
    let plain = parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    assert_eq!(plain.child().flags(), TraceFlags::SAMPLED);
}

#[test]
fn headers_are_read_and_written_over() {
    let mut headers = HeaderMap::new();
    headers.insert("TraceParent", HeaderValue::from_static(VALID));
    headers.append("tracestate", HeaderValue::from_static("a=1"));
    headers.append("tracestate", HeaderValue::from_static("b=2"));
    let context = TraceContext::from_headers(&headers).unwrap();
    assert_eq!(context.tracestate(), Some("a=1,b=2"));

    TraceContext::new_root(false).inject(&mut headers);
    assert!(!headers.contains_key("tracestate"));
    context.inject(&mut headers);
    assert_eq!(TraceContext::from_headers(&headers), Some(context));

    headers.append("traceparent", HeaderValue::from_static(VALID));
    assert_eq!(TraceContext::from_headers(&headers), None);
}

#[test]
fn baggage_is_passed_on_as_it_came_unless_there_is_some() {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", HeaderValue::from_static(VALID));
    headers.append("baggage", HeaderValue::from_static("user=7;p=1"));
    headers.append("baggage", HeaderValue::from_static("team=%20x"));
    let context = TraceContext::from_headers(&headers).unwrap().child();
    assert_eq!(context.baggage(), Some("user=7;p=1,team=%20x"));
    let mut out = HeaderMap::new();
    context.inject(&mut out);
    assert_eq!(out["baggage"], "user=7;p=1,team=%20x");
    out.insert("baggage", HeaderValue::from_static("mine=1"));
    context.inject(&mut out);
    assert_eq!(out["baggage"], "mine=1");
    let long = HeaderValue::try_from("x".repeat(MAX_BAGGAGE)).unwrap();
    headers.append("baggage", long);
    assert_eq!(
        TraceContext::from_headers(&headers).unwrap().baggage(),
        None
    );
}

#[test]
fn a_wrong_tracestate_costs_only_itself() {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", HeaderValue::from_static(VALID));
    for wrong in [&b"caf\xe9=1"[..], b"UPPER=1", b"no-value"] {
        headers.insert("tracestate", HeaderValue::from_bytes(wrong).unwrap());
        let context = TraceContext::from_headers(&headers).unwrap();
        assert_eq!(context.tracestate(), None);
    }
}
