//! Dead letters: the original, unchanged, with notes; and the way back.
//!
//! A letter is the message with one header more, [`NOTES`]. Redrive takes that header off, adds [`REDRIVE`], which names
//! the function it is for, and publishes it to the topic it came from; every other function settles it as filtered.

use std::sync::Arc;
use std::time::SystemTime;

use openfaas_cloudevents::timestamp;
use serde::{Deserialize, Serialize};

use crate::broker::{Header, Message, Position, Publication};
use crate::ids;

/// The header with a letter's [`Notes`], as JSON. Where there are several (a letter about a letter), the last one counts.
pub const NOTES: &str = "openfaas-dead-letter";

/// The header that says for which function a message was put back, as JSON: [`Redrive`].
pub const REDRIVE: &str = "openfaas-redrive";

/// The header of a record that is no letter: it says that the letter at a place of its topic was put back or removed.
/// Kafka has it, where nobody can take a record out.
pub const GONE: &str = "openfaas-letter-gone";

/// What stands before the name of a broker's own header in a letter, so that it acts no more.
pub const KEPT: &str = "openfaas-kept-";

/// What [`NOTES`] may take, name and value, in bytes.
pub const LONGEST_NOTES: usize = 2048;

/// Why a message is a dead letter, how often it was tried, when, by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    /// The function it was for.
    pub function: String,
    /// The namespace of that function.
    pub namespace: String,
    /// The topic it came from.
    pub topic: String,
    /// Its place there: the log …
    pub log: String,
    /// … and the offset in it.
    pub offset: u64,
    /// The position whose source and id a plain message has kept, where that is another one: it was put back before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<(String, u64)>,
    /// How many answers it had.
    pub attempts: u32,
    /// When it became a dead letter (RFC 3339).
    pub time: String,
    /// Who made it one.
    pub by: String,
    /// Why. Cut where all this would be longer than [`LONGEST_NOTES`].
    pub reason: String,
}

/// For whom a message was put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrive {
    /// The function.
    pub function: String,
    /// Its namespace.
    pub namespace: String,
    /// Where it lay first: the log whose position gives a plain message its source …
    pub log: String,
    /// … and id.
    pub offset: u64,
    /// How often it was put back, this time included.
    #[serde(default)]
    pub times: u32,
}

impl Redrive {
    /// Whether it is this function.
    pub fn is_for(&self, namespace: &str, function: &str) -> bool {
        self.namespace == namespace && self.function == function
    }
}

impl Notes {
    /// The notes on `message`, which the function did not take.
    pub fn on(message: &Message, namespace: &str, function: &str) -> Self {
        let first = identity(message);
        Self {
            function: function.to_owned(),
            namespace: namespace.to_owned(),
            topic: message.topic.to_string(),
            log: message.position.log.to_string(),
            offset: message.position.offset,
            identity: (first != message.position).then(|| (first.log.to_string(), first.offset)),
            ..Self::default()
        }
    }

    /// The same, with why, after how many answers, when and by whom.
    pub fn because(self, reason: &str, attempts: u32, at: SystemTime, by: &str) -> Self {
        let (time, by) = (timestamp::format(at), cut(by, 128).to_owned());
        Self {
            reason: reason.to_owned(),
            attempts,
            time,
            by,
            ..self
        }
    }

    /// The notes of a letter; `None` where it is none, or was stored bare.
    pub fn of(letter: &Message) -> Option<Self> {
        let header = &letter.headers[last_notes(&letter.headers)?];
        serde_json::from_str(header.text()?).ok()
    }

    /// When it became a dead letter, where they say so.
    pub fn at(&self) -> Option<SystemTime> {
        timestamp::parse(&self.time)
    }

    /// As [`NOTES`] holds them, the reason cut so that they fit.
    pub fn to_header(&self) -> Header {
        let text = self.json();
        let room = LONGEST_NOTES - NOTES.len();
        if text.len() <= room {
            return Header::new(NOTES, text);
        }
        let bare = Self {
            reason: String::new(),
            ..self.clone()
        };
        let mut left = room.saturating_sub(bare.json().len() + '…'.len_utf8());
        let fits = |c: &char| {
            let rest = left.checked_sub(escaped(*c));
            left = rest.unwrap_or(0);
            rest.is_some()
        };
        let mut reason: String = self.reason.chars().take_while(fits).collect();
        reason.push('…');
        Header::new(NOTES, Self { reason, ..bare }.json())
    }

    fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What a character takes inside a JSON string (RFC 8259, section 7), in bytes.
fn escaped(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

/// The letter about `message`: its bytes, key and headers, and the notes. Control headers of a broker (`Nats-*`) are kept
/// under other names.
pub fn letter(message: &Message, topic: &str, notes: &Notes) -> Publication {
    let mut letter = bare_letter(message, topic, notes);
    letter.headers.push(notes.to_header());
    letter
}

/// The same without notes, for a topic that refuses the letter as too large; the notes are logged.
pub fn bare_letter(message: &Message, topic: &str, notes: &Notes) -> Publication {
    let Position { log, offset } = &message.position;
    Publication {
        topic: topic.into(),
        dedup: Some(ids::letter(
            &notes.namespace,
            &notes.function,
            log,
            *offset,
            message.time,
        )),
        key: message.key.clone(),
        headers: message.headers.iter().map(disarmed).collect(),
        body: message.body.clone(),
    }
}

/// The message that puts a letter back for one function alone: what it was, and a header that names that function.
///
/// `notes` are the letter's own ([`Notes::of`]); for a letter that was stored bare, whatever is known of it.
pub fn put_back(letter: &Message, notes: &Notes) -> Publication {
    let (log, offset) = notes
        .identity
        .clone()
        .unwrap_or_else(|| (notes.log.clone(), notes.offset));
    let before = redrive(letter).map_or(0, |redrive| redrive.times);
    let redrive = Redrive {
        function: notes.function.clone(),
        namespace: notes.namespace.clone(),
        log,
        offset,
        times: before.saturating_add(1),
    };
    let own = last_notes(&letter.headers);
    let kept = |(index, header): (usize, &Header)| {
        (Some(index) != own && !header.name.eq_ignore_ascii_case(REDRIVE)).then(|| disarmed(header))
    };
    let mut headers: Vec<Header> = letter.headers.iter().enumerate().filter_map(kept).collect();
    headers.push(Header::new(
        REDRIVE,
        serde_json::to_string(&redrive).unwrap_or_default(),
    ));
    Publication {
        topic: notes.topic.as_str().into(),
        dedup: Some(ids::put_back(
            &letter.position.log,
            letter.position.offset,
            letter.time,
        )),
        key: letter.key.clone(),
        headers,
        body: letter.body.clone(),
    }
}

/// The position that gives a plain message its source and id: where it lay first, also after it was put back.
pub fn identity(message: &Message) -> Position {
    match redrive(message) {
        Some(Redrive { log, offset, .. }) => Position {
            log: Arc::from(log),
            offset,
        },
        None => message.position.clone(),
    }
}

/// For whom a message was put back; `None` where it was not, and so is for everybody.
pub fn redrive(message: &Message) -> Option<Redrive> {
    serde_json::from_str(message.header(REDRIVE)?).ok()
}

fn last_notes(headers: &[Header]) -> Option<usize> {
    headers
        .iter()
        .rposition(|header| header.name.eq_ignore_ascii_case(NOTES))
}

fn disarmed(header: &Header) -> Header {
    let control = header
        .name
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("nats-"));
    match control {
        true => Header {
            name: format!("{KEPT}{}", header.name),
            value: header.value.clone(),
        },
        false => header.clone(),
    }
}

/// At most `longest` bytes of a text, whole characters.
fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

#[cfg(test)]
mod tests;
