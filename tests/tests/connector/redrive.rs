//! Dead letters: listed, shown, put back and purged.

mod interrupted;
mod kafka;
mod nats;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use openfaas_delivery::broker::{Header, Message, Position, Publication};
use openfaas_delivery::dead_letter::{self, Notes, Redrive};
use openfaas_tests::connector::Ended;
use serde_json::Value;

/// What became a dead letter.
struct Dead<'a> {
    function: &'a str,
    /// The topic that it came from.
    topic: &'a str,
    body: &'a str,
    reason: &'a str,
    /// So long ago.
    age: Duration,
    /// It was put back so often before.
    times: u32,
}

impl Default for Dead<'_> {
    fn default() -> Self {
        Self {
            function: "order",
            topic: "orders",
            body: "one",
            reason: "unknown customer",
            age: Duration::ZERO,
            times: 0,
        }
    }
}

impl Dead<'_> {
    /// The letter about it.
    fn letter(&self) -> Publication {
        let redrive = Redrive {
            function: self.function.into(),
            namespace: "openfaas-fn".into(),
            log: "orders".into(),
            offset: 7,
            times: self.times,
        };
        let mut headers = vec![Header::new("ce-odd", "kept")];
        if self.times > 0 {
            let redrive = serde_json::to_string(&redrive).unwrap();
            headers.push(Header::new(dead_letter::REDRIVE, redrive));
        }
        let message = Message {
            topic: self.topic.into(),
            position: Position {
                log: "orders".into(),
                offset: 7,
            },
            time: None,
            key: None,
            headers,
            body: Some(Bytes::copy_from_slice(self.body.as_bytes())),
        };
        let notes = Notes::on(&message, "openfaas-fn", self.function);
        let notes = notes.because(self.reason, 3, SystemTime::now() - self.age, "a test");
        let topic = format!("dead-letter.openfaas-fn.{}", self.function);
        dead_letter::letter(&message, &topic, &notes)
    }
}

fn bodies(messages: Vec<Message>) -> Vec<String> {
    let body = |message: Message| String::from_utf8(message.body.unwrap().to_vec()).unwrap();
    messages.into_iter().map(body).collect()
}

/// The names in a list.
fn names(ended: &Ended) -> Vec<String> {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let list: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    let name = |letter: &Value| letter["letter"].as_str().unwrap().to_owned();
    list.iter().map(name).collect()
}
