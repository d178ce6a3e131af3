//! What a door and a connector stand beside: a client library alone, in the loop that its guide shows, with the same
//! guarantee and nothing else. `raw-client nats ADDRESS STREAM DURABLE` or `raw-client kafka HOSTS TOPIC GROUP`.

use std::error::Error;
use std::time::Duration;

use async_nats::jetstream::{self, consumer::pull};
use futures_util::StreamExt;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

/// Messages that are taken and not acknowledged, as our own window has it.
const WINDOW: usize = 1_000;

/// How often offsets are committed, as ours are.
const COMMIT_EVERY: &str = "500";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["nats", address, stream, durable] => nats(address, stream, durable).await,
        ["kafka", hosts, topic, group] => kafka(hosts, topic, group),
        _ => Err("raw-client nats ADDRESS STREAM DURABLE | kafka HOSTS TOPIC GROUP".into()),
    }
}

/// Acknowledges each message and waits until the server has confirmed it. The client has one inbox for all answers.
async fn nats(address: &str, stream: &str, durable: &str) -> Result<(), Box<dyn Error>> {
    let client = async_nats::connect(address).await?;
    let stream = jetstream::new(client.clone()).get_stream(stream).await?;
    let config = pull::Config {
        durable_name: Some(durable.to_owned()),
        max_ack_pending: WINDOW as i64,
        ..Default::default()
    };
    let consumer = stream.get_or_create_consumer(durable, config).await?;
    let messages = consumer
        .stream()
        .max_messages_per_batch(WINDOW)
        .messages()
        .await?;
    let confirmed = messages.map(async |message| {
        let reply = message?.message.reply.ok_or("a message without a reply")?;
        client.request(reply, "+ACK".into()).await?;
        Ok::<(), Box<dyn Error>>(())
    });
    let mut confirmed = std::pin::pin!(confirmed.buffer_unordered(WINDOW));
    while let Some(result) = confirmed.next().await {
        result?;
    }
    Ok(())
}

/// Stores the offset of each message that it has read; the client commits what is stored.
fn kafka(hosts: &str, topic: &str, group: &str) -> Result<(), Box<dyn Error>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", hosts)
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.offset.store", "false")
        .set("auto.commit.interval.ms", COMMIT_EVERY)
        .create()?;
    consumer.subscribe(&[topic])?;
    loop {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            consumer.store_offset_from_message(&message?)?;
        }
    }
}
