//! The smallest functions there are, for measuring what surrounds them: `noop http` (the default), `noop event`.

use openfaas_runtime::{Data, Event, Function};

fn main() -> openfaas_runtime::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("event") => Function::event(async |_: Event<Data>| ()).run(),
        _ => Function::http(async || "Hello, World!").run(),
    }
}
