use openfaas_runtime::{Context, Event, Failure, Function};
use serde::{Deserialize, Serialize};

fn main() -> openfaas_runtime::Result<()> {
    Function::event(handle).run()
}

#[derive(Debug, Deserialize)]
struct Greeting {
    name: String,
}

#[derive(Debug, PartialEq, Serialize)]
struct Greeted {
    text: String,
}

async fn handle(event: Event<Greeting>, _context: Context) -> Result<Event<Greeted>, Failure> {
    let name = event.into_data().name;
    if name.is_empty() {
        return Err(Failure::reject("a greeting needs a name"));
    }
    Ok(Event::new("greeted", Greeted { text: format!("Hello, {name}!") }))
}
