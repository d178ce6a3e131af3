//! Where things lie in this repository.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A crate of the root workspace.
pub(crate) struct Member {
    /// Its package name.
    pub(crate) name: String,
    /// Whether its manifest declares any feature.
    pub(crate) has_features: bool,
}

/// The repository's root, as cargo that started this program sees it.
pub(crate) fn root() -> PathBuf {
    let xtask = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map(Path::to_owned).unwrap_or(xtask)
}

/// Where tools are kept that this project installs for itself alone.
pub(crate) fn tools() -> PathBuf {
    root().join("target").join("tools")
}

/// A call of the cargo that started this program, in the repository's root.
pub(crate) fn cargo() -> Command {
    cargo_in(&root())
}

/// A call of the cargo that started this program, in `folder`.
pub(crate) fn cargo_in(folder: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    command
}

/// The folders of the sample functions and of the templates' functions, each a workspace of its own, in order of name.
pub(crate) fn functions() -> Vec<PathBuf> {
    let templates = subfolders(&root().join("template"))
        .into_iter()
        .map(|template| template.join("function"));
    subfolders(&root().join("functions"))
        .into_iter()
        .chain(templates)
        .filter(|folder| folder.join("Cargo.toml").is_file())
        .collect()
}

/// The crates of the root workspace.
///
/// # Errors
/// One sentence when cargo cannot read the manifests.
pub(crate) fn members() -> Result<Vec<Member>, String> {
    let metadata = cargo_metadata(&root())?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    Ok(packages.iter().map(member).collect())
}

/// The package name of the function in `folder`.
///
/// # Errors
/// One sentence when cargo cannot read its manifest.
pub(crate) fn package_name(folder: &Path) -> Result<String, String> {
    let metadata = cargo_metadata(folder)?;
    match metadata["packages"][0]["name"].as_str() {
        Some(name) => Ok(name.to_owned()),
        None => Err(format!("{}: has no package", folder.display())),
    }
}

fn member(package: &serde_json::Value) -> Member {
    Member {
        name: package["name"].as_str().unwrap_or_default().to_owned(),
        has_features: package["features"]
            .as_object()
            .is_some_and(|features| !features.is_empty()),
    }
}

fn cargo_metadata(folder: &Path) -> Result<serde_json::Value, String> {
    let output = cargo_in(folder)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .map_err(|error| format!("cargo metadata does not start: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut folders: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}
