//! Pushes that fail in the middle, after files have left the working tree: everything is put back, or is in an entry.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::os::unix::fs::symlink;

use stemvault::format::Manifest;
use stemvault::format::intent::{Intent, IntentKind, encode};
use stemvault::{ObjectId, Phase, PushOptions, RelPath, Silent};
use stemvault_tests::golden::hex;
use stemvault_tests::hook::At;
use stemvault_tests::hostile::{entry_text, manifest_text};
use stemvault_tests::repo::Repo;

/// Makes every further entry impossible: the newest one is from the end of time.
fn end_time(repo: &Repo) {
    let object = repo.plant_object(b"x");
    let id = "stash-9999-12-30T220000000000Z0000-ffffffff";
    let text = entry_text(id, &manifest_text("x.wav", &object));
    repo.plant_entry(id, text.replace("2026-11-22T08:34:13.597654", "9999-12-30T22:00:00.000000"));
}

/// A push that fails when it wants to write its entry, because of what `meanwhile` does once its objects are stored.
fn failed_push(meanwhile: impl Fn(&Repo) + Sync) -> Repo {
    let repo = Repo::new();
    repo.write("d/a.wav", "bytes of a");
    repo.write("d/b.wav", "bytes of b");
    repo.write("c.wav", "bytes of c");
    let hook = At::new(Phase::Syncing, || meanwhile(&repo));
    let pushed = repo.vault.stash().push(&PushOptions::default(), &hook);
    assert!(hook.came());
    assert!(pushed.is_err(), "{pushed:?}");
    drop(hook);
    repo
}

fn mend(repo: &Repo) {
    for entry in repo.list() {
        if entry.stash_id.starts_with("stash-9999") {
            fs::remove_file(entry.file).unwrap();
        }
    }
}

#[test]
fn a_failed_push_puts_everything_back() {
    let repo = failed_push(end_time);
    mend(&repo);
    let texts: Vec<_> = repo.texts().into_iter().collect();
    let expected = [("c.wav", "bytes of c"), ("d/a.wav", "bytes of a"), ("d/b.wav", "bytes of b")];
    assert_eq!(texts, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));
    assert!(repo.list().is_empty());
    repo.assert_sound();
    assert_eq!(repo.push().files_stashed, 3);
}

fn assert_all_held(repo: &Repo) {
    // The next push finishes what the failed one could not.
    mend(repo);
    repo.push();
    for bytes in [&b"bytes of a"[..], b"bytes of b", b"bytes of c"] {
        assert!(repo.holds(bytes), "{:?} is lost: {:?}", String::from_utf8_lossy(bytes), repo.texts());
    }
    repo.assert_sound();
}

#[test]
fn what_a_failed_push_cannot_put_back_is_still_somewhere() {
    // Another program saved a new file at the path meanwhile.
    let repo = failed_push(|repo| {
        end_time(repo);
        repo.write("d/a.wav", "a new take");
    });
    assert!(repo.holds(b"a new take"));
    assert_all_held(&repo);
    assert!(repo.holds(b"a new take"));

    // A directory stands at the path.
    let repo = failed_push(|repo| {
        end_time(repo);
        repo.write("d/a.wav/inside", "inside");
    });
    assert_all_held(&repo);
    assert!(repo.holds(b"inside"));
}

#[test]
fn what_a_failed_push_cannot_put_back_for_a_link_is_still_somewhere() {
    let outside = tempfile::tempdir().unwrap();
    let repo = failed_push(|repo| {
        end_time(repo);
        fs::remove_dir(repo.path("d")).unwrap();
        symlink(outside.path(), repo.path("d")).unwrap();
    });
    assert_all_held(&repo);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn what_a_failed_push_cannot_put_back_for_a_file_is_still_somewhere() {
    let repo = failed_push(|repo| {
        end_time(repo);
        fs::remove_dir(repo.path("d")).unwrap();
        repo.write("d", "a file now");
    });
    assert_all_held(&repo);
    assert!(repo.holds(b"a file now"));
}

/// A file that was busy, or out of reach, when its turn came is in the record of its push and in no object.
#[test]
fn what_a_record_names_and_the_entry_does_not_is_left_alone() {
    let repo = Repo::new();
    repo.write("a.wav", "bytes of a");
    repo.push();
    let saved = repo.list().remove(0);
    for (name, bytes) in [("a.wav", "bytes of a"), ("busy.wav", "bytes of nobody else")] {
        repo.write(name, bytes);
    }
    let mut entry = saved.entry.unwrap();
    let row = |path: &str, bytes: &str| {
        (RelPath::new(path).unwrap(), hex(bytes.as_bytes()).parse::<ObjectId>().unwrap())
    };
    let rows = vec![row("a.wav", "bytes of a"), row("busy.wav", "bytes of nobody else")];
    entry.manifest = Manifest::new(rows).unwrap();
    let stem = entry.stem.as_mut().unwrap();
    stem.files.push(stem.files[0]);
    let intent = Intent { kind: IntentKind::Adopt, head: Manifest::default(), entry };
    let token = saved.stash_id.rsplit('-').next().unwrap();
    let journal = repo.root().join(".muse/stem/journal");
    fs::create_dir_all(&journal).unwrap();
    fs::write(journal.join(format!("push-{token}-0.json")), encode(&intent).unwrap()).unwrap();

    repo.vault.stash().recover(&Silent).unwrap();
    assert_eq!(repo.texts(), [("busy.wav".to_owned(), "bytes of nobody else".to_owned())].into());
    assert!(!repo.vault.stash().is_interrupted().unwrap());
    repo.assert_sound();
}
