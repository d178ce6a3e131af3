//! Finds programs, in this project's own tools folder first and then on PATH.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::project;

/// The file that `program` would start, if there is one.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    folders()
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The first file named `program` whose answer to `--version` holds `version` as a word.
pub(crate) fn find_version(program: &str, version: &str) -> Option<PathBuf> {
    folders().map(|folder| folder.join(program)).find(|file| {
        file.is_file()
            && Command::new(file)
                .arg("--version")
                .output()
                .is_ok_and(|output| {
                    String::from_utf8_lossy(&output.stdout)
                        .split_whitespace()
                        .any(|word| word == version)
                })
    })
}

/// The value of PATH for a test: this project's own tools come first.
pub(crate) fn path() -> OsString {
    env::join_paths(folders()).unwrap_or_else(|_| env::var_os("PATH").unwrap_or_default())
}

fn folders() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<_> = env::split_paths(&path).collect();
    std::iter::once(project::tools().join("bin")).chain(on_path)
}
