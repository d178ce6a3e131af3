//! The guides, followed step by step.

use openfaas_tests::guide::Reader;
use openfaas_tests::handler::{compiling, copy_tree_of_git};
use openfaas_tests::runner::{free_port, program};
use openfaas_tests::tools::{built, needed, repository};

#[test]
fn the_guide_to_testing_shows_tests_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    Reader::new(folder.path()).follow("docs/testing.md");
}

#[test]
fn whoever_wants_keda_gets_its_objects() {
    let folder = tempfile::tempdir().unwrap();
    let operator = built("openfaas-operator");
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", operator.parent().unwrap().display());
    Reader::new(folder.path())
        .with("PATH", path)
        .follow("docs/keda.md");
}

/// With other ports than those of the guide, and with what was compiled before for other copies of the templates.
#[test]
fn whoever_gets_started_gets_to_the_end() {
    if needed("faas-cli", "docs/getting-started.md from beginning to end").is_none() {
        return;
    }
    let _compiling = compiling();
    let folder = tempfile::tempdir().unwrap();
    let clone = tempfile::tempdir().unwrap();
    copy_tree_of_git(clone.path()).unwrap();
    let port = free_port().to_string();
    let runner = program().parent().unwrap().display();
    let path = format!("{runner}:{}", std::env::var("PATH").unwrap());
    Reader::new(folder.path())
        .with("REPOSITORY", clone.path().to_str().unwrap())
        .with("PATH", path)
        .with(
            "CARGO_BUILD_BUILD_DIR",
            repository().join("target/copies").to_str().unwrap(),
        )
        .with("TMPDIR", folder.path().to_str().unwrap())
        .with("port", port.clone())
        .with("metrics_port", "0")
        .with("OPENFAAS_URL", format!("http://127.0.0.1:{port}"))
        .replacing("127.0.0.1:8080", format!("127.0.0.1:{port}"))
        .replacing(
            "openfaas-local\n",
            format!("openfaas-local --listen 127.0.0.1:{port}\n"),
        )
        .follow("docs/getting-started.md");
}
