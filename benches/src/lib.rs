//! What the benches share: how large they are, where they work, and the seeded files they work on.
//!
//! Two sizes exist. The full run is for figures. The quick one (`STEM_BENCH_QUICK=1`) is for CI, which wants to know
//! that every bench builds, runs and checks its answers, and takes no time from it.
//!
//! Set-up is never part of a measurement: benches time by hand (`iter_custom`), since every iteration of a push or a pop
//! needs a repository of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::Criterion;
use rayon::prelude::*;
use stem_corpus::{FileSpec, Session, tree};

/// Makes all material; the same figures come from the same bytes everywhere.
pub const SEED: u64 = 1;
/// Bytes of the twelve stems together, unless `STEM_BENCH_BYTES` says otherwise.
const FULL_BYTES: u64 = 2 << 30;
const QUICK_BYTES: u64 = 64 << 20;

/// Whatever goes wrong in a set-up.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// The result of a set-up.
pub type Result<T> = std::result::Result<T, Error>;

/// Whether this is the quick run.
pub fn is_quick() -> bool {
    std::env::var_os("STEM_BENCH_QUICK").is_some_and(|value| !value.is_empty() && value != "0")
}

/// The largest number of bytes that one measurement works on: `STEM_BENCH_BYTES`, a number with `K`, `M` or `G`, else
/// 2 GiB, 64 MiB in the quick run.
///
/// # Errors
///
/// The variable is no such number.
pub fn largest() -> Result<u64> {
    match std::env::var("STEM_BENCH_BYTES") {
        Ok(text) => {
            parse_bytes(&text).ok_or_else(|| format!("STEM_BENCH_BYTES={text}: no such number").into())
        }
        Err(_) if is_quick() => Ok(QUICK_BYTES),
        Err(_) => Ok(FULL_BYTES),
    }
}

fn parse_bytes(text: &str) -> Option<u64> {
    let unit = match text.chars().last()? {
        'K' | 'k' => 10,
        'M' | 'm' => 20,
        'G' | 'g' => 30,
        _ => 0,
    };
    let number = if unit == 0 { text } else { text.get(..text.len() - 1)? };
    number.parse::<u64>().ok()?.checked_mul(1 << unit)
}

/// Twelve stems of `total` bytes together, each of 128 MiB or less: [`Session::stems`].
pub fn stems(total: u64) -> Session {
    Session::stems(SEED, total / 12)
}

/// 20,000 files of 0.2 to 32 KiB, 500 in the quick run: [`Session::small_files`].
pub fn small_files() -> Session {
    Session::small_files(SEED, if is_quick() { 500 } else { stem_corpus::session::SMALL_FILES })
}

/// Criterion for measurements of milliseconds to seconds.
pub fn criterion() -> Criterion {
    let (warm_up, measurement) = if is_quick() { (50, 200) } else { (500, 5_000) };
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(warm_up))
        .measurement_time(Duration::from_millis(measurement))
        .configure_from_args()
}

/// A directory for one bench, on a real file system, removed in the end.
#[derive(Debug)]
pub struct Ground {
    dir: tempfile::TempDir,
}

impl Ground {
    /// A directory in `STEM_BENCH_DIR`, else in `target`, which is where Cargo wants benches to write.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn new(target: &str) -> Result<Self> {
        let parent = std::env::var_os("STEM_BENCH_DIR").map_or_else(|| PathBuf::from(target), PathBuf::from);
        std::fs::create_dir_all(&parent)?;
        Ok(Self { dir: tempfile::Builder::new().prefix("stem-bench-").tempdir_in(parent)? })
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An empty directory in it; what it held before is removed.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn fresh(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Writes `session` into the directory `name` and flushes it.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn write(&self, name: &str, session: &Session) -> Result<PathBuf> {
        let path = self.path(name);
        tree::write_tree(&path, session.files(), &mut |_| {})?;
        flush();
        Ok(path)
    }

    /// Whether files in it can share their blocks.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn can_clone(&self) -> Result<bool> {
        let source = self.path("clone-probe");
        std::fs::write(&source, [1; 4096])?;
        let dir = stem_fs::Dir::open(self.dir.path())?;
        let opened = dir.open_file(&stem_fs::RelPath::new("clone-probe")?)?.ok_or("the probe vanished")?;
        let cloned = dir.temp_file(0o600)?.clone_from(&opened)?;
        std::fs::remove_file(source)?;
        Ok(cloned)
    }
}

/// Writes all dirty pages of the machine to its disks.
pub fn flush() {
    rustix::fs::sync();
}

/// Copies the files of a session from one directory into another and flushes them; their bytes stay in the page cache.
///
/// # Errors
///
/// Those of the file system.
pub fn copy_tree(from: &Path, to: &Path, files: &[FileSpec]) -> Result<()> {
    make_parents(to, files)?;
    files
        .par_iter()
        .try_for_each(|file| std::fs::copy(from.join(&file.path), to.join(&file.path)).map(drop))?;
    flush();
    Ok(())
}

/// Makes the directories that the files need.
///
/// # Errors
///
/// Those of the file system.
pub fn make_parents(dir: &Path, files: &[FileSpec]) -> Result<()> {
    let parents: std::collections::BTreeSet<_> =
        files.iter().filter_map(|file| Path::new(&file.path).parent()).collect();
    parents.iter().try_for_each(|parent| std::fs::create_dir_all(dir.join(parent)))?;
    Ok(())
}

/// Fails unless `dir` holds every one of the files, byte for byte.
///
/// # Errors
///
/// A path that is wrong, or the file system.
pub fn check_tree(dir: &Path, files: &[FileSpec]) -> Result<()> {
    match tree::verify_tree(dir, files, &mut |_| {})?.first() {
        None => Ok(()),
        Some(wrong) => Err(format!("{wrong} does not hold the bytes that it should").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(parse_bytes("4096"), Some(4096));
        assert_eq!(parse_bytes("3k"), Some(3072));
        assert_eq!(parse_bytes("2G"), Some(2 << 30));
        for wrong in ["", "G", "-1", "1T", "99999999999G"] {
            assert_eq!(parse_bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_copied_tree_is_checked_by_its_bytes() -> Result<()> {
        let ground = Ground::new(&std::env::temp_dir().to_string_lossy())?;
        let session = Session::small_files(SEED, 20);
        let from = ground.write("from", &session)?;
        let to = ground.fresh("to")?;
        copy_tree(&from, &to, session.files())?;
        check_tree(&to, session.files())?;
        std::fs::write(to.join(&session.files()[7].path), b"other")?;
        assert!(check_tree(&to, session.files()).is_err());
        Ok(())
    }
}
