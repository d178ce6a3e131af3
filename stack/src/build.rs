//! How cargo is called for a function, by whoever builds or tests several of them.
//!
//! Functions all carry the template's one package name, and cargo tells packages of different workspaces apart by name,
//! version and place *inside* their workspace. So with one target folder it takes one function's binary for another's,
//! silently. Here each function keeps its own target folder `build`, and only functions of the same `runtime` share what is
//! compiled on the way there (cargo's `build.build-dir`): the same folder behind links, or copies that do not differ in one
//! byte, as `faas-cli new` makes them. What keeps them apart in it is a `--cfg` that nobody reads, given to the function's
//! own crate alone: everything below it is compiled once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that faas-cli leaves out of an image, and therefore a function's target folder.
pub const TARGET_DIR: &str = "build";

/// The folder, beside the stack file, in which functions of one runtime share what is compiled. faas-cli calls its own
/// folders in `build` after functions, whose names never begin with a dot.
const SHARED: &str = "build/.shared";

/// One function as a Cargo package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The function's name.
    pub name: String,
    /// Its folder, the one with `Cargo.toml`.
    pub dir: PathBuf,
    /// The folder shared with functions of the same runtime; none where it builds alone.
    pub shared: Option<PathBuf>,
    /// The features it is built with. Each set of them has a target folder of its own.
    pub features: Vec<String>,
}

/// Which profile to build with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Quick to compile.
    #[default]
    Debug,
    /// As it ships.
    Release,
}

impl Package {
    /// A function that builds alone.
    pub fn alone(name: impl Into<String>, dir: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            dir: dir.into(),
            shared: None,
            features: Vec::new(),
        }
    }

    /// The same function with these features of its manifest.
    #[must_use]
    pub fn with_features<F: Into<String>>(self, features: impl IntoIterator<Item = F>) -> Self {
        Self {
            features: features.into_iter().map(Into::into).collect(),
            ..self
        }
    }

    /// The functions of a stack whose file is in `root`. Those of one runtime share a folder there.
    pub fn plan(functions: impl IntoIterator<Item = (String, PathBuf)>, root: &Path) -> Vec<Self> {
        // Cargo runs in the folder of the function, where a path from here would lead elsewhere.
        let shared = root
            .canonicalize()
            .unwrap_or_else(|_| root.to_owned())
            .join(SHARED);
        let functions: Vec<_> = functions
            .into_iter()
            .map(|(name, dir)| {
                let runtime = sharable_runtime(&dir);
                (Self::alone(name, dir), runtime)
            })
            .collect();
        let together = |runtime: &u64| {
            functions
                .iter()
                .filter(|(_, other)| other.as_ref() == Some(runtime))
                .count()
                > 1
        };
        functions
            .iter()
            .map(|(package, runtime)| {
                let shared = runtime
                    .as_ref()
                    .filter(|runtime| together(runtime))
                    .map(|runtime| shared.join(format!("{runtime:016x}")));
                Self {
                    shared,
                    ..package.clone()
                }
            })
            .collect()
    }

    /// Builds the function's binary. Cargo's messages come on stdout, one JSON object per line, the compiler's rendered on
    /// stderr; the message with an `executable` names the binary.
    pub fn build(&self, profile: Profile) -> Command {
        let verb = if self.shared.is_some() {
            "rustc"
        } else {
            "build"
        };
        let mut cargo = self.cargo(verb);
        cargo.arg("--message-format=json-render-diagnostics");
        if profile == Profile::Release {
            cargo.arg("--release");
        }
        if !self.features.is_empty() {
            cargo.args(["--features", &self.features.join(",")]);
        }
        if self.shared.is_some() {
            cargo.args(["--", "--cfg", &self.cfg()]);
        }
        cargo
    }

    /// Any other command of cargo, such as `test`. Where the function shares a folder, [`Self::clean`] has to run before,
    /// and no other function's commands at the same time: only `cargo rustc` takes a `--cfg` for one crate.
    pub fn cargo(&self, verb: &str) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(&self.dir)
            .arg(verb)
            .args(["--target-dir", &self.target()]);
        cargo
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("CARGO_BUILD_TARGET_DIR");
        match &self.shared {
            Some(shared) => cargo.env("CARGO_BUILD_BUILD_DIR", shared),
            None => cargo.env_remove("CARGO_BUILD_BUILD_DIR"),
        };
        cargo
    }

    /// Forgets what was compiled of this package, and of no other.
    pub fn clean(&self, package: &str) -> Command {
        let mut cargo = self.cargo("clean");
        cargo.args(["--package", package]);
        cargo
    }

    fn target(&self) -> String {
        match self.features.as_slice() {
            [] => TARGET_DIR.to_owned(),
            features => format!("{TARGET_DIR}/with-{}", features.join("-")),
        }
    }

    fn cfg(&self) -> String {
        format!("function_{}", self.name.replace('-', "_"))
    }
}

/// What tells the runtime of a function from others, where its package is one binary and nothing else: `cargo rustc` hands
/// flags to one target alone. A link is known by where it leads, so that what is compiled stays when the runtime is worked
/// on; a copy by what is in it, for cargo itself only compares times.
fn sharable_runtime(dir: &Path) -> Option<u64> {
    let several = ["src/lib.rs", "src/bin"]
        .iter()
        .any(|path| dir.join(path).exists());
    let runtime = dir.join("runtime");
    if several || !runtime.is_dir() {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    if runtime.is_symlink() {
        runtime.canonicalize().ok()?.hash(&mut hasher);
    } else {
        hash_folder(&runtime, &mut hasher).ok()?;
    }
    Some(hasher.finish())
}

fn hash_folder(folder: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (name, path) = (entry.file_name(), entry.path());
        // Whatever somebody compiled in there.
        if name == "target" {
            continue;
        }
        name.hash(hasher);
        if path.is_dir() {
            hash_folder(&path, hasher)?;
        } else {
            std::fs::read(&path)?.hash(hasher);
        }
    }
    0_u8.hash(hasher);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(command: &Command) -> String {
        command
            .get_args()
            .map(|argument| argument.to_str().unwrap())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn functions_of_one_runtime_share_a_folder_and_are_told_apart_by_a_cfg() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("runtime")).unwrap();
        let names = ["a-b", "c", "lonely", "with-lib", "copy", "other-copy"];
        for name in names {
            std::fs::create_dir_all(root.path().join(name).join("src")).unwrap();
        }
        for name in ["a-b", "c", "with-lib"] {
            std::os::unix::fs::symlink("../runtime", root.path().join(name).join("runtime"))
                .unwrap();
        }
        for (name, text) in [("lonely", "1"), ("copy", "2"), ("other-copy", "2")] {
            std::fs::create_dir(root.path().join(name).join("runtime")).unwrap();
            std::fs::write(root.path().join(name).join("runtime/lib.rs"), text).unwrap();
        }
        std::fs::write(root.path().join("with-lib/src/lib.rs"), "").unwrap();

        let functions = names.map(|name| (name.to_owned(), root.path().join(name)));
        let packages = Package::plan(functions, root.path());

        let shared: Vec<_> = packages
            .iter()
            .map(|package| package.shared.is_some())
            .collect();
        assert_eq!(shared, [true, true, false, false, true, true]);
        assert_eq!(packages[0].shared, packages[1].shared);
        assert_eq!(packages[4].shared, packages[5].shared);
        assert_ne!(packages[0].shared, packages[4].shared);
        assert_eq!(
            arguments(&packages[0].build(Profile::Debug)),
            "rustc --target-dir build --message-format=json-render-diagnostics -- --cfg function_a_b"
        );
        assert_eq!(
            arguments(
                &packages[1]
                    .clone()
                    .with_features(["kafka", "nats"])
                    .build(Profile::Debug)
            ),
            "rustc --target-dir build/with-kafka-nats --message-format=json-render-diagnostics --features kafka,nats \
             -- --cfg function_c"
        );
        assert_eq!(
            arguments(&packages[2].build(Profile::Release)),
            "build --target-dir build --message-format=json-render-diagnostics --release"
        );
    }
}
