//! What is stopped, killed or done twice at once, and what the store is that an entry goes into.

use super::*;

#[test]
fn the_files_appear_whole_or_not_at_all() {
    let repo = Repo::new();
    write_session(&repo);
    repo.push();
    let out = tempfile::tempdir().unwrap();
    let dir = Dir::open(out.path()).unwrap();
    let export = |options: &ExportOptions| repo.vault.export("0", &dir, &rel("a.stem"), options, &Silent);
    let names = || {
        let mut names: Vec<_> = fs::read_dir(out.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let result = export(&ExportOptions::default()).unwrap();
    assert_eq!(fs::read(out.path().join("a.stem")).unwrap(), bundle(&repo));
    assert_eq!((result.bytes, result.resumed_bytes), (bundle(&repo).len() as u64, 0));
    assert_eq!(export(&ExportOptions::default()).unwrap_err().name(), "exists");
    export(&ExportOptions { replace: true, ..ExportOptions::default() }).unwrap();
    assert_eq!(names(), ["a.stem"]);
    fs::remove_file(out.path().join("a.stem")).unwrap();

    // A damaged object: nothing is published, the path is named, and the sound part stays.
    let lead = repo.object_path(&hex(&wav(20_000, 9)));
    let good = fs::read(&lead).unwrap();
    let mut bad = good.clone();
    bad[50_000] ^= 1;
    fs::remove_file(&lead).unwrap();
    fs::write(&lead, &bad).unwrap();
    let error = export(&ExportOptions::default()).unwrap_err();
    assert_eq!((error.name(), error.kind()), ("corrupt_object", ErrorKind::Damaged));
    assert!(error.to_string().contains("'sections/chorus/lead.wav'"), "{error}");
    assert!(error.to_string().contains("a.stem.partial"), "{error}");
    assert_eq!(names(), ["a.stem.partial"]);
    // Somebody writes it now.
    let held = stemvault_partial(&dir);
    assert_eq!(export(&ExportOptions::default()).unwrap_err().name(), "busy");
    drop(held);
    fs::write(&lead, &good).unwrap();
    let result = export(&ExportOptions::default()).unwrap();
    assert!(result.resumed_bytes > 0);
    assert_eq!(fs::read(out.path().join("a.stem")).unwrap(), bundle(&repo));
    assert_eq!(names(), ["a.stem"]);
    fs::remove_file(out.path().join("a.stem")).unwrap();

    // A missing one: all paths, and not even a part.
    fs::remove_file(repo.object_path(&hex(&wav(30_000, 1)))).unwrap();
    fs::remove_file(repo.object_path(&hex(b""))).unwrap();
    let error = export(&ExportOptions::default()).unwrap_err();
    assert_eq!((error.name(), error.kind()), ("missing_objects", ErrorKind::Damaged));
    for path in ["'empty'", "'tracks/drums/kick copy.wav'", "'tracks/drums/kick.wav'"] {
        assert!(error.to_string().contains(path), "{error}");
    }
    assert!(names().is_empty());

    // What is no part of a bundle is not written over.
    fs::write(out.path().join("b.stem.partial"), b"my own notes").unwrap();
    let error = repo.vault.export("0", &dir, &rel("b.stem"), &ExportOptions::default(), &Silent).unwrap_err();
    assert_eq!(error.name(), "missing_objects");
    write_session(&repo);
    repo.push();
    let error = repo.vault.export("0", &dir, &rel("b.stem"), &ExportOptions::default(), &Silent).unwrap_err();
    assert_eq!(error.name(), "not_a_partial_bundle");
    assert_eq!(fs::read(out.path().join("b.stem.partial")).unwrap(), b"my own notes");
}

fn stemvault_partial(dir: &Dir) -> fs::File {
    let file = fs::File::options().write(true).open(dir.path().join("a.stem.partial")).unwrap();
    file.lock().unwrap();
    file
}

#[test]
fn an_export_goes_on_where_it_was_cut() {
    let repo = Repo::new();
    write_session(&repo);
    repo.write("noise.bin", noise(9_000_000, 5));
    repo.push();
    let whole = bundle(&repo);
    let out = tempfile::tempdir().unwrap();
    let dir = Dir::open(out.path()).unwrap();
    for (part, damaged) in [(1, false), (4, false), (8, false), (10, false), (8, true)] {
        let mut bytes = whole[..whole.len() * part / 10].to_vec();
        if damaged {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x20;
        }
        fs::write(out.path().join("a.stem.partial"), &bytes).unwrap();
        let options = ExportOptions { replace: true, ..ExportOptions::default() };
        let result = repo.vault.export("0", &dir, &rel("a.stem"), &options, &Silent).unwrap();
        assert_eq!(fs::read(out.path().join("a.stem")).unwrap(), whole, "{part}");
        let limit = if damaged { bytes.len() / 2 } else { bytes.len() } as u64;
        assert!(result.resumed_bytes <= limit);
        // A record is 4 MiB at most.
        assert!(result.resumed_bytes + (5 << 20) > limit, "{} of {limit}", result.resumed_bytes);
    }
}

#[test]
fn what_was_stored_before_an_error_is_not_stored_again() {
    let (from, to) = (Repo::new(), Repo::new());
    write_session(&from);
    from.push();
    let bytes = bundle(&from);
    let mut stored = 0;
    for part in 1..10 {
        import(&to, &bytes[..bytes.len() * part / 10]).unwrap_err();
        let now = to.objects().len();
        assert!(now >= stored);
        stored = now;
    }
    assert!(stored > 1);
    let imported = import(&to, &bytes).unwrap();
    assert_eq!(imported.objects_present, stored as u64);
    to.assert_sound();
}

/// Stops after so many questions.
struct Impatient(AtomicU64);

impl Progress for Impatient {
    fn cancelled(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }
}

#[test]
fn both_can_be_stopped_and_go_on() {
    let (from, to) = (Repo::new(), Repo::new());
    write_session(&from);
    from.push();
    let out = tempfile::tempdir().unwrap();
    let dir = Dir::open(out.path()).unwrap();
    let mut stopped = 0;
    for patience in 0.. {
        let progress = Impatient(AtomicU64::new(patience));
        match from.vault.export("0", &dir, &rel("a"), &ExportOptions::default(), &progress) {
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}"),
        }
        stopped += 1;
        assert!(!out.path().join("a").exists());
    }
    assert!(stopped > 3);
    let bytes = fs::read(out.path().join("a")).unwrap();
    assert_eq!(bytes, bundle(&from));
    for patience in 0.. {
        let progress = Impatient(AtomicU64::new(patience));
        match to.vault.import(&bytes[..], ImportOptions::default(), &progress) {
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}"),
        }
        assert!(to.list().is_empty());
    }
    to.assert_sound();
    assert_eq!(to.list().len(), 1);
}

#[test]
fn collections_do_not_come_between() {
    let (from, to) = (Repo::in_memory(), Repo::in_memory());
    let bundles: Vec<Vec<u8>> = (0..12)
        .map(|n| {
            for file in 0..8 {
                from.write(format!("take-{file}.wav"), noise(20_000 + file, n));
            }
            from.push();
            bundle(&from)
        })
        .collect();
    // All of it was there once, and nobody needed it for a month.
    for bundle in &bundles {
        import(&to, bundle).unwrap();
    }
    to.vault.stash().clear().unwrap();
    to.vault.stash().expire_undo(std::time::Duration::ZERO, &Silent).unwrap();
    let day = 86_400_000_000;
    let now = stemvault::format::stamp::Stamp::now().unwrap().as_micros();
    let at = |days: i64| {
        let now = stemvault::format::stamp::Stamp::from_micros(now + days * day).unwrap();
        GcOptions { now: Some(now), ..GcOptions::default() }
    };
    to.vault.gc(&at(0), &Silent).unwrap();
    let done = AtomicBool::new(false);
    let root = to.root().to_path_buf();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let vault = Vault::open(&root).unwrap();
            while !done.load(Ordering::Relaxed) {
                vault.gc(&at(20), &Silent).unwrap();
            }
        });
        for bundle in &bundles {
            assert!(import(&to, bundle).unwrap().added);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(to.list().len(), bundles.len());
    to.assert_sound();
}

#[test]
fn two_imports_at_once_add_one_entry() {
    let (from, to) = (Repo::in_memory(), Repo::in_memory());
    write_session(&from);
    from.push();
    let bytes = bundle(&from);
    let added: usize = std::thread::scope(|scope| {
        let work = || {
            let vault = Vault::open(to.root()).unwrap();
            usize::from(vault.import(&bytes[..], ImportOptions::default(), &Silent).unwrap().added)
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((added, to.list().len()), (1, 1));
    to.assert_sound();
}

#[test]
fn an_import_may_go_to_packs() {
    let (from, to) = (Repo::new(), Repo::new());
    write_session(&from);
    let tree = from.tree();
    from.push();
    let vault = Vault::open_writing_to(to.root(), &"pack:".parse().unwrap()).unwrap();
    let bytes = bundle(&from);
    assert!(vault.import(&bytes[..], ImportOptions::default(), &Silent).unwrap().added);
    assert!(to.objects().is_empty());
    to.pop("0");
    assert_eq!(to.tree(), tree);
}
