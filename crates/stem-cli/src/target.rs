//! Files that the user names to have something written into them.

use std::path::{Path, PathBuf};

use stemvault::{Dir, Publish, RelPath};

use crate::failure::{Failure, Result};
use crate::human;

/// Refuses a file that cannot be written, before an hour is spent on what is to be in it.
pub(crate) fn check(file: &Path) -> Result<()> {
    let dir = parent(file);
    let usable = dir.is_dir() && file.file_name().is_some() && !file.is_dir();
    if !usable {
        let message =
            format!("'{}' cannot be written: name a file in a directory that exists", human::path(file));
        return Err(Failure::user("invalid_input", message).at(file));
    }
    let dir = Dir::open(&dir).map_err(|error| Failure::io("cannot open its directory", file, &error))?;
    dir.temp_file(0o600).map(drop).map_err(|error| Failure::io("cannot write", file, &error))
}

/// Writes a file: beside its place first, durably, then under its name.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::io("cannot write", file, error);
    let dir = Dir::open(&parent(file)).map_err(|error| failed(&error))?;
    let name = Path::new(file.file_name().unwrap_or_default());
    let name = RelPath::from_path(name).map_err(|error| failed(&error))?;
    dir.write_durable(&name, bytes, &dir, Publish::Replace).map_err(|error| failed(&error))
}

/// Refuses a file in a directory that belongs to a repository: whatever is there may only be written by the engine.
pub(crate) fn outside_of_repositories(file: &Path) -> Result<()> {
    let dir = parent(file);
    let real = dir.canonicalize().map_err(|error| Failure::io("cannot open its directory", file, &error))?;
    let belongs = |name: &std::ffi::OsStr| {
        let name = name.as_encoded_bytes();
        [&b".muse"[..], b".git"].iter().any(|one| name.eq_ignore_ascii_case(one))
    };
    if real.components().any(|part| belongs(part.as_os_str())) || file.file_name().is_some_and(belongs) {
        let message = format!(
            "'{}' would lie in a repository's own directory: name a file outside of .muse and .git",
            human::path(file)
        );
        return Err(Failure::user("invalid_input", message).at(file));
    }
    Ok(())
}

/// The directory of a file that is named on the command line.
pub(crate) fn parent(file: &Path) -> PathBuf {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_into_a_repository() {
        let dir = tempfile::tempdir().unwrap();
        for inside in [".muse/stem", "a/.MUSE/objects", ".git"] {
            std::fs::create_dir_all(dir.path().join(inside)).unwrap();
            assert!(outside_of_repositories(&dir.path().join(inside).join("page.html")).is_err(), "{inside}");
        }
        assert!(outside_of_repositories(&dir.path().join(".muse")).is_err());
        assert!(outside_of_repositories(&dir.path().join("a/page.html")).is_ok());
        assert!(outside_of_repositories(&dir.path().join("nowhere/page.html")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn nor_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(".muse")).unwrap();
        std::os::unix::fs::symlink(dir.path().join(".muse"), dir.path().join("elsewhere")).unwrap();
        assert!(outside_of_repositories(&dir.path().join("elsewhere/page.html")).is_err());
    }
}
