//! The function contract as a caller sees it, over a real socket.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use openfaas_runtime::{
    BoxError, Config, Context, Data, Event, Function, Reply, State,
    axum::{
        Json, Router,
        body::{Body, Bytes},
        extract::Path,
        http::{HeaderMap, Method, Request, StatusCode, Uri},
        response::Response,
        routing::{get, post},
    },
    testing::{self, Running},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

fn config(pairs: &[(&str, &str)]) -> Config {
    let lookup = |key: &str| {
        pairs
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| (*value).to_owned())
    };
    Config::from_lookup(lookup).unwrap()
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

/// Waits for what must become true, and says what did not.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn get_with(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = headers
        .iter()
        .fold(Request::get(path), |request, (name, value)| {
            request.header(*name, *value)
        });
    request.body(Body::empty()).unwrap()
}

/// Sends bytes as they are and reads until the other side closes.
async fn raw(running: &Running, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), socket.read_to_end(&mut answer)).await;
    // A reset after the answer is as good as an end.
    let _ = read.expect("an end to the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

/// A handler that waits until it is let go.
#[derive(Clone, Default)]
struct Gate {
    open: Arc<Notify>,
    inside: Arc<AtomicUsize>,
}

impl Gate {
    async fn pass(State(gate): State<Gate>) -> &'static str {
        gate.inside.fetch_add(1, Ordering::SeqCst);
        gate.open.notified().await;
        "through"
    }

    async fn entered(&self, count: usize) {
        eventually("a call inside", async || {
            self.inside.load(Ordering::SeqCst) == count
        })
        .await;
    }
}

#[tokio::test]
async fn an_answer_is_the_handlers_with_its_duration() {
    let running = testing::start(Function::http(async || "hello")).await;
    let reply = running.get("/a/b?q=1").await;
    assert_eq!(
        (reply.status(), reply.text().as_str()),
        (StatusCode::OK, "hello")
    );
    let seconds: f64 = header(&reply, "x-duration-seconds")
        .unwrap()
        .parse()
        .unwrap();
    assert!((0.0..1.0).contains(&seconds));
    assert!(reply.headers().contains_key("date"));
    assert_eq!(header(&reply, "x-openfaas-internal"), None);
}

#[tokio::test]
async fn a_router_routes_and_paths_are_not_rewritten() {
    let router = Router::new()
        .route("/orders/{id}", get(async |Path(id): Path<u32>| Json(id)))
        .fallback(async |request: Request<Body>| request.uri().path().to_owned());
    let running = testing::start(Function::router(router)).await;
    assert_eq!(running.get("/orders/7").await.text(), "7");
    assert!(
        raw(
            &running,
            b"GET /x/../a//b HTTP/1.1\r\nhost: f\r\nconnection: close\r\n\r\n"
        )
        .await
        .ends_with("/x/../a//b")
    );
}

#[tokio::test]
async fn an_answer_without_content_type_gets_one_only_if_it_has_a_body() {
    let running = testing::start(Function::http(async |method: Method| match method {
        Method::GET => Response::new(Body::from("bytes")),
        _ => Response::new(Body::empty()),
    }))
    .await;
    assert_eq!(
        header(&running.get("/").await, "content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(
        header(
            &running.call(Request::delete("/").body("").unwrap()).await,
            "content-type"
        ),
        None
    );
}

#[tokio::test]
async fn past_exec_timeout_the_handler_is_dropped_and_the_answer_is_504() {
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let told = Arc::new(AtomicBool::new(false));
    let (in_handler, in_task) = (dropped.clone(), told.clone());
    let handler = async move |context: Context| {
        let _flag = Flag(in_handler);
        let task = context.clone();
        tokio::spawn(async move {
            task.cancelled().await;
            in_task.store(true, Ordering::SeqCst);
        });
        assert!(context.remaining().unwrap() <= Duration::from_millis(50));
        std::future::pending::<()>().await;
    };
    let running =
        testing::start(Function::http(handler).config(config(&[("exec_timeout", "50ms")]))).await;
    let reply = running.get("/").await;
    assert_eq!(reply.status(), StatusCode::GATEWAY_TIMEOUT);
    assert!(reply.body().is_empty());
    assert_eq!(
        header(&reply, "x-openfaas-internal"),
        Some("openfaas-runtime")
    );
    assert!(
        header(&reply, "x-duration-seconds")
            .unwrap()
            .parse::<f64>()
            .unwrap()
            >= 0.05
    );
    assert!(dropped.load(Ordering::SeqCst));
    eventually("the task is told", async || told.load(Ordering::SeqCst)).await;
    assert!(
        running
            .metrics()
            .await
            .contains("openfaas_calls_unanswered_total{outcome=\"timeout\"} 1")
    );
}

#[tokio::test]
async fn x_timeout_shortens_the_limit_and_does_nothing_else() {
    async fn left(context: Context) -> String {
        context.remaining().unwrap().as_millis().to_string()
    }
    let running =
        testing::start(Function::http(left).config(config(&[("exec_timeout", "20s")]))).await;
    for (asked, limit) in [
        ("2s", 2_000),
        ("1m", 20_000),
        ("1", 20_000),
        ("soon", 20_000),
        ("0s", 20_000),
        ("0", 20_000),
        ("-1s", 20_000),
        ("1500ms", 1_500),
    ] {
        let left: u128 = running
            .call(get_with("/", &[("x-timeout", asked)]))
            .await
            .text()
            .parse()
            .unwrap();
        assert!((limit / 2..=limit).contains(&left), "{asked}: {left}");
    }
}

#[tokio::test]
async fn without_exec_timeout_write_timeout_is_the_limit() {
    let pairs = [("exec_timeout", "0"), ("write_timeout", "50ms")];
    let function =
        Function::http(async || std::future::pending::<()>().await).config(config(&pairs));
    assert_eq!(
        testing::start(function).await.get("/").await.status(),
        StatusCode::GATEWAY_TIMEOUT
    );
}

#[tokio::test]
async fn over_the_limit_is_429_word_for_word_and_says_when_to_come_again() {
    let gate = Gate::default();
    let function = Function::http(Gate::pass)
        .state(gate.clone())
        .config(config(&[("max_inflight", "1")]));
    let running = Arc::new(testing::start(function).await);
    let first = tokio::spawn({
        let running = running.clone();
        async move { running.get("/").await }
    });
    gate.entered(1).await;
    let reply = running.get("/").await;
    assert_eq!(reply.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        reply.text(),
        "Concurrent request limit exceeded. Max concurrent requests: 1\n"
    );
    assert_eq!(header(&reply, "content-type"), Some("text/plain"));
    assert_eq!(header(&reply, "retry-after"), Some("1"));
    assert_eq!(
        header(&reply, "x-openfaas-internal"),
        Some("openfaas-runtime")
    );
    assert_eq!(
        running.get("/_/ready").await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(running.get("/_/health").await.status(), StatusCode::OK);

    gate.open.notify_one();
    assert_eq!(first.await.unwrap().status(), StatusCode::OK);
    eventually("a place again", async || {
        running.get("/_/ready").await.status() == StatusCode::OK
    })
    .await;
}

#[tokio::test]
async fn callers_may_wait_in_a_queue_for_a_place() {
    let gate = Gate::default();
    let pairs = [
        ("max_inflight", "1"),
        ("max_queue", "1"),
        ("max_queue_wait", "60s"),
    ];
    let function = Function::http(Gate::pass)
        .state(gate.clone())
        .config(config(&pairs));
    let running = Arc::new(testing::start(function).await);
    let call = || {
        let running = running.clone();
        tokio::spawn(async move { running.get("/").await.status() })
    };
    let first = call();
    gate.entered(1).await;
    let second = call();
    eventually("one waits", async || {
        running.metrics().await.contains("openfaas_calls_queued 1")
    })
    .await;
    assert_eq!(
        running.get("/").await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    gate.open.notify_one();
    assert_eq!(first.await.unwrap(), StatusCode::OK);
    gate.entered(2).await;
    gate.open.notify_one();
    assert_eq!(second.await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn a_panic_is_500_frees_its_place_and_the_process_lives() {
    let function = Function::http(async |method: Method| {
        assert_eq!(method, Method::GET, "as planned");
        "well"
    });
    let running = testing::start(function.config(config(&[("max_inflight", "1")]))).await;
    for _ in 0..3 {
        let reply = running.call("panic").await;
        assert_eq!(reply.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(reply.body().is_empty());
        assert_eq!(
            header(&reply, "x-openfaas-internal"),
            Some("openfaas-runtime")
        );
    }
    assert_eq!(running.get("/").await.text(), "well");
}

#[tokio::test]
async fn a_caller_who_leaves_is_an_outcome_of_its_own_and_frees_the_place() {
    let gate = Gate::default();
    let function = Function::http(Gate::pass)
        .state(gate.clone())
        .config(config(&[("max_inflight", "1")]));
    let running = testing::start(function).await;
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: f\r\n\r\n")
        .await
        .unwrap();
    gate.entered(1).await;
    drop(socket);
    eventually("the place is free", async || {
        running.get("/_/ready").await.status() == StatusCode::OK
    })
    .await;
    let metrics = running.metrics().await;
    assert!(
        metrics.contains("openfaas_calls_unanswered_total{outcome=\"caller_left\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("openfaas_calls_unanswered_total{outcome=\"timeout\"} 0"));
    assert!(metrics.contains("http_requests_total{code=\"499\",method=\"get\"} 1"));
    assert!(metrics.contains("http_requests_in_flight 0"));
}

/// Chunks as they are sent, with the time between them.
fn chunks(count: usize, pause: Duration) -> Body {
    Body::from_stream(stream::unfold(0, move |sent| async move {
        if sent == count {
            return None;
        }
        if sent > 0 {
            tokio::time::sleep(pause).await;
        }
        Some((Ok::<_, BoxError>(format!("data: {sent}\n\n")), sent + 1))
    }))
}

#[tokio::test]
async fn a_stream_is_sent_chunk_by_chunk_and_outlives_exec_timeout() {
    let handler = async || chunks(6, Duration::from_millis(150));
    let function = Function::http(handler).config(config(&[("exec_timeout", "400ms")]));
    let running = testing::start(function).await;
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: f\r\n\r\n")
        .await
        .unwrap();
    let mut seen = String::new();
    let mut reads = 0;
    while !seen.contains("data: 5") {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(30), socket.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert!(read > 0, "the stream was cut: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
        reads += 1;
    }
    assert!(reads >= 2, "all at once: {reads} reads");
}

#[tokio::test]
async fn a_stream_that_stands_still_is_cut() {
    let handler = async || {
        let stuck = stream::once(async { Ok::<_, BoxError>("first") }).chain(stream::pending());
        Body::from_stream(stuck)
    };
    let running =
        testing::start(Function::http(handler).config(config(&[("write_timeout", "400ms")]))).await;
    let answer = raw(&running, b"GET / HTTP/1.1\r\nhost: f\r\n\r\n").await;
    assert!(
        answer.contains("first") && !answer.ends_with("0\r\n\r\n"),
        "cut, not ended: {answer}"
    );
    assert!(
        running
            .metrics()
            .await
            .contains("openfaas_calls_unanswered_total{outcome=\"idle\"} 1")
    );
}

#[tokio::test]
async fn a_streamed_answer_keeps_its_place_to_the_end() {
    let (body, open) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (body, open) = (body.clone(), open.clone());
        async move || {
            let rest = stream::once(async move {
                body.notify_one();
                open.notified().await;
                Ok::<_, BoxError>("last")
            });
            Body::from_stream(stream::iter([Ok("first")]).chain(rest))
        }
    };
    let function = Function::http(handler).config(config(&[("max_inflight", "1")]));
    let running = Arc::new(testing::start(function).await);
    let call = tokio::spawn({
        let running = running.clone();
        async move { running.get("/").await.text() }
    });
    body.notified().await;
    assert_eq!(
        running.get("/_/ready").await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    open.notify_one();
    assert_eq!(call.await.unwrap(), "firstlast");
    eventually("a place again", async || {
        running.get("/_/ready").await.status() == StatusCode::OK
    })
    .await;
}

#[tokio::test]
async fn a_request_is_streamed_to_the_handler_whatever_its_length() {
    let count = async |body: Body| {
        let mut bytes = 0;
        let mut frames = body.into_data_stream();
        while let Some(frame) = frames.next().await {
            bytes += frame.unwrap().len();
        }
        bytes.to_string()
    };
    let running = testing::start(Function::http(count)).await;
    let twelve_mib = vec![b'x'; 12 << 20];
    assert_eq!(
        running
            .call(Request::post("/").body(twelve_mib).unwrap())
            .await
            .text(),
        (12 << 20).to_string()
    );
}

#[tokio::test]
async fn an_extractor_reads_ten_mib_and_max_body_moves_that() {
    let length = async |body: Bytes| body.len().to_string();
    let upload = |size: usize| Request::post("/").body(vec![b'x'; size]).unwrap();
    let running = testing::start(Function::http(length)).await;
    assert_eq!(
        running.call(upload(10 << 20)).await.text(),
        (10 << 20).to_string()
    );
    assert_eq!(
        running.call(upload((10 << 20) + 1)).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let running =
        testing::start(Function::http(length).config(config(&[("max_body", "11MiB")]))).await;
    assert_eq!(
        running.call(upload((10 << 20) + 1)).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_chunked_body_over_max_body_is_413_too() {
    let running = testing::start(
        Function::http(async |body: Bytes| body).config(config(&[("max_body", "4")])),
    )
    .await;
    let request =
        b"POST / HTTP/1.1\r\nhost: f\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let answer = raw(&running, request).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("x-openfaas-internal: openfaas-runtime"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_slow_body_is_408_and_slow_headers_end_the_connection() {
    let pairs = [("read_timeout", "500ms")];
    let running =
        testing::start(Function::http(async |body: Bytes| body).config(config(&pairs))).await;
    let answer = raw(
        &running,
        b"POST / HTTP/1.1\r\nhost: f\r\ncontent-length: 10\r\n\r\nhal",
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 408 ") && answer.contains("connection: close"),
        "{answer}"
    );
    let started = Instant::now();
    let answer = raw(&running, b"GET / HTTP/1.1\r\nhost: f\r\nx-slow: ").await;
    assert!(!answer.contains("200"), "{answer}");
    assert!(started.elapsed() >= Duration::from_millis(500));
    assert_eq!(
        raw(&running, b"").await,
        "",
        "an idle connection ends in the same time"
    );
}

#[tokio::test]
async fn a_caller_who_takes_nothing_is_given_up() {
    let endless = async || {
        Body::from_stream(stream::repeat_with(|| {
            Ok::<_, BoxError>(vec![0_u8; 64 << 10])
        }))
    };
    let running =
        testing::start(Function::http(endless).config(config(&[("write_timeout", "500ms")]))).await;
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: f\r\n\r\n")
        .await
        .unwrap();
    eventually("it is given up", async || {
        running
            .metrics()
            .await
            .contains("http_requests_in_flight 0")
    })
    .await;
}

#[tokio::test]
async fn what_is_no_proper_request_is_refused() {
    let running = testing::start(Function::http(async || "reached")).await;
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", "400"),
        (
            "POST / HTTP/1.1\r\nhost: f\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
            "400",
        ),
        (
            "POST / HTTP/1.1\r\nhost: f\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
            "400",
        ),
        (
            "POST / HTTP/1.1\r\nhost: f\r\ncontent-length: -1\r\n\r\n",
            "400",
        ),
        ("GET / HTTP/1.1\r\nhost: f\r\nbad header\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: f\r\nx : y\r\n\r\n", "400"),
        ("GET /\0 HTTP/1.1\r\nhost: f\r\n\r\n", "400"),
        ("\x16\x03\x01\x02\0\x01\0\x01", ""),
    ] {
        let mut request = request.to_owned();
        if status.is_empty() {
            request.push_str(&"\r\n".repeat(2));
        }
        let answer = raw(&running, request.as_bytes()).await;
        assert!(!answer.contains("reached"), "{request:?}: {answer}");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{request:?}: {answer}"
        );
    }
    assert_eq!(running.get("/").await.text(), "reached");
}

#[tokio::test]
async fn a_request_with_two_lengths_is_the_last_of_its_connection() {
    let running = testing::start(Function::http(async |uri: Uri| uri.path().to_owned())).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: f\r\n\r\n";
    for lengths in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
    ] {
        let request =
            format!("POST /front HTTP/1.1\r\nhost: f\r\n{lengths}\r\n\r\n0\r\n\r\n{smuggled}");
        let answer = raw(&running, request.as_bytes()).await;
        assert!(
            answer.contains("connection: close") && answer.ends_with("/front"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431_and_a_long_uri_414() {
    let running = testing::start(Function::http(async || "reached")).await;
    let large = format!(
        "GET / HTTP/1.1\r\nhost: f\r\nx-large: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    assert!(
        raw(&running, large.as_bytes())
            .await
            .starts_with("HTTP/1.1 431 ")
    );
    let many = format!(
        "GET / HTTP/1.1\r\nhost: f\r\n{}\r\n",
        "x: y\r\n".repeat(200)
    );
    assert!(
        raw(&running, many.as_bytes())
            .await
            .starts_with("HTTP/1.1 431 ")
    );
    let long = format!("GET /{} HTTP/1.1\r\nhost: f\r\n\r\n", "x".repeat(70_000));
    assert!(
        raw(&running, long.as_bytes())
            .await
            .starts_with("HTTP/1.1 414 ")
    );
    let wide = get_with("/", &[("x-wide", &"x".repeat(60_000))]);
    assert_eq!(running.call(wide).await.text(), "reached");
}

#[tokio::test]
async fn health_and_ready_answer_get_alone_and_exactly() {
    let running = testing::start(Function::http(async || "function")).await;
    let health = running.get("/_/health").await;
    assert_eq!(
        (health.status(), health.text().as_str()),
        (StatusCode::OK, "OK")
    );
    assert_eq!(
        header(&health, "content-type"),
        Some("text/plain; charset=utf-8")
    );
    let ready = running.get("/_/ready").await;
    assert_eq!(
        (ready.status(), ready.text().as_str()),
        (StatusCode::OK, "")
    );
    for method in [Method::HEAD, Method::POST, Method::PUT, Method::DELETE] {
        for path in ["/_/health", "/_/ready"] {
            let request = Request::builder()
                .method(method.clone())
                .uri(path)
                .body("")
                .unwrap();
            let reply = running.call(request).await;
            assert_eq!(
                reply.status(),
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
            assert!(reply.body().is_empty());
        }
    }
    assert_eq!(running.get("/_/health/").await.text(), "function");
    assert!(
        !running.metrics().await.contains("method=\"head\""),
        "probes are not counted"
    );
}

#[tokio::test]
async fn ready_asks_the_check_or_the_ready_path() {
    let well = Arc::new(AtomicBool::new(false));
    let check = {
        let well = well.clone();
        move || {
            let well = well.load(Ordering::SeqCst);
            async move { if well { Ok(()) } else { Err("no database") } }
        }
    };
    let running = testing::start(Function::http(async || ()).ready(check)).await;
    let reply = running.get("/_/ready").await;
    assert_eq!(
        (reply.status(), reply.text().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: no database\n")
    );
    assert_eq!(running.get("/_/health").await.status(), StatusCode::OK);
    well.store(true, Ordering::SeqCst);
    assert_eq!(running.get("/_/ready").await.status(), StatusCode::OK);

    let router = Router::new().route(
        "/warm",
        get(async |headers: HeaderMap| {
            (
                StatusCode::IM_A_TEAPOT,
                headers["x-probe"].to_str().unwrap().to_owned(),
            )
        }),
    );
    let running =
        testing::start(Function::router(router).config(config(&[("ready_path", "/warm")]))).await;
    let reply = running
        .call(get_with("/_/ready", &[("x-probe", "kubelet")]))
        .await;
    assert_eq!(
        (reply.status(), reply.text().as_str()),
        (StatusCode::IM_A_TEAPOT, "kubelet")
    );
    assert!(
        !running.metrics().await.contains("code=\"418\""),
        "probes are not counted"
    );
}

#[tokio::test]
async fn until_the_initialiser_is_done_health_waits_a_grace_ready_waits_longer_and_calls_wait_too()
{
    let go = Arc::new(Notify::new());
    let init = {
        let go = go.clone();
        async move || {
            go.notified().await;
            Ok::<_, BoxError>("made".to_owned())
        }
    };
    let function = Function::http(async |State(made): State<String>| made).init(init);
    let running = Arc::new(testing::start(function.config(config(&[("init_grace", "3s")]))).await);
    assert_eq!(
        running.get("/_/health").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    let early = tokio::spawn({
        let running = running.clone();
        async move { running.get("/").await.text() }
    });
    let late = running.call(get_with("/", &[("x-timeout", "20ms")])).await;
    assert_eq!(late.status(), StatusCode::GATEWAY_TIMEOUT);
    eventually("health after its grace", async || {
        running.get("/_/health").await.status() == StatusCode::OK
    })
    .await;
    assert_eq!(
        running.get("/_/ready").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    go.notify_one();
    assert_eq!(early.await.unwrap(), "made");
    assert_eq!(running.get("/_/ready").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_initialiser_that_fails_ends_the_function_with_its_reason() {
    let function = Function::http(async || ()).init(async || Err::<(), _>("no licence"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pairs = [
        ("metrics_port", "0"),
        ("suppress_lock", "true"),
        ("listen_address", "127.0.0.1"),
    ];
    let served = function
        .config(config(&pairs))
        .serve(listener, std::future::pending())
        .await;
    let error = served.unwrap_err();
    assert_eq!(error.to_string(), "the initialiser failed: no licence");
}

#[tokio::test]
async fn a_drain_serves_on_closes_each_connection_finishes_what_runs_and_runs_the_hooks() {
    let gate = Gate::default();
    let hooked = Arc::new(AtomicBool::new(false));
    let router = Router::new()
        .route("/gate", get(Gate::pass))
        .route("/", get(async || "new"));
    let function = Function::router(router).state(gate.clone()).on_shutdown({
        let hooked = hooked.clone();
        async move || hooked.store(true, Ordering::SeqCst)
    });
    let pairs = [
        ("healthcheck_interval", "60s"),
        ("drain_quiet", "300ms"),
        ("drain_timeout", "60s"),
    ];
    let running = testing::start(function.config(config(&pairs))).await;
    let address = running.address();
    let inside = tokio::spawn(async move {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket
            .write_all(b"GET /gate HTTP/1.1\r\nhost: f\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    });
    gate.entered(1).await;
    let plain = async |path: &str| {
        let mut socket = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: f\r\n\r\n");
        socket.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    };
    let started = Instant::now();
    let stopped = tokio::spawn(running.stop());
    eventually("health is 503", async || {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket
            .write_all(b"GET /_/health HTTP/1.1\r\nhost: f\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer.starts_with("HTTP/1.1 503")
    })
    .await;
    let answer = plain("/").await.unwrap();
    assert!(
        answer.ends_with("new") && answer.contains("connection: close"),
        "{answer}"
    );
    eventually("the socket is closed", async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(!hooked.load(Ordering::SeqCst));
    gate.open.notify_one();
    assert!(inside.await.unwrap().ends_with("through"));
    stopped.await.unwrap().unwrap();
    assert!(hooked.load(Ordering::SeqCst));
    assert!(
        started.elapsed() < Duration::from_secs(50),
        "before healthcheck_interval"
    );
}

#[tokio::test]
async fn what_outlasts_drain_timeout_is_cut_and_healthcheck_interval_of_nought_closes_at_once() {
    let gate = Gate::default();
    let pairs = [("healthcheck_interval", "0"), ("drain_timeout", "300ms")];
    let function = Function::http(Gate::pass)
        .state(gate.clone())
        .config(config(&pairs));
    let running = testing::start(function).await;
    let address = running.address();
    let inside = tokio::spawn(async move {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket
            .write_all(b"GET / HTTP/1.1\r\nhost: f\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        answer
    });
    gate.entered(1).await;
    let started = Instant::now();
    running.stop().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(inside.await.unwrap(), b"");
}

#[tokio::test]
async fn metrics_have_of_watchdogs_names_and_labels_and_no_other_path() {
    let router = Router::new()
        .route("/", get(async || "x"))
        .route("/", post(async || StatusCode::CREATED));
    let running = testing::start(Function::router(router)).await;
    running.get("/").await;
    running.call("x").await;
    running
        .call(Request::builder().method("BREW").uri("/").body("").unwrap())
        .await;
    let metrics = running.metrics().await;
    for line in [
        "http_requests_total{code=\"200\",method=\"get\"} 1",
        "http_requests_total{code=\"201\",method=\"post\"} 1",
        "http_requests_total{code=\"405\",method=\"unknown\"} 1",
        "http_request_duration_seconds_count{code=\"200\",method=\"get\"} 1",
        "http_requests_in_flight 0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}\n{metrics}"
        );
    }
}

#[tokio::test]
async fn layers_wrap_the_handler_and_their_errors_are_500() {
    let layered = Function::http(async || "inner").layer(tower::util::MapResponseLayer::new(
        |mut response: Response| {
            response
                .headers_mut()
                .insert("x-layer", "outer".parse().unwrap());
            response
        },
    ));
    let reply = testing::start(layered).await.get("/").await;
    assert_eq!(
        (reply.text().as_str(), header(&reply, "x-layer")),
        ("inner", Some("outer"))
    );

    let broken = Function::http(async || "inner").layer(tower::filter::FilterLayer::new(
        |_: Request<Body>| Err::<Request<Body>, BoxError>("not today".into()),
    ));
    let reply = testing::start(broken).await.get("/").await;
    assert_eq!(reply.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        header(&reply, "x-openfaas-internal"),
        Some("openfaas-runtime")
    );
}

#[tokio::test]
async fn expect_continue_is_answered_and_http_1_0_too() {
    let running = testing::start(Function::http(async |body: Bytes| body)).await;
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    socket
        .write_all(b"POST / HTTP/1.1\r\nhost: f\r\ncontent-length: 2\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 25];
    socket.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(b"ok").await.unwrap();
    let mut rest = String::new();
    socket.read_to_string(&mut rest).await.unwrap();
    assert!(
        rest.starts_with("HTTP/1.1 200 OK") && rest.ends_with("ok"),
        "{rest}"
    );
    let old = raw(&running, b"POST / HTTP/1.0\r\ncontent-length: 2\r\n\r\nhi").await;
    assert!(
        old.starts_with("HTTP/1.0 200 OK") && old.ends_with("hi"),
        "{old}"
    );
}

#[tokio::test]
async fn an_event_function_keeps_the_same_contract() {
    let function = Function::event(async |_: Event<Data>| std::future::pending::<()>().await);
    let running = testing::start(function.config(config(&[("exec_timeout", "50ms")]))).await;
    assert_eq!(
        running.call("x").await.status(),
        StatusCode::GATEWAY_TIMEOUT
    );
    assert_eq!(running.get("/_/health").await.text(), "OK");
}
