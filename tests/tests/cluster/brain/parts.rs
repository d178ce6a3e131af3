//! The parts of a cluster, each with the settings without which it fails.

use std::fs;
use std::net::TcpListener;

use openfaas_tests::tools::repository;

use super::{Cluster, NAMESPACE};

/// Where each part listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    etcd: u16,
    etcd_peers: u16,
    api: u16,
    controllers: u16,
    adapter: u16,
    adapter_metrics: u16,
    keda: u16,
    keda_metrics: u16,
    keda_health: u16,
}

impl Cluster {
    /// Where everything is kept.
    pub(super) fn store(&mut self) {
        let Ports {
            etcd, etcd_peers, ..
        } = self.ports;
        let (clients, peers) = (
            format!("http://127.0.0.1:{etcd}"),
            format!("http://127.0.0.1:{etcd_peers}"),
        );
        self.run(
            "etcd",
            vec![
                "--data-dir=etcd".to_owned(),
                format!("--listen-client-urls={clients}"),
                format!("--advertise-client-urls={clients}"),
                format!("--listen-peer-urls={peers}"),
                format!("--initial-advertise-peer-urls={peers}"),
                format!("--initial-cluster=default={peers}"),
                "--unsafe-no-fsync".to_owned(),
            ],
        );
    }

    /// Whom everybody asks; waits until it is ready.
    pub(super) fn api(&mut self) {
        let Ports { etcd, api, .. } = self.ports;
        fs::write(
            self.folder.join("tokens.csv"),
            "token,admin,admin,\"system:masters\"\n",
        )
        .unwrap();
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\nclusters: [{{name: here, cluster: {{server: 'https://127.0.0.1:{api}', \
             insecure-skip-tls-verify: true}}}}]\nusers: [{{name: admin, user: {{token: token}}}}]\ncontexts: [{{name: here, context: \
             {{cluster: here, user: admin}}}}]\n"
        );
        fs::write(self.folder.join("kubeconfig"), kubeconfig).unwrap();
        let mut arguments = vec![
            format!("--etcd-servers=http://127.0.0.1:{etcd}"),
            format!("--secure-port={api}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--cert-dir=api".to_owned(),
            "--service-account-key-file=accounts.pub".to_owned(),
            "--service-account-signing-key-file=accounts.key".to_owned(),
            "--service-account-issuer=https://localhost".to_owned(),
            "--token-auth-file=tokens.csv".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--proxy-client-cert-file=proxy.crt".to_owned(),
            "--proxy-client-key-file=proxy.key".to_owned(),
        ];
        arguments.extend(proxied());
        self.run("kube-apiserver", arguments);
        self.until("the API server is ready", || {
            self.ask(&["get", "--raw", "/readyz"]).is_some()
        });
    }

    /// Who makes pods of Deployments, and autoscales.
    pub(super) fn controllers(&mut self) {
        let port = self.ports.controllers;
        let kubeconfigs = [
            "kubeconfig",
            "authentication-kubeconfig",
            "authorization-kubeconfig",
        ]
        .map(|flag| format!("--{flag}=kubeconfig"));
        let mut arguments = kubeconfigs.to_vec();
        arguments.extend([
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--cert-dir=controllers".to_owned(),
            "--service-account-private-key-file=accounts.key".to_owned(),
            "--leader-elect=false".to_owned(),
            "--horizontal-pod-autoscaler-sync-period=2s".to_owned(),
        ]);
        self.run("kube-controller-manager", arguments);
    }

    /// KEDA with its kinds, its operator and its metrics; waits until it gives some.
    pub(super) fn keda(&mut self) {
        let Ports {
            adapter,
            adapter_metrics,
            keda,
            keda_metrics,
            keda_health,
            ..
        } = self.ports;
        let definitions = repository().join("target/tools/cluster/crd");
        let applied = self.ask(&[
            "apply",
            "--server-side",
            "--filename",
            definitions.to_str().unwrap(),
        ]);
        assert!(applied.is_some(), "{}", self.logs());
        let established = ["wait", "--for=condition=Established", "crd", "--all"];
        self.until("KEDA's kinds are known", || {
            self.ask(&established).is_some()
        });
        for namespace in ["keda", NAMESPACE] {
            self.apply(&format!(
                "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n"
            ));
        }
        let local = |port: u16| format!("127.0.0.1:{port}");
        self.run(
            "keda-operator",
            vec![
                "--kubeconfig=kubeconfig".to_owned(),
                "--leader-elect=false".to_owned(),
                "--enable-cert-rotation=false".to_owned(),
                "--cert-dir=.".to_owned(),
                format!("--metrics-bind-address={}", local(keda_metrics)),
                format!("--health-probe-bind-address={}", local(keda_health)),
                format!("--metrics-service-bind-address={}", local(keda)),
            ],
        );
        let kubeconfigs = [
            "kubeconfig",
            "lister-kubeconfig",
            "authentication-kubeconfig",
            "authorization-kubeconfig",
        ];
        let mut arguments = kubeconfigs
            .map(|flag| format!("--{flag}=kubeconfig"))
            .to_vec();
        arguments.extend([
            "--client-ca-file=ca.crt".to_owned(),
            format!("--secure-port={adapter}"),
            format!("--port={adapter_metrics}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--cert-dir=.".to_owned(),
            "--tls-cert-file=tls.crt".to_owned(),
            "--tls-private-key-file=tls.key".to_owned(),
            format!("--metrics-service-address=localhost:{keda}"),
        ]);
        arguments.extend(proxied());
        self.run("keda-adapter", arguments);
        self.apply(&format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: keda, namespace: keda}}\nspec: {{type: ExternalName, externalName: localhost}}\n\
             ---\napiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {{name: v1beta1.external.metrics.k8s.io}}\nspec: {{group: \
             external.metrics.k8s.io, version: v1beta1, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true, \
             service: {{name: keda, namespace: keda, port: {adapter}}}}}\n"
        ));
        self.until("KEDA gives metrics", || {
            self.ask(&["get", "--raw", "/apis/external.metrics.k8s.io/v1beta1"])
                .is_some()
        });
    }
}

impl Ports {
    /// Ports that nobody has.
    pub(super) fn free() -> Self {
        // All are held until the last is found, so that none is found twice.
        let held = [(); 9].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [
            etcd,
            etcd_peers,
            api,
            controllers,
            adapter,
            adapter_metrics,
            keda,
            keda_metrics,
            keda_health,
        ] = held.map(|listener| listener.local_addr().unwrap().port());
        Self {
            etcd,
            etcd_peers,
            api,
            controllers,
            adapter,
            adapter_metrics,
            keda,
            keda_metrics,
            keda_health,
        }
    }
}

/// How the API server says on whose behalf it calls an extension of itself.
fn proxied() -> [String; 5] {
    [
        "--requestheader-client-ca-file=ca.crt",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    ]
    .map(str::to_owned)
}
