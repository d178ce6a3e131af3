//! The program `openfaas-operator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    openfaas_operator::cli::main()
}
