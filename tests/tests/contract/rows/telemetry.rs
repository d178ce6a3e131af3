//! Metrics and logs (openfaas.md A.10, A.11).

use std::time::Duration;

use openfaas_tests::contract::{Process, Subject};

/// The line that a call of `/status/200` leaves in the log, without its time stamp.
fn logged(subject: &Subject, environment: &[(&str, &str)], headers: &[(&str, &str)]) -> String {
    let mut process = subject.start(environment);
    process.call("GET", "/status/202?q", headers, "");
    process.wait_for("a line", |process| {
        process.output().contains("GET /status/202?q")
    });
    let output = process.output();
    let line = output
        .lines()
        .find(|line| line.contains("/status/202?q"))
        .expect("just seen");
    line[line.find("GET ").expect("just seen")..].to_owned()
}

/// Whether a call with this User-Agent is logged, once a later one is.
fn is_logged(process: &mut Process, agent: &str) -> bool {
    process.call("GET", "/status/203", &[("User-Agent", agent)], "");
    process.call("GET", "/status/204", &[], "");
    process.wait_for("a line", |process| process.output().contains("/status/204"));
    process.output().contains("/status/203")
}

rows! {
    fn the_metrics_by_name(subject) => "counter, histogram, gauge" {
        let process = subject.start(&[]);
        process.get("/status/200");
        let body = process.metrics().body;
        ["http_requests_total", "http_request_duration_seconds", "http_requests_in_flight"]
            .map(|name| {
                let found = body.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} ")));
                found.unwrap_or("none").to_owned()
            })
            .join(", ")
    }

    fn the_labels_of_the_metrics(subject) => "1, 2, 1" {
        let process = subject.start(&[]);
        let before = process.metric(r#"http_requests_total{code="200",method="get"}"#).unwrap_or(0.0);
        process.get("/status/200");
        process.call("POST", "/status/404", &[], "");
        process.call("POST", "/status/404", &[], "");
        process.call("FOO", "/status/200", &[], "");
        let counted = |labels: &str| process.metric(&format!("http_requests_total{{{labels}}}")).unwrap_or(0.0);
        let get = counted(r#"code="200",method="get""#) - before;
        format!("{get}, {}, {}", counted(r#"code="404",method="post""#), counted(r#"code="200",method="unknown""#))
    }

    fn the_buckets_of_the_durations(subject) => "0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf" {
        let process = subject.start(&[]);
        process.get("/status/202");
        let body = process.metrics().body;
        let of_call = body
            .lines()
            .filter(|line| line.starts_with(r#"http_request_duration_seconds_bucket{code="202",method="get""#));
        let bounds: Vec<&str> =
            of_call.filter_map(|line| line.split_once("le=\"")?.1.split_once('"')).map(|(bound, _)| bound).collect();
        bounds.join(" ")
    }

    fn the_media_type_of_the_metrics(subject) => "text/plain; version=0.0.4; charset=utf-8" {
        let process = subject.start(&[]);
        let reply = process.metrics();
        let media_type = reply.header("content-type").unwrap_or_default();
        media_type.split("; ").filter(|part| !part.starts_with("escaping")).collect::<Vec<_>>().join("; ")
    }

    fn another_path_of_the_metrics_port(subject) => "404" {
        let process = subject.start(&[]);
        let mut socket = openfaas_tests::contract::Socket::connect(process.metrics).unwrap();
        socket.send("GET /other HTTP/1.1\r\nHost: f\r\n\r\n").reply().expect("an answer").status.to_string()
    }

    fn a_call_over_the_limit_in_the_metrics(subject) => "counted as 429" {
        let mut process = subject.start(&[("max_inflight", "1")]);
        let mut socket = process.connect();
        socket.send("GET /wait/1000 HTTP/1.1\r\nHost: f\r\n\r\n");
        process.wait_for("a call inside", |process| process.get("/_/ready").status == 429);
        process.call("PUT", "/status/200", &[], "");
        match process.metric(r#"http_requests_total{code="429",method="put"}"#) {
            Some(1.0) => "counted as 429".to_owned(),
            other => format!("{other:?}"),
        }
    }

    fn a_caller_who_leaves_in_the_metrics(subject) => "counted as 499" {
        let mut process = subject.start(&[]);
        let mut socket = process.connect();
        socket.send("PUT /wait/2000 HTTP/1.1\r\nHost: f\r\n\r\n");
        process.wait_for("a call inside", |process| {
            process.metric("http_requests_in_flight").is_some_and(|calls| calls > 0.0)
        });
        drop(socket);
        process.wait_for("a call that is over", |process| {
            process.metrics().body.contains(r#"method="put""#)
        });
        let body = process.metrics().body;
        let line = body.lines().find(|line| line.starts_with("http_requests_total") && line.contains("put"));
        let code = line.and_then(|line| line.split_once("code=\"")?.1.get(..3)).unwrap_or("nothing");
        format!("counted as {code}")
    }

    fn the_line_of_a_call_in_the_log(subject) => "GET /status/202?q - 202 Accepted - ContentLength: 10B (…s)" {
        let line = logged(subject, &[], &[]);
        let (start, rest) = line.split_once('(').unwrap_or((&line, ""));
        let seconds = rest.split_once('s').map_or("", |(seconds, _)| seconds);
        assert!(seconds.parse::<f64>().is_ok(), "{line}");
        format!("{start}(…s)")
    }

    fn the_call_id_at_the_end_of_the_line(subject) => "[id-7]" {
        let line = logged(subject, &[("log_callid", "true")], &[("X-Call-Id", "id-7")]);
        line.split_whitespace().find(|word| word.contains("id-7")).unwrap_or("none").to_owned()
    }

    fn the_line_of_a_call_without_a_call_id(subject) => "an id of its own" {
        let line = logged(subject, &[("log_callid", "true")], &[]);
        if line.contains("[none]") { "[none]" } else { "an id of its own" }.to_owned()
    }

    fn the_variable_that_the_readme_calls_log_call_id(subject) => "[id-7]" {
        let line = logged(subject, &[("log_call_id", "true")], &[("X-Call-Id", "id-7")]);
        line.split_whitespace().find(|word| word.contains("id-7")).unwrap_or("none").to_owned()
    }

    fn a_probe_of_kubernetes_in_the_log(subject) => "not there" {
        let mut process = subject.start(&[]);
        if is_logged(&mut process, "kube-probe/1.31") { "there" } else { "not there" }.to_owned()
    }

    fn another_caller_in_the_log(subject) => "there" {
        let mut process = subject.start(&[]);
        if is_logged(&mut process, "curl/8") { "there" } else { "not there" }.to_owned()
    }

    fn what_a_function_prints_after_a_line_of_70_kb(subject) => "is printed, a call 200" {
        let process = subject.start(&[("exec_timeout", "2s")]);
        process.get("/print/70000");
        process.get("/print/70000");
        let mut later = process;
        let end = std::time::Instant::now() + Duration::from_secs(1);
        while !later.output().contains("after the long line") && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        let printed = if later.output().contains("after the long line") { "is printed" } else { "is lost" };
        let alive = later.is_running();
        format!("{printed}, a call {}", if alive { later.get("/print/10").status } else { 0 })
    }
}
