//! Goes through letters: those with these names, or those of all topics that are like what is asked for.

use std::collections::VecDeque;
use std::time::SystemTime;

use openfaas_delivery::broker::{Message, OpenError, Publication, PublishError};
use openfaas_delivery::dead_letter::Notes;
use openfaas_delivery::letters::{Access, LetterStore, Letters};

use super::consumers::Consumers;
use super::which::Which;
use crate::gateway::ListError;

/// Where letters lie, and in which topics.
#[derive(Debug)]
pub(super) struct Store<S> {
    pub(super) letters: S,
    /// The dead-letter topics of the functions that there are; or why they are not known.
    topics: Result<Vec<String>, String>,
}

/// Which letters are gone through.
#[derive(Debug)]
pub(super) enum Wanted {
    /// Those with these names.
    Named(Vec<String>),
    /// Those that are like this.
    Like(Which),
}

/// Letters that are being gone through.
pub(super) struct Chosen<'a, S: LetterStore> {
    store: &'a Store<S>,
    access: Access,
    left: Left,
    /// The topic that is open.
    open: Option<(String, S::Letters)>,
    now: SystemTime,
}

/// What is not gone through yet.
enum Left {
    /// These names.
    Names(VecDeque<String>),
    /// What is like this, in the topic that is open and then in these.
    Like(Which, VecDeque<String>),
}

/// Why there is no next letter.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChosenError {
    /// That is no name of a letter.
    #[error("{0} is no letter: `redrive list` names them, as TOPIC@NUMBER")]
    Name(String),
    /// There is none of that name.
    #[error("there is no letter {0}: `redrive list` says which there are")]
    Gone(String),
    /// The broker does not give them.
    #[error(transparent)]
    Broker(#[from] OpenError),
}

impl<S: LetterStore> Store<S> {
    pub(super) fn new(letters: S, consumers: &Result<Consumers, ListError>) -> Self {
        let topics = match consumers {
            Ok(consumers) => Ok(consumers.dead_letter_topics().into_iter().collect()),
            Err(error) => Err(error.to_string()),
        };
        Self { letters, topics }
    }

    /// Begins to go through letters.
    pub(super) async fn choose(
        &self,
        wanted: Wanted,
        access: Access,
    ) -> Result<Chosen<'_, S>, ChosenError> {
        let left = match wanted {
            Wanted::Named(names) => Left::Names(names.into()),
            Wanted::Like(which) => {
                let topics = match which.topic.is_empty() {
                    true => self.everywhere().await?,
                    false => which.topic.clone(),
                };
                Left::Like(which, topics.into())
            }
        };
        Ok(Chosen {
            store: self,
            access,
            left,
            open: None,
            now: SystemTime::now(),
        })
    }

    /// Every topic that may hold letters.
    async fn everywhere(&self) -> Result<Vec<String>, OpenError> {
        let mut topics = self.letters.letter_topics().await?;
        match &self.topics {
            Ok(known) => topics.extend(known.iter().cloned()),
            Err(why) => eprintln!(
                "dead-letter topics that an annotation names are not looked into, unless --topic names them: {why}"
            ),
        }
        topics.sort();
        topics.dedup();
        Ok(topics)
    }
}

impl<S: LetterStore> Chosen<'_, S> {
    /// The next letter.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, ChosenError> {
        let (which, topics) = match &mut self.left {
            Left::Names(names) => {
                return match names.pop_front() {
                    Some(name) => self.named(name).await.map(Some),
                    None => Ok(None),
                };
            }
            Left::Like(which, topics) => (which, topics),
        };
        loop {
            if let Some((_, letters)) = &mut self.open {
                while let Some(letter) = letters.next().await? {
                    let notes = Notes::of(&letter).unwrap_or_default();
                    if which.takes(&letter, &notes, self.now) {
                        return Ok(Some(letter));
                    }
                }
            }
            let Some(topic) = topics.pop_front() else {
                return Ok(None);
            };
            self.open = match open(self.store, &topic, which, self.access, self.now).await {
                Ok(opened) => opened.map(|letters| (topic, letters)),
                // A topic that nobody asked for by name may not be there yet.
                Err(OpenError::NotReady(why)) if which.topic.is_empty() => {
                    eprintln!("{topic} is not looked into: {why}");
                    None
                }
                Err(error) => return Err(error.into()),
            };
        }
    }

    async fn named(&mut self, name: String) -> Result<Message, ChosenError> {
        let place = name.rsplit_once('@');
        let Some((place, Ok(offset))) = place.map(|(place, offset)| (place, offset.parse())) else {
            return Err(ChosenError::Name(name));
        };
        let topic = self.store.letters.topic_at(place);
        let letters = match &mut self.open {
            Some((open, letters)) if open == topic => letters,
            open => {
                let letters = self.store.letters.letters(topic, self.access).await?;
                &mut open.insert((topic.to_owned(), letters)).1
            }
        };
        let found = letters.at(place, offset).await?;
        found.ok_or(ChosenError::Gone(name))
    }

    /// Puts back the letter that was just given.
    pub(super) async fn put_back(
        &mut self,
        letter: &Message,
        back: &Publication,
    ) -> Result<(), PublishError> {
        match &mut self.open {
            Some((_, letters)) => letters.put_back(letter, back).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// Removes the letter that was just given.
    pub(super) async fn remove(&mut self, letter: &Message) -> Result<(), PublishError> {
        match &mut self.open {
            Some((_, letters)) => letters.remove(letter).await,
            None => Ok(()),
        }
    }
}

/// Opens a topic. To change letters it is opened only where there are some: it would disturb whoever changes others there.
async fn open<S: LetterStore>(
    store: &Store<S>,
    topic: &str,
    which: &Which,
    access: Access,
    now: SystemTime,
) -> Result<Option<S::Letters>, OpenError> {
    let mut letters = store.letters.letters(topic, Access::Read).await?;
    if access == Access::Read {
        return Ok(Some(letters));
    }
    while let Some(letter) = letters.next().await? {
        let notes = Notes::of(&letter).unwrap_or_default();
        if which.takes(&letter, &notes, now) {
            return store.letters.letters(topic, access).await.map(Some);
        }
    }
    Ok(None)
}
