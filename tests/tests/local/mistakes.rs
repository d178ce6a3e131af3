//! What a person gets wrong, and what the runner says then.

use std::fs;
use std::process::Command;

use openfaas_tests::runner::{Runner, program};

use crate::packages::{SERVER, package, stack};
use crate::probe::{STACK, fixture};

#[tokio::test]
async fn one_function_that_does_not_compile_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    package(
        folder.path(),
        "broken",
        "fn main() { let n: u32 = \"four\"; }",
    );
    package(folder.path(), "works", SERVER);
    stack(folder.path(), &["broken", "works"]);
    let runner = Runner::start_in(folder, &[]);
    assert_eq!(runner.ready["functions"]["works"], "ready");
    assert_eq!(runner.ready["functions"]["broken"], "does not compile");
    assert_eq!(
        runner.get("/function/works").await,
        (200, "it works".to_owned())
    );
    assert_eq!(runner.get("/function/broken").await.0, 404);
    let output = runner.output();
    assert_eq!(output.matches("error[E0308]").count(), 1, "{output}");
    assert!(
        !output.contains('\u{1b}'),
        "no colours without a terminal: {output}"
    );
    let row = |name: &str| {
        output
            .lines()
            .find(|line| line.starts_with(name))
            .map(str::to_owned)
            .unwrap()
    };
    assert!(
        row("works ").contains("ready") && row("works ").contains("/function/works"),
        "{output}"
    );
    assert!(row("broken ").contains("failed"), "{output}");
}

#[tokio::test]
async fn a_function_that_is_only_an_image_is_said_to_be_one() {
    let runner = Runner::start(
        "\n  figlet:\n    skip_build: true\n    image: figlet:latest\n",
        &[],
    );
    let why = runner.ready["functions"]["figlet"].as_str().unwrap();
    assert!(
        why.contains("figlet:latest") && why.contains("--binary"),
        "{why}"
    );
}

#[test]
fn what_a_stack_file_has_wrong_is_said_at_the_start() {
    let stack = "
  typo:
    lang: rust-otlp
    handler: ./typo
    image: typo:1
    secrets: [key]
    annotations:
      topic: orders
      events.fliter: type=x
  absent:
    lang: rust-otlp
    handler: ./absent
    image: absent:1
";
    let runner = Runner::start(stack, &["--binary", &fixture("typo")]);
    assert_eq!(runner.ready["functions"]["typo"], "ready");
    assert_eq!(
        runner.ready["functions"]["absent"],
        "its handler folder ./absent is not there"
    );
    let output = runner.output();
    for said in [
        "stack.yml:13:7: nothing reads the annotation `events.fliter`; did you mean `events.filter`?",
        "absent its handler folder ./absent is not there",
        "typo has no secret key: write it to .secrets/key or `faas-cli secret create key`",
    ] {
        let lines = output.lines().filter(|line| line.contains(said)).count();
        assert_eq!(lines, 1, "{said}: {output}");
    }
}

#[test]
fn what_cannot_be_run_is_one_sentence_and_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| {
        let output = Command::new(program())
            .current_dir(folder.path())
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&[]).contains("stack.yml"));
    fs::write(
        folder.path().join("stack.yml"),
        "provider: {name: openfaas}\nfunctions:\n  probe: [\n",
    )
    .unwrap();
    let broken = refused(&[]);
    assert!(broken.contains("stack.yml:"), "{broken}");
    fs::write(
        folder.path().join("stack.yml"),
        format!("provider: {{name: openfaas}}\nfunctions:{STACK}"),
    )
    .unwrap();
    let everywhere = refused(&["--listen", "0.0.0.0:0"]);
    assert!(everywhere.contains("--basic-auth-password"), "{everywhere}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let busy = refused(&["--listen", &address]);
    assert!(
        busy.contains(&address) && busy.contains("--listen 127.0.0.1:0"),
        "{busy}"
    );
    let nobody = refused(&["--listen", "127.0.0.1:0", "--binary", "nobody=/bin/true"]);
    assert!(
        nobody.contains("nobody") && nobody.contains("stack.yml"),
        "{nobody}"
    );
    let wrong = format!(
        "provider: {{name: openfaas}}\nfunctions:{STACK}      events.order: x\n      topic: t\n"
    );
    fs::write(folder.path().join("stack.yml"), wrong).unwrap();
    let wiring = refused(&["--listen", "127.0.0.1:0"]);
    assert!(
        wiring.contains("events.order") && wiring.contains("stack.yml:14:"),
        "{wiring}"
    );
}
