//! Handlers that do not yield: seen, counted, and survived.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use openfaas_runtime::{Config, Function, axum::http::Uri, testing};

/// Blocks threads, not only tasks, until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<Inside>, Condvar)>);

#[derive(Default)]
struct Inside {
    threads: usize,
    open: bool,
}

impl Gate {
    fn pass(&self) {
        self.0.0.lock().unwrap().threads += 1;
        self.0.1.notify_all();
        self.wait(|inside| inside.open);
    }

    fn open(&self) {
        self.0.0.lock().unwrap().open = true;
        self.0.1.notify_all();
    }

    fn entered(&self, threads: usize) {
        self.wait(|inside| inside.threads == threads);
    }

    fn wait(&self, until: impl Fn(&Inside) -> bool) {
        let (inside, changed) = &*self.0;
        let (inside, limit) = (inside.lock().unwrap(), Duration::from_secs(90));
        let waited = changed.wait_timeout_while(inside, limit, |inside| !until(inside));
        assert!(!waited.unwrap().1.timed_out());
    }
}

/// Sends a request without waiting for its answer.
fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nhost: f\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    socket
}

fn answer(mut socket: TcpStream) -> String {
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: SocketAddr, path: &str) -> String {
    answer(ask(address, path))
}

#[test]
fn one_stuck_handler_holds_up_nobody_and_two_turn_health_to_503_until_they_yield() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let gate = Gate::default();
    let handler = {
        let gate = gate.clone();
        async move |uri: Uri| {
            if uri.path() == "/stuck" {
                gate.pass();
            }
            "free"
        }
    };
    let pairs = [("exec_timeout", "1s"), ("max_inflight", "3")];
    let lookup = |key: &str| {
        pairs
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| (*value).to_owned())
    };
    let function = Function::http(handler).config(Config::from_lookup(lookup).unwrap());
    let running = runtime.block_on(testing::start(function));
    let address = running.address();

    let first = ask(address, "/stuck");
    gate.entered(1);
    for _ in 0..20 {
        assert!(get(address, "/").ends_with("free"));
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while !runtime
        .block_on(running.metrics())
        .contains("openfaas_stuck_handlers_total 1")
    {
        assert!(Instant::now() < deadline, "it is not counted");
    }
    assert!(get(address, "/_/health").starts_with("HTTP/1.1 200 OK"));

    let second = ask(address, "/stuck");
    gate.entered(2);
    let asked = Instant::now();
    let unwell = get(address, "/_/health");
    assert!(unwell.starts_with("HTTP/1.1 503 "), "{unwell}");
    let after = asked.elapsed();
    assert!(
        (Duration::from_secs(9)..Duration::from_secs(60)).contains(&after),
        "{after:?}"
    );
    let refused = get(address, "/");
    assert!(
        refused.starts_with("HTTP/1.1 503 ") && refused.contains("openfaas-runtime"),
        "{refused}"
    );

    gate.open();
    for stuck in [first, second] {
        assert!(
            answer(stuck).starts_with("HTTP/1.1 504 "),
            "it comes after its deadline"
        );
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while !get(address, "/_/health").starts_with("HTTP/1.1 200 OK") {
        assert!(Instant::now() < deadline, "health does not come back");
    }
    assert!(get(address, "/").ends_with("free"));
}
