//! What the language means, what goes wrong, and that nothing else does.

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;

/// An event: `amount` is an integer, `urgent` a boolean, everything else text.
fn attribute<'a>(name: &str) -> Option<Value<'a>> {
    Some(match name {
        "id" => Value::String(Cow::Borrowed("A-17")),
        "type" => Value::String(Cow::Borrowed("order.placed")),
        "region" => Value::String(Cow::Borrowed("eu")),
        "hop" => Value::String(Cow::Borrowed("9")),
        "amount" => Value::Integer(12),
        "urgent" => Value::Boolean(true),
        _ => return None,
    })
}

fn outcome(text: &str) -> String {
    let read = match Cesql::parse(text) {
        Ok(read) => read,
        Err(error) => return error.to_string(),
    };
    let (value, problem) = read.evaluate(&attribute);
    let value = match value {
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::String(text) => format!("'{text}'"),
    };
    match problem {
        None => value,
        Some(problem) => format!("{value} {problem:?}"),
    }
}

fn all_are(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(outcome(text), *expected, "{text}");
    }
}

#[test]
fn literals_and_attributes_have_their_types() {
    all_are(&[
        ("tRuE", "true"),
        ("-17", "-17"),
        ("+17", "17"),
        ("-2147483648", "-2147483648"),
        ("'it''s'", "'it's'"),
        (r"'it\'s'", "'it's'"),
        (r#""say \"no\"""#, r#"'say "no"'"#),
        ("''", "''"),
        ("region", "'eu'"),
        ("REGION", "'eu'"),
        ("amount", "12"),
        ("urgent", "true"),
        ("EXISTS region", "true"),
        ("NOT EXISTS colour", "true"),
        ("colour", "false MissingAttribute"),
    ]);
}

#[test]
fn what_binds_tighter_comes_first_and_equals_go_from_left_to_right() {
    all_are(&[
        ("2 + 3 * 4", "14"),
        ("(2 + 3) * 4", "20"),
        ("10 - 3 - 2", "5"),
        ("7 / 2 * 2", "6"),
        ("-7 / 2", "-3"),
        ("-7 % 3", "-1"),
        ("--3", "3"),
        ("1 + 1 = 2 AND 3 > 2", "true"),
        ("FALSE AND FALSE OR TRUE", "true"),
        ("TRUE OR TRUE AND FALSE", "false"),
        ("TRUE XOR TRUE XOR TRUE", "true"),
        ("NOT FALSE = TRUE", "true"),
        ("NOT 'no' LIKE 'n%'", "false Cast"),
        ("1 + 2 IN (3)", "1"),
        ("amount-2", "10"),
    ]);
}

#[test]
fn the_right_side_says_as_what_two_values_are_compared() {
    all_are(&[
        ("hop = 9", "true"),
        ("hop = 09", "true"),
        ("hop = '09'", "false"),
        ("hop < 10", "true"),
        ("amount = '12'", "true"),
        ("'TRUE' = urgent", "true"),
        ("urgent = 'TRUE'", "false"),
        ("urgent = 1", "true"),
        ("region = 5", "false Cast"),
        ("region != 5", "false Cast"),
        ("region <> 'us'", "true"),
        ("type < 5", "true Cast"),
        ("amount IN ('11', '12')", "true"),
        ("region NOT IN ('us', 'uk')", "true"),
        ("amount IN ('many', 12)", "true Cast"),
        ("0 IN ('many')", "false Cast"),
    ]);
}

#[test]
fn patterns_match_whole_texts() {
    all_are(&[
        ("type LIKE 'order.%'", "true"),
        ("type LIKE '%.placed'", "true"),
        ("type LIKE 'order'", "false"),
        ("type NOT LIKE '%refused'", "true"),
        ("region LIKE '__'", "true"),
        ("region LIKE '___'", "false"),
        ("'' LIKE '%'", "true"),
        ("'50%' LIKE '50\\%'", "true"),
        ("'500' LIKE '50\\%'", "false"),
        ("'a_b' LIKE 'a\\_b'", "true"),
        ("'a\\b' LIKE 'a\\b'", "true"),
        ("'aXbXc' LIKE '%X_'", "true"),
        ("'größe' LIKE 'gr__e'", "true"),
        ("amount LIKE '1%'", "true"),
        ("'ABC' LIKE 'abc'", "false"),
    ]);
}

#[test]
fn functions_do_what_their_names_say() {
    all_are(&[
        ("length('größe')", "5"),
        ("CONCAT(region, '-', amount)", "'eu-12'"),
        ("CONCAT()", "''"),
        ("CONCAT_WS('/', 'a', 'b')", "'a/b'"),
        ("CONCAT_WS('/')", "''"),
        ("UPPER(region) = 'EU'", "true"),
        ("LOWER('ÄB')", "'äb'"),
        ("TRIM('\u{2003} a b ')", "'a b'"),
        ("LEFT(type, 5)", "'order'"),
        ("RIGHT(type, 6)", "'placed'"),
        ("LEFT('ab', -1)", "'ab' FunctionEvaluation"),
        ("SUBSTRING(type, 7)", "'placed'"),
        ("SUBSTRING(type, -6, 3)", "'pla'"),
        ("SUBSTRING('ab', 0)", "''"),
        ("SUBSTRING('ab', 3)", "'' FunctionEvaluation"),
        ("SUBSTRING('ab', 1, -1)", "'' FunctionEvaluation"),
        ("ABS(-3)", "3"),
        ("ABS(-2147483648)", "2147483647 Math"),
        ("INT('-5') + 1", "-4"),
        ("INT('five')", "0 Cast"),
        ("BOOL('FALSE')", "false"),
        ("STRING(urgent)", "'true'"),
    ]);
}

#[test]
fn what_goes_wrong_keeps_an_event_out_unless_it_is_not_looked_at() {
    all_are(&[
        ("1 / 0", "0 Math"),
        ("1 % 0", "0 Math"),
        ("-2147483648 % -1", "0"),
        ("2147483647 + 1", "0 Math"),
        ("-2147483648 / -1", "0 Math"),
        ("1 / colour", "0 MissingAttribute"),
        ("colour != 'red'", "false MissingAttribute"),
        ("NOT colour", "false MissingAttribute"),
        ("colour NOT LIKE 'red'", "false MissingAttribute"),
        ("LENGTH(colour)", "0 MissingAttribute"),
        ("urgent OR colour = 'red'", "true"),
        ("NOT urgent AND colour = 'red'", "false"),
        ("EXISTS colour AND colour = 'red'", "false"),
        ("colour = 'red' OR urgent", "false MissingAttribute"),
    ]);
    let passes = |text: &str| Cesql::parse(text).unwrap().passes(&attribute);
    assert!(passes("urgent"));
    assert!(!passes("region"), "it is no boolean");
    assert!(!passes("colour = 'red' OR urgent"), "something went wrong");
}

#[test]
fn a_mistake_is_told_with_its_column() {
    all_are(&[
        (
            "",
            "column 1: an attribute, a value or a function is missing here, where nothing stands",
        ),
        (
            "type =",
            "column 7: an attribute, a value or a function is missing here, where nothing stands",
        ),
        ("type = 'a", "column 8: the quote ' is not closed"),
        ("größe = 1", "column 3: `ö` has no meaning here"),
        (
            "type LIKE region",
            "column 11: a pattern in quotes is missing here, where `region` stands",
        ),
        (
            "type 'a'",
            "column 6: an operator or the end is missing here, where 'a' stands",
        ),
        (
            "(type = 'a'",
            "column 12: `)` is missing here, where nothing stands",
        ),
        (
            "region IN ()",
            "column 12: an attribute, a value or a function is missing here, where `)` stands",
        ),
        (
            "type = 'a' AND size('b') = 1",
            "column 16: there is no function size with 1 arguments",
        ),
        (
            "LENGTH()",
            "column 1: there is no function LENGTH with 0 arguments",
        ),
        (
            "amount = 2147483648",
            "column 10: 2147483648 does not fit into 32 bits",
        ),
        (
            "my_type = 'a'",
            "column 1: `my_type` cannot be an attribute; use lower-case letters and digits",
        ),
        (
            "data = 'a'",
            "column 1: filters see attributes, never data; compare the type or an extension",
        ),
        (
            "type NOT 'a'",
            "column 6: an operator or the end is missing here, where `NOT` stands",
        ),
        (
            "EXISTS and",
            "column 8: an attribute, a value or a function is missing here, where `and` stands",
        ),
    ]);
}

#[test]
fn operations_stand_only_so_deep_in_one_another() {
    let chain = |count: usize| vec!["urgent"; count].join(" AND ");
    assert_eq!(outcome(&chain(100)), "true");
    for deep in [
        chain(100_000),
        format!("{}TRUE{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("{}TRUE", "NOT ".repeat(100_000)),
        format!("{}1", "- ".repeat(100_000)),
        format!("{}1{}", "ABS(".repeat(100_000), ")".repeat(100_000)),
    ] {
        assert!(outcome(&deep).contains("make it flatter"));
    }
}

#[test]
fn the_type_is_known_where_the_event_does_not_decide() {
    for (text, of) in [
        ("type", None),
        ("type = 'a'", Some(Type::Boolean)),
        ("amount + 1", Some(Type::Integer)),
        ("CONCAT()", Some(Type::String)),
        ("-amount", Some(Type::Integer)),
    ] {
        assert_eq!(Cesql::parse(text).unwrap().of_type(), of, "{text}");
    }
}

/// Words of the language in any order, some of which are expressions.
fn soup() -> impl Strategy<Value = String> {
    let words = vec![
        "AND",
        "OR",
        "XOR",
        "NOT",
        "LIKE",
        "EXISTS",
        "IN",
        "TRUE",
        "FALSE",
        "type",
        "amount",
        "colour",
        "urgent",
        "1",
        "0",
        "-2147483648",
        "'a%'",
        "'5'",
        "''",
        "(",
        ")",
        ",",
        "+",
        "-",
        "*",
        "/",
        "%",
        "=",
        "!=",
        "<>",
        "<",
        "<=",
        ">",
        ">=",
        "LENGTH",
        "SUBSTRING",
        "CONCAT_WS",
        "LEFT",
        "ABS",
        "INT",
    ];
    prop::collection::vec(prop::sample::select(words), 0..12).prop_map(|words| words.join(" "))
}

/// Expressions.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "TRUE",
        "0",
        "-1",
        "2147483647",
        "'a'",
        "'7'",
        "''",
        "type",
        "amount",
        "urgent",
        "colour",
    ]);
    leaf.prop_map(str::to_owned)
        .prop_recursive(5, 40, 3, |inner| {
            let binary = prop::sample::select(vec![
                "AND", "OR", "XOR", "=", "<>", "<", ">=", "+", "-", "*", "/", "%",
            ]);
            prop_oneof![
                (inner.clone(), binary, inner.clone())
                    .prop_map(|(one, operator, other)| format!("({one}) {operator} ({other})")),
                inner.clone().prop_map(|one| format!("NOT ({one})")),
                inner.clone().prop_map(|one| format!("-({one})")),
                inner.clone().prop_map(|one| format!("({one}) LIKE '%_a%'")),
                (inner.clone(), inner.clone())
                    .prop_map(|(one, two)| format!("({one}) IN ({two}, 1)")),
                (inner.clone(), inner.clone())
                    .prop_map(|(one, two)| format!("SUBSTRING({one}, {two}, {one})")),
                inner.prop_map(|one| format!("CONCAT({one}, RIGHT({one}, 1))")),
            ]
        })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![soup(), "\\PC*".boxed()]) {
        outcome(&text);
    }

    #[test]
    fn every_expression_has_a_value_of_its_type(text in expressions()) {
        let read = Cesql::parse(&text).unwrap();
        let (value, problem) = read.evaluate(&attribute);
        if let Some(of) = read.of_type() {
            prop_assert_eq!(value.of_type(), of);
        }
        prop_assert_eq!(read.passes(&attribute), value == Value::Boolean(true) && problem.is_none());
        let parenthesized = format!("({text})");
        let again = Cesql::parse(&parenthesized).unwrap();
        prop_assert_eq!(again.evaluate(&attribute), (value, problem));
    }
}
