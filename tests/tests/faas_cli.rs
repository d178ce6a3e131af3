//! The templates in the hands of the real faas-cli.

use std::path::Path;
use std::process::Command;

use openfaas_tests::handler::{cargo, compiling, copy_tree_of_git, files};
use openfaas_tests::tools::{needed, run};

/// Runs faas-cli in a folder, without a home of its own and without a way to a template store.
fn faas_cli(program: &Path, dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command
        .current_dir(dir)
        .args(arguments)
        .env("HOME", dir)
        .env_remove("OPENFAAS_PREFIX");
    command.env("OPENFAAS_TEMPLATE_STORE_URL", "http://127.0.0.1:9/");
    run(&mut command)
}

#[test]
fn a_person_pulls_the_templates_makes_two_functions_tests_and_builds_them() {
    let Some(program) = needed(
        "faas-cli",
        "template pull, new, new --append, build --shrinkwrap",
    ) else {
        return;
    };
    let _compiling = compiling();
    let dir = tempfile::tempdir().unwrap();
    let (clone, project) = (dir.path().join("clone"), dir.path().join("project"));
    copy_tree_of_git(&clone).unwrap();
    std::fs::create_dir(&project).unwrap();

    let pulled = faas_cli(
        &program,
        &project,
        &["template", "pull", clone.to_str().unwrap()],
    );
    assert!(
        pulled.contains("Wrote 2 template(s) : [rust-otlp rust-otlp-event]"),
        "{pulled}"
    );

    let new = faas_cli(&program, &project, &["new", "hello", "--lang", "rust-otlp"]);
    let notes: Vec<&str> = new
        .split("Notes:\n")
        .nth(1)
        .unwrap()
        .trim()
        .lines()
        .collect();
    let words: Vec<&str> = notes
        .iter()
        .map(|note| note.split(':').next().unwrap())
        .collect();
    assert_eq!(words, ["Run", "Test", "Invoke", "Deploy"]);

    let appended = [
        "new",
        "greet",
        "--lang",
        "rust-otlp-event",
        "--append",
        "stack.yaml",
    ];
    faas_cli(&program, &project, &appended);
    let stack = openfaas_stack::Stack::load(&project.join("stack.yaml")).unwrap();
    assert!(stack.function("hello").is_some() && stack.function("greet").is_some());
    assert_eq!(openfaas_stack::lint::check(&stack), []);

    for name in ["hello", "greet"] {
        cargo(
            &project.join(name),
            &["clean", "--offline", "--package", "function"],
        );
        let tested = cargo(&project.join(name), &["test", "--offline", "--locked"]);
        assert!(
            tested.contains("test result: ok") && !tested.contains("\nrunning 0 tests"),
            "{tested}"
        );
        assert!(
            project.join(name).join("build").is_dir(),
            "the target folder is `build`"
        );
    }

    faas_cli(
        &program,
        &project,
        &["build", "--shrinkwrap", "-f", "stack.yaml"],
    );
    for name in ["hello", "greet"] {
        let context = project.join("build").join(name);
        let size: u64 = files(&context).iter().map(|(_, size)| size).sum();
        assert!(size < 4 * 1024 * 1024, "{name}: {size} bytes");
        assert!(
            context.join("Dockerfile").is_file()
                && context.join("function/runtime/src/lib.rs").is_file()
        );
        assert!(
            !context.join("function/build").exists(),
            "what was compiled is in the context"
        );
        assert!(context.join("function/Cargo.lock").is_file());
    }
}

#[test]
fn the_sample_functions_are_built_from_this_repository_as_it_is() {
    let Some(program) = needed("faas-cli", "build --shrinkwrap of the sample functions") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    copy_tree_of_git(dir.path()).unwrap();

    faas_cli(
        &program,
        dir.path(),
        &["build", "--shrinkwrap", "-f", "stack.yml"],
    );

    for name in ["storefront", "order", "payment", "shipment"] {
        let function = dir.path().join("build").join(name).join("function");
        let ours =
            std::fs::read_to_string(dir.path().join("functions").join(name).join("src/main.rs"));
        assert_eq!(
            std::fs::read_to_string(function.join("src/main.rs")).unwrap(),
            ours.unwrap()
        );
        assert!(
            function.join("runtime/src/lib.rs").is_file() && !function.join("runtime").is_symlink()
        );
    }
}
