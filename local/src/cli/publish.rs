//! Events are published to a topic, and followed until nothing more comes of them.

use std::{
    io::{self, Read},
    path::{Path as File, PathBuf},
    process::ExitCode,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use clap::Args;
use openfaas_cloudevents::{Data, Event, json, timestamp};
use serde_json::Value;
use thiserror::Error;

use super::{
    Done,
    client::{Client, ClientError, Where, quoted},
    tree::tree,
};
use crate::{
    gateway::{
        own::{Asked, Paths, Published},
        uuid,
    },
    terminal::{Colour, Console},
};

/// The media type of several events.
const BATCH: &str = "application/cloudevents-batch+json";

/// How many events are sent in one request.
const AT_ONCE: usize = 1_000;

/// What to publish.
#[derive(Debug, Args)]
pub(super) struct Publish {
    /// The topic
    topic: String,
    /// The data: JSON, or any text
    #[arg(long, short = 'd', value_name = "DATA", conflicts_with = "file")]
    data: Option<String>,
    /// A file with the data, with an event as JSON, or with an array of such events; `-` is standard input
    #[arg(long, short = 'F', value_name = "FILE")]
    file: Option<PathBuf>,
    /// The event's type
    #[arg(long = "type", short = 't', value_name = "TYPE")]
    ty: Option<String>,
    /// Its source
    #[arg(long, value_name = "URI")]
    source: Option<String>,
    /// Its id; with --count, a number is put behind it
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Its subject
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Its order key: events with the same key are delivered one after the other
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Another attribute; can be given several times
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = attribute)]
    attributes: Vec<(String, String)>,
    /// How often to publish it, each time under an id of its own
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// Wait until nothing more comes of it, and print what did; exit code 1 if something became a dead letter
    #[arg(long, short = 'w')]
    wait: bool,
    /// How long to wait, in seconds; exit code 1 if that is not enough
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// Why nothing is published.
#[derive(Debug, Error)]
pub(super) enum PublishError {
    /// The file.
    #[error("cannot read {0}")]
    Read(String, #[source] io::Error),
    /// An event in it.
    #[error("{0} holds an event that is not right: {1}")]
    Event(String, openfaas_cloudevents::Error),
    /// Nothing in it.
    #[error("{0} is an empty array: there is no event in it")]
    Nothing(String),
    /// What was said of it.
    #[error("this makes no event: {0}")]
    Attributes(#[from] openfaas_cloudevents::Error),
    /// The runner.
    #[error(transparent)]
    Client(#[from] ClientError),
}

pub(super) async fn publish(options: Publish) -> Done {
    let console = Console::of_stdout();
    let events = options.events()?;
    let client = options.place.client()?;
    let (topic, wait) = (options.topic, Duration::from_secs(options.timeout));
    let published = send(&client, &topic, &events).await?;
    if !options.wait {
        if options.json {
            console.line(&serde_json::to_string(&published)?);
        } else {
            let to = match published.subscribers.as_slice() {
                [] => "nobody".to_owned(),
                functions => functions.join(", "),
            };
            console.line(&format!(
                "{} published to {topic}, for {to}",
                count(published.messages.len())
            ));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let found = follow(&client, published, wait).await?;
    if options.json {
        console.line(&serde_json::to_string(&found)?);
    } else {
        show(&console, &found);
    }
    let well = found.over && found.paths.iter().all(|path| path.dead_letters() == 0);
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Publishes `events`.
pub(super) async fn send(
    client: &Client,
    topic: &str,
    events: &[Event],
) -> Result<Published, PublishError> {
    let mut all = Published {
        messages: Vec::new(),
        subscribers: Vec::new(),
    };
    for events in events.chunks(AT_ONCE) {
        let path = format!("/local/publish?topic={}", quoted(topic));
        let published: Published = client
            .post(&path, BATCH, json::encode_batch(events)?)
            .await?;
        all.messages.extend(published.messages);
        all.subscribers = published.subscribers;
    }
    Ok(all)
}

/// Waits until nothing more comes of what was published, but not longer than `wait`.
pub(super) async fn follow(
    client: &Client,
    published: Published,
    wait: Duration,
) -> Result<Paths, ClientError> {
    let wait_milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let asked = Asked {
        messages: published.messages,
        wait_milliseconds,
    };
    let body = serde_json::to_vec(&asked).unwrap_or_default();
    client
        .post("/local/paths", "application/json", Bytes::from(body))
        .await
}

fn show(console: &Console, found: &Paths) {
    for path in &found.paths {
        tree(console.style, path)
            .iter()
            .for_each(|line| console.line(line));
    }
    let letters: usize = found.paths.iter().map(|path| path.dead_letters()).sum();
    let waiting = found.paths.iter().filter(|path| !path.is_over()).count();
    if letters > 0 {
        let said = if letters == 1 {
            "1 ended as a dead letter".to_owned()
        } else {
            format!("{letters} ended as dead letters")
        };
        console.line(&console.style.paint(Colour::Red, &said));
    }
    if waiting > 0 {
        let said = format!("{} still on the way", count(waiting));
        console.line(&console.style.paint(Colour::Yellow, &said));
    }
}

fn count(events: usize) -> String {
    if events == 1 {
        "1 event".to_owned()
    } else {
        format!("{events} events")
    }
}

impl Publish {
    fn events(&self) -> Result<Vec<Event>, PublishError> {
        let given = match (&self.file, &self.data) {
            (Some(file), _) => self.in_file(file)?,
            (None, Some(data)) => vec![self.with_data(data.clone().into_bytes())],
            (None, None) => vec![Event::new(self.ty(), Data::absent())],
        };
        let mut events = Vec::new();
        for event in given {
            for number in 1..=self.count {
                events.push(self.finish(event.clone(), number)?);
            }
        }
        Ok(events)
    }

    fn in_file(&self, file: &File) -> Result<Vec<Event>, PublishError> {
        let shown = file.display().to_string();
        let body = if file == File::new("-") {
            let mut body = Vec::new();
            io::stdin().read_to_end(&mut body).map(|_| body)
        } else {
            std::fs::read(file)
        };
        let body = body.map_err(|error| PublishError::Read(shown.clone(), error))?;
        let wrong = |error| PublishError::Event(shown.clone(), error);
        match serde_json::from_slice::<Value>(&body) {
            Ok(Value::Array(items)) if items.is_empty() => Err(PublishError::Nothing(shown)),
            Ok(Value::Array(items)) if items.iter().all(is_event) => {
                json::decode_batch(body.into()).map_err(wrong)
            }
            Ok(value) if is_event(&value) => Ok(vec![json::decode(body.into()).map_err(wrong)?]),
            _ => Ok(vec![self.with_data(body)]),
        }
    }

    fn with_data(&self, data: Vec<u8>) -> Event {
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&data).is_ok();
        let event = Event::new(self.ty(), ());
        match String::from_utf8(data) {
            Ok(json) if is_json => event
                .map_data(|()| Data::json(json))
                .with_datacontenttype("application/json"),
            Ok(text) => event
                .map_data(|()| Data::text(text))
                .with_datacontenttype("text/plain"),
            Err(other) => event
                .map_data(|()| Data::binary(other.into_bytes()))
                .with_datacontenttype("application/octet-stream"),
        }
    }

    /// Gives an event what was asked for, and what it has to have.
    fn finish(&self, mut event: Event, number: u32) -> Result<Event, PublishError> {
        let mut set = |name: &str, value: &Option<String>| match value {
            Some(value) => event.set_attribute(name, value.as_str()),
            None => Ok(()),
        };
        set("type", &self.ty)?;
        set("source", &self.source)?;
        set("subject", &self.subject)?;
        set("partitionkey", &self.key)?;
        for (name, value) in &self.attributes {
            event.set_attribute(name, value.as_str())?;
        }
        if let Some(id) = &self.id {
            event = event.with_id(id);
        }
        let own = event.id().to_owned();
        event = match (own.is_empty(), self.count) {
            (true, _) => event.with_id(uuid()),
            (false, 1) => event,
            (false, _) => event.with_id(format!("{own}-{number}")),
        };
        if event.source().is_empty() {
            event = event.with_source("/openfaas-local/publish");
        }
        if event.time().is_none() {
            event.set_attribute("time", timestamp::format(SystemTime::now()))?;
        }
        Ok(event)
    }

    fn ty(&self) -> &str {
        self.ty
            .as_deref()
            .unwrap_or(openfaas_delivery::wrap::MESSAGE_TYPE)
    }
}

fn is_event(value: &Value) -> bool {
    value.get("specversion").is_some()
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
