//! Temporary files: they vanish, they get exact metadata, and copies into them are exact and no larger than need be.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod common;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use common::{rel, scratch};
use stem_fs::{CopyMethod, Dir, Publish, TEMP_PREFIX, TempFile, Timestamp, temp_name};

const MIB: u64 = 1 << 20;

fn count(dir: &Dir) -> usize {
    dir.entries().unwrap().len()
}

/// Bytes without a pattern that a wrong offset would meet again.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

#[test]
fn it_vanishes_unless_it_got_a_name() {
    let (_holder, dir) = scratch();
    let mut temp = dir.temp_file(0o600).unwrap();
    assert_eq!(count(&dir), 1);
    drop(dir.temp_file(0o600).unwrap());
    drop(dir.temp_file(0o600).unwrap().close());
    assert_eq!(count(&dir), 1);
    let name = temp.path().file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with(&format!("{TEMP_PREFIX}{}-", std::process::id())), "{name}");

    temp.write_all(b"bytes").unwrap();
    let taken = rel("taken");
    dir.write_durable(&taken, b"taken", &dir, Publish::New).unwrap();
    let error = temp.persist(&dir, &taken, Publish::New).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    // It stays temporary after a failure, and can be given another name.
    temp.persist(&dir, &rel("name"), Publish::New).unwrap();
    drop(temp);
    assert_eq!(dir.read(&rel("name"), 10).unwrap().unwrap(), b"bytes");
    assert_eq!(count(&dir), 2);

    let mut closed = dir.temp_file(0o600).unwrap().close();
    assert_eq!(closed.open().unwrap().unwrap().stat().unwrap().size, 0);
    closed.persist(&dir, &taken, Publish::Replace).unwrap();
    drop(closed);
    assert_eq!(dir.read(&taken, 10).unwrap().unwrap(), b"");
    let lost = dir.temp_file(0o600).unwrap().close();
    for entry in dir.entries().unwrap().iter().filter(|e| e.name.starts_with(TEMP_PREFIX.as_bytes())) {
        assert!(dir.remove_file(&rel(&entry.name)).unwrap());
    }
    assert!(lost.open().unwrap().is_none());
    drop(lost);
    assert_eq!(count(&dir), 2);
}

#[test]
fn names_differ() {
    let names: std::collections::BTreeSet<_> = (0..10_000).map(|_| temp_name()).collect();
    assert_eq!(names.len(), 10_000);
}

#[test]
fn permission_bits_are_exact() {
    let (holder, dir) = scratch();
    for mode in [0, 0o400, 0o644, 0o666, 0o777, 0o4755, 0o2750, 0o1777, 0o7777, 0o7000] {
        let mut temp = dir.temp_file(0o600).unwrap();
        temp.write_all(b"x").unwrap();
        temp.set_mode(mode).unwrap();
        assert_eq!(temp.stat().unwrap().mode, mode);
        temp.sync().unwrap();
        temp.persist(&dir, &rel("file"), Publish::Replace).unwrap();
        assert_eq!(dir.stat(&rel("file")).unwrap().unwrap().mode, mode);
        let meta = fs::metadata(holder.path().join("file")).unwrap();
        assert_eq!(meta.permissions().mode() & 0o7777, mode);
    }
    // Bits that are no permissions are left alone.
    let temp = dir.temp_file(0o600).unwrap();
    temp.set_mode(0o170_644).unwrap();
    assert_eq!(temp.stat().unwrap().mode, 0o644);
}

#[test]
fn times_are_exact() {
    let (_holder, dir) = scratch();
    let temp = dir.temp_file(0o600).unwrap();
    let times = [
        (0, 0),
        (0, 1),
        (-1, 999_999_999),
        (-1_000_000_000, 123_456_789),
        (1_700_000_000, 987_654_321),
        (4_000_000_000, 1),
    ];
    for (secs, nanos) in times {
        let time = Timestamp { secs, nanos };
        temp.set_mtime(time).unwrap();
        assert_eq!(temp.stat().unwrap().mtime, time);
        assert_eq!(Timestamp::from_nanos(time.as_nanos()), Some(time));
    }
    // The kernel would take the last two for "now" and "leave it".
    let before = temp.stat().unwrap();
    for nanos in [1_000_000_000, u32::MAX, 0x3FFF_FFFF, 0x3FFF_FFFE] {
        let error = temp.set_mtime(Timestamp { secs: 5, nanos }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(temp.stat().unwrap().mtime, before.mtime);
    }
}

#[test]
fn an_open_file_takes_metadata_and_is_seen_to_change() {
    let (holder, dir) = scratch();
    dir.write_durable(&rel("file"), b"bytes", &dir, Publish::New).unwrap();
    let file = dir.open_file(&rel("file")).unwrap().unwrap();
    let before = file.stat().unwrap();
    assert!(before.same_version(&dir.stat(&rel("file")).unwrap().unwrap()));
    fs::hard_link(holder.path().join("file"), holder.path().join("second")).unwrap();
    let linked = file.stat().unwrap();
    assert_eq!((before.links, linked.links), (1, 2));
    assert!(linked.same_content_times(&before));
    file.set_mode(0o400).unwrap();
    file.set_mtime(Timestamp { secs: 7, nanos: 8 }).unwrap();
    let after = dir.stat(&rel("second")).unwrap().unwrap();
    assert_eq!((after.mode, after.mtime), (0o400, Timestamp { secs: 7, nanos: 8 }));
    assert!(!after.same_version(&before) && !after.same_content_times(&before));

    let mut middle = [0; 3];
    assert_eq!(file.read_at(&mut middle, 1).unwrap(), 3);
    assert_eq!(&middle, b"yte");
    let mut all = String::new();
    (&file).read_to_string(&mut all).unwrap();
    assert_eq!(all, "bytes");
}

/// A source in `dir` with these bytes, and a temporary file to copy it into.
fn source(dir: &Dir, bytes: &[u8]) -> (stem_fs::OpenFile, TempFile) {
    fs::write(dir.path().join("source"), bytes).unwrap();
    (dir.open_file(&rel("source")).unwrap().unwrap(), dir.temp_file(0o600).unwrap())
}

fn bytes_of(temp: &TempFile) -> Vec<u8> {
    fs::read(temp.path()).unwrap()
}

#[test]
fn copies_of_every_size_are_exact() {
    let (_holder, dir) = scratch();
    for len in [0, 1, 511, 4095, 4096, 4097, 1 << 16, (1 << 20) + 1, (1 << 24) + 3, 40 << 20] {
        let bytes = noise(len);
        let (file, mut temp) = source(&dir, &bytes);
        // Where reads of the source stand does not matter, and stays.
        let mut head = vec![0; len.min(100)];
        (&file).read_exact(&mut head).unwrap();
        let mut told = 0;
        let (copied, _) = temp
            .copy_from_with(&file, &mut |more| {
                told += more;
                Ok(())
            })
            .unwrap();
        assert_eq!((copied, told), (len as u64, len as u64));
        assert!(bytes_of(&temp) == bytes, "{len} bytes");
        let mut rest = Vec::new();
        (&file).read_to_end(&mut rest).unwrap();
        assert!(rest == bytes[head.len()..]);
    }
}

#[test]
fn a_copy_can_be_stopped() {
    let (_holder, dir) = scratch();
    let (file, mut temp) = source(&dir, &noise(40 << 20));
    let error = temp.copy_from_with(&file, &mut |_| Err(io::Error::other("enough"))).unwrap_err();
    assert!(error.to_string().ends_with("enough"), "{error}");
    drop(temp);
    assert_eq!(count(&dir), 1);
}

#[test]
fn a_source_that_changes_its_size_is_copied_as_it_is_found() {
    let (holder, dir) = scratch();
    let path = holder.path().join("source");
    for (new_len, tail) in [(20 * MIB, 0u64), (16 * MIB, 0), (0, 0), (50 * MIB, 5 * MIB)] {
        let bytes = noise(40 << 20);
        let (file, mut temp) = source(&dir, &bytes);
        let writer = File::options().write(true).open(&path).unwrap();
        let mut first = true;
        let result = temp.copy_from_with(&file, &mut |_| {
            if std::mem::take(&mut first) {
                writer.set_len(new_len)?;
                writer.write_all_at(&noise(tail.try_into().unwrap()), new_len - tail)?;
            }
            Ok(())
        });
        let (copied, method) = result.unwrap();
        let found = bytes_of(&temp);
        assert_eq!(copied, found.len() as u64, "{method:?}");
        if method == CopyMethod::Cloned {
            assert!(found == bytes);
            continue;
        }
        // The first part was copied before the change, the rest after it.
        let expected = fs::read(&path).unwrap();
        assert!(found.len() >= expected.len());
        assert!(found[..expected.len().min(found.len())] == expected[..]);
        assert!(found.len() as u64 <= new_len.max(16 * MIB), "{}", found.len());
    }
}

/// Makes a file of `len` bytes with data at these places only.
fn sparse(path: &Path, len: u64, pieces: &[(u64, usize)]) {
    let file = File::create(path).unwrap();
    for &(at, size) in pieces {
        file.write_all_at(&noise(size), at).unwrap();
    }
    file.set_len(len).unwrap();
}

#[test]
fn holes_stay_holes() {
    let (holder, dir) = scratch();
    let path = holder.path().join("sparse");
    let len = 5 << 30;
    let pieces = [(0, 4096), (1 << 30, 3 << 20), ((3 << 30) + 12_345, 10_000)];
    for len in [len, (3 << 30) + 22_345] {
        sparse(&path, len, &pieces);
        let file = dir.open_file(&rel("sparse")).unwrap().unwrap();
        let before = file.stat().unwrap();
        assert!(before.is_sparse(), "the file system has no holes: {before:?}");
        let mut head = [0; 10];
        (&file).read_exact(&mut head).unwrap();
        let mut temp = dir.temp_file(0o600).unwrap();
        let mut told = 0;
        let (copied, _) = temp
            .copy_from_with(&file, &mut |more| {
                told += more;
                Ok(())
            })
            .unwrap();
        let after = temp.stat().unwrap();
        assert_eq!((copied, told, after.size), (len, len, len));
        assert!(after.blocks <= before.blocks + 64, "{after:?}");
        let mut next = [0; 10];
        (&file).read_exact(&mut next).unwrap();
        assert_eq!(next, noise(20)[10..]);
        for (at, size) in pieces {
            // A little of the holes around, too.
            let start = at.saturating_sub(100);
            let (mut ours, mut theirs) = (vec![1; size + 200], vec![2; size + 200]);
            let read = temp.as_std().read_at(&mut ours, start).unwrap();
            assert_eq!(file.read_at(&mut theirs, start).unwrap(), read);
            assert!(ours[..read] == theirs[..read]);
        }
    }
    sparse(&path, len, &[]);
    let file = dir.open_file(&rel("sparse")).unwrap().unwrap();
    let mut temp = dir.temp_file(0o600).unwrap();
    assert_eq!(temp.copy_from(&file).unwrap().0, len);
    assert_eq!((temp.stat().unwrap().size, temp.stat().unwrap().blocks), (len, 0));
}

#[test]
fn a_sparse_source_that_changes_its_size_is_copied_as_it_is_found() {
    let (holder, dir) = scratch();
    let path = holder.path().join("sparse");
    for new_len in [0, 4096, 10 * MIB, 100 * MIB, 300 * MIB] {
        sparse(&path, 200 * MIB, &[(0, 4096), (64 << 20, 4096), (199 << 20, 4096)]);
        let file = dir.open_file(&rel("sparse")).unwrap().unwrap();
        let writer = File::options().write(true).open(&path).unwrap();
        let mut temp = dir.temp_file(0o600).unwrap();
        let mut first = true;
        let result = temp.copy_from_with(&file, &mut |_| {
            if std::mem::take(&mut first) { writer.set_len(new_len) } else { Ok(()) }
        });
        let (copied, method) = result.unwrap();
        assert_eq!(temp.stat().unwrap().size, copied);
        if method != CopyMethod::Cloned {
            assert_eq!(copied, new_len.max(4096));
        }
    }
}

#[test]
fn zeros_can_be_left_out_while_writing() {
    let (_holder, dir) = scratch();
    let zeros = |len: usize| vec![0; len];
    let pieces: Vec<Vec<u8>> = vec![
        zeros(1 << 20),
        noise(10),
        zeros((1 << 20) - 10),
        noise(100_000),
        zeros(1),
        zeros(65_535),
        zeros(65_536),
        [noise(70_000), zeros(300_000), noise(5)].concat(),
        Vec::new(),
        zeros(3 << 20),
    ];
    let (mut temp, mut expected) = (dir.temp_file(0o600).unwrap(), Vec::new());
    for piece in &pieces {
        temp.write_sparse(piece).unwrap();
        expected.extend_from_slice(piece);
        assert_eq!(temp.stat().unwrap().size, expected.len() as u64);
    }
    assert!(bytes_of(&temp) == expected);
    let blocks = temp.stat().unwrap().blocks;
    assert!(blocks * 512 < 1 << 20, "{blocks}");
    // And ordinary writes go on behind it.
    temp.write_all(b"end").unwrap();
    expected.extend_from_slice(b"end");
    assert!(bytes_of(&temp) == expected);

    let mut short = dir.temp_file(0o600).unwrap();
    short.write_sparse(&zeros(1000)).unwrap();
    short.write_sparse(b"x").unwrap();
    assert_eq!(bytes_of(&short).len(), 1001);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_of_unknown_size_is_copied_whole() {
    let (_holder, dir) = scratch();
    let proc = Dir::open(Path::new("/proc/self")).unwrap();
    let file = proc.open_file(&rel("environ")).unwrap().unwrap();
    assert_eq!(file.stat().unwrap().size, 0);
    let mut temp = dir.temp_file(0o600).unwrap();
    let (copied, method) = temp.copy_from(&file).unwrap();
    assert_eq!(method, CopyMethod::Buffered);
    assert_eq!(bytes_of(&temp), fs::read("/proc/self/environ").unwrap());
    assert_eq!(copied, temp.stat().unwrap().size);
}
