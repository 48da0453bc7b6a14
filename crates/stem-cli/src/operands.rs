//! Operands as people type them, made into what the engine takes.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

use stemvault::format::MAX_MANIFEST_BYTES;
use stemvault::format::text::PyStr;
use stemvault::{HeadChoice, RelPath, Vault};

use crate::failure::{Failure, Result};

/// A PATH: relative to the working tree, or absolute inside it. `./` in front, `/` behind and doubled slashes are
/// what shells leave there, and mean nothing.
pub(crate) fn tree_path(operand: &OsStr, vault: &Vault) -> Result<RelPath> {
    let path = Path::new(operand);
    let relative = path.strip_prefix(vault.repository().working_tree()).unwrap_or(path);
    let shown = PyStr::from_fs_bytes(operand.as_encoded_bytes());
    // `components` drops `.` and doubled slashes, and keeps `..` and a leading `/` for the check below.
    let plain: std::path::PathBuf = relative.components().filter(|part| part.as_os_str() != ".").collect();
    if plain.as_os_str().is_empty() {
        let message = format!("'{shown}' is the whole working tree: leave PATH out to save all of it");
        return Err(Failure::user("invalid_input", message));
    }
    RelPath::from_path(&plain).map_err(|error| {
        let message = format!("'{shown}' cannot be a path in the working tree: {error}");
        Failure::user("invalid_input", message).at(path)
    })
}

/// What the user says of HEAD.
pub(crate) fn head_choice(manifest: Option<&Path>, no_head: bool) -> Result<HeadChoice> {
    match manifest {
        None if no_head => Ok(HeadChoice::None),
        None => Ok(HeadChoice::Repository),
        Some(path) if path == Path::new("-") => {
            if io::stdin().is_terminal() {
                return Err(Failure::usage(
                    "--head-manifest - reads standard input, which is a terminal: give it a file",
                ));
            }
            let bytes = read_bounded(&mut io::stdin().lock(), path, "standard input")?;
            Ok(HeadChoice::Manifest { bytes, name: "standard input".to_owned() })
        }
        Some(path) => {
            let name = crate::human::path(path);
            let mut file = File::open(path).map_err(|error| unreadable(&name, path, &error))?;
            let bytes = read_bounded(&mut file, path, &name)?;
            Ok(HeadChoice::Manifest { bytes, name })
        }
    }
}

fn read_bounded(source: &mut dyn Read, path: &Path, name: &str) -> Result<Vec<u8>> {
    let limit = u64::try_from(MAX_MANIFEST_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    // One byte more than is allowed, so that the engine sees that it is too much.
    source
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(name, path, &error))?;
    Ok(bytes)
}

/// A file that the user named cannot be read: the user's error, to be mended by another name.
pub(crate) fn unreadable(name: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::user("bad_input_file", format!("cannot read '{name}': {error}")).at(path)
}
