//! What one owner holds of one function, and what it does next: a state machine without time, chance or I/O of its own.
//!
//! Every [`Input`] is handed in with the moment it happened; what is to be done comes out as [`Output`]s, in order. The
//! driver does them and reports how each ended. So a history is a list of inputs, and the simulator can write any.

mod answer;
mod arrive;
mod event;
mod finish;
mod handover;
mod lanes;
mod leave;
mod limits;
mod start;
mod subscription;
mod suspects;
#[cfg(test)]
mod tests;
mod together;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use openfaas_cloudevents::{Event, Limits};
use openfaas_telemetry::TraceContext;

use self::event::{Held, Id, Phase};
pub(super) use self::finish::trace_of;
use self::lanes::Lanes;
use self::subscription::{Log, Subscription};
use self::suspects::Suspects;
use super::mistake::Planted;
use super::spans::Fate;
use crate::broker::{
    Assignment, Codec, Decoded, Demand, FinishError, Message, Position, Publication, PublishError,
    Record, SourceError, Stored,
};
use crate::call::{Call, Outcome};
use crate::clock::{Random, Time};
use crate::observe::{Observation, Observer, Standing, What};
use crate::wiring::Wiring;

/// How an owner serves its function.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// The wiring.
    pub wiring: Arc<Wiring>,
    /// Who delivers: `X-Connector`, and the `by` of dead letters.
    pub connector: Arc<str>,
    /// What is read of replies.
    pub limits: Limits,
    /// The function runs in this process: it takes the owner with it when it dies, so suspects and unclean ends are kept
    /// at the broker.
    pub door: bool,
    /// The longest a call may take.
    pub deadline: Duration,
    /// Somebody wants to know what follows from each call.
    pub traced: bool,
    /// A mistake planted for the simulator to find.
    pub planted: Planted,
}

/// Something that happened.
#[derive(Debug)]
pub(super) enum Input {
    /// A subscription is open; what is held of it is reported as in progress that often.
    Opened(usize, Option<Duration>),
    /// A log came with it.
    Assigned(usize, Assignment),
    /// A message came.
    Message(usize, Arc<Message>, Decoded),
    /// Retention removed so many messages unseen.
    Gap(usize, u64),
    /// A log goes to another owner.
    Revoking(usize, Arc<str>),
    /// What is held may be given to others; what runs may finish.
    Interrupted(usize),
    /// What is held belongs to others.
    Lost(usize),
    /// A call ended, and the span that it bore, where it had one of its own.
    Called(CallId, Outcome, Option<TraceContext>),
    /// Whether the function answers its health check.
    Health(bool),
    /// A publication was stored or not.
    Published(Id, Result<Stored, PublishError>),
    /// An input was settled or not.
    Settled(Id, Result<(), SourceError>),
    /// An input's replies and its place were stored or not, both or neither.
    Finished(Id, Result<(), FinishError>),
    /// This record of a log was stored or not.
    Recorded(usize, Record, Result<(), SourceError>),
    /// So many messages of a log are given out and unsettled.
    Pending(usize, Result<usize, SourceError>),
    /// A subscription is closed.
    Closed(usize),
    /// The share of the body budget changed: bytes per subscription.
    Share(usize),
    /// The function's image changed.
    NewImage,
    /// Finish and leave.
    Drain,
    /// Time has passed.
    Tick,
}

/// Something to do.
#[derive(Debug)]
pub(super) enum Output {
    /// Open this subscription.
    Open(usize),
    /// Allow this subscription so much from now on.
    Demand(usize, Demand),
    /// Call the function with events of this subscription.
    Call(CallId, usize, Call),
    /// What follows from a call, if somebody wants to know.
    Judged(CallId, Fate),
    /// Ask the function for its health.
    AskHealth,
    /// Store a reply or a letter of this event.
    Publish(Id, Publication),
    /// Settle this event.
    Settle(Id, usize, Position),
    /// Store these replies of an event and settle it, both or neither.
    Finish(Id, usize, Position, Vec<Publication>),
    /// Acknowledge again what was settled already.
    SettleAgain(usize, Position),
    /// Report these as in progress.
    Progress(usize, Vec<Position>),
    /// Store the record of a log.
    Record(usize, usize, Arc<str>, Record),
    /// Ask how much of a log is given out.
    AskPending(usize, usize, Arc<str>),
    /// Nothing of this log is in flight any more.
    Leave(usize, Arc<str>),
    /// Close this subscription.
    Close(usize),
    /// Everything is handed back.
    Ended,
}

/// One call of the function.
pub(super) type CallId = u64;

/// One owner's part of one function.
pub(super) struct Owner {
    settings: Settings,
    codec: Arc<dyn Codec>,
    observer: Arc<dyn Observer>,
    random: Box<dyn Random>,
    function: Arc<str>,
    namespace: Arc<str>,
    now: Time,
    wall: SystemTime,
    subscriptions: Vec<Subscription>,
    logs: Vec<Log>,
    held: BTreeMap<Id, Held>,
    by_position: BTreeMap<(usize, u64), Id>,
    lanes: Lanes,
    calls: BTreeMap<CallId, Running>,
    suspects: Suspects,
    timers: BTreeSet<(Time, Timer)>,
    outputs: VecDeque<Output>,
    next_id: u64,
    share: usize,
    draining: bool,
    ended: bool,
}

/// A call in flight.
#[derive(Debug)]
struct Running {
    subscription: usize,
    events: Vec<(Id, Arc<Event>)>,
    probe: bool,
    alone: bool,
    started: Time,
    /// Its own span, once it has ended.
    span: Option<TraceContext>,
}

/// What a moment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// An event's wait is over: its own, or that of what is to be stored.
    Event(Id),
    /// A subscription reports progress.
    Progress(usize),
    /// Something of a subscription or of the function may start.
    Start,
    /// A log's record or pending count is asked for again.
    Log(usize),
}

impl Owner {
    /// An owner that holds nothing yet and opens every topic of its wiring.
    pub(super) fn new(
        settings: Settings,
        codec: Arc<dyn Codec>,
        observer: Arc<dyn Observer>,
        random: Box<dyn Random>,
        share: usize,
    ) -> Self {
        let wiring = Arc::clone(&settings.wiring);
        let subscriptions: Vec<Subscription> = wiring
            .topics
            .iter()
            .map(|topic| Subscription::new(&wiring, topic))
            .collect();
        let outputs = (0..subscriptions.len()).map(Output::Open).collect();
        Self {
            function: Arc::from(wiring.function.as_str()),
            namespace: Arc::from(wiring.namespace.as_str()),
            settings,
            codec,
            observer,
            random,
            now: Time::default(),
            wall: SystemTime::UNIX_EPOCH,
            subscriptions,
            logs: Vec::new(),
            held: BTreeMap::new(),
            by_position: BTreeMap::new(),
            lanes: Lanes::default(),
            calls: BTreeMap::new(),
            suspects: Suspects::default(),
            timers: BTreeSet::new(),
            outputs,
            next_id: 0,
            share,
            draining: false,
            ended: false,
        }
    }

    /// Takes note of what happened, and decides.
    pub(super) fn handle(&mut self, now: Time, wall: SystemTime, input: Input) {
        self.now = now;
        self.wall = wall;
        match input {
            Input::Opened(subscription, progress) => self.opened(subscription, progress),
            Input::Assigned(subscription, assignment) => self.assigned(subscription, assignment),
            Input::Message(subscription, message, decoded) => {
                self.arrived(subscription, message, decoded)
            }
            Input::Gap(subscription, count) => self.tell(subscription, None, What::Gone { count }),
            Input::Revoking(subscription, log) => self.revoking(subscription, &log),
            Input::Interrupted(subscription) => self.interrupted(subscription),
            Input::Lost(subscription) => self.lost(subscription),
            Input::Called(call, outcome, span) => self.called(call, outcome, span),
            Input::Health(well) => self.health(well),
            Input::Published(event, result) => self.published(event, result),
            Input::Settled(event, result) => self.settled(event, result),
            Input::Finished(event, result) => self.finished(event, result),
            Input::Recorded(log, record, result) => self.recorded(log, record, result),
            Input::Pending(log, result) => self.pending(log, result),
            Input::Closed(subscription) => self.closed(subscription),
            Input::Share(share) => self.share = share,
            Input::NewImage => self.new_image(),
            Input::Drain => self.drain(),
            Input::Tick => {}
        }
        self.fire();
        self.start();
        self.leave();
        self.demand();
    }

    /// What is to be done next.
    pub(super) fn output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.timers.first().map(|(time, _)| *time)
    }

    /// Inputs held, and their bytes.
    pub(super) fn holding(&self) -> (usize, usize) {
        (
            self.held.len(),
            self.subscriptions
                .iter()
                .map(|subscription| subscription.bytes)
                .sum(),
        )
    }

    /// Whether nothing new is started.
    pub(super) fn is_draining(&self) -> bool {
        self.draining
    }

    /// How a subscription stands, as far as an owner knows.
    pub(super) fn standing(&self, index: usize, wall: SystemTime) -> Standing {
        let subscription = &self.subscriptions[index];
        let held = self.held.values().filter(|held| held.subscription == index);
        let oldest = held.clone().filter_map(|held| held.message.time).min();
        let in_call = |held: &&Held| matches!(held.phase, Phase::Calling(_));
        Standing {
            lag: None,
            oldest: oldest
                .and_then(|oldest| wall.duration_since(oldest).ok())
                .unwrap_or_default(),
            held: subscription.held,
            in_flight: held.filter(in_call).count(),
            waiting: subscription.resting,
            paused: subscription.came.messages >= subscription.allowed.up_to.messages,
        }
    }

    fn fire(&mut self) {
        while let Some(&(time, timer)) = self.timers.first().filter(|(time, _)| *time <= self.now) {
            self.timers.remove(&(time, timer));
            match timer {
                Timer::Event(id) => self.woken(id),
                Timer::Progress(subscription) => self.progress(subscription),
                Timer::Log(log) => self.ask_again(log),
                Timer::Start => {}
            }
        }
    }

    fn wake(&mut self, at: Time, timer: Timer) {
        self.timers.insert((at, timer));
    }

    /// A wait drawn with full jitter, for the `n`th time in a row (from 0).
    fn draw(&mut self, n: u32) -> Duration {
        let longest = self.settings.wiring.retry.longest_wait(n);
        self.random.up_to(longest)
    }

    /// A wait that somebody asked for, clamped; else one that is drawn.
    fn wait(&mut self, asked: Option<Duration>, n: u32) -> Duration {
        match asked {
            Some(asked) => self.settings.wiring.retry.clamp(asked),
            None => self.draw(n),
        }
    }

    fn tell(&self, subscription: usize, event: Option<&Held>, what: What<'_>) {
        self.observer.observe(&Observation {
            at: self.now,
            function: &self.function,
            namespace: &self.namespace,
            topic: &self.subscriptions[subscription].topic,
            position: event.map(|event| &event.message.position),
            event: event.and_then(|event| event.event.as_deref()),
            what,
        });
    }

    fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

impl std::fmt::Debug for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owner")
            .field("function", &self.function)
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}
