//! Letters are removed for good.

use std::process::ExitCode;

use openfaas_delivery::letters::{Access, LetterStore};

use super::chosen::{Store, Wanted};
use super::options::Purge;
use crate::cli::Done;
use crate::terminal::{agreed, say};

pub(super) async fn purge(store: &Store<impl LetterStore>, options: Purge) -> Done {
    let mut chosen = store.choose(options.these.wanted(), Access::Read).await?;
    let mut names = Vec::new();
    while let Some(letter) = chosen.next().await? {
        names.push(store.letters.name(&letter));
    }
    drop(chosen);
    if options.dry_run {
        for name in &names {
            say(&format!("{name} would be removed"))?;
        }
        say(&format!("{} would be removed", names.len()))?;
        return Ok(ExitCode::SUCCESS);
    }
    if names.is_empty() {
        say("0 removed")?;
        return Ok(ExitCode::SUCCESS);
    }
    let question = format!("Remove {} dead letters for good?", names.len());
    if !options.yes && !agreed(&question)? {
        say("nothing was removed")?;
        return Ok(ExitCode::FAILURE);
    }
    // Those that were counted, and no others.
    let count = names.len();
    let mut chosen = store.choose(Wanted::Named(names), Access::Change).await?;
    while let Some(letter) = chosen.next().await? {
        let name = store.letters.name(&letter);
        chosen
            .remove(&letter)
            .await
            .map_err(|error| format!("{name}: {error}"))?;
        say(&format!("{name} is removed"))?;
    }
    say(&format!("{count} removed"))?;
    Ok(ExitCode::SUCCESS)
}
