//! A member of a consumer group as a process, for tests to stop and kill: `kafka-member HOSTS TOPIC GROUP SESSION_SECONDS
//! [REPLY_TOPIC]`.
//!
//! It says `open`, `assigned LOG FLOOR`, `message LOG OFFSET`, `revoking LOG` and `lost`; it is told `settle LOG OFFSET`, and
//! answers `settled` or why not. With a reply topic it is told nothing: it repeats there what comes, by transactions.

use std::sync::Arc;
use std::time::Duration;

use openfaas_delivery::broker::{
    Broker, Count, Demand, FinishError, Message, Position, Publication, Source, SourceEvent,
    Subscription,
};
use openfaas_delivery::kafka::{Kafka, KafkaSource, Settings};
use openfaas_delivery::wiring::Start;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [hosts, topic, group, seconds, replies @ ..] = arguments.as_slice() else {
        return Err("HOSTS TOPIC GROUP SESSION_SECONDS [REPLY_TOPIC]".into());
    };
    let kafka = Kafka::new(Settings {
        session_timeout: Duration::from_secs(seconds.parse()?),
        commit_every: Duration::from_millis(20),
        ..Settings::new(hosts)
    });
    let subscription = Subscription {
        topic: topic.as_str().into(),
        durable: group.as_str().into(),
        start: Start::Oldest,
        ordered: true,
        window: None,
        transactions: !replies.is_empty(),
    };
    let source = Arc::new(kafka.open(&subscription).await?);
    println!("open");
    let (messages, bytes) = (u64::MAX / 2, u64::MAX / 2);
    source.demand(Demand {
        up_to: Count { messages, bytes },
        any_size_after: None,
    });
    let mut told = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            event = source.next() => match event {
                SourceEvent::Assigned(assignment) => {
                    println!("assigned {} {}", assignment.log, assignment.floor);
                }
                SourceEvent::Message(message) => {
                    println!("message {} {}", message.position.log, message.position.offset);
                    if let [topic] = replies {
                        tokio::spawn(repeat(Arc::clone(&source), topic.as_str().into(), message));
                    }
                }
                SourceEvent::Revoking { log } if !replies.is_empty() => source.leave(&log),
                SourceEvent::Revoking { log } => println!("revoking {log}"),
                SourceEvent::Lost(_) => println!("lost"),
                other => println!("{other:?}"),
            },
            line = told.next_line() => {
                let Some(line) = line? else { return Ok(()) };
                let words: Vec<&str> = line.split(' ').collect();
                let ["settle", log, offset] = words.as_slice() else {
                    return Err(line.into());
                };
                let (log, offset) = ((*log).into(), offset.parse()?);
                match source.settle(&Position { log, offset }).await {
                    Ok(()) => println!("settled"),
                    Err(error) => println!("{error}"),
                }
            }
        }
    }
}

/// Stores a message in another topic and settles it, however often it takes.
async fn repeat(source: Arc<KafkaSource>, topic: Arc<str>, message: Message) {
    let reply = Publication {
        topic,
        dedup: None,
        key: None,
        headers: Vec::new(),
        body: message.body,
    };
    let reply = std::slice::from_ref(&reply);
    while let Err(FinishError::Unavailable(_)) = source.finish(&message.position, reply).await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
