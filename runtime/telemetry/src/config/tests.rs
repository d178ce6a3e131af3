use super::*;

fn config(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let lookup = |key: &str| {
        let found = variables.iter().find(|(known, _)| *known == key);
        found.map(|(_, value)| (*value).to_owned())
    };
    Config::from_lookup(lookup, "order")
}

fn sentence(variables: &[(&str, &str)]) -> String {
    config(variables).unwrap_err().to_string()
}

#[test]
fn an_empty_environment_exports_nothing_and_says_nothing() {
    let config = config(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", " "),
        ("OTEL_TRACES_EXPORTER", ""),
    ]);
    let config = config.unwrap();
    assert!(!config.exports());
    assert!(config.warnings().is_empty());
    assert_eq!(config.resource[0], ("service.name".into(), "order".into()));
    assert_eq!(config.sampler, Sampler::ParentBased(Rule::AlwaysOn));
}

#[test]
fn one_endpoint_turns_every_signal_on_at_its_own_path() {
    let config = config(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/otlp/")]).unwrap();
    let endpoint = |export: Option<Export>| export.unwrap().endpoint.to_string();
    assert_eq!(
        endpoint(config.traces),
        "http://collector:4318/otlp/v1/traces"
    );
    assert_eq!(
        endpoint(config.metrics),
        "http://collector:4318/otlp/v1/metrics"
    );
    assert_eq!(endpoint(config.logs), "http://collector:4318/otlp/v1/logs");
}

#[test]
fn an_endpoint_of_one_signal_is_used_as_it_is() {
    let config = config(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://tempo:4318")]).unwrap();
    assert_eq!(config.traces.unwrap().endpoint.path(), "/");
    assert!(config.metrics.is_none() && config.logs.is_none());
}

#[test]
fn an_exporter_that_is_named_decides() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    assert!(
        config(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")])
            .unwrap()
            .traces
            .is_none()
    );
    assert!(
        config(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")])
            .unwrap()
            .traces
            .is_none()
    );
    let default = config(&[("OTEL_TRACES_EXPORTER", "otlp")]).unwrap();
    let endpoint = default.traces.unwrap().endpoint.to_string();
    assert_eq!(endpoint, "http://localhost:4318/v1/traces");
    let zipkin = config(&[("OTEL_TRACES_EXPORTER", "zipkin")]).unwrap();
    assert!(zipkin.traces.is_none() && zipkin.warnings()[0].contains("zipkin"));
}

#[test]
fn a_signal_overrides_what_is_said_for_all() {
    let config = config(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x-team=t"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "only=this"),
    ]);
    let config = config.unwrap();
    let traces = config.traces.unwrap();
    assert_eq!(
        (traces.gzip, traces.timeout),
        (true, Duration::from_millis(500))
    );
    let header = |index: usize| {
        (
            traces.headers[index].0.as_str(),
            traces.headers[index].1.as_bytes(),
        )
    };
    assert_eq!(
        [header(0), header(1)],
        [("api-key", &b"a b"[..]), ("x-team", b"t")]
    );
    let logs = config.logs.unwrap();
    assert_eq!((logs.gzip, logs.headers[0].0.as_str()), (false, "only"));
}

#[test]
fn what_cannot_be_taken_is_one_sentence_with_key_value_and_remedy() {
    let on = ("OTEL_TRACES_EXPORTER", "otlp");
    for (variables, expected) in [
        (
            &[("OTEL_SDK_DISABLED", "yes")][..],
            "OTEL_SDK_DISABLED=yes: use true or false",
        ),
        (
            &[("OTEL_TRACES_SAMPLER", "sometimes")],
            "OTEL_TRACES_SAMPLER=sometimes: use always_on, always_off, traceidratio, or one of these after parentbased_",
        ),
        (
            &[("OTEL_TRACES_SAMPLER_ARG", "2")],
            "OTEL_TRACES_SAMPLER_ARG=2: use a number from 0 to 1",
        ),
        (
            &[("OTEL_PROPAGATORS", "tracecontext,pigeon")],
            "OTEL_PROPAGATORS=tracecontext,pigeon: pigeon is not known; use tracecontext, baggage or none",
        ),
        (
            &[on, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
            "OTEL_EXPORTER_OTLP_PROTOCOL=grpc: only http/protobuf is spoken; collectors listen for it on port 4318",
        ),
        (
            &[on, ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector")],
            "OTEL_EXPORTER_OTLP_ENDPOINT=collector: use a URL with a host, such as http://collector:4318",
        ),
        (
            &[on, ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "10s")],
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=10s: use a whole number of milliseconds",
        ),
        (
            &[("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096")],
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=4096: must not be more than OTEL_BSP_MAX_QUEUE_SIZE, 2048",
        ),
        (
            &[("OTEL_BLRP_MAX_QUEUE_SIZE", "0")],
            "OTEL_BLRP_MAX_QUEUE_SIZE=0: use a whole number from 1 on",
        ),
    ] {
        assert_eq!(sentence(variables), expected);
    }
}

#[test]
fn a_secret_is_not_repeated_in_an_error() {
    let on = ("OTEL_TRACES_EXPORTER", "otlp");
    for wrong in [
        "s3cret",
        "api-key=s3cret%zz",
        "api key=s3cret",
        "api-key=s3cret%0a",
    ] {
        let said = sentence(&[on, ("OTEL_EXPORTER_OTLP_HEADERS", wrong)]);
        assert!(said.starts_with("OTEL_EXPORTER_OTLP_HEADERS=…: "), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn what_others_have_and_we_do_not_is_a_warning() {
    let config = config(&[
        ("OTEL_PROPAGATORS", "tracecontext,b3"),
        ("OTEL_TRACES_SAMPLER", "xray"),
        ("OTEL_CONFIG_FILE", "otel.yaml"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
    ]);
    let config = config.unwrap();
    assert!(config.propagators.trace_context && !config.propagators.baggage);
    assert_eq!(config.sampler, Sampler::default());
    assert_eq!(config.warnings().len(), 4);
}

#[test]
fn the_name_of_a_service_comes_from_the_nearest_word() {
    let attributes = (
        "OTEL_RESOURCE_ATTRIBUTES",
        "service.name=a,team=x%2Cy,team=z,telemetry.sdk.name=n",
    );
    let find = |config: &Config, key: &str| {
        let found = config.resource.iter().filter(|(known, _)| known == key);
        found.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let resource = config(&[attributes])
        .unwrap()
        .with_resource("team", "ours")
        .with_resource("faas.name", "order");
    assert_eq!(find(&resource, "service.name"), ["a"]);
    assert_eq!(find(&resource, "team"), ["z"]);
    assert_eq!(find(&resource, "faas.name"), ["order"]);
    assert_eq!(
        find(&resource, "telemetry.sdk.name"),
        ["openfaas-telemetry"]
    );
    let named = config(&[attributes, ("OTEL_SERVICE_NAME", "b")]).unwrap();
    assert_eq!(find(&named, "service.name"), ["b"]);
}

#[test]
fn propagators_that_are_not_named_are_not_spoken() {
    let mut headers = http::HeaderMap::new();
    TraceContext::new_root(true).inject(&mut headers);
    headers.insert("baggage", http::HeaderValue::from_static("k=v"));
    let extract = |list| {
        let config = config(&[("OTEL_PROPAGATORS", list)]).unwrap();
        config
            .propagators
            .extract(&headers)
            .map(|context| context.baggage().is_some())
    };
    assert_eq!(extract(""), Some(true));
    assert_eq!(extract("tracecontext"), Some(false));
    assert_eq!(extract("tracecontext,baggage"), Some(true));
    assert_eq!(extract("none"), None);
}
