//! How long a handler has.

use super::help::{config, eventually, get_with, header, soon};
use openfaas_runtime::Context;
use openfaas_runtime::Function;
use openfaas_runtime::axum::http::StatusCode;
use openfaas_runtime::testing;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

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
    let reply = soon("504 past exec_timeout", running.get("/")).await;
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
    let running = testing::start(function).await;
    let reply = soon("504 past write_timeout", running.get("/")).await;
    assert_eq!(reply.status(), StatusCode::GATEWAY_TIMEOUT);
}
