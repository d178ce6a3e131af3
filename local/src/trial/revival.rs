//! Whether who dies lives again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Promise;
use crate::process::{Functions, health};

/// How long it may take, by the wait before the restart that follows so many deaths.
const LIVES_AGAIN: Duration = Duration::from_secs(15);

/// Waits until a function takes calls. By then the runner has told of its last death.
pub async fn check(functions: &Functions, name: &str) -> Promise {
    let deadline = Instant::now() + LIVES_AGAIN;
    let lives = loop {
        if lives(functions, name).await {
            break Ok(());
        }
        if Instant::now() > deadline {
            break Err("no process of it answers".to_owned());
        }
        sleep(Duration::from_millis(20)).await;
    };
    Promise::new(format!("{name} is started again and takes calls"), lives)
}

async fn lives(functions: &Functions, name: &str) -> bool {
    let Some(function) = functions.find(name) else {
        return false;
    };
    match function.address().await {
        // The process that is said to be ready may have died just now.
        Some(address) => health::healthy(address).await,
        None => false,
    }
}
