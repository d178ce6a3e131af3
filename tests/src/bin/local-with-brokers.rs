//! `openfaas-local` with the brokers that it can keep topics on.

use std::process::ExitCode;

fn main() -> ExitCode {
    openfaas_local::cli::main()
}
