//! Side by side with peers, in one run, as ratios.

use std::process::ExitCode;

mod codec;

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        Some("codec") => codec::run(),
        _ => Err("which bench? codec".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}
