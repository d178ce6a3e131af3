//! What is read from a stack file, and what is said where it cannot be.

use openfaas_stack::{Severity, Stack, StackError};

const WHOLE: &str = r#"version: 1.0
provider:
  name: openfaas
  gateway: ${GATEWAY:-http://127.0.0.1:8080}

configuration:
  templates:
    - name: rust-otlp
      source: https://example.com/templates.git
  copy: [shared]

x-usual: &usual
  labels: {team: ${TEAM}}
  environment:
    write_timeout: 1m
    answer: 42
    flag: true
    empty:

functions:
  order:
    <<: *usual
    lang: rust-otlp-event
    handler: ./order
    image: ${PREFIX:-shop/}order:0.1.0
    secrets: [api-key]
    annotations:
      topic: "orders"
      events.filter: type=order.placed
    limits: {memory: 128Mi, cpu: 100m}
    readonly_root_filesystem: yes
  stored:
    skip_build: true
    image: ghcr.io/someone/stored:1
"#;

fn parse(text: &str) -> Result<Stack, StackError> {
    Stack::parse("stack.yml", text, |name| {
        (name == "TEAM").then(|| "shop".to_owned())
    })
}

fn errors(text: &str) -> Vec<String> {
    match parse(text) {
        Err(StackError::Invalid(report)) => report
            .problems
            .iter()
            .map(|problem| format!("{} {}", problem.span, problem.message))
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_file_is_read_as_faas_cli_reads_it() {
    let stack = parse(WHOLE).unwrap();
    assert_eq!(
        stack.provider.gateway.as_ref().unwrap().as_str(),
        "http://127.0.0.1:8080"
    );
    assert_eq!(stack.configuration.templates[0].name.as_str(), "rust-otlp");
    assert_eq!(stack.configuration.copy[0].as_str(), "shared");
    assert!(stack.warnings.is_empty(), "{:?}", stack.warnings);

    let order = stack.function("order").unwrap();
    assert_eq!(order.image.as_str(), "shop/order:0.1.0");
    assert_eq!(order.labels.value("team"), Some("shop"));
    assert_eq!(
        order
            .limits
            .as_ref()
            .unwrap()
            .cpu
            .as_ref()
            .unwrap()
            .as_str(),
        "100m"
    );
    assert!(order.readonly_root_filesystem);
    let environment = stack.environment(order).unwrap();
    let expected = [
        ("answer", "42"),
        ("empty", ""),
        ("flag", "true"),
        ("write_timeout", "1m"),
    ];
    assert!(
        environment
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .eq(expected)
    );
    assert_eq!(order.wiring().unwrap().unwrap().topics, ["orders"]);
}

#[test]
fn places_are_those_of_the_file_a_person_sees() {
    let stack = parse(WHOLE).unwrap();
    let order = stack.function("order").unwrap();
    let filter = order.annotations.get("events.filter").unwrap();
    assert_eq!(filter.key.span.to_string(), "29:7");
    assert_eq!(filter.value.span.to_string(), "29:22");
    assert_eq!(order.image.span.to_string(), "25:12");
    assert_eq!(order.image.span.length, "${PREFIX:-shop/}order:0.1.0".len());
}

#[test]
fn environment_files_win_over_the_environment_and_later_ones_over_earlier_ones() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("one.yml", "environment: {a: one, b: one}\n");
    write("two.yml", "environment: {b: 2}\n");
    write("three.yml", "environment: [b]\n");
    write(
        "stack.yml",
        "provider: {name: openfaas}\nfunctions:\n  f:\n    lang: x\n    handler: ./f\n    image: f\n    \
         environment: {a: here, c: here}\n    environment_file: [one.yml, two.yml]\n  g:\n    lang: x\n    \
         handler: ./g\n    image: g\n    environment_file: [three.yml]\n",
    );
    let stack = Stack::load(&Stack::find(dir.path()).unwrap()).unwrap();
    let environment = stack.environment(stack.function("f").unwrap()).unwrap();
    let expected = [("a", "one"), ("b", "2"), ("c", "here")];
    assert!(
        environment
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .eq(expected)
    );

    let error = stack
        .environment(stack.function("g").unwrap())
        .unwrap_err()
        .to_string();
    assert!(error.contains("three.yml:1:14"), "{error}");
}

#[test]
fn stack_yaml_comes_before_stack_yml() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        Stack::find(dir.path()),
        Err(StackError::Find { .. })
    ));
    for name in ["stack.yml", "stack.yaml"] {
        std::fs::write(dir.path().join(name), "").unwrap();
        assert_eq!(Stack::find(dir.path()).unwrap(), dir.path().join(name));
    }
}

#[test]
fn every_error_is_told_with_its_place() {
    let text = "version: 2\nprovider: {name: faas}\nfunctions:\n  Order:\n    lang: [rust]\n    image: order\n    skip_build: perhaps\n";
    assert_eq!(
        errors(text),
        [
            "1:10 version `2` is unknown; faas-cli accepts 1.0 alone",
            "2:18 provider.name is `faas`; faas-cli accepts `openfaas` alone",
            "4:3 `Order` is no name for a function: lower-case letters, digits and inner dashes are",
            "4:3 function `Order` has no `handler`",
            "5:11 a text was expected here, and this is a list",
            "7:17 `perhaps` is neither true nor false",
        ]
    );
}

#[test]
fn what_is_no_yaml_is_one_error_at_its_place() {
    for (text, expected) in [
        ("functions:\n  a: {b\n", "this is not YAML"),
        ("a: *nobody\n", "this is not YAML"),
        (
            "a: 1\na: 2\n",
            "2:1 `a` stands here a second time; the first is on line 1",
        ),
        (
            "# ${HOME",
            "1:3 `${` starts a substitution here that no `}` ends",
        ),
        (
            "a: &a [*a]\n",
            "this alias stands inside the very thing it stands for",
        ),
        (
            "- a\n",
            "a stack file, a mapping, was expected here, and this is a list",
        ),
        ("", "`provider` is missing"),
    ] {
        let errors = errors(text);
        assert!(errors[0].contains(expected), "{text:?}: {errors:?}");
    }
}

#[test]
fn aliases_do_not_expand_without_end() {
    let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..9 {
        let before = level - 1;
        text += &format!(
            "a{level}: &a{level} [{}]\n",
            vec![format!("*a{before}"); 10].join(",")
        );
    }
    assert!(errors(&text)[0].contains("its aliases expand to too much"));
}

#[test]
fn unknown_keys_are_warnings_with_a_suggestion() {
    let stack = parse("provider: {name: openfaas}\nfunctions:\n  f:\n    lang: x\n    handler: f\n    image: f\n    enviroment: {a: b}\n    mine: 1\n").unwrap();
    let told: Vec<_> = stack
        .warnings
        .iter()
        .map(|problem| {
            (
                problem.severity,
                problem.message.as_str(),
                problem.remedy.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                Severity::Warning,
                "a function has no `enviroment`; faas-cli ignores it",
                Some("did you mean `environment`?")
            ),
            (
                Severity::Warning,
                "a function has no `mine`; faas-cli ignores it",
                None
            ),
        ]
    );
}

#[test]
fn a_report_shows_the_line_as_a_compiler_does() {
    let Err(error) = parse("provider:\n  name: ${NONE:-faas}\n") else {
        panic!()
    };
    assert_eq!(
        error.to_string(),
        "error: provider.name is `faas`; faas-cli accepts `openfaas` alone\n \
         --> stack.yml:2:9\n  |\n2 |   name: ${NONE:-faas}\n  |         ^^^^^^^^^^^^^\n"
    );
}
