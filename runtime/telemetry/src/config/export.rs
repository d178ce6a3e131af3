//! Where one signal goes, and how.

use std::time::Duration;

use http::Uri;
use http::header::{HeaderName, HeaderValue};

use super::ConfigError;
use super::env::Env;
#[cfg(feature = "tls")]
use super::tls;

/// Where an OTLP/HTTP receiver on this machine listens.
const DEFAULT_ENDPOINT: &str = "http://localhost:4318";

/// One kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Metrics,
    Logs,
}

/// Where one signal is exported to over OTLP/HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Export {
    pub(crate) endpoint: Uri,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// How long one request may take.
    pub(crate) timeout: Duration,
    pub(crate) gzip: bool,
    /// Whom to trust behind `https://`.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<tls::Client>,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    /// The variable of this signal alone if it is set, else the one for all signals.
    pub(super) fn key(self, env: &Env<'_>, what: &str) -> String {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{what}", self.name());
        match env.text(&own) {
            Some(_) => own,
            None => format!("OTEL_EXPORTER_OTLP_{what}"),
        }
    }
}

impl Export {
    /// `None` when nothing asks for this signal.
    pub(crate) fn from_env(env: &mut Env<'_>, signal: Signal) -> Result<Option<Self>, ConfigError> {
        if !wanted(env, signal)? {
            return Ok(None);
        }
        let endpoint = endpoint(env, signal)?;
        protocol(env, signal)?;
        if !cfg!(feature = "tls") {
            no_certificates(env, signal)?;
        }
        Ok(Some(Self {
            headers: headers(env, signal)?,
            timeout: env.milliseconds(&signal.key(env, "TIMEOUT"), 10_000)?,
            gzip: gzip(env, signal)?,
            #[cfg(feature = "tls")]
            tls: tls::Client::from_env(env, signal, &endpoint)?,
            endpoint,
        }))
    }
}

/// An exporter that is named decides; else an endpoint that is named does.
fn wanted(env: &mut Env<'_>, signal: Signal) -> Result<bool, ConfigError> {
    let key = format!("OTEL_{}_EXPORTER", signal.name());
    let Some(list) = env.text(&key) else {
        let endpoint = signal.key(env, "ENDPOINT");
        return Ok(env.text(&endpoint).is_some());
    };
    let mut wanted = false;
    for name in list.split(',').map(str::trim) {
        match name {
            "otlp" => wanted = true,
            "none" | "" => {}
            "prometheus" if signal == Signal::Metrics => {}
            "console" | "logging" | "zipkin" | "jaeger" | "otlp/stdout" => env.warn(format!(
                "{key}={list}: {name} is not available here, only otlp and none are"
            )),
            _ => {
                let remedy = format!("{name} is not known; use otlp or none");
                return Err(ConfigError::new(&key, &list, remedy));
            }
        }
    }
    Ok(wanted)
}

fn endpoint(env: &Env<'_>, signal: Signal) -> Result<Uri, ConfigError> {
    let key = signal.key(env, "ENDPOINT");
    let given = env.text(&key);
    let url = match &given {
        Some(url) if key.contains(signal.name()) => url.clone(),
        base => {
            let base = base.as_deref().unwrap_or(DEFAULT_ENDPOINT);
            format!("{}{}", base.trim_end_matches('/'), signal.path())
        }
    };
    let given = given.unwrap_or_default();
    let wrong = |remedy: &str| ConfigError::new(&key, &given, remedy);
    let uri: Uri = url
        .parse()
        .map_err(|_| wrong("use a URL with a host, such as http://collector:4318"))?;
    if uri.host().is_none_or(str::is_empty) {
        return Err(wrong(
            "use a URL with a host, such as http://collector:4318",
        ));
    }
    match uri.scheme_str() {
        Some("http") => Ok(uri),
        Some("https") if cfg!(feature = "tls") => Ok(uri),
        Some("https") => Err(wrong(
            "built without TLS; turn on the feature `tls`, or use an http:// URL",
        )),
        _ => Err(wrong("use an http:// or https:// URL")),
    }
}

fn protocol(env: &Env<'_>, signal: Signal) -> Result<(), ConfigError> {
    let key = signal.key(env, "PROTOCOL");
    match env.text(&key).as_deref() {
        None | Some("http/protobuf") => Ok(()),
        Some(other) => {
            let remedy = "only http/protobuf is spoken; collectors listen for it on port 4318";
            Err(ConfigError::new(&key, other, remedy))
        }
    }
}

fn headers(env: &Env<'_>, signal: Signal) -> Result<Vec<(HeaderName, HeaderValue)>, ConfigError> {
    let key = signal.key(env, "HEADERS");
    let header = |(name, value): (String, String)| {
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    };
    env.pairs(&key, true)?
        .into_iter()
        .map(|pair| {
            let name = pair.0.clone();
            let remedy =
                || format!("{name} is not a header name, or its value is not a header value");
            header(pair).ok_or_else(|| ConfigError::new(&key, "…", remedy()))
        })
        .collect()
}

fn gzip(env: &Env<'_>, signal: Signal) -> Result<bool, ConfigError> {
    let key = signal.key(env, "COMPRESSION");
    match env.text(&key).as_deref() {
        None | Some("none") => Ok(false),
        Some("gzip") => Ok(true),
        Some(other) => Err(ConfigError::new(&key, other, "use gzip or none")),
    }
}

fn no_certificates(env: &Env<'_>, signal: Signal) -> Result<(), ConfigError> {
    for what in ["CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"] {
        let key = signal.key(env, what);
        if let Some(file) = env.text(&key) {
            let remedy = "built without TLS; turn on the feature `tls`, or leave it out";
            return Err(ConfigError::new(&key, &file, remedy));
        }
    }
    Ok(())
}
