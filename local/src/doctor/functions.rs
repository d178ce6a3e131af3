//! Each function of a stack.

use std::{path::Path, process::Command};

use openfaas_stack::{Function, Stack};

use super::Finding;
use crate::{build, session::SECRETS, terminal::shown};

/// Everything about the functions of `stack` that its text alone does not say.
#[must_use]
pub fn check(stack: &Stack) -> Vec<Finding> {
    let plan = build::plan(stack, Vec::new());
    let mut findings = Vec::new();
    for (name, why) in &plan.left_out {
        findings.push(Finding::warning(name, "is not run here", why.to_string()));
    }
    for package in &plan.packages {
        findings.push(manifest(&package.name, &package.dir));
    }
    findings.extend(
        stack
            .functions
            .iter()
            .flat_map(|function| secrets(stack, function)),
    );
    findings
}

/// Whether cargo can read the package.
fn manifest(name: &str, folder: &Path) -> Finding {
    let shown = shown(&folder.join("Cargo.toml"));
    let metadata = Command::new("cargo")
        .current_dir(folder)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .output();
    match metadata {
        Err(error) => Finding::wrong(
            name,
            format!("cargo does not start: {error}"),
            "install Rust from https://rustup.rs",
        ),
        Ok(output) if output.status.success() => Finding::well(name, shown),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said
                .trim()
                .trim_start_matches("error: ")
                .replace('\n', "\n    ");
            Finding::wrong(
                name,
                format!("cargo cannot read {shown}: {said}"),
                "put its manifest right",
            )
        }
    }
}

/// The secrets that nobody has given yet.
fn secrets(stack: &Stack, function: &Function) -> Vec<Finding> {
    let folder = stack.root().join(SECRETS);
    let missing = function
        .secrets
        .iter()
        .filter(|secret| !folder.join(secret.as_str()).is_file());
    let finding = |secret: &openfaas_stack::Spanned<String>| {
        let said = format!(
            "asks for the secret {secret} (line {}), which is not there",
            secret.span.line
        );
        let remedy = format!(
            "write it to {}, or `faas-cli secret create {secret}` while the runner runs",
            shown(&folder.join(secret.as_str()))
        );
        Finding::warning(function.name.as_str(), said, remedy)
    };
    missing.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::doctor::State;

    #[test]
    fn what_keeps_a_function_from_running_is_found() {
        let folder = tempfile::tempdir().unwrap();
        for (name, manifest) in [
            ("fine", "[package]\nname = \"f\"\n[workspace]\n"),
            ("odd", "[package\n"),
        ] {
            fs::create_dir_all(folder.path().join(name).join("src")).unwrap();
            fs::write(folder.path().join(name).join("Cargo.toml"), manifest).unwrap();
            fs::write(folder.path().join(name).join("src/main.rs"), "fn main() {}").unwrap();
        }
        let text = "provider: {name: openfaas}\nfunctions:\n  \
            fine: {lang: rust-otlp, handler: ./fine, image: f, secrets: [given, absent]}\n  \
            odd: {lang: rust-otlp, handler: ./odd, image: o}\n  \
            figlet: {skip_build: true, image: figlet}\n";
        fs::create_dir(folder.path().join(SECRETS)).unwrap();
        fs::write(folder.path().join(SECRETS).join("given"), "x").unwrap();
        let stack = Stack::parse(folder.path().join("stack.yml"), text, |_| None).unwrap();
        let findings = check(&stack);
        let states: Vec<_> = findings
            .iter()
            .map(|finding| (finding.about.as_str(), finding.state))
            .collect();
        let expected = [
            ("figlet", State::Warning),
            ("fine", State::Well),
            ("odd", State::Wrong),
            ("fine", State::Warning),
        ];
        assert_eq!(states, expected);
        assert!(
            findings[3].said.contains("absent (line 3)"),
            "{}",
            findings[3].said
        );
    }
}
