//! What a seed draws: the broker, the wiring, the events, the functions, and what goes wrong.

mod draw;
mod event;
mod trouble;

use std::time::Duration;

use self::draw::Draw;
pub(super) use self::event::{Form, Nature, Planned};
pub(super) use self::trouble::{Faults, Trouble, What};
use crate::clock::Seeded;
use crate::filter::Filter;
use crate::wiring::{Order, ReplyTopics, Wiring};

/// Everything about a history that is known before it begins.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    pub(super) mood: Mood,
    pub(super) functions: Vec<Served>,
    pub(super) door: bool,
    pub(super) timeout: Duration,
    pub(super) budget: usize,
    pub(super) events: Vec<Planned>,
    pub(super) faults: Faults,
    pub(super) troubles: Vec<Trouble>,
    /// Engines that run at once. On the bus all but one stand by for an ordered subscription.
    pub(super) engines: usize,
    /// Bytes of a commit's metadata.
    pub(super) metadata: usize,
}

/// What carries the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The in-memory bus as the local runner uses it: it knows who owns a subscription.
    Bus,
    /// As NATS: whoever asks is given messages, and a lease says who may.
    Leased,
    /// As Kafka: so many partitions of each topic, and a group that shares them.
    Partitions(usize),
}

/// How bad it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// Nothing but retries goes wrong: a wait must then be right.
    Calm,
    /// One function is down for long, and nothing else: the others must not notice.
    Apart,
    Plain,
    /// Events may kill their function.
    Grim,
}

/// A function: how it is wired, and what it is like apart from its events.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) wiring: Wiring,
    /// Calls at once; more are answered that it is full.
    pub(super) limit: usize,
    pub(super) restart: Duration,
    pub(super) knows_batches: bool,
    /// How often, in a thousand, a batch is answered wrongly.
    pub(super) wrong_batch: u64,
    /// How often, in a thousand, a retry says when.
    pub(super) says_when: u64,
}

pub(super) const OUTPUT: &str = "out";
pub(super) const REPLY_LIMIT: usize = 4_000;

impl Plan {
    /// What this seed draws.
    pub(super) fn draw(random: &mut Seeded) -> Self {
        let mut draw = Draw(random);
        let kind = match draw.below(100) {
            0..40 => Kind::Bus,
            40..65 => Kind::Leased,
            _ => Kind::Partitions(draw.range(1, 4) as usize),
        };
        let mood = match draw.below(100) {
            0..12 => Mood::Calm,
            12..20 => Mood::Apart,
            20..58 => Mood::Plain,
            _ => Mood::Grim,
        };
        let door = matches!(mood, Mood::Plain | Mood::Grim) && draw.chance(200);
        let functions = match draw.below(100) {
            _ if mood == Mood::Apart => draw.range(2, 3),
            _ if door => 1,
            0..70 => 1,
            70..90 => 2,
            _ => 3,
        };
        let functions: Vec<Served> = (0..functions)
            .map(|index| Served::draw(&mut draw, index, kind, mood))
            .collect();
        let span = draw.millis(1, 30_000);
        let keys = draw.range(1, 6);
        let count = draw.range(3, 40);
        let events = (0..count)
            .map(|serial| {
                let function = draw.below(functions.len() as u64) as usize;
                let topics = functions[function].wiring.topics.len();
                let place = (function, draw.below(topics as u64) as usize);
                Planned::draw(&mut draw, serial, place, keys, span, mood)
            })
            .collect();
        let engines = match kind {
            _ if door => 1,
            Kind::Bus => 1 + draw.below(10) / 7,
            Kind::Leased => 1 + draw.below(2),
            Kind::Partitions(_) => draw.range(1, 3),
        };
        Self {
            kind,
            mood,
            door,
            timeout: draw.millis(2_000, 20_000),
            budget: match mood {
                Mood::Calm => 1 << 20,
                Mood::Apart => draw.range(500, 3_000) as usize,
                _ if draw.chance(500) => 1 << 20,
                _ => draw.range(300, 3_000) as usize,
            },
            events,
            faults: Faults::draw(&mut draw, mood),
            troubles: Trouble::draw_some(&mut draw, mood, kind, door),
            engines: engines as usize,
            // A door's notes come first, and it cannot do without them.
            metadata: match door || draw.chance(600) {
                true => 4_096,
                false => draw.range(6, 24) as usize,
            },
            functions,
        }
    }

    /// The function of an event.
    pub(super) fn served(&self, serial: usize) -> &Served {
        &self.functions[self.events[serial].function]
    }

    /// The topic of an event.
    pub(super) fn topic(&self, serial: usize) -> &str {
        &self.served(serial).wiring.topics[self.events[serial].topic]
    }

    /// The key that orders an event; what has no place in a lane has none.
    pub(super) fn order_key(&self, serial: usize) -> Option<&str> {
        let planned = &self.events[serial];
        let has_lane = match planned.form {
            Form::Event => true,
            Form::Plain => matches!(self.kind, Kind::Partitions(_)),
            Form::Broken | Form::Unwanted => false,
        };
        let ordered = self.served(serial).wiring.order == Order::Key;
        planned.key.as_deref().filter(|_| ordered && has_lane)
    }

    /// The function that is called so.
    pub(super) fn function(&self, name: &str) -> Option<usize> {
        self.functions
            .iter()
            .position(|served| served.wiring.function == name)
    }

    /// Whether dead letters are stored there.
    pub(super) fn is_for_letters(&self, topic: &str) -> bool {
        self.functions
            .iter()
            .any(|served| served.wiring.dead_letters == topic)
    }

    /// Everything that an engine subscribes to.
    pub(super) fn subscriptions(&self) -> impl Iterator<Item = (&Wiring, &str)> {
        self.functions.iter().flat_map(|Served { wiring, .. }| {
            let topics = wiring.topics.iter();
            topics.map(move |topic| (wiring, topic.as_str()))
        })
    }

    /// What each subscription may hold of the budget.
    pub(super) fn share(&self) -> usize {
        self.budget / self.subscriptions().count()
    }
}

impl Served {
    fn draw(draw: &mut Draw<'_>, index: u64, kind: Kind, mood: Mood) -> Self {
        let calm = mood == Mood::Calm;
        let topics = 1 + u64::from(draw.chance(150));
        let topics = (0..topics).map(|topic| format!("in-{index}-{topic}"));
        let mut wiring = Wiring::new(&format!("f{index}"), "fn", topics);
        wiring.replies = ReplyTopics::parse(&format!("done={OUTPUT}")).unwrap_or_default();
        wiring.filter = Filter::parse(r#"{"not":{"exact":{"type":"unwanted"}}}"#).ok();
        // A lease is for what is ordered.
        wiring.order = match draw.chance(200) && kind != Kind::Leased {
            true => Order::None,
            false => Order::Key,
        };
        wiring.retry.attempts = draw.range(1, 6) as u32;
        wiring.retry.min_wait = draw.millis(100, 1_000);
        wiring.retry.max_wait = match mood {
            Mood::Apart => draw.millis(1_000, 5_000),
            _ => draw.millis(1_000, 60_000),
        };
        wiring.concurrency = match calm {
            true => 1_000,
            false => draw.range(1, 8) as usize,
        };
        wiring.window = match calm {
            true => 1_000,
            false => draw.range(2, 40) as usize,
        };
        wiring.batch_size = match calm || draw.chance(500) {
            true => 1,
            false => draw.range(2, 10) as usize,
        };
        wiring.batch_linger = match draw.chance(500) {
            true => Duration::ZERO,
            false => draw.millis(1, 50),
        };
        wiring.max_hops = 32;
        let mild = mood == Mood::Apart;
        Self {
            limit: match calm || mild || draw.chance(600) {
                true => 1_000,
                false => draw.range(1, 4) as usize,
            },
            restart: draw.millis(50, 5_000),
            knows_batches: draw.chance(850),
            wrong_batch: draw.at_times(400, 400),
            says_when: if mild { 0 } else { draw.at_times(500, 800) },
            wiring,
        }
    }
}
