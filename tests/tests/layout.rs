//! Templates and functions as faas-cli sees them: copied by a copy of its own rules, compiled and tested where they land.

use std::path::{Path, PathBuf};
use std::process::Command;

use openfaas_tests::handler::{
    FUNCTIONS, TEMPLATES, build_context, cargo, compiling, files, new_function,
};
use openfaas_tests::tools::repository;

/// What a build context may weigh.
const CONTEXT_LIMIT: u64 = 4 * 1024 * 1024;

/// Every handler folder of this repository, with its template.
fn handlers() -> Vec<(String, PathBuf)> {
    let template = |name: &&str| {
        (
            name.to_string(),
            repository().join("template").join(name).join("function"),
        )
    };
    let function = |(name, template): &(&str, &str)| {
        (
            template.to_string(),
            repository().join("functions").join(name),
        )
    };
    TEMPLATES
        .iter()
        .map(template)
        .chain(FUNCTIONS.iter().map(function))
        .collect()
}

#[test]
fn a_function_is_what_its_template_made_of_it() {
    for (template, handler) in handlers() {
        let original = repository()
            .join("template")
            .join(template)
            .join("function");
        for same in [".cargo/config.toml", ".dockerignore", ".gitignore"] {
            let (ours, theirs) = (handler.join(same), original.join(same));
            assert_eq!(
                std::fs::read_to_string(&ours).unwrap(),
                std::fs::read_to_string(theirs).unwrap(),
                "{}",
                ours.display()
            );
        }
        let manifest = std::fs::read_to_string(handler.join("Cargo.toml")).unwrap();
        for line in [
            "name = \"function\"",
            "openfaas-runtime = { path = \"runtime\" }",
            "[workspace]",
        ] {
            assert!(
                manifest.lines().any(|found| found == line),
                "{}: no {line}",
                handler.display()
            );
        }
        assert_eq!(
            handler.join("runtime").canonicalize().unwrap(),
            repository().join("runtime")
        );
        assert!(handler.join("Cargo.lock").is_file());
    }
}

#[test]
fn a_build_context_is_small_and_holds_no_link_and_nothing_that_was_compiled() {
    for (template, handler) in handlers() {
        let dir = tempfile::tempdir().unwrap();
        build_context(&template, &handler, dir.path()).unwrap();
        let files = files(dir.path());
        let size: u64 = files.iter().map(|(_, size)| size).sum();
        assert!(size < CONTEXT_LIMIT, "{}: {size} bytes", handler.display());
        for (file, _) in &files {
            assert!(!dir.path().join(file).is_symlink(), "{}", file.display());
            let compiled = file
                .iter()
                .any(|part| part == "CACHEDIR.TAG" || part == ".fingerprint");
            assert!(!compiled, "{}", file.display());
        }
        let has = |path: &str| files.iter().any(|(file, _)| file == Path::new(path));
        assert!(
            has("Dockerfile")
                && has("function/src/main.rs")
                && has("function/runtime/delivery/Cargo.toml")
        );
    }
}

/// The template's .dockerignore, and the .gitignore that `faas-cli new` writes: `template`, `build` and `.secrets`.
#[test]
fn nothing_that_is_needed_has_a_name_that_is_ignored() {
    let ignored = std::fs::read_to_string(repository().join("template/rust-otlp/.dockerignore"));
    let ignored = ignored.unwrap();
    let anywhere = ignored.lines().filter_map(|line| line.strip_prefix("**/"));
    let anywhere: Vec<&str> = anywhere.chain(["template", "build", ".secrets"]).collect();
    for (template, handler) in handlers() {
        let dir = tempfile::tempdir().unwrap();
        build_context(&template, &handler, dir.path()).unwrap();
        for (file, _) in files(&dir.path().join("function")) {
            let hit = file
                .iter()
                .find(|part| anywhere.iter().any(|name| part == name));
            assert_eq!(hit, None, "{}", file.display());
        }
        let anchored = ignored.lines().filter(|line| !line.starts_with(['#', '*']));
        for path in anchored {
            assert!(
                !dir.path().join(path).exists(),
                "{path} is in the context and left out of it"
            );
        }
    }
}

#[test]
fn every_lock_file_is_current() {
    for (_, handler) in handlers() {
        let metadata = Command::new(env!("CARGO"))
            .current_dir(&handler)
            .args(["metadata", "--locked", "--format-version=1"])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&metadata.stderr);
        let folder = handler.display();
        assert!(
            metadata.status.success(),
            "{folder}: run `cargo xtask lock`: {stderr}"
        );
    }
}

#[test]
fn a_new_function_compiles_offline_and_passes_its_tests_wherever_it_stands() {
    let _compiling = compiling();
    let dir = tempfile::tempdir().unwrap();
    let foreign = dir.path().join("foreign");
    std::fs::create_dir_all(foreign.join("app/src")).unwrap();
    std::fs::write(
        foreign.join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"app\"]\n",
    )
    .unwrap();
    std::fs::write(
        foreign.join("app/Cargo.toml"),
        "[package]\nname = \"app\"\nedition = \"2024\"\n",
    )
    .unwrap();
    std::fs::write(foreign.join("app/src/lib.rs"), "").unwrap();

    let places = [
        ("rust-otlp", dir.path().join("hello")),
        ("rust-otlp-event", dir.path().join("greet")),
        ("rust-otlp-event", foreign.join("functions/greet")),
    ];
    for (template, place) in &places {
        new_function(template, place).unwrap();
    }
    for (_, place) in &places {
        let root = format!(
            "\"workspace_root\":\"{}\"",
            place.canonicalize().unwrap().display()
        );
        let metadata = cargo(
            place,
            &[
                "metadata",
                "--offline",
                "--locked",
                "--no-deps",
                "--format-version=1",
            ],
        );
        assert!(
            metadata.contains(&root),
            "rust-analyzer would look elsewhere: {metadata}"
        );
        cargo(place, &["clean", "--offline", "--package", "function"]);
        let tested = cargo(place, &["test", "--offline", "--locked"]);
        assert!(
            tested.contains("test result: ok") && !tested.contains("\nrunning 0 tests"),
            "{tested}"
        );
    }
}
