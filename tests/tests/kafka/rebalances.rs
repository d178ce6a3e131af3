//! Owners that come and go.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use openfaas_delivery::broker::{Message, Source, SourceError, SourceEvent};
use openfaas_delivery::kafka::KafkaSource;
use openfaas_tests::kafka::Server;
use rustix::process::{Pid, Signal, kill_process};

use super::support::{PATIENCE, all, assigned, body, message, next, open, publish, until, up_to};

/// A member in a process of its own.
struct Other {
    process: Child,
    said: Receiver<String>,
}

impl Other {
    fn start(server: &Server, topic: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_kafka-member"))
            .args([&server.hosts(), topic, &format!("group-{topic}"), "6"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let (tell, said) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self { process, said }
    }

    /// Waits until it says this; tells what it said before.
    fn says(&self, wanted: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let line = self.said.recv_timeout(PATIENCE).expect(wanted);
            if line == wanted {
                return before;
            }
            before.push(line);
        }
    }

    fn told(&mut self, line: &str) {
        let input = self.process.stdin.as_mut().expect("it is piped");
        writeln!(input, "{line}").expect("it reads");
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("it is there");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Settles all that comes until so many bodies are known; the logs that go meanwhile are let go.
async fn take(source: &KafkaSource, bodies: &mut BTreeSet<String>, count: usize) {
    while bodies.len() < count {
        match next(source).await {
            SourceEvent::Message(message) => {
                source.settle(&message.position).await.expect("it is ours");
                assert!(
                    bodies.insert(body(&message).to_owned()),
                    "twice: {message:?}"
                );
            }
            SourceEvent::Revoking { log } => source.leave(&log),
            SourceEvent::Assigned(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The next log that goes to somebody else.
async fn revoked(source: &KafkaSource) -> std::sync::Arc<str> {
    match next(source).await {
        SourceEvent::Revoking { log } => log,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_finishes_what_runs_and_repeats_nothing() {
    let (server, topic) = (Server::shared(), "shared");
    server.create(topic, 2, &[]).await;
    publish(server, topic, 0, 0..3);
    publish(server, topic, 1, 10..13);
    let first = open(server, topic).await;
    let mut held: Vec<Message> = Vec::new();
    while held.len() < 6 {
        held.push(message(&first).await);
    }
    let (second, log) = tokio::join!(open(server, topic), revoked(&first));
    // Of what goes, the first two are finished; the last is let go.
    let going: Vec<&Message> = held
        .iter()
        .filter(|held| held.position.log == log)
        .collect();
    for message in &going[..2] {
        first
            .settle(&message.position)
            .await
            .expect("it is still ours");
    }
    first.leave(&log);
    let assignment = assigned(&second).await;
    assert_eq!(assignment.log, log);
    assert_eq!(assignment.floor, going[2].position.offset);
    assert_eq!(message(&second).await.position, going[2].position);
    let late = first.settle(&going[2].position).await;
    assert_eq!(late, Err(SourceError::Lost));
    // What stays is untouched by all that.
    for message in held.iter().filter(|held| held.position.log != log) {
        first
            .settle(&message.position)
            .await
            .expect("it stays ours");
    }
    // And when the second leaves, the first has all again.
    second.close().await;
    let assignment = assigned(&first).await;
    assert_eq!(
        (&assignment.log, assignment.floor),
        (&log, going[2].position.offset)
    );
    let last = message(&first).await;
    first
        .settle(&last.position)
        .await
        .expect("it is ours again");
    until("all is settled", || server.lag("group-shared", topic) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_does_not_let_go_in_time_loses_it_and_settles_nothing_of_it() {
    let (server, topic) = (Server::shared(), "stubborn");
    server.create(topic, 2, &[]).await;
    publish(server, topic, 0, 0..1);
    publish(server, topic, 1, 1..2);
    let first = open(server, topic).await;
    let held = [message(&first).await, message(&first).await];
    let (second, log) = tokio::join!(open(server, topic), revoked(&first));
    let again = message(&second).await;
    assert_eq!(again.position.log, log);
    let late = first.settle(&again.position).await;
    assert_eq!(late, Err(SourceError::Lost));
    let kept = held
        .iter()
        .find(|held| held.position.log != log)
        .expect("one stays");
    first.settle(&kept.position).await.expect("it is ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_owner_held_comes_to_another() {
    let (server, topic) = (Server::shared(), "killed");
    server.create(topic, 1, &[]).await;
    publish(server, topic, 0, 0..3);
    let mut killed = Other::start(server, topic);
    killed.says("message killed/0 2");
    killed.told("settle killed/0 0");
    killed.says("settled");
    until("a commit", || server.lag("group-killed", topic) == 2).await;
    killed.signal(Signal::KILL);
    let source = open(server, topic).await;
    let mut bodies = BTreeSet::new();
    take(&source, &mut bodies, 2).await;
    assert_eq!(bodies, BTreeSet::from(["1".into(), "2".into()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_cannot_commit() {
    let (server, topic) = (Server::shared(), "zombie");
    server.create(topic, 1, &[]).await;
    publish(server, topic, 0, 0..3);
    let mut zombie = Other::start(server, topic);
    zombie.says("message zombie/0 2");
    zombie.signal(Signal::STOP);
    let source = open(server, topic).await;
    let mut bodies = BTreeSet::new();
    take(&source, &mut bodies, 3).await;
    until("all is settled", || server.lag("group-zombie", topic) == 0).await;
    // It settles before it has heard that it is dead.
    zombie.told("settle zombie/0 0");
    zombie.signal(Signal::CONT);
    zombie.says("lost");
    assert_eq!(
        server.lag("group-zombie", topic),
        0,
        "the prefix did not go back"
    );
    publish(server, topic, 0, 3..4);
    take(&source, &mut bodies, 4).await;
}

/// What librdkafka had fetched of a partition that stays is fetched anew after a rebalance. That nothing is queued
/// meanwhile does not say that nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_fetched_before_a_rebalance_and_not_taken_is_not_skipped() {
    let (server, topic) = (Server::shared(), "fetched");
    server.create(topic, 2, &[]).await;
    publish(server, topic, 0, 0..1);
    publish(server, topic, 1, 1000..1001);
    let first = open(server, topic).await;
    let mut bodies = BTreeSet::new();
    take(&first, &mut bodies, 2).await;
    // The ends are seen, and librdkafka's statistics say where they are.
    let twice_said = Duration::from_millis(2_500);
    let waited = tokio::time::timeout(twice_said, first.next()).await;
    assert!(waited.is_err(), "nothing is left: {waited:?}");
    first.demand(up_to(2));
    publish(server, topic, 0, 1..200);
    publish(server, topic, 1, 1001..1200);
    // They say so of what is fetched and not taken, too.
    let waited = tokio::time::timeout(twice_said, first.next()).await;
    assert!(waited.is_err(), "nothing is wanted: {waited:?}");
    let (second, log) = tokio::join!(open(server, topic), async {
        let log = revoked(&first).await;
        first.demand(all());
        let waited = tokio::time::timeout(twice_said, first.next()).await;
        assert!(
            waited.is_err(),
            "nothing comes while a log goes: {waited:?}"
        );
        first.leave(&log);
        log
    });
    assert_eq!(assigned(&second).await.log, log);
    take(&first, &mut bodies, 201).await;
    let mut others = BTreeSet::new();
    take(&second, &mut others, 199).await;
    bodies.extend(others);
    assert_eq!(bodies.len(), 400);
}
