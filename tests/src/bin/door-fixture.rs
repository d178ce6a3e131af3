//! A function for the tests of doors: it does what its events say. With the argument `emit` it is no function, and publishes
//! one event; with `layered` in its environment there is a layer around it.

use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use openfaas_runtime::{Context, Event, Failure, Function, Publisher};
use serde_json::{Value, json};

fn main() -> openfaas_runtime::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("emit") {
        return emit();
    }
    let function = Function::event(handle);
    match std::env::var_os("layered") {
        Some(_) => function.layer(from_fn(lets_in)).run(),
        None => function.run(),
    }
}

/// Lets in what has the headers of an event of a topic, but for one id.
async fn lets_in(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let wanted = headers.get("ce-id").is_some_and(|id| id != "unwanted");
    match wanted && headers.contains_key("x-topic") {
        true => next.run(request).await,
        false => (StatusCode::FORBIDDEN, "kept out by a layer").into_response(),
    }
}

async fn handle(event: Event<Value>, context: Context) -> Result<Option<Event<Value>>, Failure> {
    let attempt = context.attempt();
    match event.data()["do"].as_str() {
        Some("die") => std::process::abort(),
        Some("reject") => return Err(Failure::reject("as asked for")),
        Some("retry") if attempt < 3 => return Err(Failure::retry()),
        Some("work") => tokio::time::sleep(Duration::from_millis(500)).await,
        Some("publish") => {
            let to = event.data()["to"].as_str().unwrap_or_default();
            let published = publish(context.publisher(), to).await;
            return published.map(|()| None).map_err(Failure::reject);
        }
        _ => {}
    }
    let reply = json!({ "done": event.id(), "attempt": attempt });
    Ok(Some(Event::new("done", reply)))
}

/// Publishes an event; says why it is not stored.
async fn publish(publisher: Publisher, to: &str) -> Result<(), String> {
    let event = Event::new("published", json!({ "by": "door" })).with_id("p-1");
    let published = publisher.publish(to, event).await;
    published.map_err(|error| error.to_string())
}

#[tokio::main(flavor = "current_thread")]
async fn emit() -> openfaas_runtime::Result<()> {
    if let Err(why) = publish(Publisher::from_env(), "emitted").await {
        println!("{why}");
    }
    Ok(())
}
