//! A digest of what roots are read from, to notice whoever changes that and takes none of our locks.
//!
//! Of files it covers names, inodes, sizes and times, not bytes: programs replace these files by a rename. Of other
//! places that record commits it covers which commits there are.

use stem_fs::{Dir, FileKind, RelPath};
use stem_hash::{Algorithm, Hasher};

use super::reader::unreadable_root as unreadable;

use crate::Stash;
use crate::error::Result;
use crate::progress::Progress;
use crate::repo::fixed;

/// Directories below `.muse`, each with whether those below it count too.
const DIRS: [(&str, bool); 5] =
    [("refs", true), ("stash", false), ("commits", false), ("snapshots", false), ("stem/journal", false)];
/// Files below `.muse`.
const FILES: [&str; 3] = ["HEAD", "stash.json", "repo.json"];

/// The digest of how the roots look now.
pub(crate) fn witness(stash: Stash<'_>, progress: &dyn Progress) -> Result<[u8; 32]> {
    let muse = stash.repository.muse();
    let mut hasher = Hasher::new(Algorithm::Blake3);
    for source in stash.head_sources() {
        hasher.update(&source.witness(progress).map_err(unreadable)?.unwrap_or_default());
    }
    for name in FILES {
        add(&mut hasher, muse, &fixed(name))?;
    }
    for (name, deep) in DIRS {
        hasher.update(name.as_bytes());
        let mut dirs: Vec<Dir> = muse.sub(&fixed(name))?.into_iter().collect();
        while let Some(dir) = dirs.pop() {
            let mut entries = dir.entries()?;
            entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            for entry in entries {
                let Ok(name) = RelPath::new(entry.name) else { continue };
                add(&mut hasher, &dir, &name)?;
                if deep && entry.kind == FileKind::Dir {
                    dirs.extend(dir.sub(&name)?);
                }
            }
        }
    }
    Ok(*hasher.finish().id.as_bytes())
}

fn add(hasher: &mut Hasher, dir: &Dir, name: &RelPath) -> Result<()> {
    hasher.update(&(name.as_bytes().len() as u64).to_le_bytes());
    hasher.update(name.as_bytes());
    // A directory's own times say that a name in it changed, which the names say too.
    if let Some(stat) = dir.stat(name)?.filter(|stat| stat.kind != FileKind::Dir) {
        for number in [stat.inode, stat.size] {
            hasher.update(&number.to_le_bytes());
        }
        for time in [stat.mtime, stat.ctime] {
            hasher.update(&time.as_nanos().to_le_bytes());
        }
    }
    Ok(())
}
