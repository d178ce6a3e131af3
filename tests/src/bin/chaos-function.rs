//! A function of the chain that chaos plays with.

use openfaas_runtime::{Event, Failure, Function};
use openfaas_tests::chaos::{Fate, Work};

fn main() -> openfaas_runtime::Result<()> {
    Function::event(handle).run()
}

async fn handle(event: Event<Work>) -> Result<Event<Work>, Failure> {
    let hop = std::env::var("chaos_hop").ok();
    let hop: usize = hop.and_then(|hop| hop.parse().ok()).expect("a number");
    match event.data().fate {
        Fate::Rejected(at) if at == hop => Err(Failure::reject("to be rejected here")),
        Fate::Kills(at) if at == hop => std::process::abort(),
        _ => Ok(Event::new("chaos.work", event.into_data())),
    }
}
