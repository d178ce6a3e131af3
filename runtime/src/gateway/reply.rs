use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Limited};
use openfaas_cloudevents::{Event, FromData, Limits, http::Message};
use serde::de::DeserializeOwned;

use super::GatewayError;
use crate::BoxError;

/// What a function answered.
#[derive(Debug, Clone)]
pub struct Reply {
    function: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

// === impl Reply ===

impl Reply {
    /// Reads an answer to its end, unless that is further than `limit` bytes away.
    pub(crate) async fn read<B>(
        function: &str,
        response: http::Response<B>,
        limit: Option<usize>,
    ) -> Result<Reply, BoxError>
    where
        B: http_body::Body<Error: Into<BoxError>>,
    {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, limit.unwrap_or(usize::MAX));
        Ok(Reply {
            function: function.to_owned(),
            status: head.status,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        })
    }

    /// The status; 202 for a call that the gateway has queued.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body alone.
    pub fn into_body(self) -> Bytes {
        self.body
    }

    /// The body as text, with what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The same reply if its status is 2xx.
    ///
    /// # Errors
    /// [`GatewayError::Status`] for any other.
    pub fn ok(self) -> Result<Reply, GatewayError> {
        if self.status.is_success() {
            return Ok(self);
        }
        let text: String = self.text().chars().take(200).collect();
        Err(GatewayError::Status {
            function: self.function,
            status: self.status,
            text,
        })
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// It is none, or not what `T` reads.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, GatewayError> {
        serde_json::from_slice(&self.body).map_err(|error| self.unreadable(error.into()))
    }

    /// The events that the function replied with: none, one, or a batch.
    ///
    /// # Errors
    /// What calls itself a CloudEvent and is none, or data that is not what `T` reads.
    pub fn events<T: FromData>(&self) -> Result<Vec<Event<T>>, GatewayError> {
        let message = openfaas_cloudevents::http::decode(
            &self.headers,
            self.body.clone(),
            &Limits::default(),
        )
        .map_err(|error| self.unreadable(error.into()))?;
        let events = match message {
            Message::Event(event) => vec![event],
            Message::Batch(events) => events,
            Message::Other => Vec::new(),
        };
        events
            .iter()
            .map(|event| event.parse().map_err(|error| self.unreadable(error.into())))
            .collect()
    }

    fn unreadable(&self, source: BoxError) -> GatewayError {
        GatewayError::Decode {
            function: self.function.clone(),
            source,
        }
    }
}
