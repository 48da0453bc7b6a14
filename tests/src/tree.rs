//! A directory tree as a value that can be compared.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Metadata, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What stands at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Its permission bits.
        mode: u32,
        /// Its mtime in nanoseconds since the epoch.
        mtime: i128,
    },
    /// A symbolic link and where it points.
    Link(Vec<u8>),
    /// A FIFO, socket or device.
    Special(&'static str),
    /// A directory; only [`everything`] lists these.
    Dir,
}

impl Node {
    /// A regular file.
    pub fn file(bytes: &[u8], mode: u32, mtime: i128) -> Self {
        Self::File { bytes: bytes.to_vec(), mode, mtime }
    }
}

/// A tree: the bytes of relative paths, and what stands there.
pub type Tree = BTreeMap<Vec<u8>, Node>;

/// All files, links and special files below a directory, by the bytes of their relative paths; directories themselves
/// do not count.
pub fn read(root: &Path) -> Tree {
    let mut tree = everything(root);
    tree.retain(|_, node| *node != Node::Dir);
    tree
}

/// As [`read`], with the directories.
pub fn everything(root: &Path) -> Tree {
    let mut tree = BTreeMap::new();
    if root.exists() {
        add(root, root, &mut tree);
    }
    tree
}

fn add(root: &Path, dir: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
        if meta.is_dir() {
            tree.insert(name, Node::Dir);
            add(root, &path, tree);
        } else {
            tree.insert(name, node(&path, &meta));
        }
    }
}

fn node(path: &Path, meta: &Metadata) -> Node {
    let kind = meta.file_type();
    if kind.is_file() {
        let mtime = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        return Node::File { bytes: fs::read(path).unwrap(), mode: meta.mode() & 0o7777, mtime };
    }
    if kind.is_symlink() {
        return Node::Link(fs::read_link(path).unwrap().as_os_str().as_bytes().to_vec());
    }
    Node::Special(if kind.is_fifo() {
        "fifo"
    } else if kind.is_socket() {
        "socket"
    } else {
        "device"
    })
}

/// Only paths and bytes.
pub fn bytes(root: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let files = read(root).into_iter().filter_map(|(path, node)| match node {
        Node::File { bytes, .. } => Some((path, bytes)),
        _ => None,
    });
    files.collect()
}

/// A path below `root` whose name is any bytes.
pub fn join(root: &Path, path: impl AsRef<[u8]>) -> PathBuf {
    root.join(OsStr::from_bytes(path.as_ref()))
}

/// Writes a file and the directories that it needs; returns where it is.
pub fn write(root: &Path, path: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = join(root, path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

/// Makes the tree's files and links below `root`, with their permissions and times.
pub fn build(root: &Path, tree: &Tree) {
    for (path, node) in tree {
        let at = join(root, path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        match node {
            Node::File { bytes, mode, mtime } => {
                fs::write(&at, bytes).unwrap();
                set_meta(&at, *mode, *mtime);
            }
            Node::Link(target) => std::os::unix::fs::symlink(OsStr::from_bytes(target), &at).unwrap(),
            Node::Dir => fs::create_dir_all(&at).unwrap(),
            Node::Special(kind) => panic!("a {kind} cannot be built"),
        }
    }
}

/// Gives a file its permissions and its mtime.
pub fn set_meta(path: &Path, mode: u32, mtime: i128) {
    let nanos = |n: i128| Duration::from_nanos(u64::try_from(n).unwrap());
    let epoch = SystemTime::UNIX_EPOCH;
    let time = if mtime < 0 { epoch - nanos(-mtime) } else { epoch + nanos(mtime) };
    let file = File::options().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
