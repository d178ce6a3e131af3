//! A function for the tests of doors: it does what its events say.

use std::time::Duration;

use openfaas_runtime::{Context, Event, Failure, Function};
use serde_json::{Value, json};

fn main() -> openfaas_runtime::Result<()> {
    Function::event(handle).run()
}

async fn handle(event: Event<Value>, context: Context) -> Result<Event<Value>, Failure> {
    let attempt = context.attempt();
    match event.data()["do"].as_str() {
        Some("die") => std::process::abort(),
        Some("reject") => return Err(Failure::reject("as asked for")),
        Some("retry") if attempt < 3 => return Err(Failure::retry()),
        Some("work") => tokio::time::sleep(Duration::from_millis(500)).await,
        _ => {}
    }
    let reply = json!({ "done": event.id(), "attempt": attempt });
    Ok(Event::new("done", reply))
}
