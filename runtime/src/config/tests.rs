use std::collections::HashMap;

use super::*;

fn config(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let values: HashMap<_, _> = pairs.iter().copied().collect();
    Config::from_lookup(|key| values.get(key).map(|value| (*value).to_owned()))
}

fn sentence(key: &str, value: &str) -> String {
    config(&[(key, value)]).expect_err(key).to_string()
}

#[test]
fn an_empty_environment_gives_of_watchdogs_defaults() {
    let config = config(&[]).unwrap();
    assert_eq!((config.port, config.metrics_port), (8080, 8081));
    assert_eq!(config.read_timeout, SECONDS(30));
    assert_eq!(config.write_timeout, SECONDS(30));
    assert_eq!(config.exec_timeout, Some(SECONDS(30)));
    assert_eq!(config.healthcheck_interval, SECONDS(30));
    assert_eq!(config.max_inflight, None);
    assert_eq!(config.max_body, MaxBody::Default);
    assert_eq!(config.ready_path, None);
    assert!(!config.suppress_lock && !config.log_call_id && config.request_log);
    assert_eq!(config.name, "function");
}

#[test]
fn healthcheck_interval_follows_write_timeout() {
    let config = config(&[("write_timeout", "1m30s")]).unwrap();
    assert_eq!(config.healthcheck_interval, SECONDS(90));
}

#[test]
fn durations_are_seconds_or_go_durations_and_nought_turns_exec_timeout_off() {
    assert_eq!(
        config(&[("exec_timeout", "7")]).unwrap().exec_timeout,
        Some(SECONDS(7))
    );
    assert_eq!(
        config(&[("exec_timeout", "1m1s")]).unwrap().exec_timeout,
        Some(SECONDS(61))
    );
    assert_eq!(config(&[("exec_timeout", "0")]).unwrap().exec_timeout, None);
    assert_eq!(
        config(&[("exec_timeout", " ")]).unwrap().exec_timeout,
        Some(SECONDS(30))
    );
}

#[test]
fn a_value_that_cannot_be_read_is_one_sentence_with_key_value_and_what_is_right() {
    assert_eq!(
        sentence("port", "abc"),
        "port=abc is not right: it must be a port from 0 to 65535"
    );
    for (key, value) in [
        ("exec_timeout", "soon"),
        ("read_timeout", "-5s"),
        ("write_timeout", "0"),
        ("metrics_port", "65536"),
        ("max_inflight", "ten"),
        ("max_queue", "-1"),
        ("max_body", "10MB"),
        ("suppress_lock", "maybe"),
        ("ready_path", "ready"),
        ("gateway_url", "gateway:8080"),
        ("gateway_url", "ftp://gateway"),
        ("max_reply", "much"),
        ("listen_address", "localhost"),
    ] {
        let sentence = sentence(key, value);
        assert!(
            sentence.starts_with(&format!("{key}={value} is not right: it must be ")),
            "{sentence}"
        );
    }
}

#[test]
fn a_gateway_behind_tls_needs_the_feature() {
    let read = config(&[("gateway_url", "https://gateway")]);
    match cfg!(feature = "tls") {
        true => assert_eq!(read.unwrap().gateway_url, "https://gateway/"),
        false => {
            let sentence = read.unwrap_err().to_string();
            assert!(
                sentence.ends_with("https:// needs the feature `tls` of openfaas-runtime"),
                "{sentence}"
            );
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_file_of_certificates_is_read_only_where_it_is_needed() {
    let file = ("SSL_CERT_FILE", "/nowhere/ca.pem");
    assert!(config(&[file]).is_ok());
    let error = config(&[file, ("gateway_url", "https://gateway")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "SSL_CERT_FILE=/nowhere/ca.pem is not right: it must be a PEM file of certificates that can be read"
    );
}

#[test]
fn answers_of_other_functions_have_ten_mib_unless_something_else_is_said() {
    let read = |value| config(&[("max_reply", value)]).unwrap().max_reply;
    assert_eq!(read(""), Some(10 << 20));
    assert_eq!(read("1KiB"), Some(1024));
    assert_eq!(read("0"), None);
}

#[test]
fn jwt_auth_refuses_to_start_instead_of_running_open() {
    assert_eq!(
        config(&[("jwt_auth", "true")]).unwrap_err(),
        ConfigError::JwtAuth
    );
    assert!(config(&[("jwt_auth", "false")]).is_ok());
}

#[test]
fn both_spellings_of_the_call_id_switch_work() {
    assert!(config(&[("log_callid", "true")]).unwrap().log_call_id);
    assert!(config(&[("log_call_id", "1")]).unwrap().log_call_id);
}

#[test]
fn a_limit_of_nought_or_less_is_none() {
    assert_eq!(config(&[("max_inflight", "0")]).unwrap().max_inflight, None);
    assert_eq!(
        config(&[("max_inflight", "-1")]).unwrap().max_inflight,
        None
    );
    assert_eq!(
        config(&[("max_inflight", "8")]).unwrap().max_inflight,
        Some(8)
    );
}

#[test]
fn a_pods_name_gives_the_functions_name() {
    let named = |host| config(&[("HOSTNAME", host)]).unwrap().name;
    assert_eq!(named("order-book-7d9c6b5f4d-x2x7k"), "order-book");
    assert_eq!(named("laptop"), "laptop");
    assert_eq!(named("my-own-laptop"), "my-own-laptop");
    let both = config(&[("HOSTNAME", "a-7d9c6b5f4d-x2x7k"), ("OPENFAAS_NAME", "pay")]).unwrap();
    assert_eq!(both.name, "pay");
}

#[test]
fn what_cannot_be_meant_is_said() {
    let doubts = config(&[("exec_timeout", "1m"), ("max_queue", "3")])
        .unwrap()
        .doubts();
    assert_eq!(doubts.len(), 2, "{doubts:?}");
    assert!(config(&[]).unwrap().doubts().is_empty());
}

#[test]
fn old_watchdog_settings_are_left_alone() {
    for key in [
        "fprocess",
        "function_process",
        "mode",
        "upstream_url",
        "buffer_http",
        "cgi_headers",
        "content_type",
    ] {
        assert!(config(&[(key, "anything at all")]).is_ok(), "{key}");
    }
}
