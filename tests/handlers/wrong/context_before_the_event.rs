use openfaas_runtime::{Context, Data, Event, Function};

async fn handle(_: Context, _: Event<Data>) {}

fn main() -> openfaas_runtime::Result<()> {
    Function::event(handle).run()
}
