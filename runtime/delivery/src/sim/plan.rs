//! What a seed draws: the wiring, the events, the function, and what goes wrong.

use std::time::Duration;

use crate::clock::{Random, Seeded};
use crate::wiring::{Order, ReplyTopics, Wiring};

/// Everything about a history that is known before it begins.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) wiring: Wiring,
    pub(super) door: bool,
    pub(super) timeout: Duration,
    pub(super) budget: usize,
    pub(super) events: Vec<Planned>,
    pub(super) faults: Faults,
    pub(super) process: Process,
    pub(super) troubles: Vec<Trouble>,
    /// Engines that run at once; of an ordered subscription all but one stand by.
    pub(super) engines: usize,
    /// Nothing but retries goes wrong: a wait must then be right.
    pub(super) calm: bool,
}

/// An event, and what the function makes of it.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) id: String,
    pub(super) key: Option<String>,
    pub(super) at: Duration,
    pub(super) form: Form,
    pub(super) nature: Nature,
    pub(super) replies: usize,
    /// It answers differently each time.
    pub(super) fickle: bool,
    pub(super) service: Duration,
    pub(super) padding: usize,
}

/// What a message looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Event,
    Plain,
    Broken,
    Unwanted,
}

/// What a function makes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
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

/// How often, in a thousand, something of the broker fails.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) publish: u64,
    pub(super) settle: u64,
    pub(super) repeat: u64,
    pub(super) transit: u64,
    pub(super) progress: u64,
    pub(super) other: u64,
    /// Letters are too large for their topic with their notes.
    pub(super) notes_too_large: bool,
}

/// What the function is like apart from its events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process {
    /// Calls at once; more are answered that it is full.
    pub(super) limit: usize,
    pub(super) restart: Duration,
    pub(super) knows_batches: bool,
    /// How often, in a thousand, a batch is answered wrongly.
    pub(super) wrong_batch: u64,
    /// How often, in a thousand, a retry says when.
    pub(super) says_when: u64,
}

/// Something that happens to the whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble {
    pub(super) at: Duration,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// An engine dies after so many more steps.
    Crash(u64),
    /// An engine drains, and another begins.
    HandOver,
    /// The subscription is taken from its owner.
    Evict,
    /// The function cannot be reached for so long.
    Outage(Duration),
    /// The function answers nothing but retries for so long.
    Sickness(Duration),
    /// Dead letters cannot be stored for so long.
    LettersAway(Duration),
    /// Nothing can be stored for so long.
    BrokerAway(Duration),
    /// Retention removes the oldest message that was not given out yet.
    Retention,
    /// The function is killed by somebody.
    Kill,
}

pub(super) const INPUT: &str = "in";
pub(super) const OUTPUT: &str = "out";
pub(super) const REPLY_LIMIT: usize = 4_000;

impl Plan {
    /// What this seed draws.
    pub(super) fn draw(random: &mut Seeded) -> Self {
        let mut draw = Draw(random);
        let calm = draw.chance(150);
        let door = !calm && draw.chance(200);
        let mut wiring = Wiring::new("f", "fn", [INPUT]);
        wiring.replies = ReplyTopics::parse(&format!("done={OUTPUT}")).unwrap_or_default();
        wiring.filter =
            crate::filter::Filter::parse(r#"{"not":{"exact":{"type":"unwanted"}}}"#).ok();
        wiring.order = if draw.chance(200) {
            Order::None
        } else {
            Order::Key
        };
        wiring.retry.attempts = draw.range(1, 6) as u32;
        wiring.retry.min_wait = draw.millis(100, 1_000);
        wiring.retry.max_wait = draw.millis(1_000, 60_000);
        wiring.concurrency = if calm {
            1_000
        } else {
            draw.range(1, 8) as usize
        };
        wiring.window = if calm {
            1_000
        } else {
            draw.range(2, 40) as usize
        };
        wiring.batch_size = if calm || draw.chance(500) {
            1
        } else {
            draw.range(2, 10) as usize
        };
        wiring.batch_linger = if draw.chance(500) {
            Duration::ZERO
        } else {
            draw.millis(1, 50)
        };
        wiring.max_hops = 32;
        let span = draw.millis(1, 30_000);
        let keys = draw.range(1, 6);
        let count = draw.range(3, 40);
        let grim = !calm && draw.chance(500);
        let events = (0..count)
            .map(|serial| Planned::draw(&mut draw, serial, keys, span, grim))
            .collect();
        let often = |draw: &mut Draw<'_>, most: u64| {
            if calm || draw.chance(400) {
                0
            } else {
                draw.range(1, most)
            }
        };
        let faults = Faults {
            publish: often(&mut draw, 300),
            settle: often(&mut draw, 300),
            repeat: often(&mut draw, 200),
            transit: often(&mut draw, 60),
            progress: often(&mut draw, 100),
            other: often(&mut draw, 200),
            notes_too_large: !calm && draw.chance(100),
        };
        let process = Process {
            limit: if calm || draw.chance(600) {
                1_000
            } else {
                draw.range(1, 4) as usize
            },
            restart: draw.millis(50, 5_000),
            knows_batches: draw.chance(850),
            wrong_batch: if draw.chance(700) {
                0
            } else {
                draw.range(1, 300)
            },
            says_when: if draw.chance(500) {
                0
            } else {
                draw.range(1, 800)
            },
        };
        let troubles = if calm {
            Vec::new()
        } else {
            Trouble::draw_some(&mut draw, door)
        };
        let engines = if wiring.order == Order::Key && draw.chance(300) {
            2
        } else {
            1
        };
        Self {
            door,
            timeout: draw.millis(2_000, 20_000),
            budget: if calm || draw.chance(500) {
                1 << 20
            } else {
                draw.range(300, 3_000) as usize
            },
            events,
            faults,
            process,
            troubles,
            engines: if door { 1 } else { engines },
            calm,
            wiring,
        }
    }
}

impl Planned {
    fn draw(draw: &mut Draw<'_>, serial: u64, keys: u64, span: Duration, grim: bool) -> Self {
        let form = match draw.below(100) {
            0..3 => Form::Plain,
            3..5 => Form::Broken,
            5..8 => Form::Unwanted,
            _ => Form::Event,
        };
        let times = draw.range(1, 4) as u32;
        let nature = match draw.below(100) {
            0..20 => Nature::Flaky(times),
            20..23 => Nature::Hopeless,
            23..28 => Nature::Rejected,
            28..34 if grim => Nature::Killer(if draw.chance(500) { u32::MAX } else { times }),
            34..38 if grim => Nature::Silent(times),
            38..41 => Nature::Garbled(times),
            41..44 => Nature::Bulky,
            44..47 => Nature::Stray,
            47..49 => Nature::Endless,
            _ => Nature::Good,
        };
        // An id is nobody's alone: what is told apart by it gets lost.
        let id = if draw.chance(100) {
            "twin".to_owned()
        } else {
            format!("e{serial}")
        };
        let slow = draw.chance(50);
        Self {
            id,
            key: draw.chance(800).then(|| format!("k{}", draw.below(keys))),
            at: draw.0.up_to(span),
            form,
            nature,
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
        }
    }
}

impl Trouble {
    fn draw_some(draw: &mut Draw<'_>, door: bool) -> Vec<Self> {
        let count = if draw.chance(250) {
            0
        } else {
            draw.range(1, 6)
        };
        let span = Duration::from_secs(60);
        (0..count)
            .map(|_| {
                let at = draw.0.up_to(span);
                let long = draw.millis(100, 90_000);
                let what = match draw.below(100) {
                    0..30 => What::Crash(draw.range(1, 60)),
                    30..45 => What::HandOver,
                    45..55 => What::Evict,
                    55..65 if !door => What::Outage(long),
                    65..75 => What::Sickness(draw.millis(1_000, 600_000)),
                    75..83 => What::LettersAway(long),
                    83..90 => What::BrokerAway(long),
                    90..96 => What::Retention,
                    _ if door => What::Crash(1),
                    _ => What::Kill,
                };
                Self { at, what }
            })
            .collect()
    }
}

/// A generator, with the words that a plan is drawn in.
struct Draw<'a>(&'a mut Seeded);

impl Draw<'_> {
    fn below(&mut self, end: u64) -> u64 {
        self.0.next() % end.max(1)
    }

    fn range(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    fn millis(&mut self, first: u64, last: u64) -> Duration {
        Duration::from_millis(self.range(first, last))
    }
}
