//! Commits that a broker refuses.

use std::io::{Read, Write};
use std::net::TcpStream;

use openfaas_delivery::broker::{Broker, Source, SourceEvent, Subscription};
use openfaas_delivery::kafka::{Kafka, Settings};
use openfaas_tests::kafka::Server;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::support::{PATIENCE, all, message, next, publish, settings, subscription, within};
use super::transactions::{committed, owner, reply};

/// Puts the only member of a group out of it, as an administrator does. librdkafka has no such call.
fn put_out(server: &Server, group: &str) {
    const LEAVE_GROUP: u16 = 13;
    let client: BaseConsumer = server.client().create().expect("a client");
    let groups = client.fetch_group_list(Some(group), PATIENCE);
    let groups = groups.expect("an answer");
    let member = groups.groups()[0].members()[0].id();
    let mut request = Vec::new();
    // Which request, of version 0; then its number.
    for number in [LEAVE_GROUP, 0, 0, 1] {
        request.extend(number.to_be_bytes());
    }
    for text in ["tests", group, member] {
        request.extend((text.len() as u16).to_be_bytes());
        request.extend(text.as_bytes());
    }
    let mut stream = TcpStream::connect(server.hosts()).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let length = (request.len() as u32).to_be_bytes();
    stream.write_all(&length).expect("it is sent");
    stream.write_all(&request).expect("it is sent");
    // Its length, the number of the request, and no error.
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(answer, [0, 0, 0, 6, 0, 0, 0, 1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_the_group_has_put_out_hears_it_from_its_commit_and_opens_anew() {
    let (server, from, to) = (Server::shared(), "put-out-in", "put-out-out");
    server.create(from, 1, &[]).await;
    server.create(to, 1, &[]).await;
    publish(server, from, 0, 0..1);
    let mut heard = Vec::new();
    // Its heartbeat may be told first.
    while heard.len() < 5 {
        let source = owner(server, from).await;
        let held = message(&source).await;
        put_out(server, &format!("group-{from}"));
        let end = within(source.finish(&held.position, &[reply(to, "0")])).await;
        assert!(end.is_err(), "{end:?}");
        assert!(committed(server, to).is_empty());
        match next(&source).await {
            SourceEvent::Lost(why) if why.contains("knows this member no more") => return,
            other => heard.push(other),
        }
    }
    panic!("{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_takes_little_beside_an_offset_is_told_the_most_important() {
    let server = Server::configured("offset.metadata.max.bytes=64");
    server.create("replies", 1, &[]).await;
    for transactions in [false, true] {
        let topic = ["alone", "together"][usize::from(transactions)];
        server.create(topic, 1, &[]).await;
        publish(&server, topic, 0, 0..40);
        let slow = Settings {
            commit_every: 10 * PATIENCE,
            ..settings(&server)
        };
        let subscription = Subscription {
            transactions,
            ..subscription(topic)
        };
        let kafka = Kafka::new(slow);
        let source = within(kafka.open(&subscription)).await.expect("it opens");
        source.demand(all());
        let mut held = Vec::new();
        while held.len() < 40 {
            held.push(message(&source).await.position);
        }
        for odd in held.iter().skip(1).step_by(2) {
            source.settle(odd).await.unwrap();
        }
        match transactions {
            false => source.settle(&held[0]).await.unwrap(),
            true => within(source.finish(&held[0], &[reply("replies", "0")]))
                .await
                .unwrap(),
        }
        source.close().await;
        let found = server.committed(&format!("group-{topic}"), topic, 0);
        let found = found.expect("a commit");
        assert_eq!(found.offset, 2, "{found:?}");
        let line = found.metadata;
        assert!(line.starts_with("openfaas1 done=1.1,1.1,"), "{line}");
        assert!(line.len() <= 64, "{line}");
    }
    assert_eq!(committed(&server, "replies"), ["0"], "stored once");
}
