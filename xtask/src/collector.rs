//! The OpenTelemetry Collector that tests send to: built from Go modules, as no package manager has it alone.

use std::fs;
use std::process::Command;

use crate::{project, step, tools};

/// The version of the Collector and of its builder; `tests/collector/builder.yaml` names the same.
const VERSION: &str = "0.145.0";

/// Builds `otelcol` into this project's own tools folder, unless it is there or on PATH.
///
/// # Errors
/// One sentence when Go is missing or the build fails.
pub(crate) fn install() -> Result<(), String> {
    if tools::find_version("otelcol", VERSION).is_some() {
        return Ok(());
    }
    let missing = format!("otelcol {VERSION} is missing");
    let Some(go) = tools::find("go") else {
        return Err(format!(
            "{missing}, and Go to build it with too: get Go from https://go.dev/dl"
        ));
    };
    let built = project::tools().join("collector").join("otelcol");
    let builder = format!("go.opentelemetry.io/collector/cmd/builder@v{VERSION}");
    let config = "tests/collector/builder.yaml";
    let bin = project::tools().join("bin");
    fs::create_dir_all(&bin).map_err(|error| {
        format!(
            "{missing}: its folder {} cannot be made: {error}",
            bin.display()
        )
    })?;
    println!("setup: go run {builder} --config {config} (takes about a minute, once)");
    let mut build = Command::new(go);
    build
        .current_dir(project::root())
        .env("CGO_ENABLED", "0")
        .args([
            "run",
            &builder,
            "--skip-strict-versioning",
            "--config",
            config,
        ]);
    step::check(&mut build)
        .map_err(|reason| format!("{missing} and its build failed ({reason})"))?;
    fs::rename(&built, bin.join("otelcol"))
        .map_err(|error| format!("{missing}: {} cannot be moved: {error}", built.display()))
}
