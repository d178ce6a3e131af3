use openfaas_runtime::{Data, Event, Function, State};

#[derive(Clone)]
struct Bank;

async fn handle(_: State<Bank>, _: Event<Data>) {}

fn main() -> openfaas_runtime::Result<()> {
    Function::event(handle).run()
}
