//! Triggers against the schema that KEDA generates from its scalers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{every_object, installed};

/// What is wrong with a trigger, a line each; `elsewhere` are the parameters that its TriggerAuthentication says.
fn wrong(schema: &Value, trigger: &Value, elsewhere: &[String]) -> Vec<String> {
    let kind = &trigger["type"];
    let scalers = schema["scalers"].as_array().unwrap();
    let Some(scaler) = scalers.iter().find(|scaler| &scaler["type"] == kind) else {
        return vec![format!("there is no scaler {kind}")];
    };
    let parameters: BTreeMap<&str, &Value> = scaler["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|parameter| (parameter["name"].as_str().unwrap(), parameter))
        .collect();
    let metadata = trigger["metadata"].as_object().unwrap();
    let mut lines = Vec::new();
    for (name, value) in metadata {
        let Some(parameter) = parameters.get(name.as_str()) else {
            lines.push(format!("{kind} has no {name}"));
            continue;
        };
        if parameter["metadataVariableReadable"] != true || parameter.get("deprecated").is_some() {
            lines.push(format!("{kind}: {name} does not belong into metadata"));
        }
        let allowed = parameter["allowedValue"].as_array();
        if allowed.is_some_and(|allowed| !allowed.contains(value)) {
            lines.push(format!("{kind}: {name} cannot be {value}"));
        }
    }
    for name in elsewhere {
        let readable = parameters
            .get(name.as_str())
            .is_some_and(|parameter| parameter["triggerAuthenticationVariableReadable"] == true);
        if !readable {
            lines.push(format!(
                "{kind}: {name} is not read from a TriggerAuthentication"
            ));
        }
    }
    for (name, parameter) in parameters {
        let optional = parameter["optional"] == true || parameter.get("default").is_some();
        if !optional && !metadata.contains_key(name) && !elsewhere.iter().any(|other| other == name)
        {
            lines.push(format!("{kind}: {name} is missing"));
        }
    }
    lines
}

/// The parameters that the TriggerAuthentication of that name and namespace says.
fn parameters(objects: &[(String, Value)], file: &str, name: &Value) -> Vec<String> {
    let authentication = objects.iter().find(|(other, object)| {
        other == file
            && object["kind"] == "TriggerAuthentication"
            && &object["metadata"]["name"] == name
    });
    let (_, authentication) =
        authentication.unwrap_or_else(|| panic!("{file}: no TriggerAuthentication {name}"));
    let sources = ["configMapTargetRef", "secretTargetRef"]
        .map(|source| authentication["spec"][source].as_array());
    let parameters = sources.into_iter().flatten().flatten();
    parameters
        .map(|parameter| parameter["parameter"].as_str().unwrap().to_owned())
        .collect()
}

fn schema() -> Value {
    serde_json::from_str(&installed("scalers-schema.json")).unwrap()
}

#[test]
fn every_trigger_is_one_that_keda_knows() {
    let (schema, objects) = (schema(), every_object());
    let mut kinds = BTreeMap::<String, usize>::new();
    for (file, object) in &objects {
        for trigger in object["spec"]["triggers"].as_array().into_iter().flatten() {
            let elsewhere = match trigger.get("authenticationRef") {
                Some(reference) => parameters(&objects, file, &reference["name"]),
                None => Vec::new(),
            };
            assert_eq!(
                wrong(&schema, trigger, &elsewhere),
                [""; 0],
                "{file}: {trigger:#}"
            );
            *kinds
                .entry(trigger["type"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
    }
    assert_eq!(
        kinds.keys().collect::<Vec<_>>(),
        ["kafka", "nats-jetstream", "prometheus"]
    );
}

#[test]
fn the_check_finds_what_is_wrong() {
    let trigger = |kind: &str, metadata: Value| json!({"type": kind, "metadata": metadata});
    let nats = json!({"natsServerMonitoringEndpoint": "a", "stream": "a", "consumer": "a"});
    assert_eq!(
        wrong(
            &schema(),
            &trigger("nats-jetstream", nats.clone()),
            &["account".to_owned()]
        ),
        [""; 0]
    );
    assert_eq!(
        wrong(&schema(), &trigger("nats", nats), &[]),
        [r#"there is no scaler "nats""#]
    );
    let kafka = json!({"bootstrapServers": "a", "tls": "yes", "password": "a", "lag": "1"});
    let lines = wrong(&schema(), &trigger("kafka", kafka), &["topic".to_owned()]);
    assert_eq!(
        lines,
        [
            r#""kafka" has no lag"#,
            r#""kafka": password does not belong into metadata"#,
            r#""kafka": tls cannot be "yes""#,
            r#""kafka": topic is not read from a TriggerAuthentication"#,
            r#""kafka": consumerGroup is missing"#,
        ]
    );
}
