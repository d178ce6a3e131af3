//! What goes wrong: with the broker at any time, and with the whole at some.

use std::time::Duration;

use super::draw::Draw;
use super::{Kind, Mood};

/// How often, in a thousand, something of the broker fails.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::sim) struct Faults {
    pub(in crate::sim) publish: u64,
    pub(in crate::sim) settle: u64,
    pub(in crate::sim) repeat: u64,
    pub(in crate::sim) transit: u64,
    pub(in crate::sim) reorder: u64,
    pub(in crate::sim) progress: u64,
    pub(in crate::sim) other: u64,
    /// Letters are too large for their topic with their notes.
    pub(in crate::sim) notes_too_large: bool,
}

/// Something that happens to the whole.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim) struct Trouble {
    pub(in crate::sim) at: Duration,
    pub(in crate::sim) what: What,
}

#[derive(Debug, Clone, Copy)]
pub(in crate::sim) enum What {
    /// An engine dies after so many more steps.
    Crash(u64),
    /// An engine stops for so long, and goes on as if nothing had been.
    Pause(Duration),
    /// An engine drains, and another begins.
    HandOver,
    /// A subscription is taken from its owner, who is not asked.
    Evict,
    /// Partitions are dealt out anew.
    Rebalance,
    /// A function cannot be reached for so long.
    Outage(Duration),
    /// The first function cannot be reached for so long, and no other may notice.
    Apart(Duration),
    /// A function answers nothing but retries for so long.
    Sickness(Duration),
    /// Dead letters cannot be stored for so long.
    LettersAway(Duration),
    /// Nothing can be stored for so long.
    BrokerAway(Duration),
    /// The server crashes, and comes back with an older state of a consumer: it has forgotten what it gave out since.
    Forgets,
    /// Retention removes a message that is not settled.
    Retention,
    /// A function is killed by somebody.
    Kill,
}

impl Faults {
    pub(super) fn draw(draw: &mut Draw<'_>, mood: Mood) -> Self {
        if matches!(mood, Mood::Calm | Mood::Apart) {
            return Self::default();
        }
        Self {
            publish: draw.at_times(600, 300),
            settle: draw.at_times(600, 300),
            repeat: draw.at_times(600, 200),
            transit: draw.at_times(600, 60),
            reorder: draw.at_times(600, 300),
            progress: draw.at_times(600, 100),
            other: draw.at_times(600, 200),
            notes_too_large: draw.chance(100),
        }
    }
}

impl Trouble {
    pub(super) fn draw_some(draw: &mut Draw<'_>, mood: Mood, kind: Kind, door: bool) -> Vec<Self> {
        match mood {
            Mood::Calm => return Vec::new(),
            Mood::Apart => {
                let at = draw.up_to(Duration::from_secs(30));
                let what = What::Apart(Duration::from_secs(1_200));
                return vec![Self { at, what }];
            }
            Mood::Plain | Mood::Grim => {}
        }
        let count = if draw.chance(250) {
            0
        } else {
            draw.range(1, 6)
        };
        (0..count)
            .map(|_| Self {
                at: draw.up_to(Duration::from_secs(60)),
                what: What::draw(draw, kind, door),
            })
            .collect()
    }
}

impl What {
    fn draw(draw: &mut Draw<'_>, kind: Kind, door: bool) -> Self {
        let long = draw.millis(100, 90_000);
        let evicted = match kind {
            Kind::Partitions(_) if draw.chance(700) => Self::Rebalance,
            // A lease is nobody's to take: who stops renewing it loses it.
            Kind::Leased if !door => Self::Pause(draw.millis(1_000, 30_000)),
            Kind::Leased => Self::HandOver,
            Kind::Bus | Kind::Partitions(_) => Self::Evict,
        };
        match draw.below(100) {
            0..25 => Self::Crash(draw.range(1, 60)),
            25..38 => Self::HandOver,
            38..50 => evicted,
            50..58 if !door => Self::Pause(draw.millis(100, 30_000)),
            58..65 if !door => Self::Outage(long),
            65..75 => Self::Sickness(draw.millis(1_000, 600_000)),
            75..83 => Self::LettersAway(long),
            83..96 if kind == Kind::Leased && draw.chance(400) => Self::Forgets,
            83..90 => Self::BrokerAway(long),
            90..96 => Self::Retention,
            _ if door => Self::Crash(1),
            _ => Self::Kill,
        }
    }
}
