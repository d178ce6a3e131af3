//! Dead letters are listed, opened and put back.

use std::{process::ExitCode, time::Duration};

use bytes::Bytes;
use clap::{Args, Subcommand};
use openfaas_delivery::letters::{Letter, Opened};

use super::{
    Done,
    client::{Client, ClientError, Where, quoted},
    publish::follow,
    tree::tree,
};
use crate::{
    gateway::own::{Place, Published},
    terminal::{Colour, Console, table},
};

/// How long a letter that was put back is followed.
const WAIT: Duration = Duration::from_secs(60);

/// What to do with dead letters.
#[derive(Debug, Args)]
pub(super) struct DeadLetters {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List them
    List {
        /// Only those of this function
        #[arg(value_name = "FUNCTION")]
        function: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Where,
    },
    /// Print one with all that is in it
    Show {
        /// Its number in the list: TOPIC@NUMBER, or the event's id
        letter: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Where,
    },
    /// Put letters back for the function that they were for, and for no other
    Redrive {
        /// TOPIC@NUMBER or the event's id; can be given several times
        #[arg(required_unless_present_any = ["all", "function"])]
        letters: Vec<String>,
        /// All letters
        #[arg(long, conflicts_with_all = ["letters", "function"])]
        all: bool,
        /// All letters of this function
        #[arg(long, value_name = "NAME", conflicts_with = "letters")]
        function: Option<String>,
        /// Wait until nothing more comes of them, and print what did; exit code 1 if one became a dead letter again
        #[arg(long, short = 'w')]
        wait: bool,
        #[command(flatten)]
        place: Where,
    },
}

pub(super) async fn dead_letters(options: DeadLetters) -> Done {
    let console = Console::of_stdout();
    match options.verb {
        Verb::List {
            function,
            json,
            place,
        } => {
            let letters = of_function(all(&place.client()?).await?, function.as_deref());
            list(&console, &letters, json)
        }
        Verb::Show {
            letter,
            json,
            place,
        } => {
            let client = place.client()?;
            let place = find(&all(&client).await?, &letter)?;
            let path = format!("/local/dead-letter?{}", query(&place));
            show(&console, &client.get(&path).await?, json)
        }
        Verb::Redrive {
            letters,
            all: _,
            function,
            wait,
            place,
        } => {
            let client = place.client()?;
            let known = all(&client).await?;
            let chosen = if letters.is_empty() {
                of_function(known, function.as_deref())
                    .iter()
                    .map(place_of)
                    .collect()
            } else {
                letters
                    .iter()
                    .map(|letter| find(&known, letter))
                    .collect::<Result<Vec<_>, _>>()?
            };
            redrive(&console, &client, chosen, wait).await
        }
    }
}

async fn all(client: &Client) -> Result<Vec<Letter>, ClientError> {
    client.get("/local/dead-letters").await
}

fn of_function(letters: Vec<Letter>, function: Option<&str>) -> Vec<Letter> {
    letters
        .into_iter()
        .filter(|letter| function.is_none_or(|function| letter.notes.function == function))
        .collect()
}

fn place_of(letter: &Letter) -> Place {
    Place {
        topic: letter.topic.clone(),
        offset: letter.offset,
    }
}

fn query(place: &Place) -> String {
    format!("topic={}&offset={}", quoted(&place.topic), place.offset)
}

/// The letter that is meant by `TOPIC@NUMBER` or by the id of its event.
fn find(letters: &[Letter], meant: &str) -> Result<Place, ClientError> {
    let name = |letter: &Letter| format!("{}@{}", letter.topic, letter.offset);
    let is_meant = |letter: &&Letter| name(letter) == meant || letter.id.as_deref() == Some(meant);
    let found: Vec<_> = letters.iter().filter(is_meant).collect();
    match found.as_slice() {
        [letter] => Ok(place_of(letter)),
        [] => Err(ClientError::Refused(format!(
            "there is no dead letter {meant}: `openfaas-local dead-letters list` says which there are"
        ))),
        several => {
            let names: Vec<_> = several.iter().map(|letter| name(letter)).collect();
            Err(ClientError::Refused(format!(
                "{meant} is in several dead letters: name one of {}",
                names.join(", ")
            )))
        }
    }
}

fn list(console: &Console, letters: &[Letter], json: bool) -> Done {
    if json {
        console.line(&serde_json::to_string(letters)?);
        return Ok(ExitCode::SUCCESS);
    }
    if letters.is_empty() {
        console.line("no dead letters");
        return Ok(ExitCode::SUCCESS);
    }
    let style = console.style;
    let heading = [
        "LETTER", "EVENT", "FUNCTION", "FROM", "ATTEMPTS", "WHEN", "WHY",
    ];
    let mut rows = vec![heading.map(|text| style.paint(Colour::Dim, text)).to_vec()];
    rows.extend(letters.iter().map(|letter| {
        let notes = &letter.notes;
        vec![
            format!("{}@{}", letter.topic, letter.offset),
            letter.id.clone().unwrap_or_else(|| "broken".to_owned()),
            style.name(&notes.function),
            notes.topic.clone(),
            notes.attempts.to_string(),
            letter.when(),
            style.paint(Colour::Red, &notes.reason),
        ]
    }));
    table(&rows).iter().for_each(|line| console.line(line));
    Ok(ExitCode::SUCCESS)
}

fn show(console: &Console, opened: &Opened, json: bool) -> Done {
    if json {
        console.line(&serde_json::to_string(opened)?);
        return Ok(ExitCode::SUCCESS);
    }
    let (style, letter) = (console.style, &opened.letter);
    let notes = &letter.notes;
    let row = |name: &str, value: &str| vec![style.paint(Colour::Dim, name), value.to_owned()];
    let mut rows = vec![
        row("letter", &format!("{}@{}", letter.topic, letter.offset)),
        row("function", &notes.function),
        row("from", &format!("{}@{}", notes.topic, notes.offset)),
        row("attempts", &notes.attempts.to_string()),
        row("when", &notes.time),
        row("by", &notes.by),
        row("why", &style.paint(Colour::Red, &notes.reason)),
    ];
    rows.extend(opened.headers.iter().map(|(name, value)| row(name, value)));
    table(&rows).iter().for_each(|line| console.line(line));
    console.line("");
    console.line(&opened.body);
    Ok(ExitCode::SUCCESS)
}

async fn redrive(console: &Console, client: &Client, letters: Vec<Place>, wait: bool) -> Done {
    let mut messages = Vec::new();
    let mut refused = false;
    for letter in letters {
        let name = format!("{}@{}", letter.topic, letter.offset);
        match client
            .post::<Place>(
                &format!("/local/redrive?{}", query(&letter)),
                "application/json",
                Bytes::new(),
            )
            .await
        {
            Ok(place) => {
                console.line(&format!("{name} is back in {}", place.topic));
                messages.push(place);
            }
            Err(ClientError::Refused(why)) => {
                console.line(
                    &console
                        .style
                        .paint(Colour::Red, &format!("{name} stays: {why}")),
                );
                refused = true;
            }
            Err(other) => return Err(other.into()),
        }
    }
    let mut well = !refused;
    if wait {
        let found = follow(
            client,
            Published {
                messages,
                subscribers: Vec::new(),
            },
            WAIT,
        )
        .await?;
        for path in &found.paths {
            tree(console.style, path)
                .iter()
                .for_each(|line| console.line(line));
            well &= path.is_over() && path.dead_letters() == 0;
        }
    }
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
