//! `cargo xtask test --cluster`: what decides in a Kubernetes cluster, and a real KEDA, built from their Go modules.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{keda, project, step, tools};

/// Which etcd and which Kubernetes.
const MODULE: &str = "tests/cluster";

/// The version of Kubernetes there, which its programs are told by the linker: clients refuse one that names none.
const KUBERNETES: (&str, &str, &str) = ("v1.34.3", "1", "34");

/// What is built, and from which package.
const PROGRAMS: [(&str, &str); 4] = [
    ("etcd", "go.etcd.io/etcd/server/v3"),
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    (
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
    ),
    ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
];

/// KEDA's programs, and their packages in its module.
const KEDA: [(&str, &str); 2] = [
    ("keda-operator", "./cmd/operator"),
    ("keda-adapter", "./cmd/adapter"),
];

/// Builds what is missing into `target/tools/cluster`.
///
/// # Errors
/// One sentence when Go is missing or a build fails.
pub(crate) fn install() -> Result<(), String> {
    let module = project::root().join(MODULE);
    let versions = fs::read_to_string(module.join("go.mod"))
        .map_err(|error| format!("{MODULE}/go.mod: {error}"))?;
    let versions = format!("keda {}\n{versions}", keda::VERSION);
    let folder = project::tools().join("cluster");
    // Written last: where it is, all programs of these versions are.
    let stamp = folder.join("versions");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == versions) {
        return Ok(());
    }
    let keda = keda::module()?;
    definitions(&keda.join("config/crd/bases"), &folder.join("crd"))
        .map_err(|error| format!("KEDA's definitions are missing: {error}"))?;
    for (program, package) in PROGRAMS {
        build(
            &module,
            package,
            &version(),
            &folder.join("bin").join(program),
        )?;
    }
    for (program, package) in KEDA {
        build(&keda, package, "", &folder.join("bin").join(program))?;
    }
    fs::write(&stamp, versions).map_err(|error| format!("{}: {error}", stamp.display()))
}

/// Runs the tests that need a cluster, one after the other.
pub(crate) fn test() -> Command {
    let mut cargo = project::cargo();
    cargo
        .args([
            "test",
            "--package",
            "openfaas-tests",
            "--test",
            "cluster",
            "--",
            "--test-threads=1",
            "--nocapture",
        ])
        .env("PATH", tools::path());
    cargo
}

fn build(module: &Path, package: &str, flags: &str, program: &Path) -> Result<(), String> {
    let Some(go) = tools::find("go") else {
        return Err(format!(
            "{package} is to be built with Go, which is missing: get it from https://go.dev/dl"
        ));
    };
    println!("setup: go build {package} (takes some minutes, once)");
    let mut build = Command::new(go);
    build
        .current_dir(module)
        .env("CGO_ENABLED", "0")
        .args(["build", "-ldflags", flags, "-o"]);
    step::check(build.arg(program).arg(package))
        .map_err(|reason| format!("{package} cannot be built ({reason})"))
}

fn version() -> String {
    let (version, major, minor) = KUBERNETES;
    let set = |package: &str| {
        [
            ("gitVersion", version),
            ("gitMajor", major),
            ("gitMinor", minor),
        ]
        .map(|(name, value)| format!("-X {package}.{name}={value}"))
        .join(" ")
    };
    [
        "k8s.io/component-base/version",
        "k8s.io/client-go/pkg/version",
    ]
    .map(set)
    .join(" ")
}

/// Copies a folder of files; those of a Go module cannot be written to, their copies can.
fn definitions(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::write(to.join(entry.file_name()), fs::read(entry.path())?)?;
    }
    Ok(())
}
