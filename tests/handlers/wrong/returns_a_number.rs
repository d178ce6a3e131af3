use openfaas_runtime::{Data, Event, Function};

async fn handle(_: Event<Data>) -> u32 {
    7
}

fn main() -> openfaas_runtime::Result<()> {
    Function::event(handle).run()
}
