//! The contender of doors: a function of events, as its author writes it.

use openfaas_runtime::{Data, Event, Function};

fn main() -> openfaas_runtime::Result<()> {
    Function::event(nothing).run()
}

async fn nothing(_: Event<Data>) {}
