//! The templates' Dockerfile, as far as it can be judged without building it.

use std::path::Path;
use std::process::Command;

use openfaas_tests::handler::{TEMPLATES, build_context};
use openfaas_tests::tools::{needed, repository, run};

/// One instruction: its name and the rest, continuation lines joined.
struct Instruction {
    name: String,
    rest: String,
}

fn instructions(text: &str) -> Vec<Instruction> {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    joined
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .map(|(name, rest)| Instruction {
            name: name.to_owned(),
            rest: rest.trim().to_owned(),
        })
        .collect()
}

fn dockerfile(template: &str) -> Vec<Instruction> {
    instructions(&std::fs::read_to_string(path(template)).unwrap())
}

fn path(template: &str) -> std::path::PathBuf {
    repository()
        .join("template")
        .join(template)
        .join("Dockerfile")
}

/// The instructions of the last stage.
fn last_stage(instructions: &[Instruction]) -> &[Instruction] {
    let start = instructions
        .iter()
        .rposition(|instruction| instruction.name == "FROM")
        .unwrap();
    &instructions[start..]
}

fn rest<'a>(instructions: &'a [Instruction], name: &str) -> Vec<&'a str> {
    instructions
        .iter()
        .filter(|instruction| instruction.name == name)
        .map(|instruction| instruction.rest.as_str())
        .collect()
}

#[test]
fn what_ships_is_an_empty_image_with_a_user_that_is_a_number_and_a_health_check_of_its_own() {
    for template in TEMPLATES {
        let all = dockerfile(template);
        let last = last_stage(&all);
        assert_eq!(rest(last, "FROM"), ["scratch AS ship"]);
        let [user] = rest(last, "USER")[..] else {
            panic!("one USER")
        };
        assert!(
            user.split(':')
                .all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)),
            "{user}"
        );
        let [health] = rest(last, "HEALTHCHECK")[..] else {
            panic!("one HEALTHCHECK")
        };
        assert!(
            health.ends_with(r#"CMD ["/function", "-run-healthcheck"]"#),
            "{health}"
        );
        assert_eq!(rest(last, "CMD"), [r#"["/function"]"#]);
    }
}

#[test]
fn images_are_pinned_and_the_compiler_is_the_one_that_the_crates_ask_for() {
    let manifest = std::fs::read_to_string(repository().join("runtime/Cargo.toml")).unwrap();
    let minimum = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .unwrap()
        .trim_matches('"');
    for template in TEMPLATES {
        let all = dockerfile(template);
        let from: Vec<&str> = rest(&all, "FROM")
            .into_iter()
            .filter(|from| !from.starts_with("scratch"))
            .collect();
        assert_eq!(from.len(), 1);
        assert!(
            from[0].contains(&format!(" rust:{minimum}.")),
            "{} is not pinned to {minimum}.x",
            from[0]
        );
        assert!(
            from[0].starts_with("--platform=${BUILDPLATFORM"),
            "built where the builder runs: {}",
            from[0]
        );
    }
}

#[test]
fn arguments_are_declared_before_they_are_used() {
    for template in TEMPLATES {
        let all = dockerfile(template);
        for argument in ["ADDITIONAL_PACKAGE", "TARGETARCH", "TEST_ENABLED"] {
            let declared = all
                .iter()
                .position(|i| i.name == "ARG" && i.rest.split('=').next() == Some(argument));
            let used = all
                .iter()
                .position(|i| i.name == "RUN" && i.rest.contains(argument));
            assert!(
                declared.unwrap_or_else(|| panic!("{argument} is not declared"))
                    < used.expect(argument)
            );
        }
    }
}

#[test]
fn dependencies_are_compiled_before_the_source_is_copied() {
    for template in TEMPLATES {
        let all = dockerfile(template);
        let built = all
            .iter()
            .position(|i| i.name == "RUN" && i.rest.contains("cargo build"))
            .unwrap();
        let copied = all
            .iter()
            .position(|i| i.name == "COPY" && i.rest.starts_with("function "))
            .unwrap();
        assert!(built < copied);
        assert!(
            rest(&all[..built], "COPY")
                .iter()
                .any(|copy| copy.contains("function/Cargo.lock"))
        );
        let builds = all.iter().filter(|i| i.name == "RUN");
        for cargo in builds.flat_map(|i| i.rest.split("cargo ").skip(1)) {
            assert!(cargo.contains("--locked"), "cargo {cargo}");
        }
    }
}

#[test]
fn what_is_copied_is_in_the_build_context() {
    for template in TEMPLATES {
        let dir = tempfile::tempdir().unwrap();
        let handler = repository()
            .join("template")
            .join(template)
            .join("function");
        build_context(template, &handler, dir.path()).unwrap();
        for copy in rest(&dockerfile(template), "COPY")
            .iter()
            .filter(|copy| !copy.starts_with("--from"))
        {
            let sources: Vec<&str> = copy.split_whitespace().collect();
            for source in &sources[..sources.len() - 1] {
                assert!(
                    dir.path().join(source).exists(),
                    "{template}: COPY {copy}: no {source}"
                );
            }
        }
    }
}

#[test]
fn hadolint_has_nothing_to_say() {
    let Some(hadolint) = needed("hadolint", "hadolint over the templates' Dockerfile") else {
        return;
    };
    for template in TEMPLATES {
        run(Command::new(&hadolint).arg(Path::new(&path(template))));
    }
}
