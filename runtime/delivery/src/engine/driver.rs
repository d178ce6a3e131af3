//! Does what an owner decides, and tells it how that ended.

mod alarm;
mod measure;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{BoxStream, FuturesUnordered, StreamExt, unfold};
use tokio::sync::watch;

use self::alarm::Alarm;
use super::budget::Share;
use super::control::Said;
use super::mistake::Mistake;
use super::owner::{CallId, Input, Output, Owner, Settings};
use super::spans::Spans;
use super::{Control, Ended, Engine};
use crate::broker::{Broker, Codec, Position, Source, SourceError, SourceEvent};
use crate::call::{Call, Outcome, Payload};
use crate::clock::{Clock, Random, Time};
use crate::observe::{Observation, Observer, State, What};
use crate::target::Target;

/// A health check that takes longer has failed.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs one owner.
pub(super) struct Driver<B: Broker, T, O, C> {
    engine: Engine<B, T, O, C>,
    settings: Settings,
    owner: Owner,
    share: Share,
    spans: Spans,
    drain_timeout: Duration,
    subscriptions: Vec<Slot<B::Source>>,
    work: FuturesUnordered<BoxFuture<'static, Done<B::Source>>>,
    ended: bool,
}

/// A subscription and its open source, if it has one.
struct Slot<S> {
    topic: Arc<str>,
    source: Option<Arc<S>>,
    /// Grows with every opening: what an earlier one still says is not heard.
    generation: u64,
    progressing: bool,
}

/// What an open source gives. One stream, as a future for each message would cost each an allocation of its size.
type Events = BoxStream<'static, SourceEvent>;

/// Something that was done.
enum Done<S> {
    Opened(usize, u64, S),
    Came(usize, u64, Option<SourceEvent>, Events),
    Progressed(usize),
    Measured(usize, u64, Result<u64, SourceError>),
    MeasureAgain(usize, u64),
    Told(Input),
    Nothing,
}

impl<B: Broker, T: Target, O: Observer, C: Clock> Driver<B, T, O, C> {
    pub(super) fn new(
        engine: Engine<B, T, O, C>,
        settings: Settings,
        drain_timeout: Duration,
        random: Box<dyn Random>,
    ) -> Self {
        let topics = &settings.wiring.topics;
        let slot = |topic: &String| Slot {
            topic: topic.as_str().into(),
            source: None,
            generation: 0,
            progressing: false,
        };
        let subscriptions = topics.iter().map(slot).collect();
        let share = match settings.planted.is(Mistake::WholeBudgetEach) {
            true => engine.budget.join(0),
            false => engine.budget.join(topics.len()),
        };
        let codec = Arc::clone(&engine.broker) as Arc<dyn Codec>;
        let observer = Arc::clone(&engine.observer) as Arc<dyn Observer>;
        let owner = Owner::new(settings.clone(), codec, observer, random, share.bytes());
        let durable = |topic: &String| engine.broker.durable(&settings.wiring, topic);
        let spans = Spans::new(engine.tracer.clone(), topics.iter().map(durable).collect());
        let work = FuturesUnordered::new();
        Self {
            engine,
            settings,
            owner,
            share,
            spans,
            drain_timeout,
            subscriptions,
            work,
            ended: false,
        }
    }

    pub(super) async fn run(mut self, control: &Control) -> Ended {
        let mut said = control.listen();
        let mut heard = Said::default();
        let mut drained_by: Option<Time> = None;
        let mut alarm = Alarm::default();
        let mut share = self.share.bytes();
        loop {
            while let Some(output) = self.owner.output() {
                self.perform(output);
            }
            if self.ended {
                return Ended::Drained;
            }
            let now = self.engine.clock.now();
            if drained_by.is_some_and(|by| by <= now) {
                return self.cut().await;
            }
            alarm.set(
                [self.owner.wake_at(), drained_by]
                    .into_iter()
                    .flatten()
                    .min(),
                &self.engine.clock,
            );
            let input = match self.done(&said) {
                Some(done) => self.heard(done),
                None => tokio::select! {
                    biased;
                    Ok(()) = said.changed() => {
                        let news = *said.borrow_and_update();
                        let before = std::mem::replace(&mut heard, news);
                        if news.drain && !before.drain {
                            drained_by = Some(self.engine.clock.now() + self.drain_timeout);
                            self.tell(Input::Drain);
                        }
                        (news.image != before.image).then_some(Input::NewImage)
                    }
                    Some(done) = self.work.next(), if !self.work.is_empty() => self.heard(done),
                    () = alarm.rings() => Some(Input::Tick),
                },
            };
            let Some(input) = input else { continue };
            self.tell(input);
            let bytes = self.share.bytes();
            if std::mem::replace(&mut share, bytes) != bytes {
                self.tell(Input::Share(bytes));
            }
        }
    }

    /// What is done by now, where control has no news: it comes by the thousand, and waiting for all there is costs each time.
    fn done(&mut self, said: &watch::Receiver<Said>) -> Option<Done<B::Source>> {
        match said.has_changed() {
            Ok(true) => None,
            _ => self.work.next().now_or_never()?,
        }
    }

    fn tell(&mut self, input: Input) {
        self.owner
            .handle(self.engine.clock.now(), self.engine.clock.wall(), input);
    }

    /// The drain takes too long: everything is given back as it is.
    async fn cut(mut self) -> Ended {
        self.work.clear();
        let (held, _) = self.owner.holding();
        for slot in &mut self.subscriptions {
            if let Some(source) = slot.source.take() {
                source.close().await;
            }
        }
        Ended::Cut(held)
    }

    /// What something done means to the owner.
    fn heard(&mut self, done: Done<B::Source>) -> Option<Input> {
        match done {
            Done::Nothing => None,
            Done::Told(input) => {
                if let Input::Called(id, outcome, _) = &input {
                    self.spans.ended(*id, outcome);
                }
                Some(input)
            }
            Done::Progressed(index) => {
                self.subscriptions[index].progressing = false;
                None
            }
            Done::Measured(index, generation, lag) => {
                self.measured(index, generation, lag);
                None
            }
            Done::MeasureAgain(index, generation) => {
                self.measure(index, generation);
                None
            }
            Done::Opened(index, generation, source) => {
                let slot = &mut self.subscriptions[index];
                if slot.generation != generation {
                    return None;
                }
                let every = source.progress_every();
                let source = Arc::new(source);
                slot.source = Some(Arc::clone(&source));
                let events = unfold(source, async |source| Some((source.next().await, source)));
                self.listen(index, events.boxed());
                self.measure(index, generation);
                Some(Input::Opened(index, every))
            }
            Done::Came(index, generation, event, rest) => {
                if self.subscriptions[index].generation != generation {
                    return None;
                }
                Some(self.came(index, event?, rest))
            }
        }
    }

    fn came(&self, index: usize, event: SourceEvent, rest: Events) -> Input {
        let input = match event {
            SourceEvent::Interrupted(reason) => {
                self.say(index, What::State(State::Interrupted(&reason)));
                return Input::Interrupted(index);
            }
            SourceEvent::Lost(reason) => {
                self.say(index, What::State(State::Lost(&reason)));
                return Input::Lost(index);
            }
            SourceEvent::Assigned(assignment) => Input::Assigned(index, assignment),
            SourceEvent::Message(message) => {
                let decoded = self.engine.broker.decode(&message);
                Input::Message(index, Arc::new(message), decoded)
            }
            SourceEvent::Gap { count, .. } => Input::Gap(index, count),
            SourceEvent::Revoking { log } => Input::Revoking(index, log),
        };
        self.listen(index, rest);
        input
    }

    fn say(&self, index: usize, what: What<'_>) {
        self.engine.observer.observe(&Observation {
            at: self.engine.clock.now(),
            function: &self.settings.wiring.function,
            namespace: &self.settings.wiring.namespace,
            topic: &self.subscriptions[index].topic,
            position: None,
            event: None,
            what,
        });
    }

    fn listen(&self, index: usize, events: Events) {
        let generation = self.subscriptions[index].generation;
        let next = events.into_future();
        self.work.push(Box::pin(
            next.map(move |(event, rest)| Done::Came(index, generation, event, rest)),
        ));
    }

    /// Works on the open source of a subscription; nothing, where it has none.
    fn with_source<F>(&self, index: usize, work: impl FnOnce(Arc<B::Source>) -> F)
    where
        F: Future<Output = Done<B::Source>> + Send + 'static,
    {
        if let Some(source) = &self.subscriptions[index].source {
            self.work.push(Box::pin(work(Arc::clone(source))));
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Open(index) => self.open(index),
            Output::Close(index) => self.close(index),
            Output::Ended => self.ended = true,
            Output::Demand(index, demand) => {
                if let Some(source) = &self.subscriptions[index].source {
                    source.demand(demand);
                }
            }
            Output::Leave(index, log) => {
                if let Some(source) = &self.subscriptions[index].source {
                    source.leave(&log);
                }
            }
            Output::Call(id, index, call) => self.call(id, index, call),
            Output::Judged(id, fate) => self.spans.judged(id, fate),
            Output::AskHealth => self.ask_health(),
            Output::Publish(id, publication) => {
                let broker = Arc::clone(&self.engine.broker);
                self.work.push(Box::pin(async move {
                    Done::Told(Input::Published(id, broker.publish(&publication).await))
                }));
            }
            Output::Settle(id, index, position) => self.with_source(index, async move |source| {
                Done::Told(Input::Settled(id, source.settle(&position).await))
            }),
            Output::Finish(id, index, position, replies) => {
                self.with_source(index, async move |source| {
                    Done::Told(Input::Finished(
                        id,
                        source.finish(&position, &replies).await,
                    ))
                })
            }
            Output::SettleAgain(index, position) => self.with_source(index, async move |source| {
                // It is settled, or comes once more.
                let _ = source.settle(&position).await;
                Done::Nothing
            }),
            Output::Progress(index, positions) => self.progress(index, positions),
            Output::Record(log, index, name, record) => {
                self.with_source(index, async move |source| {
                    let result = source.record(&name, &record).await;
                    Done::Told(Input::Recorded(log, record, result))
                })
            }
            Output::AskPending(log, index, name) => self.with_source(index, async move |source| {
                Done::Told(Input::Pending(log, source.pending(&name).await))
            }),
        }
    }

    fn open(&mut self, index: usize) {
        let slot = &mut self.subscriptions[index];
        slot.generation += 1;
        let (generation, topic) = (slot.generation, Arc::clone(&slot.topic));
        let opening = self
            .engine
            .clone()
            .open(Arc::clone(&self.settings.wiring), topic);
        self.work.push(Box::pin(async move {
            Done::Opened(index, generation, opening.await)
        }));
    }

    fn close(&mut self, index: usize) {
        let slot = &mut self.subscriptions[index];
        slot.generation += 1;
        let source = slot.source.take();
        self.work.push(Box::pin(async move {
            if let Some(source) = source {
                source.close().await;
            }
            Done::Told(Input::Closed(index))
        }));
    }

    fn call(&mut self, id: CallId, index: usize, mut call: Call) {
        self.spans.begin(id, index, &mut call);
        let one = matches!(call.payload, Payload::One(_));
        let span = call.trace.clone().filter(|_| one && self.settings.traced);
        let (target, clock) = (
            Arc::clone(&self.engine.target),
            Arc::clone(&self.engine.clock),
        );
        let deadline = clock.now() + call.timeout;
        self.work.push(Box::pin(async move {
            let outcome = tokio::select! {
                biased;
                outcome = target.call(call) => outcome,
                () = clock.sleep_until(deadline) => Outcome::TimedOut,
            };
            Done::Told(Input::Called(id, outcome, span))
        }));
    }

    fn ask_health(&self) {
        let (target, clock) = (
            Arc::clone(&self.engine.target),
            Arc::clone(&self.engine.clock),
        );
        let wiring = Arc::clone(&self.settings.wiring);
        let deadline = clock.now() + HEALTH_TIMEOUT;
        self.work.push(Box::pin(async move {
            let well = tokio::select! {
                biased;
                well = target.healthy(&wiring.namespace, &wiring.function) => well,
                () = clock.sleep_until(deadline) => false,
            };
            Done::Told(Input::Health(well))
        }));
    }

    /// Reports progress, unless the last report is still on its way.
    fn progress(&mut self, index: usize, positions: Vec<Position>) {
        let slot = &mut self.subscriptions[index];
        if slot.source.is_none() || std::mem::replace(&mut slot.progressing, true) {
            return;
        }
        self.with_source(index, async move |source| {
            source.progress(&positions).await;
            Done::Progressed(index)
        });
    }
}
