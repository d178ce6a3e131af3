//! `max_inflight` (openfaas.md A.7).

use openfaas_tests::contract::{Process, Reply, Socket, Subject};

/// A function with one place, taken by a call, and what another call is answered meanwhile.
fn refused(subject: &Subject) -> (Process, Socket, Reply) {
    let mut process = subject.start(&[("max_inflight", "1")]);
    let mut socket = process.connect();
    socket.send("GET /wait/1500 HTTP/1.1\r\nHost: f\r\n\r\n");
    process.wait_for("a call inside", |process| {
        process.get("/_/ready").status == 429
    });
    let reply = process.get("/status/200");
    (process, socket, reply)
}

rows! {
    fn a_call_over_the_limit(subject) => "429 \"Concurrent request limit exceeded. Max concurrent requests: 1\\n\" as text/plain, marked" {
        let (_process, _call, reply) = refused(subject);
        let marked = if reply.header("x-openfaas-internal").is_some() { "marked" } else { "unmarked" };
        format!("{} as {}, {marked}", reply.summary(), reply.header("content-type").unwrap_or("nothing"))
    }

    fn when_to_come_again_over_the_limit(subject) => "after 1 s" {
        let (_process, _call, reply) = refused(subject);
        reply.header("retry-after").map_or_else(|| "not said".to_owned(), |seconds| format!("after {seconds} s"))
    }

    fn who_marks_a_call_over_the_limit(subject) => "openfaas-runtime" {
        let (_process, _call, reply) = refused(subject);
        reply.header("x-openfaas-internal").unwrap_or("nobody").to_owned()
    }

    fn a_call_once_there_is_a_place_again(subject) => "200, then 201" {
        let (process, mut call, _) = refused(subject);
        let first = call.reply().expect("an answer").status;
        format!("{first}, then {}", process.get("/status/201").status)
    }

    fn a_streamed_answer_and_its_place(subject) => "kept to the end" {
        let mut process = subject.start(&[("max_inflight", "1")]);
        let mut socket = process.connect();
        socket.send("GET /stream/3/400 HTTP/1.1\r\nHost: f\r\nAccept: text/event-stream\r\n\r\n");
        let began = socket.head().expect("a head").0;
        let meanwhile = process.get("/status/200").status;
        while socket.chunk().is_some() {}
        process.wait_for("a place", |process| process.get("/status/200").status == 200);
        match (began, meanwhile) {
            (200, 429) => "kept to the end".to_owned(),
            other => format!("{other:?}"),
        }
    }

    fn a_limit_of_nought_or_less(subject) => "200, 200" {
        let status = |limit| {
            let process = subject.start(&[("max_inflight", limit)]);
            let mut socket = process.connect();
            socket.send("GET /wait/300 HTTP/1.1\r\nHost: f\r\n\r\n");
            process.get("/status/200").status.to_string()
        };
        [status("0"), status("-1")].join(", ")
    }
}
