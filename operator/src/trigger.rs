//! By what KEDA sees how far behind a subscription is: the broker's own counters, and our metric beside them.

use openfaas_delivery::wiring::{Broker, Wiring, group_of, lag_query};

use crate::keda::{Named, Pairs, Parameter, Trigger, TriggerAuthentication};
use crate::settings::Settings;
use crate::target::Target;

/// What holds the account of NATS.
const NATS: &str = "openfaas-nats";

/// What holds user, password and certificates for Kafka.
const KAFKA: &str = "openfaas-kafka";

/// The oldest protocol that Kafka 4 still speaks; KEDA's own choice is older.
const KAFKA_VERSION: &str = "2.1.0";

/// Two for each subscription: the broker's, then ours.
pub fn triggers(target: &Target, settings: &Settings) -> Vec<Trigger> {
    let authentication =
        (!authentication(target.broker, settings).is_empty()).then(|| Named::new(&target.name));
    target
        .subscriptions()
        .flat_map(|(wiring, topic)| {
            let metadata = match target.broker {
                Broker::Nats => nats(wiring, topic, settings),
                Broker::Kafka => kafka(target, wiring, topic, settings),
            };
            let broker = Trigger {
                kind: match target.broker {
                    Broker::Nats => "nats-jetstream",
                    Broker::Kafka => "kafka",
                },
                metadata: Pairs(metadata),
                authentication_ref: authentication.clone(),
            };
            [Some(broker), prometheus(target, wiring, topic, settings)]
        })
        .flatten()
        .collect()
}

/// What the broker's triggers take from elsewhere.
pub fn authentication(broker: Broker, settings: &Settings) -> TriggerAuthentication {
    let from = |name: &str, parameters: &[&'static str]| -> Vec<Parameter> {
        let parameter = |parameter: &&'static str| Parameter {
            parameter,
            name: name.to_owned(),
            key: parameter,
        };
        parameters.iter().map(parameter).collect()
    };
    match broker {
        Broker::Nats if settings.nats_account.is_none() => TriggerAuthentication {
            config_map_target_ref: from(NATS, &["account"]),
            ..TriggerAuthentication::default()
        },
        Broker::Nats => TriggerAuthentication::default(),
        Broker::Kafka => {
            let mut secrets = Vec::new();
            if settings.kafka_sasl.is_some() {
                secrets.extend(from(KAFKA, &["username", "password"]));
            }
            if settings.kafka_tls {
                secrets.extend(from(KAFKA, &["ca", "cert", "key"]));
            }
            TriggerAuthentication {
                secret_target_ref: secrets,
                ..TriggerAuthentication::default()
            }
        }
    }
}

fn nats(wiring: &Wiring, topic: &str, settings: &Settings) -> Vec<(&'static str, String)> {
    let mut metadata = vec![(
        "natsServerMonitoringEndpoint",
        settings.nats_monitoring.clone(),
    )];
    if let Some(account) = &settings.nats_account {
        metadata.push(("account", account.clone()));
    }
    metadata.extend([
        ("stream", settings.stream_of(topic)),
        ("consumer", wiring.durable(topic)),
        ("lagThreshold", share(wiring)),
        ("activationLagThreshold", settings.activation.to_string()),
    ]);
    metadata
}

/// `offsetResetPolicy` stays `latest`, which only means that a group without a commit counts one event per partition:
/// enough to start an owner, and owners commit where they begin.
fn kafka(
    target: &Target,
    wiring: &Wiring,
    topic: &str,
    settings: &Settings,
) -> Vec<(&'static str, String)> {
    let group = match target.is_function {
        true => wiring.group(),
        false => group_of(&settings.kafka_group, &wiring.namespace, &wiring.function),
    };
    let mut metadata = vec![
        ("bootstrapServers", settings.kafka.clone()),
        ("version", KAFKA_VERSION.to_owned()),
        ("consumerGroup", group),
        ("topic", topic.to_owned()),
        ("lagThreshold", share(wiring)),
        ("activationLagThreshold", settings.activation.to_string()),
    ];
    if let Some(sasl) = settings.kafka_sasl {
        metadata.push(("sasl", sasl.name().to_owned()));
    }
    if settings.kafka_tls {
        metadata.push(("tls", "enable".to_owned()));
    }
    metadata
}

/// Counts what the broker's counters do not show. Where nobody may be running, no value means that nobody runs; where
/// somebody always does, it means that nobody looks, and KEDA falls back.
fn prometheus(
    target: &Target,
    wiring: &Wiring,
    topic: &str,
    settings: &Settings,
) -> Option<Trigger> {
    if settings.prometheus.is_empty() {
        return None;
    }
    let query = lag_query(target.broker, &wiring.namespace, &wiring.function, topic);
    let may_be_nobody = target.replicas(settings).min == 0;
    let metadata = vec![
        ("serverAddress", settings.prometheus.clone()),
        ("query", query),
        ("threshold", share(wiring)),
        ("activationThreshold", settings.activation.to_string()),
        ("ignoreNullValues", may_be_nobody.to_string()),
    ];
    Some(Trigger {
        kind: "prometheus",
        metadata: Pairs(metadata),
        authentication_ref: None,
    })
}

/// What one replica has in hand at once: a further one is of use when more waits.
fn share(wiring: &Wiring) -> String {
    wiring.concurrency.to_string()
}
