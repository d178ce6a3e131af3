//! Functions of one name that share a build folder, built by the real cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use openfaas_stack::build::{Package, Profile};

/// Three functions as a template makes them, of one package name and one runtime behind a link.
fn functions(root: &Path) -> Vec<Package> {
    functions_with(root, |dir| {
        std::os::unix::fs::symlink("../runtime", dir.join("runtime")).unwrap();
    })
}

/// The same as `faas-cli new` makes them: each with a copy.
fn functions_with_copies(root: &Path) -> Vec<Package> {
    functions_with(root, |dir| {
        std::fs::create_dir_all(dir.join("runtime/src")).unwrap();
        for file in ["Cargo.toml", "src/lib.rs"] {
            let copy = dir.join("runtime").join(file);
            std::fs::copy(root.join("runtime").join(file), copy).unwrap();
        }
    })
}

fn functions_with(root: &Path, give_runtime: impl Fn(&Path)) -> Vec<Package> {
    let write = |path: PathBuf, text: &str| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let manifest = "[package]\nname = \"runtime\"\nedition = \"2024\"\n";
    write(root.join("runtime/Cargo.toml"), manifest);
    write(
        root.join("runtime/src/lib.rs"),
        "pub const GREETING: &str = \"I am\";\n",
    );
    let functions = ["one", "two", "three"].map(|name| {
        let dir = root.join(name);
        let manifest = "[package]\nname = \"function\"\nedition = \"2024\"\n[dependencies]\nruntime = { path = \"runtime\" }\n\
                        [workspace]\nexclude = [\"runtime\"]\n";
        write(dir.join("Cargo.toml"), manifest);
        write(dir.join("src/main.rs"), &main(name));
        give_runtime(&dir);
        (name.to_owned(), dir)
    });
    Package::plan(functions, root)
}

/// The same functions, planned anew.
fn replanned(root: &Path) -> Vec<Package> {
    let functions = ["one", "two", "three"].map(|name| (name.to_owned(), root.join(name)));
    Package::plan(functions, root)
}

fn main(name: &str) -> String {
    format!(
        "fn main() {{ println!(\"{{}} {name}\", runtime::GREETING); }}\n\
         #[test] fn of_its_own() {{ println!(\"test of {name}\"); }}\n"
    )
}

fn run(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Builds a function; the crates that had to be compiled for it, and what its binary says.
fn build(package: &Package) -> (Vec<String>, String) {
    let messages = String::from_utf8(run(package.build(Profile::Debug)).stdout).unwrap();
    let artifacts = messages
        .lines()
        .filter(|line| line.contains("\"reason\":\"compiler-artifact\""));
    let compiled = artifacts.filter(|line| line.contains("\"fresh\":false"));
    let name = |line: &str| {
        line.split("\"name\":\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    };
    let compiled = compiled.map(name).collect();
    let binary = package.dir.join("build/debug/function");
    (
        compiled,
        String::from_utf8(run(Command::new(binary)).stdout).unwrap(),
    )
}

#[test]
fn each_function_gets_its_own_binary_and_the_runtime_is_compiled_once() {
    let root = tempfile::tempdir().unwrap();
    let packages = functions(root.path());
    assert_eq!(
        build(&packages[0]),
        (
            vec!["runtime".to_owned(), "function".to_owned()],
            "I am one\n".to_owned()
        )
    );
    assert_eq!(
        build(&packages[1]),
        (vec!["function".to_owned()], "I am two\n".to_owned())
    );
    assert_eq!(build(&packages[0]), (vec![], "I am one\n".to_owned()));

    std::fs::write(packages[0].dir.join("src/main.rs"), main("changed")).unwrap();
    assert_eq!(build(&packages[1]), (vec![], "I am two\n".to_owned()));
    assert_eq!(
        build(&packages[0]),
        (vec!["function".to_owned()], "I am changed\n".to_owned())
    );
}

#[test]
fn copies_of_one_runtime_are_compiled_once_until_they_differ() {
    let root = tempfile::tempdir().unwrap();
    let packages = functions_with_copies(root.path());
    let both = vec!["runtime".to_owned(), "function".to_owned()];
    assert_eq!(build(&packages[0]), (both, "I am one\n".to_owned()));
    assert_eq!(
        build(&packages[1]),
        (vec!["function".to_owned()], "I am two\n".to_owned())
    );

    // With the time of the first: cargo alone would take what is compiled for it.
    let changed = packages[0].dir.join("runtime/src/lib.rs");
    let time = std::fs::metadata(&changed).unwrap().modified().unwrap();
    std::fs::write(&changed, "pub const GREETING: &str = \"I was\";\n").unwrap();
    let file = std::fs::File::options().write(true).open(&changed).unwrap();
    file.set_modified(time).unwrap();
    let packages = replanned(root.path());
    assert_eq!(packages[0].shared, None);
    assert_eq!(build(&packages[0]).1, "I was one\n");
    assert_eq!(build(&packages[1]), (vec![], "I am two\n".to_owned()));
}

#[test]
fn side_by_side_they_do_not_mix() {
    let root = tempfile::tempdir().unwrap();
    let packages = functions(root.path());
    std::thread::scope(|scope| {
        let building: Vec<_> = packages
            .iter()
            .map(|package| scope.spawn(|| build(package).1))
            .collect();
        let said: Vec<_> = building
            .into_iter()
            .map(|building| building.join().unwrap())
            .collect();
        assert_eq!(said, ["I am one\n", "I am two\n", "I am three\n"]);
    });
}

#[test]
fn after_a_clean_each_function_runs_its_own_tests() {
    let root = tempfile::tempdir().unwrap();
    for package in functions(root.path()) {
        run(package.clean("function"));
        let mut tests = package.cargo("test");
        tests.args(["--", "--nocapture"]);
        let said = String::from_utf8(run(tests).stdout).unwrap();
        assert!(
            said.contains(&format!("test of {}", package.name)),
            "{said}"
        );
    }
}
