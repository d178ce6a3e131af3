//! A member of a consumer group: librdkafka's consumer, and the thread that alone touches it.

mod commits;
mod gives;
mod rebalances;
mod transactions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;
use tokio::sync::{mpsc, oneshot};

use self::transactions::Committer;
use super::check;
use super::context::Context;
use super::partition::Commit;
use super::producer::{Client, log};
use super::settings::Settings;
use super::source::{End, KafkaSource, Shared};
use crate::broker::{OpenError, Purpose, SourceEvent, Subscription};
use crate::wiring::Start;

/// A group that has not let us in by then does not answer.
const JOIN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the last commit may take, and leaving the group after it.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The thread looks that often where nothing wakes it.
const LOOK: Duration = Duration::from_millis(100);

/// The same while it waits for an answer.
const LOOK_CLOSELY: Duration = Duration::from_millis(2);

/// The state of the thread.
struct Member {
    settings: Arc<Settings>,
    group: Arc<str>,
    topic: Arc<str>,
    start: Start,
    // Before the consumer, which they keep alive.
    queues: BTreeMap<i32, PartitionQueue<Context>>,
    consumer: Arc<BaseConsumer<Context>>,
    shared: Arc<Shared>,
    events: mpsc::UnboundedSender<SourceEvent>,
    /// Told once the group has let us in, or will not.
    joining: Option<(oneshot::Sender<Result<(), OpenError>>, Instant)>,
    /// The rebalance that is being answered.
    change: Option<rebalances::Change>,
    committer: Sender<commits::Asked>,
    /// Commits are transactions.
    transactions: bool,
    /// The commits that are under way.
    committing: Option<Vec<Commit>>,
    /// The next is not before, unless somebody waits for it …
    commit_at: Instant,
    /// … and none is before this.
    commit_again: Instant,
    /// What the broker takes of metadata.
    longest: usize,
    /// … and so long it was for the commits that are under way.
    asked: usize,
    /// Partitions whose end was seen since they were assigned.
    ends: BTreeMap<i32, gives::End>,
    /// Partitions that are to be put to where their log begins.
    astray: BTreeSet<i32>,
    /// It was lost; the engine will close it.
    over: bool,
}

/// Joins the group of a subscription.
///
/// # Errors
/// The group does not let us in, or does not answer.
pub(super) async fn join(
    settings: Arc<Settings>,
    subscription: &Subscription,
    client: Arc<Client>,
) -> Result<KafkaSource, OpenError> {
    let shared = Arc::new(Shared::default());
    let (events, coming) = mpsc::unbounded_channel();
    let (tell, told) = oneshot::channel();
    let source = KafkaSource::new(
        Arc::clone(&shared),
        Arc::clone(&subscription.topic),
        client,
        coming,
    );
    let (group, topic) = (
        Arc::clone(&subscription.durable),
        Arc::clone(&subscription.topic),
    );
    let (start, transactions) = (subscription.start, subscription.transactions);
    let run = move || {
        shared.serve(thread::current());
        let _last_word = LastWord(events.clone());
        match begin(&settings, &group, &topic, transactions) {
            Err(error) => drop(tell.send(Err(error))),
            Ok((consumer, committer)) => {
                let now = Instant::now();
                Member {
                    settings,
                    group,
                    topic,
                    start,
                    queues: BTreeMap::new(),
                    consumer,
                    committer,
                    transactions,
                    shared,
                    events,
                    joining: Some((tell, now + JOIN_TIMEOUT)),
                    change: None,
                    committing: None,
                    commit_at: now,
                    commit_again: now,
                    longest: super::metadata::LONGEST,
                    asked: super::metadata::LONGEST,
                    ends: BTreeMap::new(),
                    astray: BTreeSet::new(),
                    over: false,
                }
                .run()
            }
        }
    };
    let thread = thread::Builder::new().name("kafka-member".into());
    thread
        .spawn(run)
        .map_err(|error| OpenError::Unavailable(error.to_string()))?;
    let joined = told.await;
    joined.unwrap_or_else(|_| Err(OpenError::Unavailable("its thread ended".into())))?;
    Ok(source)
}

/// A consumer, and who commits what it has given.
fn begin(
    settings: &Arc<Settings>,
    group: &str,
    topic: &Arc<str>,
    transactions: bool,
) -> Result<(Arc<BaseConsumer<Context>>, Sender<commits::Asked>), OpenError> {
    // Before it joins, and has a place to lose.
    let committer = match transactions {
        true => Some(Committer::open(settings, group)?),
        false => None,
    };
    let consumer = consumer(settings, group, topic)
        .map(Arc::new)
        .map_err(|error| OpenError::NotReady(error.to_string()))?;
    let committer = match committer {
        Some(committer) => transactions::spawn(committer, &consumer, topic),
        None => commits::committer(&consumer, topic),
    };
    match committer {
        Ok(committer) => Ok((consumer, committer)),
        Err(error) => Err(OpenError::NotReady(error.to_string())),
    }
}

fn consumer(
    settings: &Settings,
    group: &str,
    topic: &str,
) -> Result<BaseConsumer<Context>, KafkaError> {
    let config = settings.consumer(group, topic);
    let mut consumer = BaseConsumer::from_config_and_context(&config, Context::default())?;
    consumer.set_nonempty_callback(waker());
    consumer.subscribe(&[topic])?;
    Ok(consumer)
}

/// Wakes this thread.
fn waker() -> impl Fn() + Send + Sync + 'static {
    let thread = thread::current();
    move || thread.unpark()
}

/// A thread that ends by a panic takes its subscription with it, and nothing else.
struct LastWord(mpsc::UnboundedSender<SourceEvent>);

impl Drop for LastWord {
    fn drop(&mut self) {
        if thread::panicking() {
            let reason = "its thread ended by a panic".into();
            let _ = self.0.send(SourceEvent::Lost(reason));
        }
    }
}

impl Member {
    fn run(mut self) {
        loop {
            self.serve();
            self.rebalance();
            self.give();
            self.commit();
            let end = self.shared.lock().end.take();
            if let Some(end) = end {
                return self.leave(end);
            }
            if self
                .joining
                .as_ref()
                .is_some_and(|(_, until)| *until < Instant::now())
            {
                let trouble = self.consumer.context().heard().trouble.take();
                let silent = format!("group `{}` lets nobody in", self.group);
                self.refuse(OpenError::Unavailable(trouble.unwrap_or(silent)));
            }
            thread::park_timeout(match self.committing.is_some() || self.change.is_some() {
                true => LOOK_CLOSELY,
                false => LOOK,
            });
        }
    }

    /// Lets librdkafka say what it has to say.
    fn serve(&mut self) {
        let consumer = Arc::clone(&self.consumer);
        loop {
            let before = consumer.context().heard().count;
            match consumer.poll(Duration::ZERO) {
                Some(Ok(message)) => self.offer(message.into()),
                Some(Err(error)) => self.failed(&error),
                None if consumer.context().heard().count == before => break,
                None => {}
            }
        }
        self.hear_commits();
    }

    /// An error of the group or of the whole topic. Most pass by themselves.
    fn failed(&mut self, error: &KafkaError) {
        let (group, topic, hosts) = (&self.group, &self.topic, &self.settings.hosts);
        let code = error.rdkafka_error_code();
        let sentence = match code {
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => {
                check::missing(&self.settings, topic, check::config(Purpose::Reply))
            }
            Some(Code::TopicAuthorizationFailed) => format!(
                "topic `{topic}` may not be read by this user: `kafka-acls.sh --bootstrap-server {hosts} --add --allow-principal User:NAME --operation Read --topic {topic}` allows it"
            ),
            Some(Code::GroupAuthorizationFailed) => format!(
                "group `{group}` may not be joined by this user: `kafka-acls.sh --bootstrap-server {hosts} --add --allow-principal User:NAME --operation Read --group {group}` allows it"
            ),
            Some(Code::InvalidSessionTimeout) => format!(
                "the broker takes no member of group `{group}` with session_timeout={}: it lies outside its group.min.session.timeout.ms and group.max.session.timeout.ms",
                self.settings.session_timeout.as_secs()
            ),
            Some(Code::InconsistentGroupProtocol) => format!(
                "group `{group}` has members that share partitions in another way than cooperative-sticky: stop them first"
            ),
            Some(Code::Authentication | Code::SaslAuthenticationFailed)
                if self.joining.is_some() =>
            {
                let trouble = self.consumer.context().heard().trouble.take();
                trouble.unwrap_or_else(|| error.to_string())
            }
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => error.to_string(),
            _ => return,
        };
        match self.joining.is_some() {
            true => self.refuse(OpenError::NotReady(sentence)),
            false => self.lose(sentence),
        }
    }

    fn refuse(&mut self, error: OpenError) {
        if let Some((tell, _)) = self.joining.take() {
            // One who has gone has closed the source too.
            let _ = tell.send(Err(error));
        }
    }

    fn joined(&mut self) {
        if let Some((tell, _)) = self.joining.take() {
            let _ = tell.send(Ok(()));
        }
    }

    /// Everything is with others, or nowhere.
    fn lose(&mut self, reason: String) {
        self.queues.clear();
        self.ends.clear();
        self.astray.clear();
        self.shared.lock().partitions.clear();
        if !std::mem::replace(&mut self.over, true) {
            self.say(SourceEvent::Lost(reason));
        }
    }

    fn say(&self, event: SourceEvent) {
        // One who does not listen any more has dropped the source.
        let _ = self.events.send(event);
    }

    fn log(&self, partition: i32) -> Arc<str> {
        log(&self.topic, partition)
    }

    /// Leaves the group.
    fn leave(mut self, end: End) {
        let until = Instant::now() + LEAVE_TIMEOUT;
        if let End::Close(_) = end {
            let all: Vec<i32> = self.shared.lock().partitions.keys().copied().collect();
            self.commit_all(&all, until);
        }
        self.consumer.context().heard().leaving = true;
        self.give_up_change();
        self.shared.lock().partitions.clear();
        let consumer = Arc::clone(&self.consumer);
        drop(self);
        while Arc::strong_count(&consumer) > 1 && Instant::now() < until {
            thread::park_timeout(LOOK_CLOSELY);
        }
        // The last one to let go of the consumer says goodbye to the group: here, unless a commit is never answered.
        drop(consumer);
        if let End::Close(tell) = end {
            let _ = tell.send(());
        }
    }
}
