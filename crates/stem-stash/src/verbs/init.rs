//! `init`: make a repository that Muse can use too.

use std::path::Path;

use stem_fs::{Dir, Publish};

use crate::error::{Error, Result};
use crate::repo::{DEFAULT_WORK_DIR, MUSE_DIR, fixed};

/// Makes a repository at `root`: `.muse` in the reference's layout, branch `main`, and the working directory.
///
/// # Errors
///
/// [`Error::AlreadyARepository`] when there is one.
pub fn init(root: &Path) -> Result<()> {
    let dir = Dir::create_all(root)?;
    if dir.stat(&fixed(MUSE_DIR))?.is_some() {
        return Err(Error::AlreadyARepository { root: root.to_path_buf() });
    }
    let muse = dir.ensure_dir(&fixed(MUSE_DIR))?;
    for folder in ["objects", "stash", "refs/heads", "stem/tmp"] {
        muse.ensure_dir(&fixed(folder))?;
    }
    let tmp = muse.ensure_dir(&fixed("stem/tmp"))?;
    let repo_id = uuid::Uuid::new_v4();
    let repo = format!("{{\n  \"repo_id\": \"{repo_id}\",\n  \"schema_version\": \"1\"\n}}\n");
    muse.write_durable(&fixed("repo.json"), repo.as_bytes(), &tmp, Publish::New)?;
    muse.write_durable(&fixed("refs/heads/main"), b"", &tmp, Publish::New)?;
    dir.ensure_dir(&fixed(DEFAULT_WORK_DIR))?;
    // HEAD comes last: a repository without it is not taken for a finished one.
    muse.write_durable(&fixed("HEAD"), b"refs/heads/main\n", &tmp, Publish::New)?;
    Ok(())
}
