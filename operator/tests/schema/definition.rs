//! Objects against the definitions of KEDA's custom resources.

use serde_json::{Value, json};

use crate::{every_object, installed};

/// What is wrong with a value by the structural schema of a definition, a line each.
fn wrong(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    if !fits {
        return vec![format!("{at}: {value} is no {}", schema["type"])];
    }
    if let Some(allowed) = schema["enum"]
        .as_array()
        .filter(|allowed| !allowed.contains(value))
    {
        lines.push(format!("{at}: {value} is none of {allowed:?}"));
    }
    if schema["minimum"].as_i64() > value.as_i64().or(Some(i64::MAX)) {
        lines.push(format!("{at}: {value} is below {}", schema["minimum"]));
    }
    for item in value.as_array().into_iter().flatten() {
        lines.extend(wrong(&schema["items"], item, &format!("{at}[]")));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if value.get(required.as_str().unwrap()).is_none() {
            lines.push(format!("{at}: no {required}"));
        }
    }
    for (key, member) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{key}");
        let known = schema["properties"]
            .get(key)
            .or_else(|| schema.get("additionalProperties"));
        match known {
            Some(schema) => lines.extend(wrong(schema, member, &at)),
            // The metadata of any object is the API server's own.
            None if schema["type"] == "object" && schema.get("properties").is_none() => {}
            None => lines.push(format!("{at}: unknown")),
        }
    }
    lines
}

fn definition(kind: &str) -> Value {
    let file = format!("keda.sh_{}s.yaml", kind.to_lowercase());
    let definition: Value = serde_saphyr::from_str(&installed(&file)).unwrap();
    let version = &definition["spec"]["versions"][0];
    assert_eq!(
        (&definition["spec"]["names"]["kind"], &version["name"]),
        (&json!(kind), &json!("v1alpha1"))
    );
    version["schema"]["openAPIV3Schema"].clone()
}

#[test]
fn every_object_is_what_its_definition_says() {
    let objects = every_object();
    for kind in ["ScaledObject", "TriggerAuthentication"] {
        let definition = definition(kind);
        let of_kind: Vec<_> = objects
            .iter()
            .filter(|(_, object)| object["kind"] == kind)
            .collect();
        assert!(of_kind.len() > 3, "{kind}: {}", of_kind.len());
        for (file, object) in of_kind {
            assert_eq!(wrong(&definition, object, file), [""; 0], "{object:#}");
            assert_eq!(object["apiVersion"], "keda.sh/v1alpha1");
        }
    }
}

#[test]
fn the_check_finds_what_is_wrong() {
    let definition = definition("ScaledObject");
    let (_, good) = every_object()
        .into_iter()
        .find(|(_, object)| object["kind"] == "ScaledObject")
        .unwrap();
    let spoilt = |pointer: &str, value: Value| {
        let mut object = good.clone();
        *object.pointer_mut(pointer).unwrap() = value;
        wrong(&definition, &object, "so")
    };
    assert_eq!(
        spoilt("/spec/pollingInterval", json!("10")),
        [r#"so.spec.pollingInterval: "10" is no "integer""#]
    );
    assert_eq!(
        spoilt("/spec/maxReplicaCount", json!(0)),
        ["so.spec.maxReplicaCount: 0 is below 1"]
    );
    assert_eq!(
        spoilt("/spec/scaleTargetRef", json!({})),
        [r#"so.spec.scaleTargetRef: no "name""#]
    );
    assert_eq!(
        spoilt("/spec/triggers/0/metadata/stream", json!(1)),
        [r#"so.spec.triggers[].metadata.stream: 1 is no "string""#]
    );
    assert_eq!(
        spoilt(
            "/spec/fallback",
            json!({"failureThreshold": 1, "replicas": 1, "retries": 1})
        ),
        ["so.spec.fallback.retries: unknown"]
    );
}

#[test]
fn replicas_are_a_range() {
    for (file, object) in every_object() {
        let spec = &object["spec"];
        assert!(
            spec["minReplicaCount"].as_u64() <= spec["maxReplicaCount"].as_u64(),
            "{file}"
        );
    }
}
