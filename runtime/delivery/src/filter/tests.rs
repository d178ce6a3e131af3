//! The dialects, by the examples of the Subscriptions API, and what is refused.

use openfaas_cloudevents::Data;
use proptest::prelude::*;

use super::*;

fn event() -> Event {
    Event::new("com.github.push", Data::absent())
        .with_id("1")
        .with_source("/cloudevents/spec")
        .with_subject("pull/123")
        .with_extension("amount", 12)
        .with_extension("urgent", true)
}

fn matches(filter: &str) -> bool {
    Filter::parse(filter).unwrap().matches(&event())
}

#[test]
fn the_short_form_compares_exactly_and_all_of_it() {
    for (filter, expected) in [
        ("type=com.github.push", true),
        (" type = com.github.push , subject=pull/123 ", true),
        ("type=com.github", false),
        ("type=COM.GITHUB.PUSH", false),
        ("type=com.github.push,subject=pull/124", false),
        ("region=eu", false),
        ("amount=12", true),
        ("urgent=true", true),
        ("specversion=1.0", true),
    ] {
        assert_eq!(matches(filter), expected, "{filter}");
    }
}

#[test]
fn a_value_of_the_short_form_may_hold_an_equals_sign() {
    let event = Event::new("t", Data::absent()).with_subject("a=b");
    assert!(Filter::parse("subject=a=b").unwrap().matches(&event));
}

#[test]
fn what_the_short_form_does_not_know_is_cesql() {
    for (filter, expected) in [
        ("type = 'com.github.push'", true),
        ("type=\"com.github.push\"", true),
        ("type LIKE 'com.%' AND amount > 10", true),
        ("amount>12", false),
        ("amount <> 13", true),
        ("EXISTS subject", true),
        ("NOT (EXISTS region)", true),
        ("region = 'eu' OR urgent", false),
        ("urgent", false),
        (r#"{"sql":"urgent"}"#, true),
        (r#"{"cesql":"urgent AND amount IN (11, 12)"}"#, true),
        (r#"{"not":{"sql":"region = 'eu'"}}"#, true),
        (
            r#"[{"prefix":{"type":"com."}},{"sql":"LENGTH(id) = 1"}]"#,
            true,
        ),
        ("subject = pull/123, urgent = true", true),
    ] {
        let found = Filter::parse(filter).is_ok_and(|filter| filter.matches(&event()));
        assert_eq!(found, expected, "{filter}");
    }
}

#[test]
fn each_dialect_means_what_the_specification_says() {
    for (filter, expected) in [
        (
            r#"{"exact":{"type":"com.github.push","subject":"pull/123"}}"#,
            true,
        ),
        (
            r#"{"exact":{"type":"com.github.push","subject":"pull"}}"#,
            false,
        ),
        (r#"{"exact":{"region":"eu"}}"#, false),
        (
            r#"{"prefix":{"type":"com.github.","subject":"pull/"}}"#,
            true,
        ),
        (r#"{"prefix":{"type":"github."}}"#, false),
        (r#"{"prefix":{"region":"e"}}"#, false),
        (r#"{"suffix":{"type":".push","source":"/spec"}}"#, true),
        (r#"{"suffix":{"type":".pull"}}"#, false),
        (
            r#"{"all":[{"prefix":{"type":"com."}},{"suffix":{"type":"push"}}]}"#,
            true,
        ),
        (
            r#"{"all":[{"prefix":{"type":"com."}},{"suffix":{"type":"pull"}}]}"#,
            false,
        ),
        (
            r#"{"any":[{"exact":{"type":"x"}},{"exact":{"subject":"pull/123"}}]}"#,
            true,
        ),
        (
            r#"{"any":[{"exact":{"type":"x"}},{"exact":{"subject":"y"}}]}"#,
            false,
        ),
        (r#"{"not":{"exact":{"type":"com.github.push"}}}"#, false),
        (r#"{"not":{"exact":{"region":"eu"}}}"#, true),
        (
            r#"{"not":{"any":[{"exact":{"type":"x"}},{"not":{"exact":{"amount":"12"}}}]}}"#,
            true,
        ),
        (
            r#"[{"prefix":{"type":"com."}},{"exact":{"urgent":"true"}}]"#,
            true,
        ),
        (
            r#"[{"prefix":{"type":"com."}},{"exact":{"urgent":"false"}}]"#,
            false,
        ),
    ] {
        assert_eq!(matches(filter), expected, "{filter}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_a_remedy() {
    for (filter, message) in [
        (
            "order.placed",
            "`order.placed` compares nothing; write `attribute=value`, CESQL, or a filter as JSON",
        ),
        (
            "type=a,",
            "`` compares nothing; write `attribute=value`, CESQL, or a filter as JSON",
        ),
        ("type=", "`type` is compared with nothing; write a value"),
        (
            "type==order.placed",
            "`type==order.placed` compares by more than one `=`: write `type=order.placed`",
        ),
        (
            "type = = a",
            "`type = = a` compares by more than one `=`: write `type=a`",
        ),
        (
            "=a",
            "`` cannot be an attribute; use lower-case letters and digits",
        ),
        (
            "ce-type=a",
            "`ce-type` cannot be an attribute; use lower-case letters and digits",
        ),
        (
            "data=1",
            "filters see attributes, never data; compare the type or an extension",
        ),
        (
            "{",
            "this is not JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            "{}",
            "an expression has one dialect, this one has 0; join several by all or any",
        ),
        (
            r#"{"exact":{"type":"a"},"prefix":{"type":"b"}}"#,
            "an expression has one dialect, this one has 2; join several by all or any",
        ),
        (
            r#"{"xpath":"type"}"#,
            "there is no dialect `xpath`; use exact, prefix, suffix, all, any, not or sql",
        ),
        (
            r#"{"sql":{"type":"a"}}"#,
            "`sql` takes an expression as a string",
        ),
        (
            r#"{"all":[{"sql":"type = "}]}"#,
            "as CESQL, column 8: an attribute, a value or a function is missing here, where nothing stands",
        ),
        (
            "type = 'a' AND",
            "as CESQL, column 15: an attribute, a value or a function is missing here, where nothing stands",
        ),
        (
            "LENGTH(type)",
            "as CESQL, column 1: this is a number, and a filter is true or false; compare it with something",
        ),
        (
            r#"{"exact":{}}"#,
            "exact compares nothing; write at least one attribute",
        ),
        (
            r#"{"exact":{"type":""}}"#,
            "`type` is compared with nothing; write a value",
        ),
        (
            r#"{"exact":{"amount":12}}"#,
            "`amount` is compared with 12; write it as a string, \"12\"",
        ),
        (
            r#"{"exact":"a"}"#,
            "`exact` takes an object of attributes and their values",
        ),
        (
            r#"{"all":[]}"#,
            "all holds no expression; write at least one",
        ),
        (
            r#"{"any":{"exact":{"type":"a"}}}"#,
            "`any` takes an array of expressions",
        ),
        (
            r#"{"not":[]}"#,
            "`[]` is no expression; write an object such as {\"exact\":{\"type\":\"…\"}}",
        ),
        ("[]", "the filter holds no expression; write at least one"),
    ] {
        assert_eq!(Filter::parse(filter), Err(message.to_owned()), "{filter}");
    }
}

#[test]
fn expressions_stand_only_so_deep_in_one_another() {
    let nested = |depth| {
        format!(
            "{}{}{}",
            r#"{"not":"#.repeat(depth),
            r#"{"exact":{"type":"a"}}"#,
            "}".repeat(depth)
        )
    };
    assert!(Filter::parse(&nested(DEEPEST - 1)).is_ok());
    assert!(
        Filter::parse(&nested(DEEPEST))
            .unwrap_err()
            .contains("make it flatter")
    );
    assert!(Filter::parse(&nested(10_000)).is_err());
}

#[test]
fn a_filter_is_shown_as_it_was_written() {
    for text in ["type=a,subject=b", r#"{"not": {"exact": {"type": "a"}}}"#] {
        assert_eq!(Filter::parse(text).unwrap().to_string(), text);
    }
}

fn expressions() -> impl Strategy<Value = Value> {
    let pairs = prop::collection::btree_map("[ab]", "[ab]{1,2}", 1..3);
    let leaf = (
        prop::sample::select(vec!["exact", "prefix", "suffix"]),
        pairs,
    )
        .prop_map(|(dialect, pairs)| serde_json::json!({ dialect: pairs }));
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|one| serde_json::json!({ "not": one })),
            prop::collection::vec(inner.clone(), 1..3)
                .prop_map(|list| serde_json::json!({ "all": list })),
            prop::collection::vec(inner, 1..3).prop_map(|list| serde_json::json!({ "any": list })),
        ]
    })
}

proptest! {
    #[test]
    fn not_is_the_opposite_and_all_and_any_are_de_morgans(
        one in expressions(),
        other in expressions(),
        a in prop::option::of("[ab]{1,3}"),
        b in prop::option::of("[ab]{1,3}"),
    ) {
        let mut event = Event::new("t", Data::absent());
        for (name, value) in [("a", a), ("b", b)] {
            if let Some(value) = value {
                event = event.with_extension(name, value);
            }
        }
        let says = |filter: Value| Filter::parse(&filter.to_string()).unwrap().matches(&event);
        let not = |inner: &Value| serde_json::json!({ "not": inner });
        prop_assert_eq!(says(not(&one)), !says(one.clone()));
        let all = says(serde_json::json!({ "all": [one.clone(), other.clone()] }));
        let any = says(not(&serde_json::json!({ "any": [not(&one), not(&other)] })));
        prop_assert_eq!(all, any);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        let _ = Filter::parse(&text);
    }
}
