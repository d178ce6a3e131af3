//! One owner per ordered durable, and what the next one begins with.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use openfaas_delivery::broker::{Record, Source, SourceError, SourceEvent};
use openfaas_delivery::nats::Nats;

use crate::support::{
    ACK_WAIT, at, config, connect, durable, end, message, offsets, open, ordered, pending, publish,
    shared, until, until_ok, with_stream,
};

/// A lease whose revision stood still for this long is free.
const STALE: Duration = Duration::from_millis(ACK_WAIT.as_millis() as u64 * 12 / 8);

#[tokio::test]
async fn the_next_owner_waits_while_the_lease_is_renewed_and_comes_when_it_is_left() {
    let (server, look) = with_stream("orders").await;
    let (first, second) = (connect(&server).await, connect(&server).await);
    publish(&first, "orders", 3).await;
    let (source, assignment) = open(&first, &ordered("orders")).await;
    assert_eq!((assignment.created, assignment.delivered), (Some(3), None));
    assert_eq!(offsets(&source, 3).await, [1, 2, 3]);
    source.settle(&at("orders", 1)).await.unwrap();

    let standby = tokio::spawn(async move {
        let opened = open(&second, &ordered("orders")).await;
        (opened, second)
    });
    let bucket = until_ok(async || look.jetstream.get_key_value("openfaas").await.ok()).await;
    let revision = async || {
        let entry = bucket.entry(durable("orders")).await.unwrap();
        entry.unwrap().revision
    };
    let begun = revision().await;
    // A renewal each 3/8 of ack_wait: longer than a dead one is waited for.
    until(async || revision().await >= begun + 8).await;
    assert!(!standby.is_finished());

    source.close().await;
    let ((source, assignment), _second) = standby.await.unwrap();
    assert_eq!((assignment.floor, assignment.delivered), (2, Some(3)));
    assert_eq!(offsets(&source, 2).await, [2, 3], "handed back at once");
}

#[tokio::test]
async fn a_dead_owner_is_followed_when_its_lease_has_stood_still() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 4).await;
    let (source, _) = open(&broker, &ordered("orders")).await;
    offsets(&source, 4).await;
    source.settle(&at("orders", 2)).await.unwrap();
    drop((source, broker));

    let began = Instant::now();
    let broker = connect(&server).await;
    let (source, assignment) = open(&broker, &ordered("orders")).await;
    assert!(began.elapsed() >= STALE, "{:?}", began.elapsed());
    assert_eq!((assignment.floor, assignment.delivered), (1, Some(4)));
    assert!(assignment.shuffled);
    assert_eq!(source.pending("orders").await, Ok(3));
    let mut came = offsets(&source, 3).await;
    came.sort_unstable();
    assert_eq!(came, [1, 3, 4]);
    assert_eq!(pending(&look, "orders").await, 3);
}

/// An owner whose process stands still, as under SIGSTOP: its thread, with all its tasks, is held.
#[tokio::test]
async fn an_owner_that_was_paused_settles_nothing() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 2).await;
    let config = config(&server);
    let (held, is_held) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let paused = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let broker = Nats::connect(&config).await.unwrap();
            let (source, _) = open(&broker, &ordered("orders")).await;
            offsets(&source, 2).await;
            held.send(()).unwrap();
            goes_on.recv().unwrap();
            let settled = source.settle(&at("orders", 1)).await;
            let recorded = source.record("orders", &Record::default()).await;
            (settled, recorded, end(&source).await)
        })
    });
    tokio::task::spawn_blocking(move || is_held.recv().unwrap())
        .await
        .unwrap();
    let (source, assignment) = open(&broker, &ordered("orders")).await;
    assert_eq!((assignment.floor, assignment.delivered), (1, Some(2)));
    go_on.send(()).unwrap();
    let joined = tokio::task::spawn_blocking(move || paused.join().unwrap());
    let (settled, recorded, end) = joined.await.unwrap();
    assert_eq!(settled, Err(SourceError::Lost));
    assert_eq!(recorded, Err(SourceError::Lost));
    assert!(matches!(end, SourceEvent::Lost(_)), "{end:?}");
    assert_eq!(pending(&look, "orders").await, 2);
    let mut came = offsets(&source, 2).await;
    came.sort_unstable();
    assert_eq!(came, [1, 2]);
}

#[tokio::test]
async fn an_owner_whose_lease_was_taken_lets_go() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    let (source, _) = open(&broker, &ordered("orders")).await;
    let bucket = look.jetstream.get_key_value("openfaas").await.unwrap();
    let other = r#"{"holder":"other/1","state":"open"}"#;
    bucket.put(durable("orders"), other.into()).await.unwrap();
    let SourceEvent::Lost(reason) = end(&source).await else {
        panic!("it is not lost")
    };
    assert_eq!(reason, "another owner has taken it over");
    assert_eq!(source.pending("orders").await, Err(SourceError::Lost));
}

#[tokio::test]
async fn a_delivery_to_somebody_else_interrupts_an_only_owner() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    let (source, _) = open(&broker, &ordered("orders")).await;
    publish(&broker, "orders", 1).await;
    message(&source).await;
    let stream = look.jetstream.get_stream("orders").await.unwrap();
    let consumer: async_nats::jetstream::consumer::PullConsumer =
        stream.get_consumer(&durable("orders")).await.unwrap();
    let theirs = consumer.batch().max_messages(10).messages().await;
    publish(&broker, "orders", 20).await;
    let SourceEvent::Interrupted(reason) = end(&source).await else {
        panic!("it is not interrupted")
    };
    assert!(reason.contains(" came after "), "{reason}");
    drop(theirs);
}

#[tokio::test]
async fn what_a_door_knows_of_its_last_events_outlives_it() {
    let (server, _look) = with_stream("orders").await;
    let record = Record {
        open: true,
        floor: 7,
        unclean: 1,
        suspects: vec![(8, 2)],
    };
    for subscription in [ordered("orders"), shared("orders")] {
        let broker = connect(&server).await;
        let (source, assignment) = open(&broker, &subscription).await;
        assert_eq!(assignment.record, None);
        source.record("orders", &record).await.unwrap();
        drop((source, broker));
        let broker = connect(&server).await;
        let (_source, assignment) = open(&broker, &subscription).await;
        assert_eq!(assignment.record.as_ref(), Some(&record));
    }
}

#[tokio::test]
async fn owners_that_share_a_durable_share_its_messages() {
    let (server, _look) = with_stream("orders").await;
    let (one, other) = (connect(&server).await, connect(&server).await);
    let (first, _) = open(&one, &shared("orders")).await;
    let (second, _) = open(&other, &shared("orders")).await;
    publish(&one, "orders", 100).await;
    let mut came = vec![];
    for source in [&first, &second] {
        came.push(message(source).await.position.offset);
    }
    assert_ne!(came[0], came[1]);
}
