//! Functions as faas-cli copies them, and how the copies are compiled.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{repository, run};

/// The templates of this repository.
pub const TEMPLATES: [&str; 2] = ["rust-otlp", "rust-otlp-event"];

/// The sample functions of this repository, each with its template.
pub const FUNCTIONS: [(&str, &str); 4] = [
    ("storefront", "rust-otlp"),
    ("order", "rust-otlp-event"),
    ("payment", "rust-otlp-event"),
    ("shipment", "rust-otlp-event"),
];

/// Copies a folder as faas-cli's `CopyFiles` does: everything, dot files too, symbolic links followed.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return std::fs::copy(from, to).map(|_| ());
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// Copies a handler folder as faas-cli does for a build: of the top level, `build` and `template` are left out.
pub fn copy_handler(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let name = entry?.file_name();
        if name != "build" && name != "template" {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

/// Makes a function from a template as `faas-cli template pull` and `new` make it, less what was compiled in the template.
pub fn new_function(template: &str, to: &Path) -> io::Result<()> {
    copy_handler(
        &repository()
            .join("template")
            .join(template)
            .join("function"),
        to,
    )
}

/// Makes a build context as `faas-cli build --shrinkwrap` does: the template, and the handler over its sample.
pub fn build_context(template: &str, handler: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(repository().join("template").join(template))? {
        let name = entry?.file_name();
        let from = repository().join("template").join(template).join(&name);
        if name == "function" {
            copy_handler(&from, &to.join(&name))?
        } else {
            copy(&from, &to.join(&name))?
        }
    }
    copy_handler(handler, &to.join("function"))
}

/// Every file below a folder, relative to it, with its size. Links are not followed.
pub fn files(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let kind = entry.metadata().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else {
                files.push((
                    entry.path().strip_prefix(dir).unwrap().to_owned(),
                    kind.len(),
                ));
            }
        }
    }
    files.sort();
    files
}

/// Cargo for a copied function, which shares what it compiles of the registry with the other copies: with these alone,
/// for a copy's `runtime` has the place of any other's and other times.
///
/// Not to be run by two tests at once: take [`compiling`] before.
pub fn cargo(dir: &Path, arguments: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(dir)
        .args(arguments)
        .env_remove("CARGO_TARGET_DIR");
    cargo.env("CARGO_BUILD_BUILD_DIR", repository().join("target/copies"));
    run(&mut cargo)
}

/// One copy is compiled at a time.
pub fn compiling() -> std::sync::MutexGuard<'static, ()> {
    static COMPILING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    COMPILING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Makes a git repository of one commit that holds what this repository's working tree holds, ignored files left out and
/// links kept: what somebody would clone if all of it were committed.
pub fn copy_tree_of_git(to: &Path) -> io::Result<()> {
    let list = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let listed = run(Command::new("git").current_dir(repository()).args(list));
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        let (from, to) = (repository().join(path), to.join(path));
        let Ok(kind) = from.symlink_metadata() else {
            continue;
        };
        std::fs::create_dir_all(to.parent().expect("a file lies in a folder"))?;
        if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(&from)?, &to)?;
        } else {
            std::fs::copy(&from, &to)?;
        }
    }
    let author = [
        "-c",
        "user.name=tests",
        "-c",
        "user.email=tests@localhost",
        "-c",
        "commit.gpgsign=false",
    ];
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "--all"],
        &["commit", "--quiet", "--no-verify", "-m", "tree"],
    ] {
        run(Command::new("git")
            .current_dir(to)
            .args(author)
            .args(arguments));
    }
    Ok(())
}
