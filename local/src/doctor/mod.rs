//! `doctor`: what is wrong with a stack file, this machine's tools and its ports, and what to do about it.
//!
//! - [`machine`]: Rust, faas-cli, the folder for temporary files, the gateway's port
//! - [`functions`]: each function as a Cargo package, and its secrets
//!
//! What is wrong inside the stack file, [`openfaas_stack::lint`] says, with the line.

pub mod functions;
pub mod machine;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub about: String,
    /// What was found.
    pub said: String,
    /// How that is.
    pub state: State,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it has to be.
    Well,
    /// Something will be missing.
    Warning,
    /// It does not work.
    Wrong,
}

impl Finding {
    fn well(about: impl Into<String>, said: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            said: said.into(),
            state: State::Well,
            remedy: None,
        }
    }

    fn warning(
        about: impl Into<String>,
        said: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            about: about.into(),
            said: said.into(),
            state: State::Warning,
            remedy: Some(remedy.into()),
        }
    }

    fn wrong(about: impl Into<String>, said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            said: said.into(),
            state: State::Wrong,
            remedy: Some(remedy.into()),
        }
    }
}
