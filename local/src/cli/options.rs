//! What a run can be told on the command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use openfaas_stack::build::Profile;
use thiserror::Error;

use crate::{
    gateway::{AuthError, Credentials},
    session,
};

/// How to run the functions.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The stack file; otherwise stack.yaml or stack.yml of this folder
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(super) yaml: Option<PathBuf>,
    /// Where the gateway listens; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Keep topics on this broker instead of in memory: nats://HOST:PORT or kafka://HOST:PORT
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// Compile the functions as they ship
    #[arg(long)]
    release: bool,
    /// Start this program for a function instead of building it; can be given several times
    #[arg(long, value_name = "NAME=PATH", value_parser = binary)]
    binary: Vec<(String, PathBuf)>,
    /// The file that holds the user of the gateway's API
    #[arg(long, value_name = "FILE", requires = "basic_auth_password")]
    basic_auth_user: Option<PathBuf>,
    /// The file that holds the password of the gateway's API; needed where it listens beyond this machine
    #[arg(long, value_name = "FILE", requires = "basic_auth_user")]
    basic_auth_password: Option<PathBuf>,
    /// How many calls to /async-function may wait
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    async_queue: usize,
    /// Write the gateway's URL and the state of each function here, as JSON, when they are ready
    #[arg(long, value_name = "FILE")]
    pub(super) ready_file: Option<PathBuf>,
}

/// Which of these cannot be.
#[derive(Debug, Error)]
pub(super) enum OptionsError {
    /// Everybody in reach could deploy.
    #[error(
        "--listen {0} is reached from other machines, so the gateway's API needs a password: write a user and a password \
         into two files and give them as --basic-auth-user FILE --basic-auth-password FILE"
    )]
    NoPassword(SocketAddr),
    /// The password.
    #[error(transparent)]
    Password(#[from] AuthError),
}

impl Run {
    /// The same for a session that runs `stack`.
    pub(super) fn session(self, stack: PathBuf) -> Result<session::Options, OptionsError> {
        let credentials = match (&self.basic_auth_user, &self.basic_auth_password) {
            (Some(user), Some(password)) => Some(Credentials::read(user, password)?),
            _ if self.listen.ip().is_loopback() => None,
            _ => return Err(OptionsError::NoPassword(self.listen)),
        };
        Ok(session::Options {
            stack,
            listen: self.listen,
            profile: if self.release {
                Profile::Release
            } else {
                Profile::Debug
            },
            given: self.binary,
            credentials,
            broker: self.broker,
            queue: self.async_queue,
            variables: Vec::new(),
            ready_file: self.ready_file,
        })
    }
}

fn binary(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("write NAME=PATH")?;
    let path = PathBuf::from(path)
        .canonicalize()
        .map_err(|error| format!("{path}: {error}"))?;
    Ok((name.to_owned(), path))
}
