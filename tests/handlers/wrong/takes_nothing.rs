use openfaas_runtime::Function;

async fn handle() {}

fn main() -> openfaas_runtime::Result<()> {
    Function::event(handle).run()
}
