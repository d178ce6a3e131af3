//! Who we are to NATS, and how we know it: by environment, by file, or by secret.

use std::fmt;
use std::path::{Path, PathBuf};

use async_nats::ConnectOptions;

use super::config::ConfigError;

/// Where OpenFaaS puts secrets.
const SECRETS: &str = "/var/openfaas/secrets";

/// Who we are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// Nobody in particular.
    #[default]
    Nobody,
    /// `nats_user` and `nats_password`.
    User(String, Secret),
    /// `nats_token`.
    Token(Secret),
    /// `nats_nkey`: the seed of an nkey.
    Nkey(Secret),
    /// `nats_creds`, or `nats_jwt` with the seed in `nats_nkey`: what a creds file holds.
    Creds(Secret),
}

/// A value that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What the connection is encrypted with. A `tls://` address or any of the files asks for it too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// `nats_tls`: no connection without it.
    pub required: bool,
    /// `nats_tls_first`: before the server has said a word.
    pub first: bool,
    /// `nats_ca_file`: trusted beside what the system trusts.
    pub ca: Option<PathBuf>,
    /// `nats_cert_file` and `nats_key_file`: our own certificate.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// Where settings are read.
pub(super) struct Settings<F> {
    lookup: F,
    secrets: PathBuf,
}

impl Auth {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(
        settings: &Settings<F>,
    ) -> Result<Self, ConfigError> {
        let secret = |name| settings.secret(name);
        let (user, password) = (secret("user")?, secret("password")?);
        let (token, nkey) = (secret("token")?, secret("nkey")?);
        let (creds, jwt) = (secret("creds")?, secret("jwt")?);
        let ways = [
            ("nats_user", user.is_some() || password.is_some()),
            ("nats_token", token.is_some()),
            ("nats_nkey", nkey.is_some() || jwt.is_some()),
            ("nats_creds", creds.is_some()),
        ];
        let ways: Vec<&str> = ways
            .iter()
            .filter(|(_, set)| *set)
            .map(|(name, _)| *name)
            .collect();
        if ways.len() > 1 {
            return Err(ConfigError(format!(
                "{} are all set: keep one way to authenticate with NATS",
                ways.join(" and ")
            )));
        }
        let lacks = |have: &str, lack: &str| ConfigError(format!("{have} is set without {lack}"));
        match (user, password, token, creds, jwt, nkey) {
            (Some(user), Some(password), ..) => Ok(Self::User(user.0, password)),
            (Some(_), None, ..) => Err(lacks("nats_user", "nats_password")),
            (None, Some(_), ..) => Err(lacks("nats_password", "nats_user")),
            (_, _, Some(token), ..) => Ok(Self::Token(token)),
            // The client finds no seed whose last line has no end.
            (_, _, _, Some(creds), ..) => Ok(Self::Creds(Secret(format!("{}\n", creds.0)))),
            (_, _, _, _, Some(jwt), Some(seed)) => Ok(Self::Creds(creds_of(&jwt, &seed))),
            (_, _, _, _, Some(_), None) => Err(lacks("nats_jwt", "its seed in nats_nkey")),
            (_, _, _, _, None, Some(seed)) => Ok(Self::Nkey(seed)),
            _ => Ok(Self::Nobody),
        }
    }

    pub(super) fn apply(&self, options: ConnectOptions) -> Result<ConnectOptions, ConfigError> {
        Ok(match self.clone() {
            Self::Nobody => options,
            Self::User(user, Secret(password)) => options.user_and_password(user, password),
            Self::Token(Secret(token)) => options.token(token),
            Self::Nkey(Secret(seed)) => options.nkey(seed),
            Self::Creds(Secret(creds)) => options.credentials(&creds).map_err(|error| {
                ConfigError(format!("nats_creds holds no credentials: {error}"))
            })?,
        })
    }
}

impl Tls {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(
        settings: &Settings<F>,
    ) -> Result<Self, ConfigError> {
        let own = match (
            settings.pem("cert", "CERTIFICATE")?,
            settings.pem("key", "PRIVATE KEY")?,
        ) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => {
                return Err(ConfigError(
                    "nats_cert_file and nats_key_file need each other".into(),
                ));
            }
        };
        Ok(Self {
            required: settings.switch("nats_tls")?,
            first: settings.switch("nats_tls_first")?,
            ca: settings.pem("ca", "CERTIFICATE")?,
            own,
        })
    }

    pub(super) fn apply(&self, mut options: ConnectOptions) -> ConnectOptions {
        let asked = self.required || self.first || self.ca.is_some() || self.own.is_some();
        if asked {
            options = options.require_tls(true);
        }
        if self.first {
            options = options.tls_first();
        }
        if let Some(ca) = &self.ca {
            options = options.add_root_certificates(ca.clone());
        }
        if let Some((cert, key)) = &self.own {
            options = options.add_client_certificate(cert.clone(), key.clone());
        }
        options
    }
}

impl<F: Fn(&str) -> Option<String>> Settings<F> {
    pub(super) fn new(lookup: F) -> Self {
        let secrets = lookup("secret_mount_path").unwrap_or_else(|| SECRETS.into());
        Self {
            lookup,
            secrets: secrets.into(),
        }
    }

    /// A setting that is there and not empty.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        (self.lookup)(key).filter(|value| !value.is_empty())
    }

    fn switch(&self, key: &str) -> Result<bool, ConfigError> {
        match self.text(key).as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(other) => Err(ConfigError(format!(
                "{key} is {other:?}; write true or false"
            ))),
        }
    }

    /// `nats_<name>` itself, or what stands in its file.
    fn secret(&self, name: &str) -> Result<Option<Secret>, ConfigError> {
        if let Some(value) = self.text(&format!("nats_{name}")) {
            return Ok(Some(Secret(value)));
        }
        let Some(file) = self.file(name)? else {
            return Ok(None);
        };
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok(Some(Secret(text.trim().to_owned()))),
            Err(error) => Err(unreadable(name, &file, &error)),
        }
    }

    /// A file that holds one of these, in PEM. The client says no more of another than that it could not read it.
    fn pem(&self, name: &str, what: &str) -> Result<Option<PathBuf>, ConfigError> {
        let Some(file) = self.file(name)? else {
            return Ok(None);
        };
        let text = std::fs::read(&file).map_err(|error| unreadable(name, &file, &error))?;
        // As in `-----BEGIN EC PRIVATE KEY-----`.
        let label = format!("{what}-----");
        match String::from_utf8_lossy(&text).contains(&label) {
            true => Ok(Some(file)),
            false => Err(ConfigError(format!(
                "nats_{name}_file {}: it holds no {} in PEM",
                file.display(),
                what.to_lowercase()
            ))),
        }
    }

    /// The file that `nats_<name>_file` names, or the secret `nats-<name>`.
    fn file(&self, name: &str) -> Result<Option<PathBuf>, ConfigError> {
        let secret = self.secrets.join(format!("nats-{name}"));
        let Some(file) = self.text(&format!("nats_{name}_file")).map(PathBuf::from) else {
            return Ok(secret.is_file().then_some(secret));
        };
        match std::fs::metadata(&file) {
            Ok(_) => Ok(Some(file)),
            Err(error) => Err(unreadable(name, &file, &error)),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

fn unreadable(name: &str, file: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError(format!("nats_{name}_file {}: {error}", file.display()))
}

/// A JWT and its seed as a creds file holds them.
fn creds_of(jwt: &Secret, seed: &Secret) -> Secret {
    Secret(format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        jwt.0, seed.0
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Auth, String> {
        let lookup = |key: &str| {
            let found = pairs.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| (*value).to_owned())
        };
        Auth::read(&Settings::new(lookup)).map_err(|error| error.to_string())
    }

    #[test]
    fn one_way_to_authenticate_is_chosen_by_what_is_set() {
        assert_eq!(read(&[]), Ok(Auth::Nobody));
        assert_eq!(
            read(&[("nats_user", "ada"), ("nats_password", "x")]),
            Ok(Auth::User("ada".into(), "x".into()))
        );
        assert_eq!(read(&[("nats_token", "t")]), Ok(Auth::Token("t".into())));
        assert_eq!(read(&[("nats_nkey", "S")]), Ok(Auth::Nkey("S".into())));
        let jwt = read(&[("nats_nkey", "SEED"), ("nats_jwt", "JWT")]);
        let Ok(Auth::Creds(Secret(creds))) = jwt else {
            panic!("{jwt:?}")
        };
        assert!(creds.contains("\nJWT\n") && creds.contains("\nSEED\n"));
    }

    #[test]
    fn what_does_not_go_together_is_a_sentence() {
        for (pairs, sentence) in [
            (
                &[("nats_token", "t"), ("nats_nkey", "S")][..],
                "nats_token and nats_nkey are all set: keep one way to authenticate with NATS",
            ),
            (
                &[("nats_user", "ada")],
                "nats_user is set without nats_password",
            ),
            (
                &[("nats_jwt", "JWT")],
                "nats_jwt is set without its seed in nats_nkey",
            ),
            (
                &[("nats_creds_file", "/nowhere")],
                "nats_creds_file /nowhere: No such file or directory (os error 2)",
            ),
        ] {
            assert_eq!(read(pairs), Err(sentence.to_owned()));
        }
    }

    #[test]
    fn a_file_without_pem_in_it_is_said_by_name() {
        let file = std::env::temp_dir().join(format!("nats-ca-{}", std::process::id()));
        std::fs::write(&file, "-----BEGIN PRIVATE KEY-----\n").unwrap();
        let name = file.to_str().unwrap();
        let lookup = |key: &str| (key == "nats_ca_file").then(|| name.to_owned());
        let tls = Tls::read(&Settings::new(lookup)).map_err(|error| error.to_string());
        std::fs::remove_file(&file).unwrap();
        let sentence = format!("nats_ca_file {name}: it holds no certificate in PEM");
        assert_eq!(tls, Err(sentence));
    }

    #[test]
    fn a_secret_is_read_from_its_mount_and_shown_to_nobody() {
        let folder = std::env::temp_dir().join(format!("nats-secrets-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("nats-token"), "from a file\n").unwrap();
        let auth = read(&[("secret_mount_path", folder.to_str().unwrap())]).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(auth, Auth::Token("from a file".into()));
        assert_eq!(format!("{auth:?}"), "Token((secret))");
    }
}
