//! Secrets: files in a folder of each function, as a cluster mounts them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// The secrets of a run. They are kept in memory and under the run's folder, so none outlives it.
#[derive(Debug)]
pub struct Secrets {
    /// The folder with one folder for each function.
    folder: PathBuf,
    /// What there is.
    kept: Mutex<Kept>,
}

/// Secrets and who reads them.
#[derive(Debug, Default)]
struct Kept {
    /// Secrets by name.
    values: BTreeMap<String, Vec<u8>>,
    /// Which secrets each function asked for.
    readers: BTreeMap<String, BTreeSet<String>>,
}

impl Secrets {
    /// Secrets for functions, each with a folder under `folder`; to begin with, the files of `seeds`, the folder that
    /// `faas-cli local-run` reads too. A folder that is not there holds none.
    ///
    /// # Errors
    /// When a file of `seeds` cannot be read.
    pub fn new(folder: PathBuf, seeds: &Path) -> io::Result<Self> {
        let mut values = BTreeMap::new();
        match fs::read_dir(seeds) {
            Ok(entries) => {
                for entry in entries {
                    let entry = entry?;
                    if let Some(name) = entry.file_name().to_str().filter(|name| acceptable(name))
                        && entry.path().is_file()
                    {
                        values.insert(name.to_owned(), fs::read(entry.path())?);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Self {
            folder,
            kept: Mutex::new(Kept {
                values,
                ..Kept::default()
            }),
        })
    }

    /// The names of all secrets.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.lock().values.keys().cloned().collect()
    }

    /// Which of `names` do not exist.
    #[must_use]
    pub fn missing(&self, names: &[String]) -> Vec<String> {
        let kept = self.lock();
        names
            .iter()
            .filter(|name| !kept.values.contains_key(*name))
            .cloned()
            .collect()
    }

    /// Makes the folder of `function` hold the secrets `names`, those that exist, and nothing else.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn mount(&self, function: &str, names: &[String]) -> io::Result<PathBuf> {
        let mut kept = self.lock();
        let folder = self.folder.join(function);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        let wanted: BTreeSet<String> = names.iter().cloned().collect();
        for gone in kept
            .readers
            .get(function)
            .into_iter()
            .flatten()
            .filter(|name| !wanted.contains(*name))
        {
            remove(&folder.join(gone))?;
        }
        for (name, value) in kept
            .values
            .iter()
            .filter(|(name, _)| wanted.contains(*name))
        {
            write(&folder.join(name), value)?;
        }
        kept.readers.insert(function.to_owned(), wanted);
        Ok(folder)
    }

    /// Sets a secret, in the folders of its readers too. Whether there was one of that name.
    ///
    /// # Errors
    /// When a reader's folder cannot be written.
    pub fn set(&self, name: &str, value: Vec<u8>) -> io::Result<bool> {
        let mut kept = self.lock();
        for folder in self.folders_of(&kept, name) {
            write(&folder.join(name), &value)?;
        }
        Ok(kept.values.insert(name.to_owned(), value).is_some())
    }

    /// Takes a secret away. Whether there was one.
    ///
    /// # Errors
    /// When a reader's file cannot be removed.
    pub fn remove(&self, name: &str) -> io::Result<bool> {
        let mut kept = self.lock();
        for folder in self.folders_of(&kept, name) {
            remove(&folder.join(name))?;
        }
        Ok(kept.values.remove(name).is_some())
    }

    /// Whether there is a secret of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.lock().values.contains_key(name)
    }

    fn folders_of(&self, kept: &Kept, name: &str) -> Vec<PathBuf> {
        let reads = |names: &BTreeSet<String>| names.contains(name);
        kept.readers
            .iter()
            .filter(|(_, names)| reads(names))
            .map(|(function, _)| self.folder.join(function))
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a secret can have that name: what Kubernetes takes as a key, which is no path.
#[must_use]
pub fn acceptable(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= 253 && !name.starts_with('.') && name.bytes().all(allowed)
}

/// Replaces the file at once: a reader sees the old or the new secret, never a part.
fn write(path: &Path, value: &[u8]) -> io::Result<()> {
    let fresh = path.with_file_name(".fresh");
    remove(&fresh)?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)?;
    io::Write::write_all(&mut file, value)?;
    fs::rename(fresh, path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> (tempfile::TempDir, Secrets) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("seeds")).unwrap();
        fs::write(folder.path().join("seeds/api-key"), "first").unwrap();
        let secrets =
            Secrets::new(folder.path().join("mounts"), &folder.path().join("seeds")).unwrap();
        (folder, secrets)
    }

    #[test]
    fn a_function_sees_the_secrets_it_names_and_no_other() {
        let (_folder, secrets) = secrets();
        secrets.set("other", b"x".to_vec()).unwrap();
        let mount = secrets
            .mount("order", &["api-key".into(), "absent".into()])
            .unwrap();
        let names: Vec<_> = fs::read_dir(&mount)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["api-key"]);
        assert_eq!(
            secrets.missing(&["api-key".into(), "absent".into()]),
            ["absent"]
        );
    }

    #[test]
    fn a_change_reaches_a_function_that_runs() {
        let (_folder, secrets) = secrets();
        let mount = secrets
            .mount("order", &["api-key".into(), "later".into()])
            .unwrap();
        assert!(secrets.set("api-key", b"second".to_vec()).unwrap());
        assert!(!secrets.set("later", b"new".to_vec()).unwrap());
        assert_eq!(fs::read(mount.join("api-key")).unwrap(), b"second");
        assert_eq!(fs::read(mount.join("later")).unwrap(), b"new");
        assert!(secrets.remove("api-key").unwrap());
        assert!(!mount.join("api-key").exists());
        assert!(!secrets.remove("api-key").unwrap());
    }

    #[test]
    fn a_name_is_never_a_path() {
        for name in ["", "..", ".fresh", "a/b", "a\\b", "ä"] {
            assert!(!acceptable(name), "{name}");
        }
        assert!(acceptable("api-key_2.pem"));
    }
}
