//! Manifests as files of a folder that may hold other files too.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::render::{FIRST_LINE, Manifest};

/// What became of a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files that were written, because they said something else or were not there.
    pub written: Vec<PathBuf>,
    /// Files that were rendered once, and belong to nobody any more.
    pub removed: Vec<PathBuf>,
}

/// A file that could not be read, written or removed.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct FolderError {
    /// The file or folder.
    path: PathBuf,
    source: io::Error,
}

/// Makes a folder hold these manifests and no other that was ever rendered.
///
/// # Errors
/// The first file that cannot be read, written or removed.
pub fn write(folder: &Path, manifests: &[Manifest]) -> Result<Changes, FolderError> {
    fs::create_dir_all(folder).map_err(at(folder))?;
    let mut changes = Changes::default();
    for manifest in manifests {
        let path = folder.join(&manifest.file);
        if fs::read_to_string(&path).is_ok_and(|text| text == manifest.text) {
            continue;
        }
        fs::write(&path, &manifest.text).map_err(at(&path))?;
        changes.written.push(path);
    }
    for path in rendered(folder)? {
        if manifests
            .iter()
            .all(|manifest| path != folder.join(&manifest.file))
        {
            fs::remove_file(&path).map_err(at(&path))?;
            changes.removed.push(path);
        }
    }
    Ok(changes)
}

/// The files of a folder that were rendered, by name.
fn rendered(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        let is_yaml = path
            .extension()
            .is_some_and(|extension| extension == "yaml");
        if is_yaml
            && fs::read_to_string(&path)
                .map_err(at(&path))?
                .starts_with(FIRST_LINE)
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn at(path: &Path) -> impl Fn(io::Error) -> FolderError {
    move |source| FolderError {
        path: path.to_owned(),
        source,
    }
}
