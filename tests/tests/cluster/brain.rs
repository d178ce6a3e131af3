//! What decides in a cluster: etcd, the API server, the controllers, and KEDA's two parts.

mod parts;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use openfaas_tests::guard::Guard;
use openfaas_tests::tools::{feed, repository};

use self::parts::Ports;
use crate::keys;

/// How long anything may take here on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Where functions are deployed.
const NAMESPACE: &str = "openfaas-fn";

/// A cluster without nodes. It ends with the process that started it, however that ends.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: PathBuf,
    ports: Ports,
    children: Vec<Child>,
    guard: Guard,
}

impl Cluster {
    /// Starts everything and waits until KEDA answers.
    ///
    /// # Panics
    /// Where `cargo xtask test --cluster` has not built it, or a part does not come up.
    pub(crate) fn start() -> Self {
        let guard = Guard::new("cluster-");
        let folder = guard.folder().to_owned();
        keys::write(&folder);
        let ports = Ports::free();
        let mut cluster = Self {
            folder,
            ports,
            children: Vec::new(),
            guard,
        };
        cluster.store();
        cluster.api();
        cluster.controllers();
        cluster.keda();
        cluster
    }

    /// Deploys a function as `faas-cli deploy` does: one replica.
    pub(crate) fn deploy(&self, function: &str) {
        self.apply(&format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {function}, namespace: {NAMESPACE}}}\nspec:\n  replicas: 1\n  \
             selector: {{matchLabels: {{faas_function: {function}}}}}\n  template:\n    metadata: {{labels: {{faas_function: {function}}}}}\n    \
             spec: {{containers: [{{name: {function}, image: {function}}}]}}\n"
        ));
    }

    /// `kubectl apply` of these objects.
    pub(crate) fn apply(&self, objects: &str) {
        let mut kubectl = self.kubectl(&["apply", "--server-side", "--filename", "-"]);
        kubectl.stderr(Stdio::inherit());
        let output = feed(&mut kubectl, objects);
        assert!(output.status.success(), "{objects}\n{}", self.logs());
    }

    /// Runs `kubectl`; what it prints, or `None` where it fails.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Option<String> {
        let output = self.kubectl(arguments).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(printed)
    }

    /// Waits until a function's Deployment is to have so many replicas.
    pub(crate) fn until_replicas(&self, function: &str, expected: u32) {
        let arguments = [
            "get",
            "deployment",
            function,
            "--namespace",
            NAMESPACE,
            "--output",
            "jsonpath={.spec.replicas}",
        ];
        let mut seen = Vec::new();
        self.until(&format!("{function} has {expected} replicas"), || {
            let replicas = self.ask(&arguments).unwrap_or_default();
            if seen.last() != Some(&replicas) {
                seen.push(replicas.clone());
            }
            replicas == expected.to_string()
        });
        println!("{function}: {} replicas", seen.join(" → "));
    }

    fn kubectl(&self, arguments: &[&str]) -> Command {
        let mut kubectl = Command::new(program("kubectl"));
        kubectl
            .args(arguments)
            .env("KUBECONFIG", self.folder.join("kubeconfig"))
            .env("HOME", &self.folder);
        kubectl.stderr(Stdio::null());
        kubectl
    }

    fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !condition() {
            assert!(
                Instant::now() < end,
                "it does not come about that {what}\n{}",
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// The end of what each part wrote.
    fn logs(&self) -> String {
        let objects = self.ask(&[
            "get",
            "scaledobjects,hpa,deployments,pods",
            "--all-namespaces",
            "--output",
            "wide",
        ]);
        let mut logs = objects.unwrap_or_default();
        for name in [
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "keda-operator",
            "keda-adapter",
        ] {
            let log = fs::read_to_string(self.folder.join(name).with_extension("log"))
                .unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(25)..].join("\n");
            logs.push_str(&format!("\n── {name}\n{end}\n"));
        }
        logs
    }

    fn run(&mut self, name: &str, arguments: Vec<String>) {
        let log = || {
            File::options()
                .create(true)
                .append(true)
                .open(self.folder.join(name).with_extension("log"))
                .unwrap()
        };
        let child = Command::new(program(name))
            .args(arguments)
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .env("KEDA_CLUSTER_OBJECT_NAMESPACE", "keda")
            .env("POD_NAMESPACE", "keda")
            .env("WATCH_NAMESPACE", "")
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .spawn()
            .unwrap();
        self.children.push(child);
        self.guard.knows(self.children.iter().map(Child::id));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // KEDA before what it talks to.
        for mut child in self.children.drain(..).rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // Their numbers may soon be other processes'.
        self.guard.knows([]);
    }
}

fn program(name: &str) -> PathBuf {
    let program = repository().join("target/tools/cluster/bin").join(name);
    assert!(
        program.is_file(),
        "{} is missing: `cargo xtask test --cluster` builds it",
        program.display()
    );
    program
}
