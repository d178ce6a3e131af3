//! What `openfaas-operator lint` prints.

use std::path::Path;
use std::process::Command;

fn lint(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_openfaas-operator"))
        .current_dir(folder)
        .arg("lint")
        .args(arguments)
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

/// A folder with a stack, and what is rendered from it in `keda`.
fn rendered(annotations: &str, options: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut environment = String::new();
    if annotations.contains("events.door") {
        environment = format!("events_topic: orders{annotations}").replace("events.", "events_");
    }
    let stack = format!(
        "provider: {{name: openfaas}}\nfunctions:\n  order: {{lang: a, handler: ., image: a, annotations: {{topic: orders{annotations}}}, environment: {{{environment}}}}}\n"
    );
    std::fs::write(folder.path().join("stack.yml"), stack).unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_openfaas-operator"))
        .current_dir(folder.path())
        .args(["render", "--output", "keda"])
        .args(options)
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    folder
}

#[test]
fn this_repository_is_well() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    assert_eq!(lint(root, &[]), (Some(0), "all is well\n".to_owned()));
}

#[test]
fn nothing_is_wrong_with_what_is_rendered() {
    let door = ", events.broker: nats, events.door: 'true'";
    let unordered = ", events.broker: nats, events.door: 'true', events.order: none";
    let kafka = ", events.broker: kafka, events.door: 'true'";
    for annotations in ["", door, unordered, kafka] {
        for profile in ["ce", "plain"] {
            let folder = rendered(annotations, &["--profile", profile]);
            assert_eq!(
                lint(folder.path(), &["--profile", profile]),
                (Some(0), "all is well\n".to_owned()),
                "{annotations}"
            );
        }
    }
}

#[test]
fn what_is_wrong_is_shown_with_line_and_remedy() {
    let folder = rendered(
        ", events.broker: nats, events.door: 'true', events.order: none",
        &["--profile", "plain"],
    );
    let (code, printed) = lint(folder.path(), &[]);
    assert_eq!(code, Some(1));
    let message = "error: OpenFaaS CE sets `order` back to 1 replica whenever KEDA takes it to 0\n";
    assert!(
        printed.contains(message) && printed.contains("keda/order.openfaas-fn.yaml:"),
        "{printed}"
    );
    assert!(
        printed.contains("  minReplicaCount: 0\n")
            && printed.contains("= help: write `minReplicaCount: 1`"),
        "{printed}"
    );
    assert!(printed.ends_with("2 to look at\n"), "{printed}");
}

#[test]
fn manifests_are_named_or_found() {
    let folder = rendered("", &[]);
    std::fs::rename(folder.path().join("keda"), folder.path().join("other")).unwrap();
    std::fs::write(
        folder.path().join("other/bad.yaml"),
        "kind: ScaledObject\nspec: {minReplicaCount: none}\n",
    )
    .unwrap();
    assert_eq!(lint(folder.path(), &[]).0, Some(0));
    let (code, printed) = lint(folder.path(), &["stack.yml", "other"]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("other/bad.yaml:2:25"), "{printed}");
}
