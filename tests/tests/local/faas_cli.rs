//! The real faas-cli against the local runner.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use openfaas_tests::runner::{Runner, until};
use openfaas_tests::tools::{feed, needed, run};
use serde_json::Value;

use crate::probe::{Password, runner_with};

/// faas-cli with a runner to talk to.
struct Cli {
    /// The program.
    program: PathBuf,
    /// The runner.
    runner: Runner,
}

impl Cli {
    /// None, and a line that says so, where there is no faas-cli.
    fn start(test: &str) -> Option<Self> {
        Self::start_with(test, &[])
    }

    fn start_with(test: &str, arguments: &[&str]) -> Option<Self> {
        let program = needed("faas-cli", test)?;
        let runner = runner_with(arguments);
        let template = runner.folder().join("template/rust-otlp");
        std::fs::create_dir_all(&template).unwrap();
        std::fs::write(template.join("template.yml"), "language: rust-otlp\n").unwrap();
        Some(Self { program, runner })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        // Its configuration is the user's own; here it is a folder that goes with the test.
        command
            .current_dir(self.runner.folder())
            .env("HOME", self.runner.folder());
        command
            .env("OPENFAAS_URL", &self.runner.gateway)
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// What it writes when it succeeds.
    fn run(&self, arguments: &[&str]) -> String {
        run(&mut self.command(arguments))
    }

    /// What it writes when it fails, in small letters: it likes to begin its sentences with a large one.
    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let said = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .concat();
        assert!(!output.status.success(), "{arguments:?}: {said}");
        said.to_lowercase()
    }

    fn invoke(&self, arguments: &[&str], input: &str) -> String {
        let output = feed(&mut self.command(&[&["invoke"], arguments].concat()), input);
        assert!(output.status.success(), "{arguments:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        // Whoever has not logged in is told so first, on stdout too.
        said.lines()
            .filter(|line| !line.contains("auth config"))
            .collect()
    }

    fn describe(&self) -> Value {
        serde_json::from_str(&self.run(&["describe", "probe", "--json"])).unwrap()
    }
}

#[test]
fn it_lists_describes_and_invokes() {
    let Some(cli) = Cli::start("it_lists_describes_and_invokes") else {
        return;
    };
    let answer: Value =
        serde_json::from_str(&cli.invoke(&["probe", "--query", "a=b"], "ping")).unwrap();
    assert_eq!(
        (&answer["body"], &answer["uri"]),
        (&"ping".into(), &"/?a=b".into())
    );
    assert_eq!(answer["headers"]["content-type"], "text/plain");
    cli.invoke(&["probe", "--async"], "later");
    let described = cli.describe();
    assert_eq!(described["Status"], "Ready");
    assert!(
        described["InvocationCount"]
            .as_u64()
            .unwrap_or_else(|| panic!("{described}"))
            >= 1
    );
    let list = cli.run(&["list"]);
    let row = list
        .lines()
        .find(|line| line.starts_with("probe"))
        .unwrap_or_else(|| panic!("{list}"));
    let columns: Vec<_> = row.split_whitespace().collect();
    assert!(
        columns[1].parse::<u32>().unwrap() >= 1 && columns[2] == "1",
        "{row}"
    );
    assert!(
        cli.fails(&["describe", "nobody"])
            .contains("no such function")
    );
}

#[tokio::test]
async fn it_deploys_and_removes() {
    let Some(cli) = Cli::start("it_deploys_and_removes") else {
        return;
    };
    assert!(
        cli.run(&[
            "deploy",
            "--env",
            "greeting=bonjour",
            "--annotation",
            "team=shop"
        ])
        .contains("202")
    );
    until("the new environment", async || {
        let environment = cli.runner.get("/function/probe/env").await;
        environment.1.contains("bonjour").then_some(())
    })
    .await;
    let described = cli.describe();
    assert_eq!(described["annotations"]["team"], "shop");
    assert_eq!(
        described["annotations"]["com.openfaas.retry.min_wait"],
        "10ms"
    );
    assert!(cli.fails(&["diff"]).contains("annotation.team"));

    let elsewhere = tempfile::tempdir().unwrap();
    let mut other = cli.command(&["deploy", "--image", "other:1", "--name", "other"]);
    let other = other.current_dir(elsewhere.path()).output().unwrap();
    let said = String::from_utf8_lossy(&other.stdout).into_owned();
    assert!(said.contains("400") && said.contains("stack.yml"), "{said}");

    cli.run(&["remove", "probe"]);
    assert!(
        cli.fails(&["describe", "probe"])
            .contains("no such function")
    );
    cli.run(&["deploy"]);
    cli.run(&["ready", "probe", "--attempts", "50", "--interval", "200ms"]);
}

#[test]
fn it_reads_logs() {
    let Some(cli) = Cli::start("it_reads_logs") else {
        return;
    };
    for line in ["one", "two"] {
        cli.invoke(&["probe"], "");
        let url = format!("{}/function/probe/log", cli.runner.gateway);
        let mut curl = Command::new("curl");
        run(curl.args(["--silent", "--data", line, &url]));
    }
    let last = cli.run(&[
        "logs",
        "probe",
        "--tail=false",
        "--lines",
        "1",
        "--time-format",
        "",
    ]);
    assert_eq!(last.trim(), "two");
    let all = cli.run(&["logs", "probe", "--tail=false", "--since", "10m"]);
    assert!(all.contains("listening") && all.contains("one"), "{all}");
    let none = cli.run(&[
        "logs",
        "probe",
        "--tail=false",
        "--since-time",
        "2100-01-01T00:00:00Z",
    ]);
    assert_eq!(none, "");
    let mut follow = cli
        .command(&["logs", "probe", "--output", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(follow.stdout.take().unwrap()));
    let found = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("two")));
    assert!(found.is_some());
    follow.kill().unwrap();
    follow.wait().unwrap();
}

#[tokio::test]
async fn it_keeps_secrets() {
    let Some(cli) = Cli::start("it_keeps_secrets") else {
        return;
    };
    cli.run(&["secret", "create", "key", "--from-literal", "first"]);
    assert!(cli.run(&["secret", "list"]).contains("key"));
    cli.run(&["deploy", "--secret", "key"]);
    let read = async || cli.runner.get("/function/probe/secret/key").await.1;
    until("the secret", async || {
        (read().await == "first").then_some(())
    })
    .await;
    cli.run(&["secret", "update", "key", "--from-literal", "second"]);
    assert_eq!(read().await, "second");
    // It says so and exits with 0.
    let again = cli.run(&["secret", "create", "key", "--from-literal", "third"]);
    assert!(again.contains("already exists"), "{again}");
    cli.run(&["secret", "remove", "key"]);
    assert!(!cli.run(&["secret", "list"]).contains("key"));
    assert!(
        cli.fails(&["secret", "remove", "key"])
            .contains("unable to find secret")
    );
}

#[test]
fn it_asks_for_version_readiness_and_namespaces() {
    let Some(cli) = Cli::start("it_asks_for_version_readiness_and_namespaces") else {
        return;
    };
    let version: Value = serde_json::from_str(&cli.run(&["version", "--json"])).unwrap();
    assert_eq!(version["provider"]["name"], "openfaas-local");
    assert_eq!(version["provider"]["orchestration"], "processes");
    assert!(cli.run(&["ready"]).contains("OpenFaaS gateway is ready"));
    assert!(
        cli.run(&["ready", "probe"])
            .contains("Function probe is ready")
    );
    assert!(cli.run(&["namespace", "list"]).contains("openfaas-fn"));
    assert!(
        cli.fails(&["namespace", "create", "other"])
            .contains("stack file")
    );
}

#[test]
fn it_logs_in_where_there_is_a_password() {
    let password = Password::new("admin", "s3cret");
    let arguments = password.arguments();
    let arguments = arguments.each_ref().map(String::as_str);
    let Some(cli) = Cli::start_with("it_logs_in_where_there_is_a_password", &arguments) else {
        return;
    };
    assert!(cli.fails(&["list"]).contains("unauthorized"));
    cli.run(&["login", "--username", "admin", "--password", "s3cret"]);
    assert!(cli.run(&["list"]).contains("probe"));
}
