//! The objects of a target, as a manifest.

use std::fmt::Write;

use openfaas_delivery::wiring::Broker;
use openfaas_stack::Stack;
use serde::Serialize;

use crate::keda::{
    Advanced, Autoscaler, Behavior, Fallback, Metadata, Named, Object, Pairs, Policy, ScaleDown,
    ScaledObject,
};
use crate::settings::Settings;
use crate::target::{Replicas, Target, TargetError};
use crate::trigger;

/// The first line of every manifest, by which its file is known again.
pub const FIRST_LINE: &str =
    "# Rendered by `openfaas-operator render`: change stack.yml or the options, not this file.\n";

/// The longest name of a HorizontalPodAutoscaler that KEDA's webhook lets through.
const LONGEST_NAME: usize = 63;

/// The objects of one target, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The file it belongs into.
    pub file: String,
    /// What stands in it.
    pub text: String,
    /// What whoever renders it should know, a sentence each.
    pub remarks: Vec<String>,
}

/// Why nothing is rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The stack does not say who is scaled.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// An object cannot be written.
    #[error("{file} cannot be written as YAML")]
    Write {
        /// The manifest.
        file: String,
        /// Why.
        #[source]
        source: serde_saphyr::ser::Error,
    },
}

/// A manifest for each target of a stack.
///
/// # Errors
/// A function whose wiring is wrong.
pub fn manifests(stack: &Stack, settings: &Settings) -> Result<Vec<Manifest>, RenderError> {
    let targets = Target::of(stack, settings)?;
    targets
        .iter()
        .map(|target| manifest(target, settings))
        .collect()
}

fn manifest(target: &Target, settings: &Settings) -> Result<Manifest, RenderError> {
    let Target {
        name, namespace, ..
    } = target;
    let file = match target.is_function {
        true => format!("{name}.{namespace}.yaml"),
        false => format!("{name}.yaml"),
    };
    let write = |source| RenderError::Write {
        file: file.clone(),
        source,
    };
    let replicas = target.replicas(settings);
    let mut text = FIRST_LINE.to_owned();
    for line in about(target, &replicas) {
        let _ = writeln!(text, "# {line}");
    }
    let authentication = trigger::authentication(target.broker, settings);
    if !authentication.is_empty() {
        let object = Object::authentication(metadata(target, Pairs::default()), authentication);
        text.push_str(&document(&object).map_err(write)?);
        text.push_str("---\n");
    }
    text.push_str(&document(&scaled_object(target, &replicas, settings)).map_err(write)?);
    let remarks = replicas
        .because
        .iter()
        .map(|reason| format!("{name}: {reason}"));
    Ok(Manifest {
        file: file.clone(),
        text,
        remarks: remarks.collect(),
    })
}

/// What a reader of the manifest should know, a line each.
fn about(target: &Target, replicas: &Replicas) -> Vec<String> {
    let broker = match target.broker {
        Broker::Nats => "NATS",
        Broker::Kafka => "Kafka",
    };
    let topics: Vec<&str> = target.subscriptions().map(|(_, topic)| topic).collect();
    let mut lines = vec![format!(
        "Scales the Deployment {} in {} by what waits for it in {broker}: {}.",
        target.name,
        target.namespace,
        topics.join(", ")
    )];
    lines.extend(replicas.because.iter().cloned());
    lines
}

fn scaled_object(
    target: &Target,
    replicas: &Replicas,
    settings: &Settings,
) -> Object<ScaledObject> {
    let paused = settings
        .paused
        .then(|| ("autoscaling.keda.sh/paused", "true".to_owned()));
    let usual_name_is_too_long = format!("keda-hpa-{}", target.name).len() > LONGEST_NAME;
    let spec = ScaledObject {
        scale_target_ref: Named::new(&target.name),
        polling_interval: settings.polling_interval,
        cooldown_period: settings.cooldown,
        min_replica_count: replicas.min,
        max_replica_count: replicas.max,
        fallback: Fallback {
            failure_threshold: 3,
            replicas: 1,
            behavior: "currentReplicasIfHigher",
        },
        advanced: Advanced {
            horizontal_pod_autoscaler_config: Autoscaler {
                name: usual_name_is_too_long.then(|| target.name.clone()),
                behavior: Behavior {
                    scale_down: ScaleDown {
                        stabilization_window_seconds: settings.scale_down_after,
                        policies: vec![Policy {
                            kind: "Pods",
                            value: 1,
                            period_seconds: 60,
                        }],
                    },
                },
            },
        },
        triggers: trigger::triggers(target, settings),
    };
    Object::scaled(metadata(target, Pairs(paused.into_iter().collect())), spec)
}

fn metadata(target: &Target, annotations: Pairs) -> Metadata {
    Metadata {
        name: target.name.clone(),
        namespace: target.namespace.clone(),
        annotations,
    }
}

fn document(object: &impl Serialize) -> Result<String, serde_saphyr::ser::Error> {
    // A query is one line, however long.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(object, options)
}
