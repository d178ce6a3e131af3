use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::Config;

/// `$TMPDIR/.lock`: there as long as the function is well. Whoever deletes it takes the function out of service, whoever
/// writes it again puts it back.
#[derive(Debug)]
pub(crate) struct LockFile {
    /// `None`: `suppress_lock`.
    path: Option<PathBuf>,
    /// Whether it could be written; set once that was tried.
    written: OnceLock<bool>,
}

// === impl LockFile ===

impl LockFile {
    pub(crate) fn new(config: &Config) -> LockFile {
        LockFile {
            path: (!config.suppress_lock).then(|| path(config)),
            written: OnceLock::new(),
        }
    }

    /// Writes the file, once.
    ///
    /// # Errors
    /// It cannot be written. From then on nothing depends on it.
    pub(crate) fn write(&self) -> Option<Result<&Path, (&Path, io::Error)>> {
        let path = self.path.as_deref()?;
        if self.written.get().is_some() {
            return None;
        }
        let result = write(path);
        let _ = self.written.set(result.is_ok());
        Some(result.map(|()| path).map_err(|error| (path, error)))
    }

    /// Whether nothing is amiss with the file: it is there, or there is none to be.
    pub(crate) fn is_fine(&self) -> bool {
        match (&self.path, self.written.get()) {
            (Some(path), Some(true)) => path.exists(),
            _ => true,
        }
    }

    /// Takes the file away.
    pub(crate) fn remove(&self) {
        if let (Some(path), Some(true)) = (&self.path, self.written.get()) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!("cannot remove the lock file {}: {error}", path.display());
                }
                _ => {}
            }
        }
    }
}

/// Where the lock file of a function with this configuration is.
pub(crate) fn path(config: &Config) -> PathBuf {
    config.tmp_dir.join(".lock")
}

fn write(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o660)
        .open(path)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(folder: &Path, suppress: &str) -> LockFile {
        let lookup = |key: &str| match key {
            "TMPDIR" => Some(folder.display().to_string()),
            "suppress_lock" => Some(suppress.to_owned()),
            _ => None,
        };
        LockFile::new(&Config::from_lookup(lookup).unwrap())
    }

    #[test]
    fn deleting_the_file_is_seen_and_so_is_writing_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock(&folder.path().join("made"), "false");
        let path = lock.write().unwrap().unwrap().to_owned();
        assert!(lock.is_fine());
        fs::remove_file(&path).unwrap();
        assert!(!lock.is_fine());
        fs::write(&path, "").unwrap();
        assert!(lock.is_fine());
        lock.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_suppressed_lock_is_neither_written_nor_missed() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock(folder.path(), "true");
        assert!(lock.write().is_none());
        assert!(lock.is_fine());
        assert!(!folder.path().join(".lock").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_said_and_then_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let lock = lock(&file, "false");
        assert!(lock.write().unwrap().is_err());
        assert!(lock.is_fine());
    }
}
