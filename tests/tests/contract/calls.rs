//! What of-watchdog has no setting for, or does not do.

use std::time::{Duration, Instant};

use openfaas_tests::contract::Socket;
use rustix::process::Signal;

use crate::runtime;

#[test]
fn a_body_over_max_body_is_413_by_its_length_before_it_is_read() {
    let process = runtime().start(&[("max_body", "1KiB")]);
    let mut socket = process.connect();
    socket.send("POST /length HTTP/1.1\r\nHost: f\r\nContent-Length: 1025\r\n\r\n");
    let reply = socket.reply().expect("an answer without a body sent");
    assert_eq!(
        (reply.status, reply.header("x-openfaas-internal")),
        (413, Some("openfaas-runtime"))
    );
    assert!(socket.is_closed());
    assert_eq!(
        process
            .call("POST", "/length", &[], &"x".repeat(1024))
            .summary(),
        "200 \"1024\""
    );
}

#[test]
fn a_chunked_body_over_max_body_is_413_as_soon_as_it_is_over() {
    let process = runtime().start(&[("max_body", "1KiB")]);
    let mut socket = process.connect();
    socket.send("POST /length HTTP/1.1\r\nHost: f\r\nTransfer-Encoding: chunked\r\n\r\n");
    socket.send(format!("800\r\n{}\r\n", "x".repeat(2048)));
    assert_eq!(
        socket.reply().expect("an answer before the end").status,
        413
    );
    assert!(socket.is_closed());
}

#[test]
fn what_is_read_whole_has_ten_mib_and_no_more() {
    let process = runtime().start(&[]);
    let fits = "x".repeat(10 << 20);
    assert_eq!(
        process.call("POST", "/length", &[], &fits).summary(),
        format!("200 \"{}\"", 10 << 20)
    );
    let mut socket = process.connect();
    socket.send(format!(
        "POST /length HTTP/1.1\r\nHost: f\r\nContent-Length: {}\r\n\r\n",
        (10 << 20) + 1
    ));
    socket.send(&fits).send("y");
    assert_eq!(socket.reply().expect("an answer").status, 413);
}

#[test]
fn callers_wait_in_the_queue_and_no_more_than_fit() {
    let mut process = runtime().start(&[
        ("max_inflight", "1"),
        ("max_queue", "1"),
        ("max_queue_wait", "10s"),
    ]);
    let mut first = process.connect();
    first.send("GET /wait/4000 HTTP/1.1\r\nHost: f\r\n\r\n");
    process.wait_for("a call inside", |process| {
        process.get("/_/ready").status == 429
    });
    let mut second = process.connect();
    second.send("GET /status/201 HTTP/1.1\r\nHost: f\r\n\r\n");
    process.wait_for("a full queue", |process| {
        process.metric("openfaas_calls_queued") == Some(1.0)
    });
    assert_eq!(process.get("/status/202").status, 429);
    assert_eq!(first.reply().expect("an answer").status, 200);
    assert_eq!(second.reply().expect("an answer").status, 201);
}

#[test]
fn a_caller_waits_no_longer_than_max_queue_wait() {
    let mut process = runtime().start(&[
        ("max_inflight", "1"),
        ("max_queue", "5"),
        ("max_queue_wait", "200ms"),
    ]);
    let mut first = process.connect();
    first.send("GET /wait/5000 HTTP/1.1\r\nHost: f\r\n\r\n");
    process.wait_for("a call inside", |process| {
        process.get("/_/ready").status == 429
    });
    let began = Instant::now();
    assert_eq!(process.get("/status/200").status, 429);
    assert!(began.elapsed() >= Duration::from_millis(190));
}

#[test]
fn a_caller_who_leaves_frees_the_place_at_once() {
    let mut process = runtime().start(&[("max_inflight", "1")]);
    let mut caller = process.connect();
    caller.send("GET /mark/2500 HTTP/1.1\r\nHost: f\r\n\r\n");
    process.wait_for("a call inside", |process| {
        process.get("/_/ready").status == 429
    });
    let left = Instant::now();
    drop(caller);
    process.wait_for("a place", |process| process.get("/_/ready").status == 200);
    assert!(
        left.elapsed() < Duration::from_secs(2),
        "before the handler could have ended"
    );
    assert!(!process.folder().join("marked").exists());
    let outcome = |name: &str| {
        process.metric(&format!(
            "openfaas_calls_unanswered_total{{outcome=\"{name}\"}}"
        ))
    };
    assert_eq!(
        (outcome("caller_left"), outcome("timeout")),
        (Some(1.0), Some(0.0))
    );
    process.wait_for("its line", |process| {
        process.output().contains("caller_left")
    });
}

#[test]
fn what_outlasts_drain_timeout_is_cut_and_logged_and_the_exit_is_clean() {
    let mut process = runtime().start(&[
        ("drain_timeout", "1s"),
        ("healthcheck_interval", "100ms"),
        ("exec_timeout", "20s"),
    ]);
    let mut caller = process.connect();
    caller.send("GET /wait/15000 HTTP/1.1\r\nHost: f\r\n\r\n");
    process.wait_for("a call inside", |process| {
        process
            .metric("http_requests_in_flight")
            .is_some_and(|calls| calls > 0.0)
    });
    let signal = Instant::now();
    process.signal(Signal::TERM);
    assert_eq!(process.end().code(), Some(0));
    assert!(
        signal.elapsed() < Duration::from_secs(3),
        "{:?}",
        signal.elapsed()
    );
    assert!(caller.reply().is_none(), "it was cut");
    process.wait_for("a word about it", |process| {
        process.output().contains("1 requests are cut")
    });
}

#[test]
fn calls_that_keep_coming_hold_the_port_open_up_to_the_interval() {
    let mut process =
        runtime().start(&[("healthcheck_interval", "1500ms"), ("drain_quiet", "400ms")]);
    let signal = Instant::now();
    process.signal(Signal::TERM);
    process.wait_for("the signal to arrive", |process| {
        process
            .try_get("/_/health")
            .is_none_or(|reply| reply.status == 503)
    });
    let mut served = Duration::ZERO;
    while process
        .try_get("/status/200")
        .is_some_and(|reply| reply.status == 200)
    {
        served = signal.elapsed();
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(
        served >= Duration::from_millis(900),
        "longer than drain_quiet: {served:?}"
    );
    assert!(
        served < Duration::from_millis(2500),
        "no longer than the interval: {served:?}"
    );
    assert_eq!(process.end().code(), Some(0));
}

#[test]
fn callers_that_only_begin_a_request_hold_up_nobody() {
    let process = runtime().start(&[("max_inflight", "2")]);
    let mut idle: Vec<Socket> = (0..200).map(|_| process.connect()).collect();
    for socket in &mut idle {
        socket.send("POST /length HTTP/1.1\r\nHost: f\r\nContent-Le");
    }
    assert_eq!(process.get("/status/200").status, 200);
    assert_eq!(process.get("/_/health").status, 200);
}

#[test]
fn malformed_requests_by_the_hundred_leave_it_well() {
    let mut process = runtime().start(&[]);
    let pieces = [
        "GET ",
        "/ ",
        "HTTP/1.1",
        "\r\n",
        "Host: f",
        "\r\n\r\n",
        ": ",
        "\0",
        "Content-Length: 9",
        "%",
        "chunked",
        "é",
    ];
    let mut seed = 0x2545_f491_u32;
    for _ in 0..300 {
        let mut request = String::new();
        for _ in 0..8 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            request += pieces[(seed >> 16) as usize % pieces.len()];
        }
        let mut socket = process.connect();
        socket.patience(Duration::from_millis(20)).send(&request);
        if let Some((status, _)) = socket.head() {
            assert!(
                matches!(status, 200 | 400 | 404 | 405 | 414 | 431 | 505),
                "{status} to {request:?}"
            );
        }
    }
    assert_eq!(process.get("/status/200").status, 200);
    assert!(
        process.is_running() && !process.output().contains("panicked"),
        "{}",
        process.output()
    );
}

#[test]
fn every_line_of_a_call_in_json_has_its_ids() {
    let mut process = runtime().start(&[("log_format", "json")]);
    process.call("GET", "/status/200", &[("X-Call-Id", "id-9")], "");
    process.wait_for("a line", |process| process.output().contains("/status/200"));
    let output = process.output();
    let line = output
        .lines()
        .find(|line| line.contains("/status/200"))
        .unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["call_id"], "id-9");
    assert_eq!(line["trace_id"].as_str().map(str::len), Some(32));
    assert_eq!(line["fields"]["status"], 200);
}
