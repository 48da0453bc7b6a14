//! A directory tree as a value: what a disk holds at one moment.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, FileTimes, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Node {
    /// A directory.
    Dir,
    /// A symbolic link.
    Link(PathBuf),
    /// A regular file.
    File {
        /// Files with the same number are names of one file.
        inode: usize,
        /// Its bytes.
        bytes: Arc<[u8]>,
        /// Its permission bits.
        mode: u32,
        /// Its mtime in seconds and nanoseconds since the epoch.
        mtime: (i64, i64),
    },
}

/// A tree, by path; a directory comes before what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Image(pub BTreeMap<PathBuf, Node>);

impl Image {
    /// Reads the tree below `root`.
    ///
    /// # Errors
    ///
    /// Something cannot be read, or is neither file, directory nor link.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut image = Self::default();
        let mut inodes = BTreeMap::new();
        let mut dirs = vec![PathBuf::new()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(root.join(&dir))? {
                let path = dir.join(entry?.file_name());
                let full = root.join(&path);
                let meta = fs::symlink_metadata(&full)?;
                let node = if meta.is_dir() {
                    dirs.push(path.clone());
                    Node::Dir
                } else if meta.is_symlink() {
                    Node::Link(fs::read_link(&full)?)
                } else if meta.is_file() {
                    let next = inodes.len();
                    Node::File {
                        inode: *inodes.entry((meta.dev(), meta.ino())).or_insert(next),
                        bytes: fs::read(&full)?.into(),
                        mode: meta.mode() & 0o7777,
                        mtime: (meta.mtime(), meta.mtime_nsec()),
                    }
                } else {
                    return Err(io::Error::other(format!("'{}' is special", full.display())));
                };
                image.0.insert(path, node);
            }
        }
        Ok(image)
    }

    /// Makes the tree in the empty directory `root`. Names that carry the id of this process as their owner's get that of
    /// a process which cannot exist: whoever wrote them is dead.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn build(&self, root: &Path) -> io::Result<()> {
        let mut first_names: BTreeMap<usize, PathBuf> = BTreeMap::new();
        for (path, node) in &self.0 {
            let at = root.join(of_the_dead(path));
            match node {
                Node::Dir => fs::create_dir(&at)?,
                Node::Link(target) => std::os::unix::fs::symlink(target, &at)?,
                Node::File { inode, bytes, mode, mtime } => {
                    if let Some(other) = first_names.get(inode) {
                        fs::hard_link(other, &at)?;
                        continue;
                    }
                    write(&at, bytes, *mode, *mtime)?;
                    first_names.insert(*inode, at);
                }
            }
        }
        Ok(())
    }
}

fn write(at: &Path, bytes: &[u8], mode: u32, (secs, nanos): (i64, i64)) -> io::Result<()> {
    use std::io::Write as _;
    let mut file = fs::File::create(at)?;
    file.write_all(bytes)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    let since = Duration::from_secs(secs.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let time = if secs < 0 { epoch - since } else { epoch + since };
    let time = time + Duration::from_nanos(nanos.unsigned_abs());
    file.set_times(FileTimes::new().set_modified(time))
}

/// Above every limit that the kernel has for process ids.
const DEAD: &str = "99999999";

fn of_the_dead(path: &Path) -> PathBuf {
    let own = std::process::id().to_string();
    let renamed = path.iter().map(|name| {
        let bytes = name.as_bytes();
        for prefix in [stem_fs::TEMP_PREFIX, stem_fs::ASIDE_PREFIX] {
            let rest =
                bytes.strip_prefix(prefix.as_bytes()).and_then(|rest| rest.strip_prefix(own.as_bytes()));
            if let Some(rest) = rest.filter(|rest| rest.first() == Some(&b'-')) {
                let name = [prefix.as_bytes(), DEAD.as_bytes(), rest].concat();
                return OsStr::from_bytes(&name).to_os_string();
            }
        }
        name.to_os_string()
    });
    renamed.collect()
}
