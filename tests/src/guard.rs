//! What ends the servers of a test, however the test ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A folder for servers, and who clears up behind them: when this process is gone, it kills what [`Guard::knows`] and removes
/// the folder.
#[derive(Debug)]
pub struct Guard {
    folder: PathBuf,
    // Its input is closed when this process ends.
    _shell: Child,
}

impl Guard {
    /// Makes the folder.
    pub fn new(prefix: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix(prefix)
            .tempdir()
            .expect("a folder")
            .keep();
        let shell = Command::new("sh")
            .args(["-c", "cat; kill -9 $(cat pids); cd /; rm -rf \"$0\""])
            .arg(&folder)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        Self {
            folder,
            _shell: shell,
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// From now on these processes are killed in the end, and no others.
    pub fn knows(&self, pids: impl IntoIterator<Item = u32>) {
        let pids: Vec<String> = pids.into_iter().map(|pid| pid.to_string()).collect();
        fs::write(self.folder.join("pids"), pids.join(" ")).expect("a file");
    }
}
