//! A runner of one function that does as it is told.

use bytes::Bytes;
use http::{Method, Request};
use openfaas_tests::runner::Runner;
use tempfile::TempDir;

/// The function `probe`, in a stack file.
pub(crate) const STACK: &str = "
  probe:
    lang: rust-otlp
    handler: ./probe
    image: probe:1
    environment:
      greeting: hello
    labels:
      team: shop
    annotations:
      com.openfaas.retry.min_wait: 10ms
      com.openfaas.retry.max_wait: 20ms
";

/// What `--binary` is told so that the function of that name is the fixture.
pub(crate) fn fixture(name: &str) -> String {
    format!("{name}={}", env!("CARGO_BIN_EXE_local-fixture"))
}

pub(crate) fn runner() -> Runner {
    runner_with(&[])
}

pub(crate) fn runner_with(arguments: &[&str]) -> Runner {
    runner_of(STACK, arguments)
}

/// A runner of `probe` as another stack file has it.
pub(crate) fn runner_of(stack: &str, arguments: &[&str]) -> Runner {
    Runner::start(
        stack,
        &[&["--binary", &fixture("probe")], arguments].concat(),
    )
}

pub(crate) fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Request<Bytes> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Bytes::from(body.to_owned())).unwrap()
}

/// A user and a password for the gateway's API, in files.
pub(crate) struct Password {
    /// Their folder.
    folder: TempDir,
}

impl Password {
    pub(crate) fn new(user: &str, password: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("user", user), ("password", password)] {
            std::fs::write(folder.path().join(name), format!("{text}\n")).unwrap();
        }
        Self { folder }
    }

    /// What a runner is told so that it asks for them.
    pub(crate) fn arguments(&self) -> [String; 4] {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        [
            "--basic-auth-user".to_owned(),
            file("user"),
            "--basic-auth-password".to_owned(),
            file("password"),
        ]
    }
}
