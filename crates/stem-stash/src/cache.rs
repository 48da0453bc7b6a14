//! The stat cache: what unchanged files hash to, without reading them.
//!
//! See `docs/format/stat-cache.md` for when a row may be believed. The cache is a convenience: every failure to read or
//! write it is silent and costs time only.

use std::io::Write as _;

use stem_fs::{Publish, RelPath, Stat, Timestamp};
use stem_hash::{Algorithm, Digest};

use crate::format::statcache::{MAX_PAYLOAD, Row, decode, encode};
use crate::merge::Merge;
use crate::repo::{Repository, fixed};
use crate::walk::WorkFile;

/// The cache of one repository during one verb.
pub(crate) struct StatCache<'r> {
    repository: &'r Repository,
    algorithm: Algorithm,
    rows: Vec<Row>,
    /// When the verb began, by the file system's clock; `None` when that cannot be told, and nothing is remembered.
    epoch: Option<Timestamp>,
    fresh: Vec<Row>,
}

impl<'r> StatCache<'r> {
    /// Reads the cache. To be called before any file is hashed.
    pub(crate) fn load(repository: &'r Repository, algorithm: Algorithm) -> Self {
        let stem = repository.muse().sub(&fixed("stem")).ok().flatten();
        let bytes = stem.and_then(|stem| stem.read(&fixed("cache"), MAX_PAYLOAD as u64).ok().flatten());
        let rows = bytes.and_then(|bytes| decode(&bytes, algorithm)).unwrap_or_default();
        let epoch = || repository.tmp_dir().ok()?.temp_file(0o600).ok()?.stat().ok().map(|stat| stat.mtime);
        Self { repository, algorithm, rows, epoch: epoch(), fresh: Vec::new() }
    }

    /// What each file hashes to, if it is unchanged. The files are sorted by path.
    pub(crate) fn get_all(&self, files: &[WorkFile]) -> Vec<Option<Digest>> {
        let mut rows = Merge::new(&self.rows);
        let find = |file: &WorkFile| rows.find(file.path.as_bytes(), Row::path)?.digest_of(&file.stat);
        files.iter().map(find).collect()
    }

    /// Remembers what a file was hashed to under a read lease; not if it was changed a moment before the verb began.
    pub(crate) fn put(&mut self, path: &RelPath, stat: &Stat, digest: &Digest) {
        if self.epoch.is_some_and(|epoch| stat.mtime < epoch && stat.ctime < epoch) {
            self.fresh.extend(Row::new(path, stat, digest));
        }
    }

    /// Writes the cache if something is new. `all` names every file of the working tree, if all were walked: rows of
    /// others go.
    pub(crate) fn save(mut self, all: Option<&[WorkFile]>) {
        self.fresh.sort_unstable_by(|a, b| a.path().cmp(b.path()));
        let before = self.rows.len();
        let mut files = all.map(Merge::new);
        let mut fresh = Merge::new(&self.fresh);
        self.rows.retain(|row| {
            let is_there = |files: &mut Merge<'_, WorkFile>| {
                files.find(row.path(), |file| file.path.as_bytes()).is_some()
            };
            files.as_mut().is_none_or(is_there) && fresh.find(row.path(), Row::path).is_none()
        });
        let rewritten = !self.fresh.is_empty() || self.rows.len() < before;
        self.rows.append(&mut self.fresh);
        self.rows.sort_unstable_by(|a, b| a.path().cmp(b.path()));
        if rewritten {
            // Not synced: what a power cut tears is noticed by its checksum and counts as empty.
            let _ = self.write();
        }
    }

    fn write(&self) -> Option<()> {
        let bytes = encode(&self.rows, self.algorithm)?;
        let mut temp = self.repository.tmp_dir().ok()?.temp_file(0o600).ok()?;
        temp.write_all(&bytes).ok()?;
        temp.persist(&self.repository.stem_dir().ok()?, &fixed("cache"), Publish::Replace).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::Settings;
    use crate::scope::Scope;
    use crate::walk::{Rules, walk};
    use std::time::{Duration, SystemTime};
    use stem_hash::Hasher;

    fn digest(bytes: &[u8]) -> Digest {
        let mut hasher = Hasher::with_checksum(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }

    fn repository(root: &std::path::Path) -> Repository {
        crate::init(root).unwrap();
        Repository::open(root, Settings::default()).unwrap()
    }

    fn write_old(path: &std::path::Path, bytes: &[u8]) {
        std::fs::write(path, bytes).unwrap();
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_mins(1)).unwrap();
    }

    /// The file system's clock moves on.
    fn tick() {
        std::thread::sleep(Duration::from_millis(30));
    }

    #[test]
    fn an_unchanged_file_is_known_and_a_changed_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let repository = repository(dir.path());
        let work = repository.work().unwrap().unwrap();
        write_old(&work.path().join("a"), b"one");
        write_old(&work.path().join("b"), b"two");
        tick();
        let found = walk(&work, &Scope::default(), &Rules::Reference).unwrap();
        let mut cache = StatCache::load(&repository, Algorithm::Sha256);
        for (file, bytes) in found.files.iter().zip([b"one", b"two"]) {
            assert_eq!(cache.get_all(std::slice::from_ref(file)), [None]);
            cache.put(&file.path, &file.stat, &digest(bytes));
        }
        cache.save(Some(&found.files));

        // Same size, same mtime: only the ctime tells.
        let kept = std::fs::metadata(work.path().join("b")).unwrap().modified().unwrap();
        std::fs::write(work.path().join("b"), b"TWO").unwrap();
        std::fs::File::options().write(true).open(work.path().join("b")).unwrap().set_modified(kept).unwrap();
        let found = walk(&work, &Scope::default(), &Rules::Reference).unwrap();
        let cache = StatCache::load(&repository, Algorithm::Sha256);
        assert_eq!(cache.get_all(&found.files), [Some(digest(b"one")), None]);
        assert!(StatCache::load(&repository, Algorithm::Blake3).rows.is_empty());
    }

    #[test]
    fn a_file_changed_while_the_verb_begins_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let repository = repository(dir.path());
        let work = repository.work().unwrap().unwrap();
        let mut cache = StatCache::load(&repository, Algorithm::Sha256);
        std::fs::write(work.path().join("a"), b"one").unwrap();
        let found = walk(&work, &Scope::default(), &Rules::Reference).unwrap();
        cache.put(&found.files[0].path, &found.files[0].stat, &digest(b"one"));
        assert!(cache.fresh.is_empty());
    }

    #[test]
    fn rows_of_files_that_are_gone_go_too_and_damage_is_an_empty_cache() {
        let dir = tempfile::tempdir().unwrap();
        let repository = repository(dir.path());
        let work = repository.work().unwrap().unwrap();
        write_old(&work.path().join("a"), b"one");
        tick();
        let found = walk(&work, &Scope::default(), &Rules::Reference).unwrap();
        let mut cache = StatCache::load(&repository, Algorithm::Sha256);
        cache.put(&found.files[0].path, &found.files[0].stat, &digest(b"one"));
        cache.save(None);
        assert_eq!(StatCache::load(&repository, Algorithm::Sha256).rows.len(), 1);
        StatCache::load(&repository, Algorithm::Sha256).save(Some(&[]));
        assert_eq!(StatCache::load(&repository, Algorithm::Sha256).rows.len(), 0);
        std::fs::write(dir.path().join(".muse/stem/cache"), b"STEMSTAT garbage").unwrap();
        assert_eq!(StatCache::load(&repository, Algorithm::Sha256).rows.len(), 0);
    }
}
