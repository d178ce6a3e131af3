//! `cargo xtask chaos nats|kafka`.

use std::process::ExitCode;
use std::time::Duration;

use openfaas_tests::chaos::{OnKafka, OnNats, Plan, play};

#[tokio::main]
async fn main() -> ExitCode {
    let plan = Plan {
        events: 100_000,
        keys: 1_000,
        kills: 20,
        restarts: 3,
        killers: 5,
        letters_away: Duration::from_secs(60),
        seed: std::process::id().into(),
        patience: Duration::from_secs(40 * 60),
    };
    let folder = tempfile::Builder::new()
        .prefix("chaos-")
        .tempdir()
        .expect("a folder")
        .keep();
    let broker = std::env::args().nth(1);
    println!(
        "seed {}; what processes say is in {}",
        plan.seed,
        folder.display()
    );
    let counts = match broker.as_deref() {
        Some("nats") => play::<OnNats>(&plan, &folder).await,
        Some("kafka") => play::<OnKafka>(&plan, &folder).await,
        _ => {
            eprintln!("which broker: nats or kafka?");
            return ExitCode::from(2);
        }
    };
    print!("{counts}");
    if counts.kept() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
