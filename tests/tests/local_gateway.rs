//! The gateway of the local runner, called as clients call the one of OpenFaaS.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use openfaas_tests::runner::{Runner, call, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const STACK: &str = "
  probe:
    lang: rust-otlp
    handler: ./probe
    image: probe:1
    environment:
      greeting: hello
    labels:
      team: shop
    annotations:
      com.openfaas.retry.min_wait: 10ms
      com.openfaas.retry.max_wait: 20ms
";

fn runner() -> Runner {
    runner_with(&[])
}

fn runner_with(arguments: &[&str]) -> Runner {
    let binary = format!("probe={}", env!("CARGO_BIN_EXE_local-fixture"));
    Runner::start(STACK, &[&["--binary", &binary], arguments].concat())
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Bytes> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Bytes::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn a_call_reaches_its_function_as_through_the_real_gateway() {
    let runner = runner();
    let sent = request(
        Method::POST,
        "/function/probe.openfaas-fn/a//b%20c?d=%2F",
        &[
            (
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ),
            ("content-type", "text/x-own"),
        ],
        "hello",
    );
    let answer = runner.call(sent).await;
    assert_eq!(answer.status(), 200);
    let seen: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(seen["uri"], "/a//b%20c?d=%2F");
    assert_eq!(seen["body"], "hello");
    let headers = &seen["headers"];
    assert_eq!(
        headers["traceparent"],
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    );
    assert_eq!(headers["transfer-encoding"], "chunked");
    assert_eq!(headers.get("content-length"), None);
    assert!(
        headers["user-agent"]
            .as_str()
            .unwrap()
            .starts_with("openfaas-local/")
    );
    assert!(
        runner
            .gateway
            .ends_with(headers["x-forwarded-host"].as_str().unwrap())
    );
    assert!(
        headers["x-forwarded-for"]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:")
    );
    assert_eq!(
        headers["x-call-id"],
        answer.headers()["x-call-id"].to_str().unwrap()
    );
    assert_eq!(
        headers["x-start-time"],
        answer.headers()["x-start-time"].to_str().unwrap()
    );
    assert!(
        answer.headers()["x-served-by"]
            .to_str()
            .unwrap()
            .starts_with("openfaas-local/")
    );

    let own_id = request(
        Method::GET,
        "/function/probe/x",
        &[("x-call-id", "mine")],
        "",
    );
    let answer = runner.call(own_id).await;
    let seen: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(seen["headers"]["x-call-id"], "mine");
    assert_eq!(
        seen["headers"].get("transfer-encoding"),
        None,
        "no body, no chunks"
    );
    assert_eq!(answer.headers().get("x-call-id"), None);
}

#[tokio::test]
async fn what_goes_wrong_is_said_in_the_gateways_words() {
    let runner = runner();
    let get = async |path: &str| runner.call(request(Method::GET, path, &[], "")).await;

    let answer = get("/function/nobody").await;
    assert_eq!(answer.status(), 404);
    assert!(
        answer.body().starts_with(b"error finding function nobody"),
        "{:?}",
        answer.body()
    );
    assert_eq!(answer.headers().get("x-openfaas-internal"), None);

    let answer = get("/function/probe/die").await;
    assert_eq!(
        (answer.status().as_u16(), &answer.body()[..]),
        (500, &b"Can't reach service for: probe."[..])
    );
    assert_eq!(answer.headers()["x-openfaas-internal"], "proxy");

    let trace = runner
        .call(request(Method::TRACE, "/function/probe/x", &[], ""))
        .await;
    assert_eq!(
        (trace.status().as_u16(), &trace.body()[..]),
        (405, &b""[..])
    );

    until("the function lives again", async || {
        (runner.get("/function/probe/x").await.0 == 200).then_some(())
    })
    .await;
    let answer = get("/function/probe/status/418").await;
    assert_eq!(answer.status(), 418);
    assert_eq!(answer.headers()["content-type"], "text/plain");
    assert_eq!(answer.headers().get("x-openfaas-internal"), None);
}

#[tokio::test]
async fn bodies_are_streamed_both_ways() {
    let runner = runner();
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
    let frames = futures_util::stream::unfold(receiver, async |mut receiver| {
        let frame = Frame::data(receiver.recv().await?);
        Some((Ok::<_, std::convert::Infallible>(frame), receiver))
    });
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(format!("{}/function/probe/stream", runner.gateway));
    sender.send(Bytes::from("one")).unwrap();
    let answer = client
        .request(request.body(StreamBody::new(Box::pin(frames))).unwrap())
        .await
        .unwrap();
    let mut body = answer.into_body();
    for sent in ["one", "two", "three"] {
        if sent != "one" {
            sender.send(Bytes::from(sent)).unwrap();
        }
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(
            frame.into_data().unwrap(),
            sent,
            "while the request still goes on"
        );
    }
    drop(sender);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_connection_can_become_something_else() {
    let runner = runner();
    let client = Client::builder(TokioExecutor::new()).build_http::<http_body_util::Empty<Bytes>>();
    let request = Request::get(format!("{}/function/probe/upgrade", runner.gateway))
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .body(Default::default())
        .unwrap();
    let answer = client.request(request).await.unwrap();
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.headers()["upgrade"], "websocket");
    let mut stream = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    for sent in ["ping", "pong"] {
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut received = [0; 4];
        stream.read_exact(&mut received).await.unwrap();
        assert_eq!(received, sent.as_bytes());
    }
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_retried_and_calls_back() {
    let runner = runner();
    let callback = (
        "x-callback-url",
        "http://gateway.openfaas:8080/function/probe/keep?from=fail",
    );
    let headers = [callback, ("x-call-id", "c-1")];
    let answer = runner
        .call(request(
            Method::POST,
            "/async-function/probe/fail/2",
            &headers,
            "x",
        ))
        .await;
    assert_eq!(answer.status(), 202);
    assert!(answer.body().is_empty());
    let kept = until("the callback", async || {
        let kept = runner.json("/function/probe/keep").await;
        kept.get(0).cloned()
    })
    .await;
    assert_eq!(kept["query"]["from"], "fail");
    let headers = &kept["headers"];
    assert_eq!(headers["x-function-status"], "200");
    assert_eq!(headers["x-function-name"], "probe");
    assert_eq!(headers["x-call-id"], "c-1");
    assert_eq!(headers["x-retry"], "2");
    assert_eq!(headers["x-retry-max"], "10");
    assert!(
        headers["x-duration-seconds"]
            .as_str()
            .unwrap()
            .parse::<f64>()
            .unwrap()
            > 0.0
    );
    assert_eq!(runner.json("/function/probe/calls").await["2"], 3);
}

#[tokio::test]
async fn an_answer_that_asks_for_no_retry_is_the_last() {
    let runner = runner();
    let callback = format!("{}/function/probe/keep", runner.gateway);
    let headers = [("x-callback-url", callback.as_str())];
    let answer = runner
        .call(request(
            Method::POST,
            "/async-function/probe/status/404",
            &headers,
            "",
        ))
        .await;
    assert_eq!(answer.status(), 202);
    let kept = until("the callback", async || {
        runner.json("/function/probe/keep").await.get(0).cloned()
    })
    .await;
    assert_eq!(
        (
            &kept["headers"]["x-function-status"],
            &kept["headers"]["x-retry"]
        ),
        (&json!("404"), &json!("0"))
    );
}

#[tokio::test]
async fn the_queue_is_bounded() {
    let runner = runner_with(&["--async-queue", "1"]);
    let post = async |path: &str| runner.call(request(Method::POST, path, &[], "")).await;
    assert_eq!(post("/async-function/probe/slow/3000").await.status(), 202);
    let refused = post("/async-function/probe/x").await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(post("/async-function/nobody").await.status(), 404);
    let get = runner.get("/async-function/probe/x").await;
    assert_eq!(get.0, 405);
    until("room again", async || {
        (post("/async-function/probe/x").await.status() == 202).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_wrong_callback_is_refused() {
    let runner = runner();
    for url in ["nowhere", "https://example.com/", "ftp://example.com/"] {
        let headers = [("x-callback-url", url)];
        let answer = runner
            .call(request(Method::POST, "/async-function/probe", &headers, ""))
            .await;
        assert_eq!(answer.status(), 400, "{url}");
    }
}

#[tokio::test]
async fn processes_behind_one_url_take_turns_and_can_be_scaled_to_nothing() {
    let runner = runner();
    let scale = async |replicas: u32| {
        let body = json!({ "serviceName": "probe", "replicas": replicas }).to_string();
        assert_eq!(
            runner.post("/system/scale-function/probe", body).await.0,
            202
        );
    };
    let available = async || {
        runner.json("/system/function/probe").await["availableReplicas"]
            .as_u64()
            .unwrap()
    };
    scale(3).await;
    until("three processes", async || {
        (available().await == 3).then_some(())
    })
    .await;
    let mut seen = BTreeSet::new();
    for _ in 0..9 {
        seen.insert(runner.get("/function/probe/pid").await.1);
    }
    assert_eq!(seen.len(), 3);

    scale(0).await;
    until("none", async || (available().await == 0).then_some(())).await;
    assert_eq!(runner.json("/system/function/probe").await["replicas"], 0);
    let (status, id) = runner.get("/function/probe/pid").await;
    assert_eq!(status, 200, "a call wakes it: {id}");
    assert!(!seen.contains(&id));
    assert_eq!(runner.json("/system/function/probe").await["replicas"], 1);

    let (status, why) = runner
        .post("/system/scale-function/probe", r#"{"replicas": 1000}"#)
        .await;
    assert_eq!(status, 400, "{why}");
}

#[tokio::test]
async fn a_call_in_flight_survives_a_scale_down() {
    let runner = runner();
    let slow = runner.get("/function/probe/slow/1000");
    let scale = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        runner
            .post("/system/scale-function/probe", r#"{"replicas": 0}"#)
            .await
    };
    let ((status, text), _) = tokio::join!(slow, scale);
    assert_eq!((status, text.as_str()), (200, "at last"));
}

#[tokio::test]
async fn functions_are_listed_with_what_was_deployed_and_how_often_they_were_called() {
    let runner = runner();
    for _ in 0..3 {
        runner.get("/function/probe/x").await;
    }
    let list = runner.json("/system/functions?namespace=openfaas-fn").await;
    let probe = &list[0];
    assert_eq!(probe["name"], "probe");
    assert_eq!(probe["image"], "probe:1");
    assert_eq!(probe["invocationCount"], 3);
    assert_eq!(
        (&probe["replicas"], &probe["availableReplicas"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(probe["envVars"]["greeting"], "hello");
    assert_eq!(probe["labels"]["team"], "shop");
    assert!(probe["createdAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        runner.json("/system/functions?namespace=other").await,
        json!([])
    );
    assert_eq!(runner.get("/system/function/nobody").await.0, 404);
    assert_eq!(
        runner.json("/system/namespaces").await,
        json!(["openfaas-fn"])
    );
    assert_eq!(runner.get("/healthz").await, (200, "OK".to_owned()));
}

#[tokio::test]
async fn a_deployment_replaces_the_process_without_a_gap() {
    let runner = runner();
    let before = runner.get("/function/probe/pid").await.1;
    let deployment = |greeting: &str| json!({ "service": "probe", "image": "probe:2", "envVars": { "greeting": greeting }, "annotations": { "topic": "t" } });
    let (status, why) = runner
        .send(
            Method::PUT,
            "/system/functions",
            deployment("bonjour").to_string(),
        )
        .await;
    assert_eq!(status, 202, "{why}");
    until("the new process", async || {
        let (status, id) = runner.get("/function/probe/pid").await;
        assert_eq!(status, 200, "{id}");
        (id != before).then_some(())
    })
    .await;
    let environment = runner.json("/function/probe/env").await;
    assert_eq!(environment["greeting"], "bonjour");
    assert_eq!(environment["events_topic"], "t");
    assert_eq!(
        runner.json("/system/function/probe").await["image"],
        "probe:2"
    );
}

#[tokio::test]
async fn a_deployment_that_cannot_be_is_refused_and_changes_nothing() {
    let runner = runner();
    let put = async |deployment: Value| {
        runner
            .send(Method::PUT, "/system/functions", deployment.to_string())
            .await
    };
    let post = async |deployment: Value| {
        runner
            .post("/system/functions", deployment.to_string())
            .await
    };
    for (deployment, said) in [
        (json!({ "service": "other" }), "stack.yml"),
        (
            json!({ "service": "probe", "secrets": ["nope"] }),
            "faas-cli secret create nope",
        ),
        (
            json!({ "service": "probe", "annotations": { "topic": "t", "events.order": "maybe" } }),
            "events.order",
        ),
        (
            json!({ "service": "probe", "namespace": "elsewhere" }),
            "namespace",
        ),
    ] {
        for (status, why) in [put(deployment.clone()).await, post(deployment).await] {
            assert_eq!(status, 400, "{why}");
            assert!(why.contains(said), "{why}");
        }
    }
    assert_eq!(
        runner.json("/system/function/probe").await["image"],
        "probe:1"
    );
}

#[tokio::test]
async fn a_removed_function_is_gone_until_it_is_deployed_again() {
    let runner = runner();
    let (status, _) = runner
        .send(
            Method::DELETE,
            "/system/functions",
            r#"{"functionName":"probe"}"#,
        )
        .await;
    assert_eq!(status, 202);
    assert_eq!(runner.get("/function/probe/x").await.0, 404);
    assert_eq!(runner.json("/system/functions").await, json!([]));
    let again = runner
        .send(
            Method::DELETE,
            "/system/functions",
            r#"{"functionName":"probe"}"#,
        )
        .await;
    assert_eq!(again.0, 404);
    let deployment = json!({ "service": "probe" }).to_string();
    let put = runner
        .send(Method::PUT, "/system/functions", deployment.clone())
        .await;
    assert_eq!(put.0, 404, "faas-cli creates it then");
    assert_eq!(runner.post("/system/functions", deployment).await.0, 202);
    until("it is back", async || {
        (runner.get("/function/probe/x").await.0 == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_secret_reaches_the_function_that_names_it() {
    let runner = runner();
    let secret = |value: &str| json!({ "name": "key", "value": value }).to_string();
    assert_eq!(
        runner
            .send(Method::PUT, "/system/secrets", secret("a"))
            .await
            .0,
        404
    );
    assert_eq!(runner.post("/system/secrets", secret("a")).await.0, 202);
    assert_eq!(runner.post("/system/secrets", secret("a")).await.0, 409);
    assert_eq!(
        runner.json("/system/secrets").await,
        json!([{ "name": "key", "namespace": "openfaas-fn" }])
    );
    assert_eq!(
        runner.get("/function/probe/secret/key").await.0,
        404,
        "it did not ask for it"
    );

    let deployment = json!({ "service": "probe", "secrets": ["key"] }).to_string();
    assert_eq!(
        runner
            .send(Method::PUT, "/system/functions", deployment)
            .await
            .0,
        202
    );
    let read = async || runner.get("/function/probe/secret/key").await;
    until("the secret", async || {
        (read().await == (200, "a".to_owned())).then_some(())
    })
    .await;
    assert_eq!(
        runner
            .send(
                Method::PUT,
                "/system/secrets",
                r#"{"name":"key","rawValue":"Yg=="}"#
            )
            .await
            .0,
        202
    );
    assert_eq!(read().await, (200, "b".to_owned()), "without a restart");
    assert_eq!(
        runner
            .send(Method::DELETE, "/system/secrets", r#"{"name":"key"}"#)
            .await
            .0,
        202
    );
    assert_eq!(read().await.0, 404);
    assert_eq!(
        runner
            .post("/system/secrets", r#"{"name":"../key","value":"x"}"#)
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn logs_are_read_by_number_and_time_and_followed() {
    let runner = runner();
    for line in ["one", "two", "three"] {
        runner.post("/function/probe/log", line).await;
    }
    let texts = async |query: &str| {
        let (status, lines) = runner.get(&format!("/system/logs?name=probe{query}")).await;
        assert_eq!(status, 200, "{lines}");
        let text = |line| {
            serde_json::from_str::<Value>(line).unwrap()["text"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        lines.lines().map(text).collect::<Vec<_>>()
    };
    until("three lines", async || {
        (texts("").await.len() == 4).then_some(())
    })
    .await;
    assert_eq!(texts("&tail=2").await, ["two", "three"]);
    assert_eq!(
        texts("&tail=-1&follow=false").await,
        ["listening", "one", "two", "three"]
    );
    assert_eq!(texts("&since=2000-01-01T02:00:00%2B02:00").await.len(), 4);
    assert!(texts("&since=2100-01-01T00:00:00Z").await.is_empty());
    assert_eq!(runner.get("/system/logs?name=nobody").await.0, 404);
    assert_eq!(
        runner
            .get("/system/logs?name=probe&since=yesterday")
            .await
            .0,
        422
    );

    let client = Client::builder(TokioExecutor::new()).build_http::<http_body_util::Empty<Bytes>>();
    let url = format!(
        "{}/system/logs?name=probe&follow=true&tail=1",
        runner.gateway
    );
    let mut body = client.get(url.parse().unwrap()).await.unwrap().into_body();
    for expected in ["three", "four"] {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&frame).unwrap()["text"],
            expected
        );
        runner.post("/function/probe/log", "four").await;
    }
    runner.signal(Signal::TERM);
    while body.frame().await.is_some_and(|frame| frame.is_ok()) {}
}

#[tokio::test]
async fn the_api_asks_for_the_password_and_functions_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).to_str().unwrap().to_owned()
    };
    let (user, password) = (file("user", "admin\n"), file("password", "s3cret\n"));
    let runner = runner_with(&[
        "--basic-auth-user",
        &user,
        "--basic-auth-password",
        &password,
    ]);
    let refused = runner
        .call(request(Method::GET, "/system/functions", &[], ""))
        .await;
    assert_eq!(
        (refused.status().as_u16(), &refused.body()[..]),
        (401, &b"invalid credentials"[..])
    );
    assert_eq!(
        refused.headers()["www-authenticate"],
        "Basic realm=\"Restricted\""
    );
    let authorization = [("authorization", "Basic YWRtaW46czNjcmV0")];
    let allowed = runner
        .call(request(
            Method::GET,
            "/system/functions",
            &authorization,
            "",
        ))
        .await;
    assert_eq!(allowed.status(), 200);
    assert_eq!(runner.get("/function/probe/x").await.0, 200);
}

#[tokio::test]
async fn a_web_page_from_elsewhere_cannot_use_the_api() {
    let runner = runner();
    for headers in [
        [("origin", "https://elsewhere.example")],
        [("host", "rebound.example:8080")],
    ] {
        let answer = call(
            &runner.gateway,
            request(Method::GET, "/system/functions", &headers, ""),
        )
        .await;
        assert_eq!(answer.status(), 403, "{headers:?}");
    }
}
