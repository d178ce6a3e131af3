//! Health and readiness (openfaas.md A.3).

use openfaas_tests::contract::{Process, Socket};

/// Takes the one place of a function with `max_inflight=1` and waits until it is taken.
fn fill(process: &mut Process) -> Socket {
    let mut socket = process.connect();
    socket.send("GET /wait/3000 HTTP/1.1\r\nHost: f\r\n\r\n");
    process.wait_for("a call inside", |process| {
        process.get("/_/ready").status == 429
    });
    socket
}

rows! {
    fn health_by_get(subject) => "200 \"OK\" as text/plain; charset=utf-8" {
        let reply = subject.start(&[]).get("/_/health");
        format!("{} as {}", reply.summary(), reply.header("content-type").unwrap_or("nothing"))
    }

    fn health_by_head(subject) => "405" {
        subject.start(&[]).call("HEAD", "/_/health", &[], "").status.to_string()
    }

    fn health_by_other_methods(subject) => "405 \"\", 405 \"\", 405 \"\"" {
        let process = subject.start(&[]);
        let methods = ["POST", "PUT", "DELETE"];
        methods.map(|method| process.call(method, "/_/health", &[], "").summary()).join(", ")
    }

    fn health_without_the_lock_file(subject) => "health 503 \"\", ready 503 \"\", a call 200" {
        let process = subject.start(&[]);
        std::fs::remove_file(process.lock()).unwrap();
        let (health, ready) = (process.get("/_/health"), process.get("/_/ready"));
        format!("health {}, ready {}, a call {}", health.summary(), ready.summary(), process.get("/status/200").status)
    }

    fn health_once_the_lock_file_is_back(subject) => "200" {
        let process = subject.start(&[]);
        std::fs::remove_file(process.lock()).unwrap();
        std::fs::write(process.lock(), "").unwrap();
        process.get("/_/health").status.to_string()
    }

    fn health_with_a_slash_behind_it(subject) => "the function's" {
        let reply = subject.start(&[]).get("/_/health/");
        if reply.body.contains("\"/_/health/\"") { "the function's" } else { "not the function's" }.to_owned()
    }

    fn ready_by_get(subject) => "200 \"\"" {
        subject.start(&[]).get("/_/ready").summary()
    }

    fn ready_by_other_methods(subject) => "405, 405, 405" {
        let process = subject.start(&[]);
        let methods = ["HEAD", "POST", "DELETE"];
        methods.map(|method| process.call(method, "/_/ready", &[], "").status.to_string()).join(", ")
    }

    fn ready_at_a_ready_path(subject) => "418 \"status 418\"" {
        subject.start(&[("ready_path", "/status/418")]).get("/_/ready").summary()
    }

    fn the_method_and_headers_at_a_ready_path(subject) => "GET with x-probe" {
        let process = subject.start(&[("ready_path", "/told-back?a=b")]);
        let reply = process.call("GET", "/_/ready", &[("X-Probe", "p")], "");
        let told: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(told["target"], "/told-back?a=b");
        let probed = reply.body.contains("x-probe");
        format!("{} {} x-probe", told["method"].as_str().unwrap(), if probed { "with" } else { "without" })
    }

    fn ready_while_full(subject) => "429" {
        let mut process = subject.start(&[("max_inflight", "1"), ("ready_path", "/status/418")]);
        let _call = fill(&mut process);
        process.get("/_/ready").status.to_string()
    }

    fn ready_while_full_and_without_the_lock_file(subject) => "503" {
        let mut process = subject.start(&[("max_inflight", "1")]);
        let _call = fill(&mut process);
        std::fs::remove_file(process.lock()).unwrap();
        process.get("/_/ready").status.to_string()
    }

    fn health_while_full(subject) => "200" {
        let mut process = subject.start(&[("max_inflight", "1")]);
        let _call = fill(&mut process);
        process.get("/_/health").status.to_string()
    }

    fn health_and_ready_in_the_metrics(subject) => "not counted" {
        let process = subject.start(&[("ready_path", "/status/418")]);
        process.get("/_/health");
        process.get("/_/ready");
        let counted = process.metrics().body.contains("code=\"405\"") || process.metrics().body.contains("code=\"418\"");
        if counted { "counted" } else { "not counted" }.to_owned()
    }
}
