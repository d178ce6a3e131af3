//! What KEDA takes, from its Go module: the schema of its scalers and the definitions of its objects, which tests read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{project, tools};

/// The version that objects are rendered for.
pub(crate) const VERSION: &str = "v2.20.2";

/// Where its files lie in its module.
const FILES: [&str; 3] = [
    "schema/generated/scalers-schema.json",
    "config/crd/bases/keda.sh_scaledobjects.yaml",
    "config/crd/bases/keda.sh_triggerauthentications.yaml",
];

/// Copies the files to `target/tools/keda`, unless those of this version are there.
///
/// # Errors
/// One sentence when Go is missing or the module cannot be had.
pub(crate) fn install() -> Result<(), String> {
    let folder = project::tools().join("keda");
    // Written last: where it is, all files are.
    let stamp = folder.join("version");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == VERSION) {
        return Ok(());
    }
    let module = module()?;
    let failed =
        |path: &Path, error| format!("KEDA's schema is missing: {}: {error}", path.display());
    fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
    for file in FILES {
        let from = module.join(file);
        let to = folder.join(from.file_name().unwrap_or_default());
        // Read and written, as a copy would be as read-only as the module's.
        let text = fs::read(&from).map_err(|error| failed(&from, error))?;
        fs::write(&to, text).map_err(|error| failed(&to, error))?;
    }
    fs::write(&stamp, VERSION).map_err(|error| failed(&stamp, error))
}

/// The folder of KEDA's module, downloaded if need be.
///
/// # Errors
/// One sentence when Go is missing or the module cannot be had.
pub(crate) fn module() -> Result<PathBuf, String> {
    let module = format!("github.com/kedacore/keda/v2@{VERSION}");
    let Some(go) = tools::find("go") else {
        return Err(format!(
            "KEDA {VERSION} is missing, and Go to get it with too: get Go from https://go.dev/dl"
        ));
    };
    let failed =
        |reason: &dyn std::fmt::Display| format!("go mod download {module} failed: {reason}");
    let answer = Command::new(go)
        .args(["mod", "download", "-json", &module])
        // Outside of any module, or Go would look into that one first.
        .current_dir(std::env::temp_dir())
        .output()
        .map_err(|error| failed(&error))?;
    let said: serde_json::Value =
        serde_json::from_slice(&answer.stdout).map_err(|error| failed(&error))?;
    match (said["Dir"].as_str(), said["Error"].as_str()) {
        (Some(folder), None) => Ok(folder.into()),
        (_, error) => Err(failed(&error.unwrap_or("it names no folder"))),
    }
}
