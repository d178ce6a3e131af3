//! The Kafka server that tests run: its jars come from Maven, as no package manager of a system has it alone.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use crate::{project, step, tools};

/// What Maven is asked for: the server of that version and what it needs.
const POM: &str = "tests/kafka/pom.xml";

/// Copies the server's jars to `target/tools/kafka`, unless those of the same `pom.xml` are there.
///
/// # Errors
/// One sentence when a JDK or Maven is missing or the download fails.
pub(crate) fn install() -> Result<(), String> {
    let pom = fs::read(project::root().join(POM))
        .map_err(|error| format!("{POM} cannot be read: {error}"))?;
    let folder = folder();
    // Copied last: where it is, all jars are.
    let stamp = folder.join("pom.xml");
    for (program, package) in [("java", "default-jdk-headless"), ("mvn", "maven")] {
        if tools::find(program).is_none() {
            return Err(format!(
                "{program} is missing, which the Kafka server of the tests needs: get it with `apt-get install {package}`"
            ));
        }
    }
    if fs::read(&stamp).is_ok_and(|installed| installed == pom) {
        return Ok(());
    }
    println!("setup: mvn --file {POM} dependency:copy-dependencies (43 MB, once)");
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(format!("{} cannot be removed: {error}", folder.display()));
        }
        _ => {}
    }
    let mut copy = Command::new("mvn");
    copy.current_dir(project::root())
        .args(["--quiet", "--batch-mode", "--file", POM])
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", folder.display()));
    step::check(&mut copy)
        .map_err(|reason| format!("Kafka is missing and Maven could not get it ({reason})"))?;
    fs::write(&stamp, pom).map_err(|error| format!("{}: {error}", stamp.display()))
}

fn folder() -> PathBuf {
    project::tools().join("kafka")
}
