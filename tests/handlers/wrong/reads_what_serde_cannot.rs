use openfaas_runtime::{Event, Function};

struct Order;

async fn handle(_: Event<Order>) {}

fn main() -> openfaas_runtime::Result<()> {
    Function::event(handle).run()
}
