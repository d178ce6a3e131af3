//! Letters as a table, and one letter with all that is in it.

use std::process::ExitCode;

use openfaas_delivery::letters::{Access, Letter, LetterStore, Opened};
use serde::Serialize;

use super::chosen::{Store, Wanted};
use super::which::Which;
use crate::cli::Done;
use crate::terminal::{say, table};

/// A letter, or what was opened, under its name.
#[derive(Serialize)]
struct Named<T> {
    letter: String,
    #[serde(flatten)]
    of: T,
}

pub(super) async fn list(store: &Store<impl LetterStore>, which: Which, json: bool) -> Done {
    let mut chosen = store.choose(Wanted::Like(which), Access::Read).await?;
    let mut letters = Vec::new();
    while let Some(message) = chosen.next().await? {
        letters.push(Named {
            letter: store.letters.name(&message),
            of: Letter::of(&store.letters, &message),
        });
    }
    if json {
        say(&serde_json::to_string(&letters)?)?;
    } else if letters.is_empty() {
        say("no dead letters")?;
    } else {
        let heading = [
            "LETTER", "EVENT", "FUNCTION", "FROM", "ATTEMPTS", "REDRIVEN", "WHEN", "WHY",
        ];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        rows.extend(letters.into_iter().map(row));
        for line in table(&rows) {
            say(&line)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(Named { letter, of }: Named<Letter>) -> Vec<String> {
    let when = of.when();
    let Letter {
        notes,
        id,
        redriven,
        ..
    } = of;
    vec![
        letter,
        id.unwrap_or_else(|| "broken".to_owned()),
        notes.function,
        notes.topic,
        notes.attempts.to_string(),
        redriven.to_string(),
        when,
        notes.reason,
    ]
}

pub(super) async fn show(store: &Store<impl LetterStore>, letter: String, json: bool) -> Done {
    let wanted = Wanted::Named(vec![letter]);
    let mut chosen = store.choose(wanted, Access::Read).await?;
    while let Some(message) = chosen.next().await? {
        let named = Named {
            letter: store.letters.name(&message),
            of: Opened::of(&store.letters, &message),
        };
        if json {
            say(&serde_json::to_string(&named)?)?;
        } else {
            show_all(named)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show_all(Named { letter, of }: Named<Opened>) -> std::io::Result<()> {
    let when = of.letter.when();
    let Letter {
        notes, redriven, ..
    } = of.letter;
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        row("letter", letter),
        row(
            "function",
            format!("{}.{}", notes.function, notes.namespace),
        ),
        row(
            "from",
            format!("{} ({}@{})", notes.topic, notes.log, notes.offset),
        ),
        row("attempts", notes.attempts.to_string()),
        row("redriven", redriven.to_string()),
        row("when", when),
        row("by", notes.by),
        row("why", notes.reason),
    ];
    rows.extend(
        of.headers
            .into_iter()
            .map(|(name, value)| vec![name, value]),
    );
    for line in table(&rows) {
        say(&line)?;
    }
    say("")?;
    say(&of.body)
}
