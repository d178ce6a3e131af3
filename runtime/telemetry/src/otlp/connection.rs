//! How an endpoint is reached: TCP, or TLS over it.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::config::Export;

/// What HTTP is spoken over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to the host and port of the endpoint.
pub(super) async fn open(export: &Export) -> io::Result<Box<dyn Stream>> {
    let endpoint = &export.endpoint;
    let host = endpoint.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let scheme_port = if endpoint.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let port = endpoint.port_u16().unwrap_or(scheme_port);
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    #[cfg(feature = "tls")]
    if let Some(tls) = &export.tls {
        let connector = tokio_rustls::TlsConnector::from(tls.config.clone());
        return Ok(Box::new(
            connector.connect(tls.server.clone(), stream).await?,
        ));
    }
    Ok(Box::new(stream))
}
