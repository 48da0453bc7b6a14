//! What needs a file system of a certain kind: mounted here by root, skipped by name where that is not possible.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use common::{rel, scratch};
use stem_fs::{Barrier, CopyMethod, Dir, Publish, ReadLease, Refused};
use stem_testkit::mount::{Mount, alone, skip};

fn dir(mount: &Mount) -> Dir {
    Dir::open(mount.path()).unwrap()
}

#[test]
fn xfs_shares_blocks_and_flushes_as_a_whole() {
    let _alone = alone();
    let (holder, outer) = scratch();
    let mount = match Mount::xfs(&holder.path().join("mount"), &holder.path().join("image")) {
        Ok(mount) => mount,
        Err(reason) => return skip("xfs_shares_blocks_and_flushes_as_a_whole", &reason),
    };
    let dir = dir(&mount);
    assert!(Barrier::new(&dir).unwrap().is_whole());
    let bytes = vec![b'x'; 3 << 20];
    dir.write_durable(&rel("source"), &bytes, &dir, Publish::New).unwrap();
    let source = dir.open_file(&rel("source")).unwrap().unwrap();
    drop(ReadLease::take(&source).unwrap());

    let mut told = 0;
    let mut temp = dir.temp_file(0o600).unwrap();
    let copied = temp.copy_from_with(&source, &mut |more| {
        told += more;
        Ok(())
    });
    assert_eq!(copied.unwrap(), (3 << 20, CopyMethod::Cloned));
    assert_eq!(told, 3 << 20);
    assert!(fs::read(temp.path()).unwrap() == bytes);
    temp.persist(&dir, &rel("clone"), Publish::New).unwrap();
    // The two are apart when one is written to.
    File::options().write(true).open(mount.path().join("clone")).unwrap().write_all(b"y").unwrap();
    assert!(dir.read(&rel("source"), 4 << 20).unwrap().unwrap() == bytes);

    // To another file system the bytes have to go.
    let mut across = outer.temp_file(0o600).unwrap();
    assert!(!across.clone_from(&source).unwrap());
    let (len, method) = across.copy_from(&source).unwrap();
    assert_ne!(method, CopyMethod::Cloned);
    assert_eq!(len, 3 << 20);
    assert!(fs::read(across.path()).unwrap() == bytes);
    let error = across.persist(&dir, &rel("across"), Publish::New).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::CrossesDevices);
}

#[test]
fn a_full_file_system_is_told_as_such() {
    let _alone = alone();
    let (holder, outer) = scratch();
    let mount = match Mount::tmpfs(&holder.path().join("mount"), "1m") {
        Ok(mount) => mount,
        Err(reason) => return skip("a_full_file_system_is_told_as_such", &reason),
    };
    let dir = dir(&mount);
    dir.write_durable(&rel("file"), b"old", &dir, Publish::New).unwrap();
    let error = dir.write_durable(&rel("file"), &vec![1; 2 << 20], &dir, Publish::Replace).unwrap_err();
    assert!(error.is_no_space(), "{error}");
    assert_eq!(dir.read(&rel("file"), 10).unwrap().unwrap(), b"old");
    // What was written in vain is gone, and the room is there again.
    assert_eq!(dir.entries().unwrap().len(), 1);
    dir.write_durable(&rel("file"), &vec![2; 900 << 10], &dir, Publish::Replace).unwrap();
    assert!(dir.remove_file(&rel("file")).unwrap());

    // Copies fail the same way, from the same file system and from another.
    outer.write_durable(&rel("large"), &vec![3; 2 << 20], &outer, Publish::New).unwrap();
    let large = outer.open_file(&rel("large")).unwrap().unwrap();
    let error = dir.temp_file(0o600).unwrap().copy_from(&large).unwrap_err();
    assert!(error.is_no_space(), "{error}");
    dir.write_durable(&rel("half"), &vec![4; 600 << 10], &dir, Publish::New).unwrap();
    let half = dir.open_file(&rel("half")).unwrap().unwrap();
    let error = dir.temp_file(0o600).unwrap().copy_from(&half).unwrap_err();
    assert!(error.is_no_space(), "{error}");
    assert_eq!(dir.entries().unwrap().len(), 1);
    // Holes need no room.
    let mut sparse = dir.temp_file(0o600).unwrap();
    sparse.write_sparse(&vec![0; 8 << 20]).unwrap();
    assert_eq!(sparse.stat().unwrap().size, 8 << 20);
}

#[test]
fn sparse_files_stay_sparse_across_file_systems() {
    let _alone = alone();
    let (holder, outer) = scratch();
    let mount = match Mount::tmpfs(&holder.path().join("mount"), "4m") {
        Ok(mount) => mount,
        Err(reason) => return skip("sparse_files_stay_sparse_across_file_systems", &reason),
    };
    let dir = dir(&mount);
    let path = mount.path().join("sparse");
    fs::write(&path, "head").unwrap();
    File::options().write(true).open(&path).unwrap().set_len(5 << 30).unwrap();
    let source = dir.open_file(&rel("sparse")).unwrap().unwrap();
    for target in [&dir, &outer] {
        let mut temp = target.temp_file(0o600).unwrap();
        assert_eq!(temp.copy_from(&source).unwrap().0, 5 << 30);
        let meta = fs::metadata(temp.path()).unwrap();
        assert!(meta.len() == 5 << 30 && meta.blocks() < 1000, "{}", meta.blocks());
    }
}

#[test]
fn leases_of_overlayfs_are_not_trusted() {
    let _alone = alone();
    // It grants one while the file is mapped writable, as the mapping belongs to the file below.
    let (holder, _) = scratch();
    let test = "leases_of_overlayfs_are_not_trusted";
    let at = |name: &str| holder.path().join(name);
    let base = match Mount::tmpfs(&at("base"), "4m") {
        Ok(mount) => mount,
        Err(reason) => return skip(test, &reason),
    };
    let layer = |name: &str| {
        let path = base.path().join(name);
        fs::create_dir(&path).unwrap();
        path.display().to_string()
    };
    let options = format!("lowerdir={},upperdir={},workdir={}", layer("l"), layer("u"), layer("w"));
    let mount = match Mount::new(&at("mount"), "overlay", &options, Path::new("overlay")) {
        Ok(mount) => mount,
        Err(reason) => return skip(test, &reason),
    };
    let dir = dir(&mount);
    dir.write_durable(&rel("file"), b"bytes", &dir, Publish::New).unwrap();
    let file = dir.open_file(&rel("file")).unwrap().unwrap();
    assert_eq!(ReadLease::take(&file).err(), Some(Refused::Unavailable));
    // Nor is its common flush.
    assert!(!Barrier::new(&dir).unwrap().is_whole());
}

#[test]
fn a_read_only_file_system_can_be_read() {
    let _alone = alone();
    let (holder, _) = scratch();
    let mount = match Mount::tmpfs(&holder.path().join("mount"), "1m") {
        Ok(mount) => mount,
        Err(reason) => return skip("a_read_only_file_system_can_be_read", &reason),
    };
    let dir = dir(&mount);
    dir.write_durable(&rel("file"), b"bytes", &dir, Publish::New).unwrap();
    mount.make_read_only().unwrap();
    assert_eq!(dir.read(&rel("file"), 10).unwrap().unwrap(), b"bytes");
    let error = dir.write_durable(&rel("file"), b"new", &dir, Publish::Replace).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    assert_eq!(dir.ensure_dir(&rel("dir")).unwrap_err().kind(), std::io::ErrorKind::ReadOnlyFilesystem);
}
