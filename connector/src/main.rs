//! The program `openfaas-connector`.

use std::process::ExitCode;

fn main() -> ExitCode {
    openfaas_connector::cli::main()
}
