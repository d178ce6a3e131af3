use openfaas_runtime::{Function, State};

#[derive(Clone)]
struct Bank;

async fn handle(_: State<Bank>) {}

fn main() -> openfaas_runtime::Result<()> {
    Function::http(handle).run()
}
