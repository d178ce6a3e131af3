//! What the standard `OTEL_*` environment asks for, read once.

mod env;
mod export;
#[cfg(feature = "tls")]
pub(crate) mod tls;

use std::time::Duration;

use crate::context::TraceContext;
use crate::sampler::{Rule, Sampler};
use crate::span::Limits;
use env::Env;
pub(crate) use export::{Export, Signal};

/// Everything this crate takes from the environment.
///
/// An empty value counts as unset. What the specification names and this crate does not have is a
/// [warning](Self::warnings) and is left out; what nobody knows is an error.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) resource: Vec<(String, String)>,
    pub(crate) propagators: Propagators,
    pub(crate) sampler: Sampler,
    pub(crate) limits: Limits,
    pub(crate) traces: Option<Export>,
    pub(crate) metrics: Option<Export>,
    pub(crate) logs: Option<Export>,
    pub(crate) span_batches: Batches,
    pub(crate) log_batches: Batches,
    /// From one export of metrics to the next.
    pub(crate) metric_interval: Duration,
    /// How long one export of metrics may take, retries included.
    pub(crate) metric_timeout: Duration,
    warnings: Vec<String>,
}

/// An environment variable that cannot be taken as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}={value}: {remedy}")]
pub struct ConfigError {
    key: String,
    /// `…` where the value may hold a secret.
    value: String,
    remedy: String,
}

/// Which headers carry context from hop to hop (`OTEL_PROPAGATORS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagators {
    /// `traceparent` and `tracestate`.
    pub trace_context: bool,
    /// `baggage`, passed on as it came.
    pub baggage: bool,
}

/// How records are gathered and sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batches {
    /// How long a record waits at most before it is sent.
    pub(crate) delay: Duration,
    /// How long one batch may take, retries included.
    pub(crate) timeout: Duration,
    /// How many records wait at most.
    pub(crate) queue: usize,
    /// How many records are sent at once.
    pub(crate) size: usize,
}

impl Config {
    /// Reads the environment through `lookup`, for a service that is called `service_name` unless `OTEL_SERVICE_NAME`
    /// or `OTEL_RESOURCE_ATTRIBUTES` say otherwise. Certificate files that are named are read too.
    ///
    /// # Errors
    /// The first variable that cannot be taken as it is.
    pub fn from_lookup(
        lookup: impl Fn(&str) -> Option<String>,
        service_name: &str,
    ) -> Result<Self, ConfigError> {
        let mut env = Env::new(&lookup);
        let disabled = env.flag("OTEL_SDK_DISABLED")?;
        not_read(&mut env);
        let mut export = |signal| match disabled {
            true => Ok(None),
            false => Export::from_env(&mut env, signal),
        };
        let traces = export(Signal::Traces)?;
        let metrics = export(Signal::Metrics)?;
        let logs = export(Signal::Logs)?;
        Ok(Self {
            resource: resource(&mut env, service_name)?,
            propagators: propagators(&mut env)?,
            sampler: sampler(&mut env)?,
            limits: limits(&mut env)?,
            traces,
            metrics,
            logs,
            span_batches: Batches::from_env(&mut env, "OTEL_BSP", 5000)?,
            log_batches: Batches::from_env(&mut env, "OTEL_BLRP", 1000)?,
            metric_interval: env.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60_000)?,
            metric_timeout: env.milliseconds("OTEL_METRIC_EXPORT_TIMEOUT", 30_000)?,
            warnings: env.into_warnings(),
        })
    }

    /// Adds a resource attribute, such as `faas.name`, unless the environment has given one of that name.
    #[must_use]
    pub fn with_resource(mut self, key: &str, value: &str) -> Self {
        if !self.resource.iter().any(|(known, _)| known == key) {
            self.resource.push((key.to_owned(), value.to_owned()));
        }
        self
    }

    /// One sentence for each variable that was left out, to be logged once.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether anything is exported at all.
    pub fn exports(&self) -> bool {
        self.traces.is_some() || self.metrics.is_some() || self.logs.is_some()
    }
}

impl ConfigError {
    pub(crate) fn new(key: &str, value: &str, remedy: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            value: value.to_owned(),
            remedy: remedy.into(),
        }
    }
}

impl Batches {
    fn from_env(env: &mut Env<'_>, prefix: &str, delay: u64) -> Result<Self, ConfigError> {
        let queue = env.count(&format!("{prefix}_MAX_QUEUE_SIZE"), 2048)?;
        let size_key = format!("{prefix}_MAX_EXPORT_BATCH_SIZE");
        let size = env.count(&size_key, 512.min(queue))?;
        if size > queue {
            let remedy = format!("must not be more than {prefix}_MAX_QUEUE_SIZE, {queue}");
            return Err(ConfigError::new(&size_key, &size.to_string(), remedy));
        }
        Ok(Self {
            delay: env.milliseconds(&format!("{prefix}_SCHEDULE_DELAY"), delay)?,
            timeout: env.milliseconds(&format!("{prefix}_EXPORT_TIMEOUT"), 30_000)?,
            queue,
            size,
        })
    }
}

impl Default for Propagators {
    fn default() -> Self {
        Self {
            trace_context: true,
            baggage: true,
        }
    }
}

impl Propagators {
    /// The context that the headers of a call carry.
    pub fn extract(self, headers: &http::HeaderMap) -> Option<TraceContext> {
        let context = self
            .trace_context
            .then(|| TraceContext::from_headers(headers))
            .flatten()?;
        Some(if self.baggage {
            context
        } else {
            context.without_baggage()
        })
    }
}

/// What the specification names, and would change what is sent if it were taken.
fn not_read(env: &mut Env<'_>) {
    if let Some(file) = env.text("OTEL_CONFIG_FILE") {
        env.warn(format!(
            "OTEL_CONFIG_FILE={file}: is not read here, only variables are"
        ));
    }
    let key = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    let temporality = env
        .text(key)
        .filter(|word| !word.eq_ignore_ascii_case("cumulative"));
    if let Some(word) = temporality {
        env.warn(format!("{key}={word}: metrics are sent as cumulative here"));
    }
}

fn resource(env: &mut Env<'_>, service_name: &str) -> Result<Vec<(String, String)>, ConfigError> {
    const KEY: &str = "OTEL_RESOURCE_ATTRIBUTES";
    let mut attributes = Vec::new();
    for (key, value) in env.pairs(KEY, false)? {
        attributes.retain(|(known, _)| *known != key);
        attributes.push((key, value));
    }
    if let Some(name) = env.text("OTEL_SERVICE_NAME") {
        attributes.retain(|(key, _)| key != "service.name");
        attributes.insert(0, ("service.name".to_owned(), name));
    } else if !attributes.iter().any(|(key, _)| key == "service.name") {
        attributes.insert(0, ("service.name".to_owned(), service_name.to_owned()));
    }
    for (key, value) in [
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.name", env!("CARGO_PKG_NAME")),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
    ] {
        attributes.retain(|(known, _)| known != key);
        attributes.push((key.to_owned(), value.to_owned()));
    }
    Ok(attributes)
}

fn propagators(env: &mut Env<'_>) -> Result<Propagators, ConfigError> {
    const KEY: &str = "OTEL_PROPAGATORS";
    let Some(list) = env.text(KEY) else {
        return Ok(Propagators::default());
    };
    let mut propagators = Propagators {
        trace_context: false,
        baggage: false,
    };
    for name in list.split(',').map(str::trim) {
        match name {
            "tracecontext" => propagators.trace_context = true,
            "baggage" => propagators.baggage = true,
            "none" | "" => {}
            "b3" | "b3multi" | "jaeger" | "xray" | "ottrace" => env.warn(format!(
                "{KEY}={list}: {name} is not spoken here, only tracecontext and baggage are"
            )),
            _ => {
                let remedy = format!("{name} is not known; use tracecontext, baggage or none");
                return Err(ConfigError::new(KEY, &list, remedy));
            }
        }
    }
    Ok(propagators)
}

fn sampler(env: &mut Env<'_>) -> Result<Sampler, ConfigError> {
    const KEY: &str = "OTEL_TRACES_SAMPLER";
    let ratio = Rule::ratio(env.share("OTEL_TRACES_SAMPLER_ARG", 1.0)?);
    let Some(name) = env.text(KEY) else {
        return Ok(Sampler::default());
    };
    Ok(match name.as_str() {
        "always_on" => Sampler::Own(Rule::AlwaysOn),
        "always_off" => Sampler::Own(Rule::AlwaysOff),
        "traceidratio" => Sampler::Own(ratio),
        "parentbased_always_on" => Sampler::ParentBased(Rule::AlwaysOn),
        "parentbased_always_off" => Sampler::ParentBased(Rule::AlwaysOff),
        "parentbased_traceidratio" => Sampler::ParentBased(ratio),
        "jaeger_remote" | "parentbased_jaeger_remote" | "xray" => {
            env.warn(format!(
                "{KEY}={name}: not available here, parentbased_always_on is used"
            ));
            Sampler::default()
        }
        _ => {
            let remedy =
                "use always_on, always_off, traceidratio, or one of these after parentbased_";
            return Err(ConfigError::new(KEY, &name, remedy));
        }
    })
}

fn limits(env: &mut Env<'_>) -> Result<Limits, ConfigError> {
    let attributes = env.number("OTEL_ATTRIBUTE_COUNT_LIMIT", 128)?;
    let value_length = env.optional("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")?;
    let span_value_length = env.optional("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT")?;
    Ok(Limits {
        attributes: env.number("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", attributes)?,
        links: env.number("OTEL_SPAN_LINK_COUNT_LIMIT", 128)?,
        value_length: span_value_length.or(value_length),
    })
}

#[cfg(test)]
mod tests;
