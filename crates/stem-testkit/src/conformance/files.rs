//! Files as sources and targets: whatever short cuts a store takes, the contract holds.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use stem_fs::{OpenFile, RelPath, Timestamp};
use stem_store::{
    Durability, ErrorKind, FileMetadata, FileSource, PutMethod, PutOptions, RestoreOptions, Verify, Written,
};

use super::subject::{
    DURABILITIES, Run, Scratch, assert_absent, assert_whole, content, digest_for, kind, list, put, with,
};
use crate::source::noise;

/// A file as a working tree has it.
pub(super) struct Working {
    scratch: Scratch,
    name: RelPath,
    file: OpenFile,
}

impl Working {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let scratch = Scratch::new();
        let name = RelPath::new("take.wav").unwrap();
        std::fs::write(scratch.path().join("take.wav"), bytes).unwrap();
        let file = scratch.dir.open_file(&name).unwrap().unwrap();
        Self { scratch, name, file }
    }

    pub(super) fn source(&self) -> FileSource<'_> {
        let place = Some((&self.scratch.dir, &self.name));
        FileSource { place, ..FileSource::new(&self.file, self.file.stat().unwrap()) }
    }

    fn there(&self) -> Option<Vec<u8>> {
        std::fs::read(self.scratch.path().join("take.wav")).ok()
    }
}

/// In by a file and out by a file, all sizes, known or not.
pub fn files_are_stored_and_restored_whole(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    for (seed, len) in [0, 1, 4_096, 1_000_001, 3 << 20].into_iter().enumerate() {
        for known in [false, true] {
            let bytes = noise(seed as u64 * 2 + u64::from(known), len);
            let bytes = if len == 0 { bytes } else { [&bytes[..], &[u8::from(known)]].concat() };
            let digest = digest_for(store, &bytes);
            let working = Working::new(&bytes);
            let told = AtomicU64::new(0);
            let progress = |bytes| {
                told.fetch_add(bytes, Ordering::Relaxed);
                ControlFlow::Continue(())
            };
            let source =
                FileSource { known: known.then_some(digest), progress: Some(&progress), ..working.source() };
            let options = PutOptions { checksum: true, ..with(DURABILITIES[seed % 2]) };
            let first = store.put_file(&source, &options).unwrap();
            assert_eq!(first.digest, digest);
            assert_eq!(told.load(Ordering::Relaxed), bytes.len() as u64);
            let again = store.put_file(&source, &options).unwrap();
            assert_eq!((again.digest, again.written), (digest, Written::Present));
            assert!(matches!(again.method, PutMethod::None));
            assert_eq!(working.there().as_ref(), Some(&bytes), "the source was touched");
            assert_whole(store, &bytes);
            let scratch = Scratch::new();
            let mut target = scratch.temp();
            told.store(0, Ordering::Relaxed);
            let options = RestoreOptions { verify: Verify::No, progress: Some(&progress) };
            let restored = store.restore_file(&digest.id, &mut target, &options).unwrap().unwrap();
            assert_eq!(restored.len, bytes.len() as u64);
            assert!(content(&target) == bytes);
        }
    }
    store.sync().unwrap();
    subject.finish();
}

/// A file that is not what its caller believed: the bytes stored have the id that is reported, or nothing is stored.
pub fn files_are_stored_as_they_were_hashed(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    let (before, after) = (noise(1, 300_000), noise(2, 400_000));
    let working = Working::new(&before);
    let stale = working.source();
    std::fs::write(working.scratch.path().join("take.wav"), &after).unwrap();
    let done = store.put_file(&stale, &with(Durability::Immediate)).unwrap();
    assert_eq!((done.digest.id, done.digest.len), (digest_for(store, &after).id, 400_000));
    assert_whole(store, &after);
    let wanted = digest_for(store, &before).id;
    let options = PutOptions { expected: Some(wanted), ..with(Durability::Immediate) };
    assert_eq!(kind(store.put_file(&stale, &options)), ErrorKind::WrongHash);
    assert_absent(store, &wanted);
    subject.finish();
}

/// A file that the store may have: its bytes are stored, it is gone or where it was, and nothing lies between.
pub fn files_that_are_taken_become_objects(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    for (seed, durability) in DURABILITIES.into_iter().enumerate() {
        let bytes = noise(seed as u64, 600_000);
        let known = digest_for(store, &bytes);
        for linked in [true, false] {
            let working = Working::new(&bytes);
            let path = working.scratch.path().join("take.wav");
            if linked {
                std::fs::hard_link(&path, working.scratch.path().join("other.wav")).unwrap();
            }
            let source = FileSource { known: Some(known), take: true, ..working.source() };
            let done = store.put_file(&source, &with(durability)).unwrap();
            assert_eq!(done.digest.id, known.id);
            assert_whole(store, &bytes);
            if let PutMethod::Adopted { dir, path } = &done.method {
                assert!(!linked, "a file with a second name was taken");
                assert!(working.there().is_none());
                let now = dir.stat(path).unwrap().unwrap();
                assert_eq!(now.inode, source.stat.inode);
                // The caller may want it back, as long as its lease lasts.
                let back = &working.name;
                dir.rename(path, &working.scratch.dir, back, stem_fs::Publish::New).unwrap();
                assert_absent(store, &known.id);
                put(store, &bytes, durability);
            } else {
                assert_eq!(working.there().as_ref(), Some(&bytes));
            }
        }
        store.sync().unwrap();
        assert_whole(store, &bytes);
    }
    assert_eq!(list(store).len(), 2);
    subject.finish();
}

/// A caller who stops a put or a restore.
pub fn files_that_stop_leave_nothing(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    let bytes = noise(5, 5 << 20);
    let id = digest_for(store, &bytes).id;
    let told = AtomicU64::new(0);
    let progress = |bytes| {
        let sum = told.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if sum > 2 << 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let working = Working::new(&bytes);
    let source = FileSource { progress: Some(&progress), ..working.source() };
    assert_eq!(kind(store.put_file(&source, &with(Durability::AtSync))), ErrorKind::Interrupted);
    store.sync().unwrap();
    assert_absent(store, &id);
    assert!(list(store).is_empty());
    put(store, &bytes, Durability::Immediate);
    for verify in [Verify::No, Verify::Id] {
        told.store(0, Ordering::Relaxed);
        let scratch = Scratch::new();
        let options = RestoreOptions { verify, progress: Some(&progress) };
        let stopped = store.restore_file(&id, &mut scratch.temp(), &options);
        assert_eq!(kind(stopped), ErrorKind::Interrupted);
    }
    assert_whole(store, &bytes);
    subject.finish();
}

/// Permission bits and times, of streams and of files.
pub fn metadata_is_kept_where_the_store_says_so(run: &Run<'_>) {
    let subject = run.factory.create();
    let store = subject.store();
    let metadata = FileMetadata { mode: 0o640, mtime: Timestamp { secs: 1_000_000_007, nanos: 123_456_000 } };
    for (seed, durability) in DURABILITIES.into_iter().enumerate() {
        let bytes = noise(seed as u64, 1_000);
        let options = PutOptions { metadata: Some(metadata), ..with(durability) };
        let id = store.put(&mut &bytes[..], &options).unwrap().digest.id;
        let file_bytes = noise(seed as u64 + 10, 1_000);
        let working = Working::new(&file_bytes);
        let file = store.put_file(&working.source(), &with(durability)).unwrap();
        for _ in 0..2 {
            if store.capabilities().keeps_metadata {
                assert_eq!(store.stat(&id).unwrap().unwrap().metadata, Some(metadata));
                let own = FileMetadata::from(&working.source().stat);
                assert_eq!(store.stat(&file.digest.id).unwrap().unwrap().metadata, Some(own));
            } else {
                assert_eq!(store.stat(&id).unwrap().unwrap().metadata, None);
            }
            store.sync().unwrap();
        }
    }
    subject.finish();
}
