//! A disk that runs full, at every amount of room: the verb fails and says so, nothing is lost, and with room again the
//! verb works. On a real file system, which only root can mount.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use stem_testkit::crash::Image;
use stem_testkit::mount::{Mount, alone, skip};
use stemvault::{
    ApplyOptions, Dir, ErrorKind, ExportOptions, ImportOptions, PushOptions, Silent, SnapshotOptions,
    StashError, Vault, available_space,
};
use stemvault_tests::repo::{POP, Repo, rel};
use stemvault_tests::{holdings, tree};

type Verb = fn(&Vault) -> Result<(), StashError>;

/// Leaves `room` bytes on the file system.
fn fill(mount: &Path, room: u64) {
    let mut file = File::create(mount.join("filler")).unwrap();
    let piece = [0u8; 4096];
    while available_space(mount).unwrap() > room {
        if file.write_all(&piece).is_err() {
            break;
        }
    }
}

fn template(root: &Path) {
    let vault = Vault::init(root).unwrap();
    let write = |path: &str, text: &str, times: usize| {
        tree::write(&root.join("muse-work"), path, text.repeat(times));
    };
    for n in 0..6 {
        write(&format!("tracks/t{}/{n}.wav", n % 2), &format!("head {n} "), 1500);
    }
    vault.stash().snapshot(&SnapshotOptions::default(), &Silent).unwrap();
    for n in 0..6 {
        write(&format!("tracks/t{}/{n}.wav", n % 2), &format!("entry {n} "), 1500);
    }
    vault.stash().push(&PushOptions::default(), &Silent).unwrap();
    for n in 0..4 {
        write(&format!("tracks/t{}/{n}.wav", n % 2), &format!("work {n} "), 1500);
        write(&format!("new/{n}.wav"), &format!("new {n} "), 1500);
    }
}

#[test]
fn a_full_disk_loses_nothing() {
    let _alone = alone();
    let home = tempfile::tempdir().unwrap();
    let mount = match Mount::tmpfs(&home.path().join("mount"), "2m") {
        Ok(mount) => mount,
        Err(reason) => return skip("a_full_disk_loses_nothing", &reason),
    };
    let origin = tempfile::tempdir().unwrap();
    template(origin.path());
    let image = Image::read(origin.path()).unwrap();
    let verbs: [(&str, Verb); 7] = [
        ("push", |v| v.stash().push(&PushOptions::default(), &Silent).map(drop)),
        ("push --keep", |v| {
            v.stash().push(&PushOptions { keep: true, ..PushOptions::default() }, &Silent).map(drop)
        }),
        ("pop", |v| v.stash().apply("0", POP, &Silent).map(drop)),
        ("apply", |v| v.stash().apply("0", ApplyOptions::default(), &Silent).map(drop)),
        ("drop", |v| v.stash().drop_entry("0").map(drop)),
        ("snapshot", |v| v.stash().snapshot(&SnapshotOptions::default(), &Silent).map(drop)),
        ("undo", |v| v.stash().undo(stemvault::UndoOptions::default(), &Silent).map(drop)),
    ];
    let (mut failed, mut worked) = (0, 0);
    for (name, verb) in verbs {
        for pages in (0..24).chain((24..96).step_by(6)) {
            let root = mount.path().join("repository");
            fs::create_dir(&root).unwrap();
            image.build(&root).unwrap();
            let expected = holdings::all(&root);
            fill(mount.path(), pages * 4096);
            let done = verb(&Vault::open(&root).unwrap());
            if let Err(error) = &done {
                assert_eq!(error.kind(), ErrorKind::Internal, "{name}, {pages} pages: {error}");
            }
            let what = |moment: &str, e: String| format!("{name} with room for {pages} pages, {moment}: {e}");
            holdings::check(&root, &expected).unwrap_or_else(|e| panic!("{}", what("full", e)));
            fs::remove_file(mount.path().join("filler")).unwrap();
            if done.is_ok() {
                worked += 1;
            } else {
                failed += 1;
                let again = verb(&Vault::open(&root).unwrap());
                again.unwrap_or_else(|e| panic!("{}", what("with room again", e.to_string())));
            }
            holdings::check(&root, &expected).unwrap_or_else(|e| panic!("{}", what("with room again", e)));
            fs::remove_dir_all(&root).unwrap();
        }
    }
    println!("{failed} verbs failed for want of room, {worked} worked");
    assert!(failed > 20 && worked > 20, "{failed} {worked}");
}

#[test]
fn bundles_go_on_when_there_is_room_again() {
    let _alone = alone();
    let home = tempfile::tempdir().unwrap();
    let mount = match Mount::tmpfs(&home.path().join("mount"), "16m") {
        Ok(mount) => mount,
        Err(reason) => return skip("bundles_go_on_when_there_is_room_again", &reason),
    };
    let repo = Repo::new();
    let mut state = 1_u64;
    for n in 0..4 {
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_le_bytes()[7]
        })
        .take(1 << 20)
        .collect();
        repo.write(format!("{n}.bin"), noise);
    }
    repo.push();

    fill(mount.path(), 5 << 19);
    let dir = Dir::open(mount.path()).unwrap();
    let export = || repo.vault.export("0", &dir, &rel("a.stem"), &ExportOptions::default(), &Silent);
    let error = export().unwrap_err();
    assert_eq!((error.name(), error.kind()), ("no_space", ErrorKind::Internal), "{error}");
    assert!(error.to_string().contains("a.stem.partial") && !mount.path().join("a.stem").exists(), "{error}");
    fs::remove_file(mount.path().join("filler")).unwrap();
    let exported = export().unwrap();
    assert!(exported.resumed_bytes > 1 << 20, "{exported:?}");
    let bundle = fs::read(mount.path().join("a.stem")).unwrap();
    fs::remove_file(mount.path().join("a.stem")).unwrap();

    let root = mount.path().join("repository");
    let to = Vault::init(&root).unwrap();
    fill(mount.path(), 3 << 20);
    let error = to.import(&bundle[..], ImportOptions::default(), &Silent).unwrap_err();
    assert_eq!(error.name(), "no_space", "{error}");
    assert!(error.to_string().contains("4194304 bytes would be written"), "{error}");
    assert!(to.stash().list().unwrap().is_empty());
    fs::remove_file(mount.path().join("filler")).unwrap();
    assert!(to.import(&bundle[..], ImportOptions::default(), &Silent).unwrap().added);
}
