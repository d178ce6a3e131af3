//! The contender: a function of this project, as its author writes it.

use openfaas_runtime::Function;

fn main() -> openfaas_runtime::Result<()> {
    Function::http(hello).run()
}

async fn hello() -> &'static str {
    "Hello, world!"
}
