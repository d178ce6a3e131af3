//! `exec_timeout`, `X-Timeout`, `read_timeout`, `write_timeout` (openfaas.md A.5).

use std::time::{Duration, Instant};

use openfaas_tests::contract::{Process, Subject};

/// How a call of 600 ms, or of another time, ends with `exec_timeout=400ms` and that `X-Timeout`.
fn with_x_timeout(subject: &Subject, timeout: &str, ms: u32) -> String {
    let process = subject.start(&[("exec_timeout", "400ms")]);
    process
        .call("GET", &format!("/wait/{ms}"), &[("X-Timeout", timeout)], "")
        .status
        .to_string()
}

fn closed_or_status(process: &Process, bytes: &str) -> String {
    let mut socket = process.connect();
    socket.patience(Duration::from_secs(5)).send(bytes);
    socket.reply().map_or_else(
        || "closed without an answer".to_owned(),
        |reply| reply.status.to_string(),
    )
}

rows! {
    fn a_handler_past_exec_timeout(subject) => "504 \"\", marked, with its duration" {
        let reply = subject.start(&[("exec_timeout", "200ms")]).get("/wait/2000");
        let marked = if reply.header("x-openfaas-internal").is_some() { "marked" } else { "unmarked" };
        let duration: f64 = reply.header("x-duration-seconds").map_or(0.0, |seconds| seconds.parse().unwrap());
        let duration = if (0.19..1.9).contains(&duration) { "with its duration" } else { "without its duration" };
        format!("{}, {marked}, {duration}", reply.summary())
    }

    fn the_mark_of_an_answer_that_no_function_gave(subject) => "openfaas-runtime" {
        let reply = subject.start(&[("exec_timeout", "100ms")]).get("/wait/2000");
        reply.header("x-openfaas-internal").unwrap_or("none").to_owned()
    }

    fn the_work_of_a_handler_past_exec_timeout(subject) => "is dropped" {
        let process = subject.start(&[("exec_timeout", "100ms")]);
        assert_eq!(process.get("/mark/400").status, 504);
        let end = Instant::now() + Duration::from_millis(900);
        while Instant::now() < end {
            if process.folder().join("marked").exists() {
                return "goes on".to_owned();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        "is dropped".to_owned()
    }

    fn an_exec_timeout_of_nought(subject) => "200" {
        subject.start(&[("exec_timeout", "0")]).get("/wait/300").status.to_string()
    }

    fn an_x_timeout_that_is_lower(subject) => "504" {
        with_x_timeout(subject, "100ms", 300)
    }

    fn an_x_timeout_that_is_lower_and_not_reached(subject) => "200" {
        with_x_timeout(subject, "390ms", 50)
    }

    fn an_x_timeout_that_is_equal(subject) => "504" {
        with_x_timeout(subject, "400ms", 600)
    }

    fn an_x_timeout_that_is_higher(subject) => "504" {
        with_x_timeout(subject, "5s", 600)
    }

    fn an_x_timeout_without_a_unit(subject) => "504, 200" {
        format!("{}, {}", with_x_timeout(subject, "1", 600), with_x_timeout(subject, "0", 200))
    }

    fn an_x_timeout_that_cannot_be_read(subject) => "504, 200" {
        format!("{}, {}", with_x_timeout(subject, "soon", 600), with_x_timeout(subject, "soon", 200))
    }

    fn an_x_timeout_of_nought(subject) => "504" {
        with_x_timeout(subject, "0s", 600)
    }

    fn a_negative_x_timeout(subject) => "504" {
        with_x_timeout(subject, "-1s", 600)
    }

    fn a_handler_past_write_timeout(subject) => "504" {
        let process = subject.start(&[("write_timeout", "300ms"), ("exec_timeout", "5s")]);
        closed_or_status(&process, "GET /wait/700 HTTP/1.1\r\nHost: f\r\n\r\n")
    }

    fn a_body_past_read_timeout(subject) => "408" {
        let process = subject.start(&[("read_timeout", "300ms")]);
        closed_or_status(&process, "POST /length HTTP/1.1\r\nHost: f\r\nContent-Length: 10\r\n\r\nab")
    }

    fn headers_past_read_timeout(subject) => "closed without an answer" {
        let process = subject.start(&[("read_timeout", "300ms")]);
        closed_or_status(&process, "GET /status/200 HTTP/1.1\r\nHost: f\r\nX-Slow: ")
    }

    fn an_idle_connection_past_read_timeout(subject) => "closed" {
        let process = subject.start(&[("read_timeout", "300ms")]);
        let mut socket = process.connect();
        socket.send("GET /status/200 HTTP/1.1\r\nHost: f\r\n\r\n").reply().expect("an answer");
        socket.patience(Duration::from_secs(5));
        if socket.is_closed() { "closed" } else { "open" }.to_owned()
    }
}
