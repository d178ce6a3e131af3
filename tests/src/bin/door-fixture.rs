//! A function for the tests of doors: it does what its events say. With the argument `emit` it is no function, and publishes
//! one event.

use std::time::Duration;

use openfaas_runtime::{Context, Event, Failure, Function, Publisher};
use serde_json::{Value, json};

fn main() -> openfaas_runtime::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("emit") {
        return emit();
    }
    Function::event(handle).run()
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
