//! What is special to this store: the layout on disk, other programs' files in it, links, permissions, the algorithm.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use stem_fs::{Dir, RelPath};
use stem_hash::{Algorithm, IdPrefix, ObjectId};
use stem_sharded::{
    BARE_MARKER, BARE_STAGING_SUFFIX, NAME_LEN, Options, REPOSITORY_MARKER, REPOSITORY_STAGING, SHARD_LEN,
    ShardedStore, object_path,
};
use stem_store::{
    Durability, ErrorKind, FileMetadata, FileSource, Maintain, ObjectStore, ObjectStoreExt, PutMethod,
    PutOptions, RestoreOptions, Result, Verified, Written,
};
use stem_testkit::source::{digest, noise};

fn open(dir: &Path) -> ShardedStore {
    ShardedStore::open(dir, &Options::default()).unwrap()
}

fn blake3(dir: &Path) -> Result<ShardedStore> {
    ShardedStore::open(dir, &Options { algorithm: Some(Algorithm::Blake3) })
}

fn path_of(store: &Path, id: &ObjectId) -> PathBuf {
    store.join(object_path(id).to_path())
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_object_is_a_raw_file_named_by_its_id() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("store");
    let id = open(&dir).put_bytes(b"abc").unwrap().digest.id;
    assert_eq!(id.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let file = dir.join("ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(fs::read(&file).unwrap(), b"abc");
    assert_eq!(names(root.path()), ["store"]);
    assert_eq!(names(&dir), ["ba"]);
    // Readable by whom the umask lets, and never made read-only: Muse copies the bits to the working tree.
    let mode = fs::metadata(&file).unwrap().mode();
    assert_eq!(mode & 0o600, 0o600);
    assert_eq!(mode & 0o133, 0);
}

#[test]
fn the_format_page_says_what_the_code_does() {
    let page = include_str!("../../../docs/format/sharded.md");
    for said in [
        format!("the first {SHARD_LEN} digits"),
        format!("the other {NAME_LEN} digits"),
        format!("`{BARE_MARKER}`"),
        format!("`.muse/{REPOSITORY_MARKER}`"),
        format!("`.muse/{REPOSITORY_STAGING}`"),
        format!("`.DIR{BARE_STAGING_SUFFIX}`"),
        format!("`DIR/{BARE_STAGING_SUFFIX}`"),
        format!("`{}<process id>-<random>`", stem_fs::TEMP_PREFIX),
        format!("`{}`", Algorithm::Blake3),
        format!("`{}`", object_path(&digest(Algorithm::Sha256, b"abc").id)),
    ] {
        assert!(page.contains(&said), "docs/format/sharded.md does not say {said}");
    }
}

#[test]
fn reading_a_store_that_was_never_written_to_makes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let store = open(&root.path().join("store"));
    assert!(store.ids(&IdPrefix::ALL).unwrap().is_empty());
    assert!(store.stat(&ObjectId::from_bytes([1; 32])).unwrap().is_none());
    store.sync().unwrap();
    drop(store);
    assert!(names(root.path()).is_empty());
}

#[test]
fn foreign_names_are_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let id = store.put_bytes(b"abc").unwrap().digest.id;
    let shard = root.path().join("ba");
    for name in
        [".obj-tmp-x1y2", "README", &"f".repeat(61), &"f".repeat(63), &"F".repeat(62), &"g".repeat(62)]
    {
        fs::write(shard.join(name), b"x").unwrap();
    }
    for dir in ["BA", "b", "bad", "zz", ".git", "tmp"] {
        fs::create_dir(root.path().join(dir)).unwrap();
        fs::write(root.path().join(dir).join("f".repeat(62)), b"x").unwrap();
    }
    fs::write(root.path().join("00"), b"a file where a shard would be").unwrap();
    assert_eq!(store.ids(&IdPrefix::ALL).unwrap(), [id]);
    drop(store);
    assert!(shard.join(".obj-tmp-x1y2").exists(), "what is not ours stays");
}

#[test]
fn a_link_or_a_directory_under_an_objects_name_is_damage_and_never_followed() {
    let root = tempfile::tempdir().unwrap();
    let (dir, outside) = (root.path().join("store"), root.path().join("outside"));
    fs::write(&outside, b"abc").unwrap();
    let store = open(&dir);
    let id = store.put_bytes(b"abc").unwrap().digest.id;
    let path = path_of(&dir, &id);
    let target = Dir::open(root.path()).unwrap();
    for link in [true, false] {
        fs::remove_file(&path).unwrap();
        if link {
            symlink(&outside, &path).unwrap();
        } else {
            fs::create_dir(&path).unwrap();
        }
        let mut temp = target.temp_file(0o600).unwrap();
        let errors = [
            store.stat(&id).unwrap_err(),
            store.open(&id).unwrap_err(),
            store.read_range(&id, 0, &mut [0; 3]).unwrap_err(),
            store.stat_many(&[id]).unwrap_err(),
            store.restore_file(&id, &mut temp, &RestoreOptions::default()).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert_eq!(error.path(), Some(&*path), "{error}");
            assert!(error.to_string().contains(if link { "symbolic link" } else { "directory" }), "{error}");
        }
        assert!(matches!(store.verify(&id).unwrap(), Some(Verified::Damaged { .. })));
        assert_eq!(store.ids(&IdPrefix::ALL).unwrap(), [id], "verifying must come across it");
        if link {
            let put = store.put_bytes(b"abc").unwrap();
            assert_eq!(put.written, Written::Replaced);
            assert!(fs::symlink_metadata(&path).unwrap().is_file());
        } else {
            assert_eq!(store.put_bytes(b"abc").unwrap_err().kind(), ErrorKind::Corrupt);
            assert_eq!(store.remove(&id).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
    assert_eq!(fs::read(&outside).unwrap(), b"abc");
}

#[test]
fn a_shard_that_is_a_link_is_not_followed() {
    let root = tempfile::tempdir().unwrap();
    let (dir, outside) = (root.path().join("store"), root.path().join("outside"));
    fs::create_dir_all(&dir).unwrap();
    fs::create_dir(&outside).unwrap();
    symlink(&outside, dir.join("ba")).unwrap();
    let store = open(&dir);
    let id = digest(Algorithm::Sha256, b"abc").id;
    for error in [
        store.put_bytes(b"abc").unwrap_err(),
        store.stat(&id).unwrap_err(),
        store.ids(&IdPrefix::ALL).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert_eq!(error.path(), Some(&*dir.join("ba")));
    }
    assert!(names(&outside).is_empty());
}

#[test]
fn the_algorithm_of_a_store_is_remembered_and_not_mixed() {
    let root = tempfile::tempdir().unwrap();
    let (fast, plain) = (root.path().join("fast"), root.path().join("plain"));
    blake3(&fast).unwrap().put_bytes(b"abc").unwrap();
    assert_eq!(fs::read(fast.join(BARE_MARKER)).unwrap(), b"blake3\n");
    assert_eq!(open(&fast).capabilities().algorithm, Algorithm::Blake3);
    let sha256 = Options { algorithm: Some(Algorithm::Sha256) };
    let error = ShardedStore::open(&fast, &sha256).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("blake3"), "{error}");

    open(&plain).put_bytes(b"abc").unwrap();
    assert_eq!(names(&plain), ["ba"], "a store of Muse's ids has no marker");
    assert_eq!(blake3(&plain).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(
        open(&fast)
            .copy_to(&open(&plain), &ObjectId::from_bytes([0; 32]), &PutOptions::default())
            .unwrap_err()
            .kind(),
        ErrorKind::Unsupported
    );

    fs::write(fast.join(BARE_MARKER), b"md5\n").unwrap();
    let error = ShardedStore::open(&fast, &Options::default()).unwrap_err();
    assert_eq!(error.path(), Some(&*fast.join(BARE_MARKER)));
}

#[test]
fn two_handles_that_disagree_about_an_empty_store_cannot_both_write() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("store");
    let (one, other) = (open(&dir), blake3(&dir).unwrap());
    other.put_bytes(b"abc").unwrap();
    assert_eq!(one.put_bytes(b"abc").unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_repository_keeps_everything_but_objects_below_its_own_directory() {
    let root = tempfile::tempdir().unwrap();
    let muse = Dir::open(root.path()).unwrap();
    let store = ShardedStore::in_repository(&muse, &Options { algorithm: Some(Algorithm::Blake3) }).unwrap();
    store.put_bytes(b"abc").unwrap();
    assert_eq!(names(root.path()), ["objects", "stem"]);
    assert_eq!(fs::read(root.path().join(REPOSITORY_MARKER)).unwrap(), b"blake3\n");
    drop(store);
    assert_eq!(names(&root.path().join("stem")), ["objects-hash", "tmp"]);
    assert!(names(&root.path().join("stem/tmp")).is_empty());
}

#[test]
fn what_dead_processes_left_is_collected_and_what_living_ones_have_is_not() {
    let root = tempfile::tempdir().unwrap();
    let staging = root.path().join(".store.stem-tmp");
    fs::create_dir(&staging).unwrap();
    let dead = format!("{}{}-00", stem_fs::TEMP_PREFIX, i32::MAX);
    let living = format!("{}{}-00", stem_fs::TEMP_PREFIX, std::process::id());
    for name in [dead.as_str(), &living, "someone-elses"] {
        fs::write(staging.join(name), b"x").unwrap();
    }
    open(&root.path().join("store")).put_bytes(b"abc").unwrap();
    assert_eq!(names(&staging), [&living, "someone-elses"]);
}

#[test]
fn a_taken_file_keeps_its_inode_bits_and_times() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("store");
    let work = Dir::open(root.path()).unwrap();
    let bytes = noise(1, 100_000);
    let known = digest(Algorithm::Sha256, &bytes);
    let name = RelPath::new("take.wav").unwrap();
    for (round, durability) in [Durability::Immediate, Durability::AtSync].into_iter().enumerate() {
        let store = open(&dir);
        fs::write(root.path().join("take.wav"), &bytes).unwrap();
        fs::set_permissions(root.path().join("take.wav"), Permissions::from_mode(0o440)).unwrap();
        let file = work.open_file(&name).unwrap().unwrap();
        let before = file.stat().unwrap();
        let source = FileSource {
            known: Some(known),
            take: true,
            place: Some((&work, &name)),
            ..FileSource::new(&file, before)
        };
        let put = store.put_file(&source, &PutOptions { durability, ..PutOptions::default() }).unwrap();
        let PutMethod::Adopted { dir: shard, path } = put.method else { panic!("{:?}", put.method) };
        assert_eq!(put.written, if round == 0 { Written::New } else { Written::Replaced });
        let after = shard.stat(&path).unwrap().unwrap();
        assert!(after.same_content_times(&before));
        assert_eq!(store.stat(&known.id).unwrap().unwrap().metadata, Some(FileMetadata::from(&before)));
        assert!(!root.path().join("take.wav").exists());
        store.sync().unwrap();
        assert_eq!(fs::metadata(path_of(&dir, &known.id)).unwrap().ino(), before.inode);
    }
}

#[test]
fn a_file_whose_name_was_taken_over_is_copied_and_the_other_one_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let store = open(&root.path().join("store"));
    let work = Dir::open(root.path()).unwrap();
    let bytes = noise(1, 10_000);
    let name = RelPath::new("take.wav").unwrap();
    fs::write(root.path().join("take.wav"), &bytes).unwrap();
    let file = work.open_file(&name).unwrap().unwrap();
    let stat = file.stat().unwrap();
    // An editor saves: a new file under the old name; the hashed one has no name any more.
    fs::write(root.path().join("new"), b"saved meanwhile").unwrap();
    fs::rename(root.path().join("new"), root.path().join("take.wav")).unwrap();
    let known = digest(Algorithm::Sha256, &bytes);
    let source = FileSource {
        known: Some(known),
        take: true,
        place: Some((&work, &name)),
        ..FileSource::new(&file, stat)
    };
    let put = store.put_file(&source, &PutOptions::default()).unwrap();
    assert!(matches!(put.method, PutMethod::Copied | PutMethod::Cloned));
    assert_eq!(store.get(&known.id, u64::MAX).unwrap().unwrap(), bytes);
    assert_eq!(fs::read(root.path().join("take.wav")).unwrap(), b"saved meanwhile");
}

#[test]
fn holes_stay_holes_on_the_way_in_and_out() {
    let root = tempfile::tempdir().unwrap();
    let store = open(&root.path().join("store"));
    let work = Dir::open(root.path()).unwrap();
    let (name, size) = (RelPath::new("long.wav").unwrap(), 64 << 20);
    let long = fs::File::create(root.path().join("long.wav")).unwrap();
    long.set_len(size).unwrap();
    let file = work.open_file(&name).unwrap().unwrap();
    let put = store.put_file(&FileSource::new(&file, file.stat().unwrap()), &PutOptions::default()).unwrap();
    assert_eq!(put.digest.len, size);
    let stored = fs::metadata(path_of(&root.path().join("store"), &put.digest.id)).unwrap();
    assert_eq!(stored.len(), size);
    assert!(stored.blocks() < 1024, "{} blocks", stored.blocks());
    let mut temp = work.temp_file(0o600).unwrap();
    store.restore_file(&put.digest.id, &mut temp, &RestoreOptions::default()).unwrap().unwrap();
    let restored = temp.stat().unwrap();
    assert_eq!(restored.size, size);
    assert!(restored.blocks < 1024);
}

#[test]
fn an_unreadable_object_is_a_matter_of_permissions_and_is_replaced_by_fresh_bytes() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("store");
    let store = open(&dir);
    let id = store.put_bytes(b"abc").unwrap().digest.id;
    let path = path_of(&dir, &id);
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        return; // The superuser reads everything.
    }
    assert_eq!(store.open(&id).unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(store.verify(&id).unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(store.put_bytes(b"abc").unwrap().written, Written::Replaced);
    assert_eq!(store.get(&id, 10).unwrap().unwrap(), b"abc");
}

#[test]
fn stores_that_cannot_be_are_refused_when_they_are_opened() {
    let root = tempfile::tempdir().unwrap();
    let missing = ShardedStore::open(&root.path().join("no/such/place"), &Options::default());
    assert!(missing.unwrap_err().to_string().contains("no/such"));
    let top = ShardedStore::open(Path::new("/"), &Options::default());
    assert_eq!(top.unwrap_err().kind(), ErrorKind::InvalidInput);
    // What the user names may be a link.
    symlink(root.path(), root.path().join("link")).unwrap();
    open(&root.path().join("link/store")).put_bytes(b"abc").unwrap();
    assert!(root.path().join("store/ba").exists());
}

#[test]
fn many_ids_are_answered_in_their_order() {
    let root = tempfile::tempdir().unwrap();
    let store = open(&root.path().join("store"));
    let options = PutOptions { durability: Durability::AtSync, ..PutOptions::default() };
    let mut ids: Vec<_> =
        (0..1500u32).map(|n| store.put(&mut &n.to_le_bytes()[..], &options).unwrap().digest.id).collect();
    // Waiting costs no descriptors.
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        assert!(open.count() < 750);
    }
    store.sync().unwrap();
    ids.extend((0..1500u32).map(|n| digest(Algorithm::Sha256, &[1, 2, 3, n.to_le_bytes()[0]]).id));
    ids.extend((1500..1600u32).map(|n| store.put(&mut &n.to_le_bytes()[..], &options).unwrap().digest.id));
    let found = store.stat_many(&ids).unwrap();
    assert_eq!(found.len(), ids.len());
    for (n, stat) in found.iter().enumerate() {
        assert_eq!(stat.is_some(), !(1500..3000).contains(&n));
    }
}
