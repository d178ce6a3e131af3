//! The environment of a function's process.

use std::{collections::BTreeMap, path::PathBuf};

use openfaas_delivery::wiring::BUS;

use super::spec::Spec;

/// What a function sees of the runner's own environment. Nothing else: in a cluster it would see nothing of this
/// machine either.
const PASSED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TZ",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The prefix of the OpenTelemetry settings, passed on too: who has a collector keeps it.
const TELEMETRY: &str = "OTEL_";

/// Where telemetry goes.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Where a process gets what is its own.
#[derive(Clone, Debug)]
pub struct Place {
    /// The port of its HTTP server.
    pub port: u16,
    /// The port of its metrics.
    pub metrics_port: u16,
    /// Its folder for temporary files, of which its lock file is one.
    pub temporary: PathBuf,
    /// The folder of its secrets.
    pub secrets: PathBuf,
    /// The name of the process.
    pub instance: String,
}

/// What all functions of a run have in common.
#[derive(Clone, Debug)]
pub struct Common {
    /// The gateway, as functions reach it.
    pub gateway: String,
    /// Where they publish events.
    pub bus: String,
    /// The variables they get of the runner's own environment.
    pub inherited: BTreeMap<String, String>,
}

impl Common {
    /// Takes what is passed on from `variables`. Who knows `pass` may publish.
    pub fn new(
        gateway: String,
        pass: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let passed_on = |name: &str| PASSED_ON.contains(&name) || name.starts_with(TELEMETRY);
        Self {
            bus: format!("{gateway}{}/{pass}", crate::gateway::BUS),
            gateway,
            inherited: variables
                .into_iter()
                .filter(|(name, _)| passed_on(name))
                .collect(),
        }
    }

    /// What the runner itself exports its spans by: as its functions do.
    #[must_use]
    pub fn telemetry(&self) -> BTreeMap<String, String> {
        self.inherited(false)
    }

    /// What is inherited, and where telemetry goes if nobody named a collector.
    fn inherited(&self, has_collector: bool) -> BTreeMap<String, String> {
        let mut all = self.inherited.clone();
        if has_collector || all.contains_key(ENDPOINT) {
            return all;
        }
        let endpoint = format!("{}{}", self.gateway, crate::gateway::OTLP);
        for (name, value) in [
            (ENDPOINT, endpoint.as_str()),
            // Traces are all that is shown here, and a person is waiting for them.
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ] {
            all.entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
        all
    }

    /// The whole environment of one process of `spec`: what is inherited, then defaults, then its own variables, then its
    /// wiring, then what only the runner knows.
    #[must_use]
    pub fn of(
        &self,
        spec: &Spec,
        wiring: &[(String, String)],
        place: &Place,
    ) -> BTreeMap<String, String> {
        let has_collector = spec.env_vars.contains_key(ENDPOINT);
        let mut all = self.inherited(has_collector);
        // Nobody has to notice here that it leaves: the runner stops sending before it says so.
        all.entry("healthcheck_interval".to_owned())
            .or_insert_with(|| "50ms".to_owned());
        if !spec.env_process.is_empty() {
            all.insert("fprocess".to_owned(), spec.env_process.clone());
        }
        all.extend(spec.env_vars.clone());
        all.extend(wiring.iter().cloned());
        all.extend([
            ("listen_address".to_owned(), "127.0.0.1".to_owned()),
            ("port".to_owned(), place.port.to_string()),
            ("metrics_port".to_owned(), place.metrics_port.to_string()),
            ("TMPDIR".to_owned(), place.temporary.display().to_string()),
            (
                "secret_mount_path".to_owned(),
                place.secrets.display().to_string(),
            ),
            ("gateway_url".to_owned(), self.gateway.clone()),
            (BUS.to_owned(), self.bus.clone()),
            ("OPENFAAS_NAME".to_owned(), spec.service.clone()),
            ("OPENFAAS_NAMESPACE".to_owned(), spec.namespace.clone()),
            ("HOSTNAME".to_owned(), place.instance.clone()),
        ]);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            port: 1,
            metrics_port: 2,
            temporary: "/t".into(),
            secrets: "/s".into(),
            instance: "order-1".into(),
        }
    }

    fn strings<const N: usize>(pairs: [(&str, &str); N]) -> impl Iterator<Item = (String, String)> {
        pairs
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
    }

    #[test]
    fn a_function_sees_its_own_variables_and_little_of_this_machine() {
        let common = Common::new(
            "http://g".into(),
            "pass",
            strings([("PATH", "/bin"), ("TOKEN", "x")]),
        );
        let spec = Spec {
            env_vars: strings([("limit", "5"), ("port", "80")]).collect(),
            ..Spec::default()
        };
        let environment = common.of(&spec, &[("events_topic".into(), "orders".into())], &place());
        assert_eq!(environment["PATH"], "/bin");
        assert_eq!(environment.get("TOKEN"), None);
        assert_eq!(environment["limit"], "5");
        assert_eq!(environment["events_topic"], "orders");
        assert_eq!(environment["port"], "1", "what only the runner knows wins");
        assert_eq!(environment["listen_address"], "127.0.0.1");
        assert_eq!(environment["events_bus"], "http://g/local/bus/pass");
    }

    #[test]
    fn a_collector_of_ones_own_is_kept() {
        let theirs = "http://collector:4318";
        let common = Common::new(
            "http://g".into(),
            "pass",
            strings([("OTEL_EXPORTER_OTLP_ENDPOINT", theirs)]),
        );
        assert_eq!(
            common.of(&Spec::default(), &[], &place())["OTEL_EXPORTER_OTLP_ENDPOINT"],
            theirs
        );
        let common = Common::new("http://g".into(), "pass", strings([]));
        let ours = &common.of(&Spec::default(), &[], &place())["OTEL_EXPORTER_OTLP_ENDPOINT"];
        assert!(ours.starts_with("http://g/"), "{ours}");
    }
}
