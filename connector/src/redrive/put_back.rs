//! Letters go back to the topic that they came from, each for its function alone.

use std::process::ExitCode;

use openfaas_delivery::broker::{Message, PublishError};
use openfaas_delivery::dead_letter::{self, Notes};
use openfaas_delivery::letters::{Access, LetterStore};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::chosen::{Store, Wanted};
use super::consumers::Consumers;
use super::options::{PutBack, These};
use crate::cli::Done;
use crate::terminal::say;

/// What has come back that often comes back for ever.
const TIMES: u32 = 3;

impl These {
    pub(super) fn wanted(self) -> Wanted {
        match self.letters.is_empty() {
            true => Wanted::Like(self.which),
            false => Wanted::Named(self.letters),
        }
    }
}

pub(super) async fn put_back(
    store: &Store<impl LetterStore>,
    options: PutBack,
    consumers: &Consumers,
) -> Done {
    let access = match options.dry_run {
        true => Access::Read,
        false => Access::Change,
    };
    let mut pace: Option<Interval> = options.rate.map(|every| {
        let mut pace = interval(every);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    });
    let mut chosen = store.choose(options.these.wanted(), access).await?;
    let (mut went, mut stay) = (0_u64, 0_u64);
    while let Some(letter) = chosen.next().await? {
        let name = store.letters.name(&letter);
        let notes = match notes_of(&letter, consumers, options.force) {
            Ok(notes) => notes,
            Err(why) => {
                stay += 1;
                say(&format!("{name} stays: {why}"))?;
                continue;
            }
        };
        let Notes {
            function, topic, ..
        } = &notes;
        if options.dry_run {
            went += 1;
            say(&format!("{name} would go back to {topic} for {function}"))?;
            continue;
        }
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        let back = dead_letter::put_back(&letter, &notes);
        match chosen.put_back(&letter, &back).await {
            Ok(()) => {
                went += 1;
                say(&format!("{name} is back in {topic} for {function}"))?;
            }
            Err(why @ (PublishError::TooLarge(_) | PublishError::Refused(_))) => {
                stay += 1;
                say(&format!("{name} stays: {why}"))?;
            }
            Err(PublishError::Unavailable(why)) => {
                return Err(format!("{name}: {why}; do it again later").into());
            }
        }
    }
    let done = match options.dry_run {
        true => "would go back",
        false => "put back",
    };
    say(&format!("{went} {done}, {stay} stay"))?;
    Ok(match stay {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// The notes of a letter that can go back.
fn notes_of(letter: &Message, consumers: &Consumers, force: bool) -> Result<Notes, String> {
    let notes = Notes::of(letter)
        .ok_or("it bears no notes that say which function it is for".to_owned())?;
    consumers.takes(&notes)?;
    let times = dead_letter::redrive(letter).map_or(0, |redrive| redrive.times);
    if times >= TIMES && !force {
        return Err(format!(
            "it was put back {times} times and came back each time; --force puts it back once more"
        ));
    }
    Ok(notes)
}
