use std::{
    env, io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

/// Secrets as OpenFaaS mounts them: a folder with one file for each.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// `/var/openfaas/secrets`, or what `secret_mount_path` says.
    folder: Arc<Path>,
}

/// The secret of this name, read now.
///
/// As [`Context::secret`](crate::Context::secret), for where there is no call: an initialiser, a background task.
pub fn secret(name: &str) -> io::Result<String> {
    Secrets::from_env().read(name)
}

// === impl Secrets ===

impl Secrets {
    /// The secrets in this folder.
    pub fn at(folder: impl Into<PathBuf>) -> Secrets {
        Secrets {
            folder: folder.into().into(),
        }
    }

    /// The folder that `secret_mount_path` names, `/var/openfaas/secrets` without it.
    pub fn from_env() -> Secrets {
        Secrets::at(
            env::var_os("secret_mount_path")
                .map_or_else(|| "/var/openfaas/secrets".into(), PathBuf::from),
        )
    }

    /// The text of a secret without the line end that editors leave; read anew each time, so that a rotated secret is
    /// seen.
    ///
    /// # Errors
    /// The name is not one of a file in the folder, there is none, or its bytes are not UTF-8. The error names the path,
    /// never the content.
    pub fn read(&self, name: &str) -> io::Result<String> {
        let mut parts = Path::new(name).components();
        if !matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        ) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{name:?} is not the name of a secret"),
            ));
        }
        let path = self.folder.join(name);
        let mut text = std::fs::read_to_string(&path).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot read the secret {}: {error}", path.display()),
            )
        })?;
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_without_its_line_end_and_anew_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::at(folder.path());
        std::fs::write(folder.path().join("api-key"), "s3cret\n").unwrap();
        assert_eq!(secrets.read("api-key").unwrap(), "s3cret");
        std::fs::write(folder.path().join("api-key"), "rotated").unwrap();
        assert_eq!(secrets.read("api-key").unwrap(), "rotated");
    }

    #[test]
    fn a_name_never_leaves_the_folder() {
        let secrets = Secrets::at("/var/openfaas/secrets");
        for name in ["", ".", "..", "../passwd", "/etc/passwd", "a/b"] {
            let error = secrets.read(name).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }

    #[test]
    fn a_missing_secret_is_named_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let error = Secrets::at(folder.path()).read("api-key").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("api-key"), "{error}");
    }
}
