//! From the signal to the end (openfaas.md A.8).

use std::time::{Duration, Instant};

use openfaas_tests::contract::Socket;
use rustix::process::Signal;

rows! {
    fn health_and_calls_after_sigterm(subject) => "health 503, ready 503, a call 200, no lock file, exit 0" {
        let mut process = subject.start(&[("healthcheck_interval", "700ms"), ("drain_quiet", "700ms")]);
        process.signal(Signal::TERM);
        process.wait_for("the signal to arrive", |process| process.get("/_/health").status == 503);
        let (ready, call) = (process.get("/_/ready").status, process.get("/status/200").status);
        let lock = if process.lock().exists() { "a lock file" } else { "no lock file" };
        let code = process.end().code().unwrap_or(-1);
        format!("health 503, ready {ready}, a call {call}, {lock}, exit {code}")
    }

    fn a_call_that_runs_at_sigterm(subject) => "200 \"waited 900\", the port closed before, exit 0" {
        let mut process = subject.start(&[("healthcheck_interval", "200ms"), ("drain_quiet", "200ms")]);
        let mut call = process.connect();
        call.send("GET /wait/900 HTTP/1.1\r\nHost: f\r\n\r\n");
        process.wait_for("a call inside", |process| {
            process.metric("http_requests_in_flight").is_some_and(|calls| calls > 0.0)
        });
        process.signal(Signal::TERM);
        process.wait_for("the port to close", |process| Socket::connect(process.port).is_err());
        call.patience(Duration::from_millis(1));
        let before = if call.head().is_none() { "before" } else { "after" };
        let reply = call.patience(Duration::from_secs(5)).reply();
        let reply = reply.map_or_else(|| "cut".to_owned(), |reply| reply.summary());
        format!("{reply}, the port closed {before}, exit {}", process.end().code().unwrap_or(-1))
    }

    fn connections_after_sigterm(subject) => "closed by each answer" {
        let mut process = subject.start(&[("healthcheck_interval", "700ms"), ("drain_quiet", "700ms")]);
        let mut socket = process.connect();
        socket.send("GET /status/200 HTTP/1.1\r\nHost: f\r\n\r\n").reply().expect("an answer");
        process.signal(Signal::TERM);
        process.wait_for("the signal to arrive", |process| process.get("/_/health").status == 503);
        let reply = socket.send("GET /status/200 HTTP/1.1\r\nHost: f\r\n\r\n").reply().expect("an answer");
        match reply.header("connection") {
            Some("close") => "closed by each answer".to_owned(),
            _ => "left open".to_owned(),
        }
    }

    fn an_idle_function_after_sigterm(subject) => "ends once it is quiet" {
        let mut process = subject.start(&[("healthcheck_interval", "2500ms"), ("drain_quiet", "300ms")]);
        let signal = Instant::now();
        process.signal(Signal::TERM);
        process.end();
        if signal.elapsed() < Duration::from_millis(2400) { "ends once it is quiet" } else { "waits the interval" }.to_owned()
    }

    fn a_healthcheck_interval_of_nought(subject) => "ends at once" {
        let mut process = subject.start(&[("healthcheck_interval", "0")]);
        process.signal(Signal::TERM);
        match process.code_within(Duration::from_secs(2)) {
            Some(0) => "ends at once".to_owned(),
            Some(code) => format!("ends with {code}"),
            None => "never ends".to_owned(),
        }
    }

    fn a_sigint(subject) => "exit 0, no lock file" {
        let mut process = subject.start(&[("healthcheck_interval", "200ms")]);
        process.signal(Signal::INT);
        let code = process.end().code();
        let lock = if process.lock().exists() { "a lock file" } else { "no lock file" };
        code.map_or_else(|| format!("killed, {lock}"), |code| format!("exit {code}, {lock}"))
    }

    fn a_second_sigterm(subject) => "exit 0" {
        let mut process = subject.start(&[("healthcheck_interval", "500ms"), ("drain_quiet", "500ms")]);
        process.signal(Signal::TERM);
        process.wait_for("the signal to arrive", |process| process.get("/_/health").status == 503);
        process.signal(Signal::TERM);
        format!("exit {}", process.end().code().unwrap_or(-1))
    }
}
