//! The program `openfaas-local`.

use std::process::ExitCode;

fn main() -> ExitCode {
    openfaas_local::cli::main()
}
