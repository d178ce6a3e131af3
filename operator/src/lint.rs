//! What is wrong with a stack and with the manifests beside it.

use std::fs;
use std::path::{Path, PathBuf};

use openfaas_stack::lint::{Cluster, check, check_scaling};
use openfaas_stack::manifest::Manifest;
use openfaas_stack::{Report, Stack, StackError};

/// A report for the stack file and one for each manifest, those without a problem left out.
///
/// # Errors
/// A file that cannot be read.
pub fn reports(
    stack: &Path,
    manifests: &[PathBuf],
    cluster: Cluster,
) -> Result<Vec<Report>, StackError> {
    let stack = match Stack::load(stack) {
        Ok(stack) => stack,
        Err(StackError::Invalid(report)) => return Ok(vec![report]),
        Err(other) => return Err(other),
    };
    let mut reports = vec![stack.report(check(&stack))];
    for path in files(manifests)? {
        reports.push(match Manifest::load(&path) {
            Ok(manifest) => manifest.report(check_scaling(&stack, &manifest, cluster)),
            Err(StackError::Invalid(report)) => report,
            Err(other) => return Err(other),
        });
    }
    reports.retain(|report| !report.problems.is_empty());
    Ok(reports)
}

/// These files, and the YAML files in these folders, by name.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, StackError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let unread = |source| StackError::Read {
            path: path.clone(),
            source,
        };
        let entries = fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let mut inside: Vec<PathBuf> = entries
            .map_err(unread)?
            .iter()
            .map(fs::DirEntry::path)
            .collect();
        inside.retain(|file| {
            file.extension()
                .is_some_and(|extension| extension == "yaml" || extension == "yml")
        });
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}
