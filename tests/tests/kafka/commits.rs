//! What is committed, and what the next owner makes of it.

use openfaas_delivery::broker::Broker;
use openfaas_delivery::broker::{Record, Source, SourceEvent};
use openfaas_delivery::kafka::Kafka;
use openfaas_delivery::wiring::Start;
use openfaas_tests::kafka::{Committed, Server};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::support::{
    PATIENCE, all, assigned, body, message, next, open, publish, settings, subscription, until,
    within,
};

fn committed(topic: &str) -> Option<Committed> {
    Server::shared().committed(&format!("group-{topic}"), topic, 0)
}

fn at(offset: i64, metadata: &str) -> Option<Committed> {
    let metadata = metadata.to_owned();
    Some(Committed { offset, metadata })
}

#[tokio::test(flavor = "multi_thread")]
async fn initial_offsets_are_committed_at_assignment() {
    let (server, topic) = (Server::shared(), "initial");
    server.create(topic, 1, &[]).await;
    publish(server, topic, 0, 0..2);
    let source = open(server, topic).await;
    let assignment = assigned(&source).await;
    assert_eq!((&*assignment.log, assignment.floor), ("initial/0", 0));
    assert_eq!(assignment.created, Some(2));
    until("a commit", || committed(topic) == at(0, "openfaas1")).await;
    source.close().await;
    let source = open(server, topic).await;
    assert_eq!(assigned(&source).await.created, None, "it is known now");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_finished_prefix_is_committed_and_what_is_done_past_it_does_not_come_again() {
    let (server, topic) = (Server::shared(), "prefix");
    server.create(topic, 1, &[]).await;
    publish(server, topic, 0, 0..6);
    let source = open(server, topic).await;
    for number in 0..6 {
        let message = message(&source).await;
        assert_eq!(body(&message), number.to_string());
        if [1, 2, 4].contains(&number) {
            source.settle(&message.position).await.unwrap();
        }
    }
    assert_eq!(source.pending("prefix/0").await, Ok(3));
    source.close().await;
    assert_eq!(committed(topic), at(0, "openfaas1 done=1.2,1.1"));
    let source = open(server, topic).await;
    for number in ["0", "3", "5"] {
        let message = message(&source).await;
        assert_eq!(body(&message), number);
        source.settle(&message.position).await.unwrap();
    }
    until("the end", || committed(topic) == at(6, "openfaas1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn much_that_is_finished_does_not_wait_for_the_time_of_a_commit() {
    let (server, topic) = (Server::shared(), "much");
    server.create(topic, 1, &[]).await;
    publish(server, topic, 0, 0..600);
    let mut slow = settings(server);
    slow.commit_every = 10 * PATIENCE;
    let source = within(Kafka::new(slow).open(&subscription(topic)))
        .await
        .unwrap();
    source.demand(all());
    for _ in 0..600 {
        let message = message(&source).await;
        source.settle(&message.position).await.unwrap();
    }
    until("a commit of most of it", || {
        committed(topic).is_some_and(|commit| commit.offset >= 500)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_is_dropped_commits_nothing_more() {
    let (server, topic) = (Server::shared(), "dropped");
    server.create(topic, 1, &[]).await;
    publish(server, topic, 0, 0..2);
    let mut slow = settings(server);
    slow.commit_every = PATIENCE;
    let source = within(Kafka::new(slow).open(&subscription(topic)))
        .await
        .unwrap();
    source.demand(all());
    let first = message(&source).await;
    until("the first commit", || committed(topic).is_some()).await;
    source.settle(&first.position).await.unwrap();
    drop(source);
    let source = open(server, topic).await;
    assert_eq!(body(&message(&source).await), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_found_by_the_next_owner_with_all_that_may_have_been_given() {
    let (server, topic) = (Server::shared(), "record");
    server.create(topic, 1, &[]).await;
    publish(server, topic, 0, 0..3);
    let source = open(server, topic).await;
    let first = message(&source).await;
    let record = Record {
        open: true,
        floor: 0,
        unclean: 1,
        suspects: vec![(1, 2)],
    };
    let stored = source.record(&first.position.log, &record).await;
    if stored.is_err() {
        panic!("{stored:?}: {:?}", next(&source).await);
    }
    let line = committed(topic).expect("it is stored").metadata;
    assert!(line.starts_with("openfaas1 open=0.1 given="), "{line}");
    assert!(line.ends_with(" suspects=1.2"), "{line}");
    drop(source);
    let source = open(server, topic).await;
    let assignment = assigned(&source).await;
    assert_eq!(assignment.record, Some(record.clone()));
    assert!(assignment.delivered >= Some(2), "{assignment:?}");
    let clean = Record {
        open: false,
        ..record
    };
    source.record("record/0", &clean).await.unwrap();
    source.close().await;
    let source = open(server, topic).await;
    assert_eq!(
        assigned(&source).await.delivered,
        None,
        "nothing was in flight"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_that_is_gone_resumes_at_the_oldest_and_says_so() {
    let (server, topic) = (Server::shared(), "gone");
    server.create(topic, 1, &[]).await;
    publish(server, topic, 0, 0..5);
    let source = open(server, topic).await;
    let first = message(&source).await;
    source.settle(&first.position).await.unwrap();
    source.close().await;
    let admin: AdminClient<DefaultClientContext> = server.client().create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(4))
        .unwrap();
    admin
        .delete_records(&list, &AdminOptions::new())
        .await
        .unwrap();
    let source = open(server, topic).await;
    assert_eq!(assigned(&source).await.floor, 1);
    match next(&source).await {
        SourceEvent::Gap { log, count } => assert_eq!((&*log, count), ("gone/0", 3)),
        other => panic!("{other:?}"),
    }
    let last = message(&source).await;
    assert_eq!(body(&last), "4");
    source.settle(&last.position).await.unwrap();
    until("the end", || committed(topic) == at(5, "openfaas1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_marker_of_a_transaction_holds_nothing_up_and_what_was_aborted_does_not_come() {
    let (server, topic) = (Server::shared(), "transactions");
    server.create(topic, 1, &[]).await;
    let mut config = server.client();
    let producer: BaseProducer = config.set("transactional.id", topic).create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    for (body, commits) in [("aborted", false), ("committed", true)] {
        producer.begin_transaction().unwrap();
        let record: BaseRecord<'_, str, str> = BaseRecord::to(topic).partition(0).payload(body);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
        match commits {
            true => producer.commit_transaction(PATIENCE).unwrap(),
            false => producer.abort_transaction(PATIENCE).unwrap(),
        }
    }
    let (_, end) = server.ends(topic, 0);
    assert_eq!(end, 4, "two records, two markers");
    let source = open(server, topic).await;
    let message = message(&source).await;
    assert_eq!(body(&message), "committed");
    source.settle(&message.position).await.unwrap();
    until("the end", || committed(topic) == at(end, "openfaas1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_begins_where_it_is_told_only_when_it_is_new() {
    let (server, topic) = (Server::shared(), "beginning");
    server.create(topic, 1, &[]).await;
    publish(server, topic, 0, 0..3);
    let mut new = subscription(topic);
    new.start = Start::New;
    let kafka = Kafka::new(settings(server));
    let source = within(kafka.open(&new)).await.unwrap();
    let assignment = assigned(&source).await;
    assert_eq!((assignment.floor, assignment.created), (3, Some(0)));
    until("a commit", || committed(topic).is_some()).await;
    source.close().await;
    publish(server, topic, 0, 3..4);
    let source = within(kafka.open(&new)).await.unwrap();
    source.demand(all());
    assert_eq!(body(&message(&source).await), "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_into_a_commit_comes_again() {
    let (server, topic) = (Server::shared(), "crowded");
    server.create(topic, 1, &[]).await;
    publish(server, topic, 0, 0..3_000);
    let source = open(server, topic).await;
    for number in 0..3_000 {
        let message = message(&source).await;
        if number % 2 == 1 {
            source.settle(&message.position).await.unwrap();
        }
    }
    source.close().await;
    let found = committed(topic).expect("the broker takes it");
    assert_eq!(found.offset, 0);
    let length = found.metadata.len();
    assert!((4_000..=4_096).contains(&length), "{length}");
    let source = open(server, topic).await;
    let mut come = Vec::new();
    while come.last() != Some(&2_999) {
        come.push(body(&message(&source).await).parse::<u32>().unwrap());
    }
    let unfinished = come.iter().filter(|number| *number % 2 == 0).count();
    assert_eq!(unfinished, 1_500, "nothing unfinished is left out");
    assert!(
        come.len() < 2_100,
        "most of what is finished is known: {}",
        come.len()
    );
}
