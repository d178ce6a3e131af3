//! Where a function's spans go: an OTLP/HTTP endpoint on loopback that counts them and keeps nothing.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::error::Error;

/// A running sink; it goes with the process.
#[derive(Debug)]
pub(crate) struct Sink {
    port: u16,
    spans: Arc<AtomicU64>,
}

// === impl Sink ===

impl Sink {
    /// Starts one on a thread of its own.
    pub(crate) fn start() -> Result<Self, Error> {
        let failed = |source| Error::Io {
            what: "starting the span sink",
            source,
        };
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(failed)?;
        let spans = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&spans);
        thread::spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else {
                    return;
                };
                while let Ok((connection, _)) = listener.accept().await {
                    let counter = Arc::clone(&counter);
                    let service = service_fn(move |request| receive(request, Arc::clone(&counter)));
                    tokio::spawn(
                        http1::Builder::new().serve_connection(TokioIo::new(connection), service),
                    );
                }
            });
        });
        Ok(Self { port, spans })
    }

    /// What goes into `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many spans have arrived since it was last asked.
    pub(crate) fn take(&self) -> u64 {
        self.spans.swap(0, Ordering::Relaxed)
    }
}

async fn receive(
    request: Request<Incoming>,
    counter: Arc<AtomicU64>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    if let Ok(body) = request.into_body().collect().await {
        counter.fetch_add(count_spans(&body.to_bytes()), Ordering::Relaxed);
    }
    Ok(Response::new(Empty::new()))
}

/// Counts the spans of an `ExportTraceServiceRequest` in protobuf without reading any: field 1 holds resource spans,
/// field 2 of these scope spans, field 2 of these a span.
fn count_spans(request: &[u8]) -> u64 {
    let resources = fields(request, 1);
    let scopes = resources.flat_map(|resource| fields(resource, 2));
    scopes.map(|scope| fields(scope, 2).count() as u64).sum()
}

/// The values of the length-delimited fields numbered `number`, up to the first byte that makes no sense.
fn fields(mut message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        while !message.is_empty() {
            let key = varint(&mut message)?;
            let length = match key & 7 {
                0 => varint(&mut message).map(|_| 0),
                1 => Some(8),
                2 => varint(&mut message),
                5 => Some(4),
                _ => None,
            }?;
            let (value, rest) = message.split_at_checked(usize::try_from(length).ok()?)?;
            message = rest;
            if key == number << 3 | 2 {
                return Some(value);
            }
        }
        None
    })
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::count_spans;

    /// A length-delimited field.
    fn field(number: u8, value: &[u8]) -> Vec<u8> {
        let length = u8::try_from(value.len()).expect("a short value");
        [&[number << 3 | 2, length], value].concat()
    }

    #[test]
    fn spans_are_counted_over_resources_and_scopes() {
        let span = field(2, &field(1, &[7; 16]));
        let scope = field(
            2,
            &[field(1, b"scope"), span.clone(), span.clone()].concat(),
        );
        let resource = field(1, &[field(1, b"resource"), scope.clone(), scope].concat());
        assert_eq!(count_spans(&[resource.clone(), resource].concat()), 8);
    }

    #[test]
    fn what_is_no_request_counts_as_nothing() {
        assert_eq!(count_spans(b"not protobuf at all"), 0);
        assert_eq!(count_spans(&[]), 0);
    }
}
