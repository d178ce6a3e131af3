//! The objects of KEDA 2.20 that are written here, and no more of them than is written.

use serde::{Serialize, Serializer};

/// `keda.sh/v1alpha1`
const API_VERSION: &str = "keda.sh/v1alpha1";

/// Any object: what kind it is, its name, and what it says.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Object<S> {
    api_version: &'static str,
    kind: &'static str,
    /// Its name, namespace and annotations.
    pub metadata: Metadata,
    /// What it says.
    pub spec: S,
}

/// How an object is known.
#[derive(Debug, Clone, Serialize)]
pub struct Metadata {
    /// Unique in its namespace.
    pub name: String,
    /// Where it lives: beside what it scales.
    pub namespace: String,
    /// KEDA's own switches.
    #[serde(skip_serializing_if = "Pairs::is_empty")]
    pub annotations: Pairs,
}

/// What a ScaledObject says.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScaledObject {
    /// The Deployment that is scaled.
    pub scale_target_ref: Named,
    /// Seconds from one look at the lag to the next, while nobody runs.
    pub polling_interval: u32,
    /// Seconds without lag until the last replica goes.
    pub cooldown_period: u32,
    /// Never fewer.
    pub min_replica_count: u32,
    /// Never more.
    pub max_replica_count: u32,
    /// What holds while the lag cannot be seen.
    pub fallback: Fallback,
    /// How fast it scales between one and many.
    pub advanced: Advanced,
    /// By what.
    pub triggers: Vec<Trigger>,
}

/// What holds while a trigger fails.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fallback {
    /// Failures in a row before it holds.
    pub failure_threshold: u32,
    /// How many replicas.
    pub replicas: u32,
    /// Whether more that run already are kept.
    pub behavior: &'static str,
}

/// The HorizontalPodAutoscaler that KEDA makes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Advanced {
    /// The same.
    pub horizontal_pod_autoscaler_config: Autoscaler,
}

/// The HorizontalPodAutoscaler that KEDA makes.
#[derive(Debug, Clone, Serialize)]
pub struct Autoscaler {
    /// Its name, where KEDA's own choice is too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How fast it scales.
    pub behavior: Behavior,
}

/// How fast it scales.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Behavior {
    /// Towards fewer.
    pub scale_down: ScaleDown,
}

/// How replicas are taken away.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScaleDown {
    /// Seconds for which fewer must have been enough.
    pub stabilization_window_seconds: u32,
    /// How many at a time.
    pub policies: Vec<Policy>,
}

/// So many in so many seconds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// `Pods`: `value` counts them.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// How many.
    pub value: u32,
    /// In how many seconds.
    pub period_seconds: u32,
}

/// One source of lag.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// The scaler.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it asks; every value is a text.
    pub metadata: Pairs,
    /// The TriggerAuthentication that says the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication_ref: Option<Named>,
}

/// What a TriggerAuthentication says.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TriggerAuthentication {
    /// Parameters from a ConfigMap.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config_map_target_ref: Vec<Parameter>,
    /// Parameters from a Secret.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secret_target_ref: Vec<Parameter>,
}

/// A parameter of a trigger that stands elsewhere.
#[derive(Debug, Clone, Serialize)]
pub struct Parameter {
    /// The parameter.
    pub parameter: &'static str,
    /// The ConfigMap or Secret.
    pub name: String,
    /// The key in it.
    pub key: &'static str,
}

/// Something by its name.
#[derive(Debug, Clone, Serialize)]
pub struct Named {
    /// The name.
    pub name: String,
}

/// A mapping of texts that keeps its order.
#[derive(Debug, Clone, Default)]
pub struct Pairs(pub Vec<(&'static str, String)>);

// === impl Object ===

impl Object<ScaledObject> {
    /// A ScaledObject.
    pub fn scaled(metadata: Metadata, spec: ScaledObject) -> Self {
        Self {
            api_version: API_VERSION,
            kind: "ScaledObject",
            metadata,
            spec,
        }
    }
}

impl Object<TriggerAuthentication> {
    /// A TriggerAuthentication.
    pub fn authentication(metadata: Metadata, spec: TriggerAuthentication) -> Self {
        Self {
            api_version: API_VERSION,
            kind: "TriggerAuthentication",
            metadata,
            spec,
        }
    }
}

// === impl Named ===

impl Named {
    /// What is called so.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

// === impl TriggerAuthentication ===

impl TriggerAuthentication {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.config_map_target_ref.is_empty() && self.secret_target_ref.is_empty()
    }
}

// === impl Pairs ===

impl Pairs {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}
