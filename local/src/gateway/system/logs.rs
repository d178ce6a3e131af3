//! What a function wrote, and what it writes: one JSON object per line.

use std::{collections::VecDeque, time::SystemTime};

use axum::{
    body::Body,
    extract::{Query, State},
    response::Response,
};
use futures_util::stream;
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use openfaas_cloudevents::timestamp;
use serde::Deserialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;

use super::functions::find;
use crate::{
    gateway::{Gateway, error::Failure},
    process::{Line, Wanted},
};

/// Which lines are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    /// The function.
    name: String,
    /// Its namespace.
    namespace: Option<String>,
    /// One of its processes.
    instance: Option<String>,
    /// RFC 3339.
    since: Option<String>,
    /// How many of the latest lines; zero or less means all.
    tail: Option<i64>,
    /// Whether to stay for what is written later.
    follow: Option<String>,
}

/// A reader of lines.
struct Reader {
    /// The function.
    name: String,
    /// Which lines it wants.
    wanted: Wanted,
    /// Lines that were kept.
    kept: VecDeque<Line>,
    /// Lines as they come, for a reader who stays.
    live: Option<Receiver<Line>>,
    /// Ends it with the runner.
    stop: CancellationToken,
}

pub(super) async fn read(
    State(gateway): State<Gateway>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let unreadable = || {
        Failure::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "could not parse the log request",
        )
    };
    let function = find(&gateway, &asked.name, asked.namespace.as_deref())?;
    let name = function.desired().spec.service.clone();
    let since = |text: &String| -> Result<SystemTime, Failure> {
        timestamp::parse(text).ok_or_else(unreadable)
    };
    let wanted = Wanted {
        instance: asked.instance.filter(|instance| !instance.is_empty()),
        since: asked
            .since
            .as_ref()
            .filter(|text| !text.is_empty())
            .map(since)
            .transpose()?,
        tail: asked
            .tail
            .and_then(|tail| usize::try_from(tail).ok())
            .filter(|tail| *tail > 0),
    };
    let follows = matches!(
        asked.follow.as_deref(),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True")
    );
    let (kept, live) = gateway.functions.host.logs.read(&name, &wanted);
    let stop = gateway.stop.clone();
    let reader = Reader {
        name,
        wanted,
        kept: kept.into(),
        live: follows.then_some(live),
        stop,
    };
    let lines = stream::unfold(reader, |mut reader| async {
        let line = reader.next().await?;
        let mut json = serde_json::to_vec(&line).ok()?;
        json.push(b'\n');
        Some((Ok::<_, std::convert::Infallible>(json), reader))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson"),
    );
    Ok(response)
}

impl Reader {
    async fn next(&mut self) -> Option<Line> {
        if let Some(line) = self.kept.pop_front() {
            return Some(line);
        }
        let live = self.live.as_mut()?;
        loop {
            let received = tokio::select! {
                biased;
                received = live.recv() => received,
                () = self.stop.cancelled() => return None,
            };
            match received {
                Ok(line) if *line.name == *self.name && self.wanted.covers(&line) => {
                    return Some(line);
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
