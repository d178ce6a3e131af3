//! What a function is, as the gateway's API says it: the body of a deployment.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

/// The namespace of a function that names none.
pub const NAMESPACE: &str = "openfaas-fn";

/// One function as it is to run: the JSON body of `POST` and `PUT /system/functions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec {
    /// Its name.
    #[serde(alias = "name")]
    pub service: String,
    /// The image a cluster would run. Nothing here looks into it.
    pub image: String,
    /// Its namespace; never empty in a function that runs.
    pub namespace: String,
    /// The environment variable `fprocess`.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "or_default"
    )]
    pub env_process: String,
    /// Its own environment variables.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "or_default"
    )]
    pub env_vars: BTreeMap<String, String>,
    /// Where a cluster may place it. Kept, without effect here.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub constraints: Vec<String>,
    /// The secrets it can read.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub secrets: Vec<String>,
    /// Labels, of which `com.openfaas.scale.min` and `.max` have an effect here.
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    /// Annotations: the wiring of its events.
    #[serde(deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
    /// What it may use at most. Kept, without effect here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Resources>,
    /// What is set aside for it. Kept, without effect here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Resources>,
    /// Whether it may write to its own file system. Kept, without effect here.
    #[serde(
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "or_default"
    )]
    pub read_only_root_filesystem: bool,
}

/// Memory and processor time, in the words of Kubernetes (`128Mi`, `100m`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Memory.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub memory: String,
    /// Processor time.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cpu: String,
}

impl Spec {
    /// How many processes it is started with, and scaled to when a call wakes it: the label `com.openfaas.scale.min`,
    /// else 1.
    #[must_use]
    pub fn least_replicas(&self) -> u32 {
        self.label("com.openfaas.scale.min").unwrap_or(1).max(1)
    }

    fn label(&self, name: &str) -> Option<u32> {
        self.labels.get(name)?.trim().parse().ok()
    }
}

/// Go writes an absent map, list or text as `null`.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    json: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(json)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_of_faas_cli_is_read() {
        let json = r#"{"service":"order","image":"order:latest","envVars":{"a":"1"},"labels":{},"annotations":null,
            "secrets":["key"],"limits":{"memory":"64Mi"},"unknown":1}"#;
        let spec: Spec = serde_json::from_str(json).unwrap();
        assert_eq!(spec.service, "order");
        assert_eq!(spec.env_vars["a"], "1");
        assert_eq!(spec.secrets, ["key"]);
        assert_eq!(spec.limits.unwrap().memory, "64Mi");
        assert!(spec.annotations.is_empty());
    }

    #[test]
    fn the_label_decides_how_many_it_starts_with() {
        let spec = |min: &str| Spec {
            labels: BTreeMap::from([("com.openfaas.scale.min".into(), min.into())]),
            ..Spec::default()
        };
        assert_eq!(spec("3").least_replicas(), 3);
        assert_eq!(spec("0").least_replicas(), 1);
        assert_eq!(spec("many").least_replicas(), 1);
        assert_eq!(Spec::default().least_replicas(), 1);
    }
}
