//! The two ways to open a path give the same answers.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, FileType, RenameFlags, fstat, mknodat, renameat_with};

use super::*;

const FILE: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn answer(opened: Result<OwnedFd, Errno>) -> Result<(u64, u64), Errno> {
    opened.map(|fd| fstat(fd).map(|st| (st.st_dev, st.st_ino)).unwrap())
}

/// Whether this kernel or sandbox lets the tests compare anything.
fn has_openat2(dir: &DirHandle) -> bool {
    !matches!(open_at_once(dir, b".", DIRECTORY), Err(Errno::NOSYS | Errno::PERM))
}

#[test]
fn a_stepwise_open_answers_as_openat2_does() {
    let holder = tempfile::tempdir().unwrap();
    let at = |name: &str| holder.path().join(name);
    fs::create_dir_all(at("a/b/c")).unwrap();
    fs::write(at("file"), "").unwrap();
    fs::write(at("a/b/file"), "").unwrap();
    for (target, link) in [
        ("a", "to-dir"),
        ("file", "to-file"),
        ("nowhere", "dangling"),
        ("loop", "loop"),
        ("..", "up"),
        ("/", "root"),
        ("/proc/self/fd", "magic"),
    ] {
        symlink(target, at(link)).unwrap();
        symlink(target, at("a/b").join(link)).unwrap();
    }
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    fs::create_dir(at("closed")).unwrap();
    fs::write(at("closed/file"), "").unwrap();
    // Passed through, but not listed; root does either.
    fs::set_permissions(at("closed"), fs::Permissions::from_mode(0o311)).unwrap();

    let dir = crate::platform::open_root(holder.path()).unwrap();
    if !has_openat2(&dir) {
        return;
    }
    let last = ["", "/file", "/a", "/a/b/file", "/absent", "/to-file", "/dangling", "/loop", "/to-dir/b"];
    let first = [
        ".",
        "a",
        "a/b",
        "a/b/c",
        "file",
        "a/b/file",
        "to-dir",
        "to-file",
        "dangling",
        "loop",
        "up",
        "root",
        "magic",
        "fifo",
        "socket",
        "closed",
        "absent",
        "a/b/to-dir",
        "a/b/up",
        "a/b/root",
        "a/b/dangling",
        "a/b/loop",
    ];
    let mut opened = 0;
    for path in first.iter().flat_map(|head| last.iter().map(move |tail| format!("{head}{tail}"))) {
        for flags in [FILE, DIRECTORY] {
            let whole = answer(open_at_once(&dir, path.as_bytes(), flags));
            assert_eq!(answer(open_stepwise(&dir, path.as_bytes(), flags)), whole, "{path} {flags:?}");
            opened += usize::from(whole.is_ok());
        }
    }
    assert!(opened > 10, "{opened}");
    let own = fstat(&dir).unwrap();
    assert_eq!(answer(open_stepwise(&dir, b".", DIRECTORY)), Ok((own.st_dev, own.st_ino)));
}

type Open = fn(&DirHandle, &[u8], OFlags) -> Result<OwnedFd, Errno>;

/// Ends the other thread, however this one ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn neither_is_led_outside_by_a_directory_that_turns_into_a_link() {
    let (holder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| holder.path().join(name);
    fs::create_dir(at("door")).unwrap();
    fs::write(at("door/file"), "").unwrap();
    fs::write(outside.path().join("file"), "").unwrap();
    symlink(outside.path(), at("spare")).unwrap();
    let dir = crate::platform::open_root(holder.path()).unwrap();
    let ours = fstat(fs::File::open(at("door/file")).unwrap()).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, at("door"), CWD, at("spare"), RenameFlags::EXCHANGE).unwrap();
            }
        });
        for open in [open_at_once as Open, open_stepwise as Open].repeat(20_000) {
            match answer(open(&dir, b"door/file", FILE)) {
                Ok(found) => assert_eq!(found, (ours.st_dev, ours.st_ino)),
                // "Not a directory": a link no longer when it was looked at again.
                Err(Errno::LOOP | Errno::NOTDIR | Errno::NOSYS | Errno::PERM) => {}
                Err(e) => panic!("{e}"),
            }
        }
    });
}
