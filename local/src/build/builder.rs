//! All functions of a stack, built when they are asked for.

use std::{collections::BTreeMap, path::PathBuf};

use openfaas_stack::build::Package;
use tokio::sync::Mutex;

use super::{BuildError, Compiler, Plan};

/// All functions of a stack, built when they are asked for.
#[derive(Debug)]
pub struct Builder {
    /// Runs cargo.
    compiler: Compiler,
    /// The functions that cargo builds.
    packages: BTreeMap<String, Package>,
    /// Whoever holds it builds.
    turn: Mutex<()>,
}

impl Builder {
    /// Builds the packages of `plan`.
    #[must_use]
    pub fn new(compiler: Compiler, plan: &Plan) -> Self {
        let packages = plan
            .packages
            .iter()
            .map(|package| (package.name.clone(), package.clone()))
            .collect();
        Self {
            compiler,
            packages,
            turn: Mutex::default(),
        }
    }

    /// Builds a function with these features, once it is its turn. None when nothing is to be built of it.
    pub async fn build(
        &self,
        name: &str,
        features: impl IntoIterator<Item = &'static str>,
    ) -> Option<Result<PathBuf, BuildError>> {
        let package = self.packages.get(name)?.clone().with_features(features);
        let _turn = self.turn.lock().await;
        Some(self.compiler.build(&package).await)
    }
}
