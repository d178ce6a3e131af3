//! Paths, as a person would write them.

use std::path::{Component, Path, PathBuf};

/// A path without the `.` in it.
#[must_use]
pub fn shown(path: &Path) -> String {
    let short: PathBuf = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect();
    short.display().to_string()
}
