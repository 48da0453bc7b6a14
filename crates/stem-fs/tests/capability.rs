//! Nothing leaves the directory, no link is followed, nothing hangs, and every name that the system can store works.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod common;

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use common::{rel, scratch};
use stem_fs::{Dir, FileKind, LockFile, LockKind, MAX_PATH, Publish, RelPath};

/// Every operation that takes a path, as `(its name, the error it gives if any)`. None of them may succeed below a link.
fn all_operations(dir: &Dir, path: &RelPath) -> Vec<(&'static str, Option<ErrorKind>)> {
    fn kind<T>(result: stem_fs::Result<T>) -> Option<ErrorKind> {
        result.err().map(|e| e.kind())
    }
    let (other, here) = (rel("other"), rel("here"));
    dir.write_durable(&here, b"here", dir, Publish::Replace).unwrap();
    let persist = |publish| {
        let mut temp = dir.temp_file(0o600).unwrap();
        temp.persist(dir, path, publish)
    };
    vec![
        ("stat", kind(dir.stat(path))),
        ("open_file", kind(dir.open_file(path))),
        ("read", kind(dir.read(path, 100))),
        ("sub", kind(dir.sub(path))),
        ("ensure_dir", kind(dir.ensure_dir(path))),
        ("remove_file", kind(dir.remove_file(path))),
        ("remove_dir", kind(dir.remove_dir(path))),
        ("rename from", kind(dir.rename(path, dir, &other, Publish::Replace))),
        ("rename new from", kind(dir.rename(path, dir, &other, Publish::New))),
        ("rename to", kind(dir.rename(&here, dir, path, Publish::Replace))),
        ("rename new to", kind(dir.rename(&here, dir, path, Publish::New))),
        ("write_durable", kind(dir.write_durable(path, b"x", dir, Publish::Replace))),
        ("write_durable new", kind(dir.write_durable(path, b"x", dir, Publish::New))),
        ("persist", kind(persist(Publish::Replace))),
        ("persist new", kind(persist(Publish::New))),
        ("lock", kind(LockFile::acquire(dir, path, LockKind::Shared, &mut || ()))),
        ("try lock", kind(LockFile::try_acquire(dir, path, LockKind::Exclusive))),
    ]
}

/// The names below `root` with what they hold.
fn tree(root: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.as_os_str().as_bytes().to_vec();
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            found.push((name, b"directory".to_vec()));
            found.extend(tree(&path));
        } else if meta.is_symlink() {
            found.push((name, fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()));
        } else {
            found.push((name, fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn no_operation_passes_through_a_link() {
    let (holder, dir) = scratch();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    fs::create_dir(outside.path().join("inner")).unwrap();
    let at = |name: &str| holder.path().join(name);
    fs::create_dir_all(at("real/deep")).unwrap();
    fs::write(at("real/file"), "file").unwrap();
    symlink(outside.path(), at("absolute")).unwrap();
    symlink("real", at("inside")).unwrap();
    symlink("../..", at("real/up")).unwrap();
    symlink(outside.path(), at("real/deep/out")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink(outside.path().join("secret"), at("to-file")).unwrap();
    let before = (tree(outside.path()), tree(&at("real")));

    let through = [
        "absolute/secret",
        "absolute/inner/new",
        "absolute/new",
        "inside/file",
        "inside/deep/out/secret",
        "real/up/real",
        "real/deep/out/secret",
        "dangling/x",
        "loop/x",
        "to-file/x",
    ];
    for path in through {
        for (operation, error) in all_operations(&dir, &rel(path)) {
            assert_eq!(error, Some(ErrorKind::InvalidInput), "{operation} of {path}");
        }
    }
    assert_eq!((tree(outside.path()), tree(&at("real"))), before);
}

#[test]
fn a_link_at_the_end_is_never_opened() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let file = outside.path().join("secret");
    for target in [outside.path(), &file, Path::new("nowhere"), Path::new("link"), Path::new("/")] {
        let (holder, dir) = scratch();
        let (link, at) = (rel("link"), holder.path().join("link"));
        symlink(target, &at).unwrap();
        let refused = |kind| assert_eq!(kind, Some(ErrorKind::InvalidInput), "link to {}", target.display());
        refused(dir.open_file(&link).err().map(|e| e.kind()));
        refused(dir.read(&link, 100).err().map(|e| e.kind()));
        refused(dir.sub(&link).err().map(|e| e.kind()));
        refused(dir.ensure_dir(&link).err().map(|e| e.kind()));
        refused(dir.ensure_dir(&rel("link/x")).err().map(|e| e.kind()));
        refused(LockFile::try_acquire(&dir, &link, LockKind::Exclusive).err().map(|e| e.kind()));
        assert_eq!(dir.stat(&link).unwrap().unwrap().kind, FileKind::Symlink);
        assert!(!dir.remove_dir(&link).unwrap());

        // Names change, whatever they stand for.
        dir.rename(&link, &dir, &rel("moved"), Publish::New).unwrap();
        assert_eq!(dir.stat(&rel("moved")).unwrap().unwrap().kind, FileKind::Symlink);
        let taken = dir.write_durable(&rel("moved"), b"new", &dir, Publish::New).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
        dir.write_durable(&rel("moved"), b"new", &dir, Publish::Replace).unwrap();
        assert_eq!(dir.read(&rel("moved"), 100).unwrap().unwrap(), b"new");
        symlink(target, &at).unwrap();
        assert!(dir.remove_file(&link).unwrap());
        assert!(!dir.remove_file(&link).unwrap());
        assert_eq!(fs::read(&file).unwrap(), b"secret");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}

#[test]
fn what_is_no_regular_file_is_not_opened_and_does_not_hang() {
    let (holder, dir) = scratch();
    let fifo = holder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
    let _socket = UnixListener::bind(holder.path().join("socket")).unwrap();
    fs::create_dir(holder.path().join("dir")).unwrap();
    for (name, kind) in [("fifo", FileKind::Special), ("socket", FileKind::Special), ("dir", FileKind::Dir)] {
        assert_eq!(dir.stat(&rel(name)).unwrap().unwrap().kind, kind);
        let error = dir.open_file(&rel(name)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains(&format!("it is a {kind}, not a regular file")), "{error}");
        assert!(dir.read(&rel(name), 10).is_err());
        assert!(LockFile::try_acquire(&dir, &rel(name), LockKind::Exclusive).is_err());
    }
    let device = Dir::open(Path::new("/dev")).unwrap().open_file(&rel("null")).unwrap_err();
    assert!(device.to_string().contains("special file"), "{device}");
}

#[test]
fn entries_say_what_the_names_are() {
    let (holder, dir) = scratch();
    assert!(dir.entries().unwrap().is_empty());
    fs::write(holder.path().join("file"), "").unwrap();
    fs::create_dir(holder.path().join("dir")).unwrap();
    symlink("dir", holder.path().join("link")).unwrap();
    let _socket = UnixListener::bind(holder.path().join("socket")).unwrap();
    // Twice: listing leaves no trace in the directory's descriptor.
    for _ in 0..2 {
        let mut found: Vec<_> =
            dir.entries().unwrap().into_iter().map(|entry| (entry.name, entry.kind)).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let expected = [
            (b"dir".to_vec(), FileKind::Dir),
            (b"file".to_vec(), FileKind::File),
            (b"link".to_vec(), FileKind::Symlink),
            (b"socket".to_vec(), FileKind::Special),
        ];
        assert_eq!(found, expected);
    }
}

#[test]
fn nothing_there_is_no_error() {
    let (holder, dir) = scratch();
    fs::write(holder.path().join("file"), "").unwrap();
    for path in ["absent", "absent/below", "file/below", "file/below/deep"] {
        let path = rel(path);
        assert_eq!(dir.stat(&path).unwrap(), None);
        assert!(dir.open_file(&path).unwrap().is_none());
        assert_eq!(dir.read(&path, 10).unwrap(), None);
        assert!(dir.sub(&path).unwrap().is_none());
        assert!(!dir.remove_file(&path).unwrap());
        assert!(!dir.remove_dir(&path).unwrap());
        assert!(dir.rename(&path, &dir, &rel("to"), Publish::Replace).is_err());
    }
    let error = dir.write_durable(&rel("absent/x"), b"", &dir, Publish::Replace).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(dir.ensure_dir(&rel("file/x")).is_err());
    assert!(dir.sub(&rel("file")).unwrap().is_none());
    assert!(!dir.remove_dir(&rel("file")).unwrap());
    assert!(dir.remove_file(&rel("absent")).is_ok_and(|removed| !removed));
}

#[test]
fn every_name_that_the_system_stores_works() {
    let (holder, dir) = scratch();
    let names: [&[u8]; 8] = [
        b"\xff\xfe not utf-8",
        b"line\nbreak",
        b"tab\tand\x1b[31mcolour",
        b"...",
        b" leading and trailing ",
        b"back\\slash\"quote'",
        "Süß 音.wav".as_bytes(),
        &[b'x'; 255],
    ];
    for name in names {
        let sub = dir.ensure_dir(&rel(name)).unwrap();
        let path = rel(name).join(name).unwrap();
        dir.write_durable(&path, name, &dir, Publish::New).unwrap();
        assert_eq!(dir.read(&path, 255).unwrap().unwrap(), name);
        assert_eq!(sub.entries().unwrap()[0].name, name);
        assert_eq!(fs::read(holder.path().join(path.to_path())).unwrap(), name);
        assert!(!path.to_string().contains(['\n', '\x1b', '\t']));
        assert!(dir.remove_file(&path).unwrap());
        assert!(dir.remove_dir(&rel(name)).unwrap());
    }
    assert!(dir.entries().unwrap().is_empty());
}

#[test]
fn the_longest_path_works() {
    let (_holder, dir) = scratch();
    let deep = vec![[b'd'; 255].to_vec(); 15].join(&b'/');
    let path = rel([&deep[..], b"/", &[b'f'; 255]].concat());
    assert_eq!(path.as_bytes().len(), MAX_PATH);
    dir.ensure_dir(&rel(&deep)).unwrap();
    dir.write_durable(&path, b"deep", &dir, Publish::New).unwrap();
    assert_eq!(dir.read(&path, 10).unwrap().unwrap(), b"deep");
    assert_eq!(dir.stat(&path).unwrap().unwrap().size, 4);
    dir.rename(&path, &dir, &rel("up"), Publish::New).unwrap();
    assert!(!dir.remove_file(&path).unwrap());
}

#[test]
fn a_read_is_bounded() {
    let (holder, dir) = scratch();
    let path = rel("file");
    fs::write(holder.path().join("file"), [7; 1000]).unwrap();
    assert_eq!(dir.read(&path, 1000).unwrap().unwrap(), [7; 1000]);
    assert_eq!(dir.read(&path, u64::MAX).unwrap().unwrap(), [7; 1000]);
    let error = dir.read(&path, 999).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(!error.is_no_space());
    assert!(error.to_string().contains("limit of 999 bytes"), "{error}");
    fs::write(holder.path().join("file"), "").unwrap();
    assert_eq!(dir.read(&path, 0).unwrap().unwrap(), b"");
    // Nothing is reserved for what is not read.
    fs::File::options().write(true).open(holder.path().join("file")).unwrap().set_len(1 << 42).unwrap();
    assert!(dir.read(&path, 1 << 20).is_err());
    // The size says 0, the bytes are there: the limit holds all the same.
    #[cfg(target_os = "linux")]
    {
        let proc = Dir::open(Path::new("/proc")).unwrap();
        assert!(!proc.read(&rel("version"), 4096).unwrap().unwrap().is_empty());
        assert_eq!(proc.read(&rel("version"), 3).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}

#[test]
fn a_new_name_replaces_nothing() {
    let (holder, dir) = scratch();
    let (a, b) = (rel("a"), rel("b"));
    fs::write(holder.path().join("a"), "a").unwrap();
    fs::write(holder.path().join("b"), "b").unwrap();
    let error = dir.rename(&a, &dir, &b, Publish::New).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(dir.read(&b, 10).unwrap().unwrap(), b"b");
    dir.rename(&a, &dir, &b, Publish::Replace).unwrap();
    assert_eq!(dir.read(&b, 10).unwrap().unwrap(), b"a");
    assert_eq!(dir.stat(&a).unwrap(), None);
    // A directory moves too, and replaces only an empty one.
    dir.ensure_dir(&rel("full/sub")).unwrap();
    dir.ensure_dir(&rel("empty")).unwrap();
    dir.rename(&rel("full"), &dir, &rel("empty"), Publish::Replace).unwrap();
    assert!(dir.sub(&rel("empty/sub")).unwrap().is_some());
    assert!(dir.rename(&b, &dir, &rel("empty"), Publish::Replace).is_err());
}

#[test]
fn the_directory_may_be_named_through_a_link_but_not_be_a_file() {
    let (holder, dir) = scratch();
    dir.ensure_dir(&rel("real")).unwrap();
    symlink("real", holder.path().join("link")).unwrap();
    let named = Dir::open(&holder.path().join("link")).unwrap();
    named.write_durable(&rel("x"), b"", &named, Publish::New).unwrap();
    assert!(dir.stat(&rel("real/x")).unwrap().is_some());
    assert_eq!(Dir::open(&holder.path().join("link/x")).unwrap_err().kind(), ErrorKind::NotADirectory);
    assert_eq!(Dir::open(&holder.path().join("absent")).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(Dir::create_all(&holder.path().join("real/a/b")).is_ok());
    assert_eq!(named.stat_self().unwrap().kind, FileKind::Dir);
    assert_eq!(named.path().file_name(), Some(OsStr::from_bytes(b"link")));
}
