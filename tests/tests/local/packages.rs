//! Functions without a runtime, quick to compile.

use std::fs;
use std::path::Path;

/// A package without dependencies.
pub(crate) fn package(folder: &Path, name: &str, main: &str) {
    let folder = folder.join(name);
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest =
        "[package]\nname = \"function\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/main.rs"), main).unwrap();
}

/// A stack file with packages as functions.
pub(crate) fn stack(folder: &Path, names: &[&str]) {
    let function = |name: &&str| {
        format!("  {name}: {{lang: rust-otlp, handler: ./{name}, image: '{name}:1'}}\n")
    };
    let functions: String = names.iter().map(function).collect();
    fs::write(
        folder.join("stack.yml"),
        format!("provider: {{name: openfaas}}\nfunctions:\n{functions}"),
    )
    .unwrap();
}

/// The least that a function is: an HTTP server on `port`.
pub(crate) const SERVER: &str = r#"
use std::{io::{Read, Write}, net::TcpListener};

fn main() {
    let port: u16 = std::env::var("port").unwrap().parse().unwrap();
    for stream in TcpListener::bind(("127.0.0.1", port)).unwrap().incoming() {
        let mut stream = stream.unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nit works");
    }
}
"#;
