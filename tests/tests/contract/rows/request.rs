//! What reaches the function and what comes back (openfaas.md A.4 to A.6).

use std::time::{Duration, Instant};

use openfaas_tests::contract::{Process, Reply, Subject};
use serde_json::Value;

fn told(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap_or_else(|_| panic!("not told back: {reply:?}"))
}

fn target(process: &Process, target: &str) -> String {
    let reply = process.get(target);
    match reply.status {
        200 => told(&reply)["target"].as_str().unwrap().to_owned(),
        status => format!(
            "{status} to {}",
            reply.header("location").unwrap_or("nowhere")
        ),
    }
}

/// Milliseconds until the first chunk and until the last, of three that come 400 ms apart.
fn chunks(subject: &Subject, environment: &[(&str, &str)], accept: &str) -> (u128, Option<u128>) {
    let process = subject.start(environment);
    let mut socket = process.connect();
    let began = Instant::now();
    socket.send(format!(
        "GET /stream/3/400 HTTP/1.1\r\nHost: f\r\nAccept: {accept}\r\n\r\n"
    ));
    let (status, headers) = socket.head().expect("a head");
    assert_eq!(status, 200);
    let length = headers.iter().find(|(name, _)| name == "content-length");
    if let Some((_, length)) = length {
        socket.take(length.parse().unwrap()).expect("a body");
        let end = began.elapsed().as_millis();
        return (end, Some(end));
    }
    let mut text = String::from_utf8(socket.chunk().expect("a first chunk")).unwrap();
    let first = began.elapsed().as_millis();
    while let Some(chunk) = socket.chunk() {
        text += &String::from_utf8(chunk).unwrap();
    }
    let end = began.elapsed().as_millis();
    (first, text.contains("data: 2").then_some(end))
}

rows! {
    fn the_path_and_query_as_they_came(subject) => "/a%2Fb%20c/;x?q=1&q=%7B&r" {
        target(&subject.start(&[]), "/a%2Fb%20c/;x?q=1&q=%7B&r")
    }

    fn a_double_slash_in_the_path(subject) => "//a//b" {
        target(&subject.start(&[]), "//a//b")
    }

    fn dots_in_the_path(subject) => "/x/../a/./b" {
        target(&subject.start(&[]), "/x/../a/./b")
    }

    fn unknown_methods(subject) => "FOO, TRACE, PROPFIND" {
        let process = subject.start(&[]);
        let methods = ["FOO", "TRACE", "PROPFIND"];
        methods.map(|method| {
            let reply = process.call(method, "/m", &[], "");
            told(&reply)["method"].as_str().unwrap().to_owned()
        }).join(", ")
    }

    fn the_host_and_repeated_headers(subject) => "host function, x-many 1, x-many 2" {
        let reply = subject.start(&[]).call("GET", "/h", &[("X-Many", "1"), ("X-Many", "2")], "");
        let told = told(&reply);
        let headers = told["headers"].as_array().unwrap().iter();
        let pairs = headers.map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()));
        let mut kept: Vec<String> = pairs
            .filter(|(name, _)| ["host", "x-many"].contains(name))
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        kept.sort();
        kept.join(", ")
    }

    fn headers_that_nobody_sent(subject) => "none" {
        let reply = subject.start(&[]).call("GET", "/h", &[], "");
        let told = told(&reply);
        let headers = told["headers"].as_array().unwrap().iter();
        let added: Vec<&str> =
            headers.map(|pair| pair[0].as_str().unwrap()).filter(|name| *name != "host").collect();
        if added.is_empty() { "none".to_owned() } else { added.join(", ") }
    }

    fn a_redirect_of_the_function(subject) => "302 \"status 302\"" {
        subject.start(&[]).get("/status/302").summary()
    }

    fn the_duration_of_an_answer(subject) => "seconds with six digits" {
        let reply = subject.start(&[]).get("/status/200");
        let seconds = reply.header("x-duration-seconds").unwrap_or("none");
        match seconds.split_once('.') {
            Some((whole, rest)) if whole.parse::<u64>().is_ok() && rest.len() == 6 => "seconds with six digits".to_owned(),
            _ => seconds.to_owned(),
        }
    }

    fn an_answer_without_a_media_type(subject) => "application/octet-stream" {
        let reply = subject.start(&[]).get("/untyped");
        reply.header("content-type").unwrap_or("none").to_owned()
    }

    fn an_answer_to_head(subject) => "200" {
        subject.start(&[]).call("HEAD", "/status/200", &[], "").status.to_string()
    }

    fn a_body_of_a_known_length(subject) => "200 \"5\"" {
        subject.start(&[]).call("POST", "/length", &[], "12345").summary()
    }

    fn a_chunked_body(subject) => "200 \"8\"" {
        let process = subject.start(&[]);
        let mut socket = process.connect();
        socket.send("POST /length HTTP/1.1\r\nHost: f\r\nTransfer-Encoding: chunked\r\n\r\n");
        socket.send("3\r\nabc\r\n").send("5;x=y\r\ndefgh\r\n").send("0\r\n\r\n");
        socket.reply().map_or_else(|| "no answer".to_owned(), |reply| reply.summary())
    }

    fn a_caller_that_expects_continue(subject) => "100, then 200 \"3\"" {
        let process = subject.start(&[]);
        let mut socket = process.connect();
        socket.send("POST /length HTTP/1.1\r\nHost: f\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
        let first = socket.reply().map_or(0, |reply| reply.status);
        let last = socket.send("abc").reply().expect("an answer");
        format!("{first}, then {}", last.summary())
    }

    fn two_calls_on_one_connection(subject) => "200, 201" {
        let process = subject.start(&[]);
        let mut socket = process.connect();
        let first = socket.send("GET /status/200 HTTP/1.1\r\nHost: f\r\n\r\n").reply().expect("an answer").status;
        let second = socket.send("GET /status/201 HTTP/1.1\r\nHost: f\r\n\r\n").reply().expect("an answer").status;
        format!("{first}, {second}")
    }

    fn a_caller_of_http_1_0(subject) => "200, then closed" {
        let process = subject.start(&[]);
        let mut socket = process.connect();
        let reply = socket.send("GET /status/200 HTTP/1.0\r\n\r\n").reply().expect("an answer");
        format!("{}, then {}", reply.status, if socket.is_closed() { "closed" } else { "open" })
    }

    fn http_2_without_tls(subject) => "refused" {
        let process = subject.start(&[]);
        let mut socket = process.connect();
        socket.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        match socket.head() {
            Some((200, _)) => "taken".to_owned(),
            _ => "refused".to_owned(),
        }
    }

    fn a_slow_stream_of_text(subject) => "the first chunk at once" {
        match chunks(subject, &[], "text/plain") {
            (first, Some(_)) if first < 390 => "the first chunk at once".to_owned(),
            (_, Some(_)) => "everything at the end".to_owned(),
            (_, None) => "broken off".to_owned(),
        }
    }

    fn a_slow_stream_of_server_sent_events(subject) => "the first chunk at once" {
        match chunks(subject, &[], "text/event-stream") {
            (first, Some(_)) if first < 390 => "the first chunk at once".to_owned(),
            (_, Some(_)) => "everything at the end".to_owned(),
            (_, None) => "broken off".to_owned(),
        }
    }

    fn server_sent_events_past_exec_timeout(subject) => "to the end" {
        let (_, end) = chunks(subject, &[("exec_timeout", "300ms")], "text/event-stream");
        if end.is_some() { "to the end" } else { "cut" }.to_owned()
    }

    fn a_stream_of_text_past_exec_timeout(subject) => "to the end" {
        let (_, end) = chunks(subject, &[("exec_timeout", "600ms")], "text/plain");
        if end.is_some() { "to the end" } else { "cut" }.to_owned()
    }

    fn a_panic_of_the_handler(subject) => "500 \"\", marked, then 200" {
        let process = subject.start(&[("max_inflight", "1")]);
        let reply = process.get("/panic");
        let marked = if reply.header("x-openfaas-internal").is_some() { "marked" } else { "unmarked" };
        format!("{}, {marked}, then {}", reply.summary(), process.get("/status/200").status)
    }

    fn a_caller_that_takes_its_time_between_calls(subject) => "200" {
        let process = subject.start(&[]);
        let mut socket = process.connect();
        std::thread::sleep(Duration::from_millis(50));
        socket.send("GET /status/200 HTTP/1.1\r\nHost: f\r\n\r\n").reply().expect("an answer").status.to_string()
    }
}
