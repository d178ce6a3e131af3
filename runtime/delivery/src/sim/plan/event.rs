//! An event, and what its function makes of it.

use std::time::Duration;

use super::Mood;
use super::draw::Draw;

/// An event, and what its function makes of it.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Planned {
    pub(in crate::sim) id: String,
    /// Whose it is.
    pub(in crate::sim) function: usize,
    /// The topic of that function.
    pub(in crate::sim) topic: usize,
    pub(in crate::sim) key: Option<String>,
    pub(in crate::sim) at: Duration,
    pub(in crate::sim) form: Form,
    pub(in crate::sim) nature: Nature,
    pub(in crate::sim) replies: usize,
    /// It answers differently each time.
    pub(in crate::sim) fickle: bool,
    pub(in crate::sim) service: Duration,
    pub(in crate::sim) padding: usize,
    /// In a partition an offset without a record follows it: a transaction's marker.
    pub(in crate::sim) marker: bool,
}

/// What a message looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Form {
    Event,
    Plain,
    Broken,
    Unwanted,
}

/// What a function makes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Nature {
    Good,
    /// So many retries first.
    Flaky(u32),
    /// Retries for ever.
    Hopeless,
    Rejected,
    /// Kills its function so many times.
    Killer(u32),
    /// Gives no answer so many times.
    Silent(u32),
    /// Answers something that calls itself an event and is none, so many times.
    Garbled(u32),
    /// One of its replies is larger than its topic takes.
    Bulky,
    /// One of its replies has no topic.
    Stray,
    /// Its chain is too long.
    Endless,
}

impl Form {
    fn draw(draw: &mut Draw<'_>) -> Self {
        match draw.below(100) {
            0..3 => Self::Plain,
            3..5 => Self::Broken,
            5..8 => Self::Unwanted,
            _ => Self::Event,
        }
    }
}

impl Nature {
    fn draw(draw: &mut Draw<'_>, mood: Mood) -> Self {
        let times = draw.range(1, 4) as u32;
        if mood == Mood::Apart {
            return match draw.below(100) {
                0..20 => Self::Flaky(1),
                20..25 => Self::Rejected,
                _ => Self::Good,
            };
        }
        let grim = mood == Mood::Grim;
        match draw.below(100) {
            0..20 => Self::Flaky(times),
            20..23 => Self::Hopeless,
            23..28 => Self::Rejected,
            28..34 if grim => Self::Killer(if draw.chance(500) { u32::MAX } else { times }),
            34..38 if grim => Self::Silent(times),
            38..41 => Self::Garbled(times),
            41..44 => Self::Bulky,
            44..47 => Self::Stray,
            47..49 => Self::Endless,
            _ => Self::Good,
        }
    }
}

impl Planned {
    pub(super) fn draw(
        draw: &mut Draw<'_>,
        serial: u64,
        (function, topic): (usize, usize),
        keys: u64,
        span: Duration,
        mood: Mood,
    ) -> Self {
        // An id is nobody's alone: what is told apart by it gets lost.
        let id = if draw.chance(100) {
            "twin".to_owned()
        } else {
            format!("e{serial}")
        };
        let slow = draw.chance(50);
        Self {
            id,
            function,
            topic,
            key: draw.chance(800).then(|| format!("k{}", draw.below(keys))),
            at: draw.up_to(span),
            form: Form::draw(draw),
            nature: Nature::draw(draw, mood),
            replies: draw.below(4) as usize,
            fickle: draw.chance(300),
            service: if slow {
                draw.millis(1, 12_000)
            } else {
                draw.millis(0, 40)
            },
            padding: if draw.chance(100) {
                800
            } else {
                draw.below(60) as usize
            },
            marker: draw.chance(100),
        }
    }
}
