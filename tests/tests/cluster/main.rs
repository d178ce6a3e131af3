//! A real KEDA in a real Kubernetes, as far as it scales Deployments: `cargo xtask test --cluster` installs what this needs
//! and runs it. No node runs a pod here; what is looked at is how many replicas are asked for.

mod brain;
mod keys;
mod scaling;
