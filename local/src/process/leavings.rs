//! What ends leaves something: how a process came to its end, and the folders it had.

use std::{
    fs, io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use thiserror::Error;

/// A folder that stays behind.
#[derive(Debug, Error)]
#[error("cannot remove {}", .folder.display())]
pub struct LeftBehind {
    /// The folder.
    folder: PathBuf,
    /// What the system said.
    source: io::Error,
}

/// Removes a folder with all that is in it. One that is gone already is no error.
///
/// # Errors
/// When some of it stays.
pub fn remove(folder: &Path) -> Result<(), LeftBehind> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(LeftBehind {
            folder: folder.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

/// How a process ended, after its name in a sentence.
#[must_use]
pub fn how(ended: &io::Result<ExitStatus>) -> String {
    match ended {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exited with code {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        },
        Err(error) => format!("is lost: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let full = folder.path().join("full");
        fs::create_dir_all(full.join("deep")).unwrap();
        remove(&full).unwrap();
        remove(&full).unwrap();
        assert!(!full.exists());
        fs::write(&full, "no folder at all").unwrap();
        let error = remove(&full).unwrap_err().to_string();
        assert_eq!(error, format!("cannot remove {}", full.display()));
    }

    #[test]
    fn an_end_is_a_code_or_a_signal() {
        assert_eq!(how(&Ok(ExitStatus::from_raw(7 << 8))), "exited with code 7");
        assert_eq!(how(&Ok(ExitStatus::from_raw(9))), "was ended by signal 9");
    }
}
