//! Flags, exit codes, configuration, and the first moments (openfaas.md A.1 to A.3).

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use openfaas_tests::contract::{Process, Subject};

/// Until it has ended by itself, or answers.
fn how_it_starts(subject: &Subject, environment: &[(&str, &str)]) -> String {
    let mut process = subject.launch(environment, &[]);
    process.wait_for("an end or an answer", |process| {
        !process.is_running()
            || process.output().contains("Listening on port")
            || process.try_get("/_/health").is_some()
    });
    match process.code_within(Duration::from_millis(300)) {
        Some(code) => format!("exit {code}"),
        None => "it runs".to_owned(),
    }
}

fn exit(subject: &Subject, environment: &[(&str, &str)], arguments: &[&str]) -> (i32, Process) {
    let mut process = subject.launch(environment, arguments);
    let code = process.end().code().unwrap_or(-1);
    process.wait_for("its words", |process| {
        !process.output().is_empty() || code == 0
    });
    (code, process)
}

rows! {
    fn the_flag_version(subject) => "exit 0, Version and SHA" {
        let (code, mut process) = exit(subject, &[], &["-version"]);
        process.wait_for("its words", |process| process.output().contains("Version: "));
        let sha = if process.output().contains("SHA: ") { "Version and SHA" } else { "Version" };
        format!("exit {code}, {sha}")
    }

    fn the_flag_version_with_two_dashes(subject) => "exit 0" {
        format!("exit {}", exit(subject, &[], &["--version"]).0)
    }

    fn the_healthcheck_flag_without_a_lock_file(subject) => "exit 1: unable to find lock file." {
        let (code, process) = exit(subject, &[], &["-run-healthcheck"]);
        format!("exit {code}: {}", process.output().lines().last().unwrap_or_default())
    }

    fn the_healthcheck_flag_beside_a_healthy_process(subject) => "exit 0" {
        let healthy = subject.start(&[]);
        let folder = healthy.folder().to_str().unwrap();
        format!("exit {}", exit(subject, &[("TMPDIR", folder)], &["--run-healthcheck"]).0)
    }

    fn a_write_timeout_of_nought(subject) => "exit 1" {
        how_it_starts(subject, &[("write_timeout", "0")])
    }

    fn a_duration_that_cannot_be_read(subject) => "exit 1" {
        how_it_starts(subject, &[("exec_timeout", "soon")])
    }

    fn a_negative_duration(subject) => "exit 1" {
        how_it_starts(subject, &[("exec_timeout", "-5s")])
    }

    fn a_port_that_is_no_number(subject) => "exit 1" {
        how_it_starts(subject, &[("port", "abc")])
    }

    fn durations_in_seconds_and_as_go_writes_them(subject) => "it runs" {
        how_it_starts(subject, &[("exec_timeout", "5"), ("read_timeout", "1m30s"), ("write_timeout", "2m0.5s")])
    }

    fn an_unknown_mode(subject) => "it runs" {
        how_it_starts(subject, &[("mode", "bogus")])
    }

    fn token_checks_that_cannot_be_done(subject) => "exit 1" {
        how_it_starts(subject, &[("jwt_auth", "true"), ("OPENFAAS_NAME", "f"), ("OPENFAAS_NAMESPACE", "n")])
    }

    fn a_taken_metrics_port(subject) => "exit 1" {
        let taken = match subject {
            Subject::Runtime(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(),
            Subject::Watchdog(..) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8081)).unwrap(),
        };
        let port = taken.local_addr().unwrap().port().to_string();
        how_it_starts(subject, &[("metrics_port", &port)])
    }

    fn a_lock_folder_that_cannot_be_written(subject) => "it runs" {
        how_it_starts(subject, &[("TMPDIR", "/dev/null/folder")])
    }

    fn a_lock_folder_that_is_not_there(subject) => "it is made" {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        let process = subject.start(&[("TMPDIR", inner.to_str().unwrap())]);
        let made = inner.join(".lock").exists();
        drop(process);
        if made { "it is made" } else { "it is missed" }.to_owned()
    }

    fn health_with_suppress_lock(subject) => "200" {
        let mut process = subject.launch(&[("suppress_lock", "true")], &[]);
        process.wait_for("an answer", |process| {
            process.try_get("/status/200").is_some_and(|reply| reply.status == 200)
        });
        process.get("/_/health").status.to_string()
    }

    fn the_lock_file(subject) => "0 bytes, mode 660" {
        use std::os::unix::fs::PermissionsExt;
        let process = subject.start(&[]);
        let file = std::fs::metadata(process.lock()).unwrap();
        // The umask of whoever runs this takes from it, and takes the same from both.
        let umask = rustix::process::umask(rustix::fs::Mode::empty());
        rustix::process::umask(umask);
        let mode = (file.permissions().mode() | umask.bits()) & 0o660;
        format!("{} bytes, mode {mode:o}", file.len())
    }

    fn health_and_calls_before_the_function_is_ready(subject) => "health 503, a call 200" {
        let mut process = subject.launch(&[("fixture_init", "700ms"), ("init_grace", "5s")], &[]);
        process.wait_for("an answer", |process| process.try_get("/_/health").is_some());
        if let Subject::Watchdog(..) = subject {
            process.wait_for("health", |process| process.get("/_/health").status == 200);
        }
        format!("health {}, a call {}", process.get("/_/health").status, process.get("/status/200").status)
    }
}
