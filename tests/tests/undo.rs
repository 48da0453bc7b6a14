//! What `stem stash undo` brings back, byte for byte, and what it never takes away.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;
use stemvault::{ApplyOptions, Error, Progress, Silent, StashError, UndoOptions, UndoResult, UndoVerb};
use stemvault_tests::binary;
use stemvault_tests::golden::hex;
use stemvault_tests::repo::{POP, Repo, left};
use stemvault_tests::tree::{self, Node};

const UNDO: UndoOptions = UndoOptions { force: false, dry_run: false };
const FORCE: UndoOptions = UndoOptions { force: true, dry_run: false };

fn undo(repo: &Repo) -> UndoResult {
    repo.vault.stash().undo(UNDO, &Silent).unwrap()
}

fn redo(repo: &Repo) -> UndoResult {
    repo.vault.stash().redo(UNDO, &Silent).unwrap()
}

/// Entries as files: their names and exact bytes.
fn entries(repo: &Repo) -> BTreeMap<Vec<u8>, Vec<u8>> {
    tree::bytes(&repo.muse().join("stash"))
}

/// A repository with a HEAD and work on top of it that is pushed: a changed, a new and a deleted file.
fn pushed() -> Repo {
    let repo = Repo::in_memory();
    repo.write("tracks/kick.wav", "kick of HEAD");
    repo.write("gone.mid", "deleted while working");
    repo.write("same.mid", "never touched");
    repo.snapshot();
    let kick = repo.write("tracks/kick.wav", "kick of the work");
    tree::set_meta(&kick, 0o640, 1_600_000_000_123_456_789);
    let new = repo.write("tracks/new/pad.wav", "a new pad");
    tree::set_meta(&new, 0o600, 1_500_000_000_000_000_001);
    fs::remove_file(repo.path("gone.mid")).unwrap();
    repo.push();
    repo
}

fn name(path: &str) -> Vec<u8> {
    path.as_bytes().to_vec()
}

#[test]
fn a_dropped_entry_comes_back_as_the_very_same_file() {
    let repo = pushed();
    let before = entries(&repo);
    assert_eq!(before.len(), 1);
    repo.vault.stash().drop_entry("0").unwrap();
    assert!(repo.list().is_empty());
    let undone = undo(&repo);
    assert_eq!((undone.verb, undone.entries.len(), undone.is_partial()), (UndoVerb::Drop, 1, false));
    assert!(undone.entries[0].on_stack);
    assert_eq!(entries(&repo), before);
    assert!(!redo(&repo).entries[0].on_stack);
    assert!(repo.list().is_empty());
    undo(&repo);
    assert_eq!(entries(&repo), before);
    repo.assert_sound();
}

#[test]
fn a_clear_is_undone_as_a_whole_broken_entries_included() {
    let repo = pushed();
    repo.write("more.wav", "more");
    repo.push();
    let broken = repo.plant_entry("stash-2001-01-01T000000000000Z0000-00000000", b"{ not an entry \xff\x00");
    let strange = repo.muse().join("stash/stash-of-another-kind.json");
    fs::write(&strange, "{}").unwrap();
    let before = entries(&repo);
    assert_eq!(repo.vault.stash().clear().unwrap().count, 4);
    assert!(entries(&repo).is_empty());
    assert_eq!(undo(&repo).entries.len(), 4);
    assert_eq!(entries(&repo), before);
    assert_eq!(fs::read(broken).unwrap(), b"{ not an entry \xff\x00");
}

#[test]
fn undo_of_a_pop_brings_back_head_and_the_entry() {
    let repo = pushed();
    let (tree_before, entries_before) = (repo.tree(), entries(&repo));
    repo.pop("0");
    let popped = repo.tree();
    let undone = undo(&repo);
    assert_eq!(
        (undone.verb, undone.message.as_str(), undone.is_partial()),
        (UndoVerb::Pop, "On main: stash", false)
    );
    assert_eq!((undone.files_restored, undone.files_removed), (1, 1));
    assert_eq!(repo.tree(), tree_before);
    assert_eq!(entries(&repo), entries_before);
    let again = redo(&repo);
    assert!(again.redo && !again.is_partial());
    assert_eq!(repo.tree(), popped);
    assert!(entries(&repo).is_empty());
    repo.assert_sound();
}

#[test]
fn undo_of_a_push_brings_back_the_work_and_removes_the_entry() {
    let repo = pushed();
    let head = repo.tree();
    let entries_before = entries(&repo);
    let undone = undo(&repo);
    assert_eq!((undone.verb, undone.is_partial(), undone.entries_kept), (UndoVerb::Push, false, false));
    // What HEAD had brought goes again, for it was deleted while working.
    assert_eq!(undone.files_removed, 1);
    let worked = repo.tree();
    assert_eq!(
        worked[&name("tracks/kick.wav")],
        Node::file(b"kick of the work", 0o640, 1_600_000_000_123_456_789)
    );
    assert_eq!(
        worked[&name("tracks/new/pad.wav")],
        Node::file(b"a new pad", 0o600, 1_500_000_000_000_000_001)
    );
    assert!(!worked.contains_key(&name("gone.mid")));
    assert!(repo.list().is_empty());
    redo(&repo);
    assert_eq!(repo.tree(), head);
    assert_eq!(entries(&repo), entries_before);
    // And the entry is whole: it can be popped.
    assert!(repo.pop("0").dropped);
}

#[test]
fn newer_work_that_apply_wrote_over_comes_back() {
    let repo = pushed();
    let newer = repo.write("tracks/kick.wav", "an hour of newer work, stored nowhere");
    tree::set_meta(&newer, 0o444, 1_650_000_000_000_000_007);
    let before = repo.tree();
    let objects = repo.objects();
    let applied = repo.apply("0");
    assert_eq!(applied.overwritten.len(), 1);
    assert_eq!(applied.bytes_saved, 37);
    assert_eq!(repo.texts()["tracks/kick.wav"], "kick of the work");
    assert_eq!(repo.objects(), objects, "the store is as the reference would leave it");
    let applied_tree = repo.tree();
    assert!(!undo(&repo).is_partial());
    assert_eq!(repo.tree(), before);
    redo(&repo);
    assert_eq!(repo.tree(), applied_tree);
    undo(&repo);
    assert_eq!(repo.tree(), before);
    repo.assert_sound();
}

#[test]
fn a_file_that_an_object_holds_is_not_stored_again() {
    let repo = pushed();
    // The first take is the content of an older entry, under another name.
    repo.write("elsewhere.wav", "kick of the work");
    let applied = repo.apply("0");
    assert_eq!(applied.bytes_saved, 0);
    repo.write("tracks/kick.wav", "a new pad");
    let applied = repo.apply("0");
    assert_eq!((applied.overwritten.len(), applied.bytes_saved), (1, 0));
    undo(&repo);
    assert_eq!(repo.texts()["tracks/kick.wav"], "a new pad");
}

#[test]
fn a_rotten_object_does_not_count_as_a_copy() {
    let repo = pushed();
    repo.write("tracks/kick.wav", "precious");
    let id = repo.plant_object(b"precious");
    fs::write(repo.object_path(&id), "PRECIOUS").unwrap();
    let applied = repo.apply("0");
    assert_eq!(applied.bytes_saved, 8);
    fs::remove_file(repo.object_path(&id)).unwrap();
    undo(&repo);
    assert_eq!(repo.texts()["tracks/kick.wav"], "precious");
}

#[test]
fn undo_goes_further_back_each_time_and_redo_returns() {
    let repo = pushed();
    let mut states = vec![(repo.tree(), entries(&repo))];
    repo.apply("0");
    states.push((repo.tree(), entries(&repo)));
    repo.write("tracks/kick.wav", "second take");
    let worked = repo.tree();
    repo.push();
    states.push((repo.tree(), entries(&repo)));
    repo.pop("1");
    states.push((repo.tree(), entries(&repo)));
    repo.vault.stash().drop_entry("0").unwrap();
    states.push((repo.tree(), entries(&repo)));

    for state in states.iter().rev().skip(1).take(2) {
        undo(&repo);
        assert_eq!(&(repo.tree(), entries(&repo)), state);
    }
    // Before the push stood what was written by hand since the apply.
    undo(&repo);
    assert_eq!((repo.tree(), entries(&repo)), (worked, states[1].1.clone()));
    // The second take is newer than the apply: it stays.
    let partial = undo(&repo);
    assert_eq!(left(&partial.left_alone), [("tracks/kick.wav".to_owned(), "newer")]);
    assert_eq!(repo.texts()["tracks/kick.wav"], "second take");
    for state in [&states[2], &states[3], &states[4]] {
        let again = redo(&repo);
        if again.verb == UndoVerb::Apply {
            assert!(!again.is_partial());
            redo(&repo);
        }
        assert_eq!(&(repo.tree(), entries(&repo)), state);
    }
    let error = repo.vault.stash().redo(UNDO, &Silent).unwrap_err();
    assert!(matches!(error, StashError::NothingToUndo { redo: true }));
    repo.assert_sound();
}

#[test]
fn a_new_verb_ends_the_way_forward_and_loses_nothing() {
    let repo = pushed();
    repo.write("tracks/kick.wav", "newer, and nowhere else");
    repo.apply("0");
    undo(&repo);
    fs::remove_file(repo.path("tracks/kick.wav")).unwrap();
    repo.apply("0");
    assert!(repo.vault.stash().redo(UNDO, &Silent).is_err());
    let saved = tree::bytes(&repo.muse().join("stem/undo/saved"));
    assert_eq!(saved[&name(&hex(b"newer, and nowhere else"))], b"newer, and nowhere else");
}

#[test]
fn what_has_changed_since_is_kept_or_replaced_by_choice_and_then_saved() {
    let repo = pushed();
    repo.pop("0");
    repo.write("tracks/kick.wav", "after the pop");
    repo.write("tracks/new/pad.wav", "a pad after the pop");
    let partial = undo(&repo);
    assert_eq!(
        left(&partial.left_alone),
        [("tracks/kick.wav".to_owned(), "newer"), ("tracks/new/pad.wav".to_owned(), "newer")]
    );
    assert!(partial.is_partial() && !partial.entries_kept);
    assert_eq!(repo.texts()["tracks/kick.wav"], "after the pop");
    assert_eq!(repo.list().len(), 1, "an entry that comes back takes nothing away");
    // Forward again, and back by force.
    redo(&repo);
    assert!(repo.list().is_empty());
    let forced = repo.vault.stash().undo(FORCE, &Silent).unwrap();
    assert!(!forced.is_partial());
    assert_eq!(forced.bytes_saved, 32);
    assert_eq!(repo.texts()["tracks/kick.wav"], "kick of HEAD");
    assert!(!repo.path("tracks/new/pad.wav").exists());
    // What the force replaced is there again after the way back.
    redo(&repo);
    assert_eq!(repo.texts()["tracks/kick.wav"], "after the pop");
    assert_eq!(repo.texts()["tracks/new/pad.wav"], "a pad after the pop");
}

#[test]
fn an_entry_stays_while_the_undo_of_its_push_is_incomplete() {
    let repo = pushed();
    repo.write("tracks/kick.wav", "after the push");
    let partial = undo(&repo);
    assert!(partial.is_partial() && partial.entries_kept);
    assert_eq!(repo.list().len(), 1);
    assert_eq!(repo.texts()["tracks/new/pad.wav"], "a new pad");
    assert!(repo.holds(b"kick of the work"));
    let forced = {
        redo(&repo);
        repo.vault.stash().undo(FORCE, &Silent).unwrap()
    };
    assert!(!forced.entries_kept);
    assert!(repo.list().is_empty());
    assert_eq!(repo.texts()["tracks/kick.wav"], "kick of the work");
}

#[test]
fn a_file_may_have_become_a_directory_and_the_other_way_round() {
    let repo = Repo::in_memory();
    repo.write("take", "a file in HEAD");
    repo.write("mix/final.wav", "in a directory of HEAD");
    repo.snapshot();
    fs::remove_file(repo.path("take")).unwrap();
    fs::remove_dir_all(repo.path("mix")).unwrap();
    repo.write("take/one.wav", "a directory at work");
    repo.write("mix", "a file at work");
    let worked = repo.texts();
    assert!(!repo.push().is_partial());
    let head = repo.texts();
    assert_eq!(head["take"], "a file in HEAD");
    assert!(!undo(&repo).is_partial());
    assert_eq!(repo.texts(), worked);
    assert!(!redo(&repo).is_partial());
    assert_eq!(repo.texts(), head);
}

#[test]
fn a_dry_run_changes_nothing() {
    let repo = pushed();
    repo.pop("0");
    let before = tree::everything(repo.root());
    let dry = UndoOptions { dry_run: true, ..UNDO };
    let told = repo.vault.stash().undo(dry, &Silent).unwrap();
    let actions: BTreeMap<String, &str> =
        told.plan.iter().map(|planned| (planned.path.to_string(), planned.action.name())).collect();
    assert_eq!(actions["tracks/kick.wav"], "replace");
    assert_eq!(actions["tracks/new/pad.wav"], "delete");
    assert!(told.entries[0].on_stack);
    let mut after = tree::everything(repo.root());
    after.remove(&name(".muse/stem/cache"));
    let mut before = before;
    before.remove(&name(".muse/stem/cache"));
    assert_eq!(after, before);
}

#[test]
fn records_expire_and_take_with_them_what_only_they_need() {
    let repo = pushed();
    repo.write("tracks/kick.wav", "saved for undo alone");
    repo.apply("0");
    repo.vault.stash().drop_entry("0").unwrap();
    let roots = repo.vault.stash().undo_roots().unwrap();
    let id = |bytes: &[u8]| hex(bytes).parse().unwrap();
    for bytes in [&b"kick of the work"[..], b"a new pad", b"kick of HEAD"] {
        assert!(roots.contains(&id(bytes)), "{}", bytes.escape_ascii());
    }
    // Not old enough.
    let day = std::time::Duration::from_hours(24);
    assert_eq!(repo.vault.stash().expire_undo(day, &Silent).unwrap().records, 0);
    let expired = repo.vault.stash().expire_undo(std::time::Duration::ZERO, &Silent).unwrap();
    assert_eq!((expired.records, expired.files), (3, 2));
    assert!(repo.vault.stash().undo_roots().unwrap().is_empty());
    for folder in ["saved", "held"] {
        assert!(tree::bytes(&repo.muse().join("stem/undo").join(folder)).is_empty());
    }
    assert!(repo.vault.stash().undo(UNDO, &Silent).is_err());
}

#[test]
fn the_configuration_says_how_long() {
    let mut repo = pushed();
    fs::write(repo.muse().join("stem/config.toml"), "[undo]\nexpire = \"0\"\n").unwrap();
    repo.reopen();
    repo.vault.stash().drop_entry("0").unwrap();
    // The next verb that writes forgets what is older than nothing.
    repo.write("x", "x");
    repo.push();
    let list = repo.vault.stash().undo_list().unwrap();
    assert_eq!(list.items.len(), 1);
    assert_eq!(list.items[0].verb, UndoVerb::Push);
    fs::write(repo.muse().join("stem/config.toml"), "[undo]\nexpire = \"never\"\n").unwrap();
    repo.reopen();
    assert_eq!(repo.vault.stash().undo_list().unwrap().items[0].expires, None);
}

#[derive(Default)]
struct Warnings(std::sync::Mutex<Vec<String>>);

impl Progress for Warnings {
    fn warn(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

#[test]
fn a_record_that_cannot_be_read_stops_gc_and_nothing_else() {
    let repo = pushed();
    repo.apply("0");
    let journal = repo.muse().join("stem/journal");
    let damaged = journal.join("undo-2099-01-01T000000000000Z0000-00000000.json");
    fs::write(&damaged, "{\n\"version\": 1,\n\"kind\": \"verb\",\n\"verb\": \"po").unwrap();
    assert!(repo.vault.stash().undo_roots().is_err());
    let warnings = Warnings::default();
    assert_eq!(repo.vault.stash().undo(UNDO, &warnings).unwrap().verb, UndoVerb::Apply);
    let warnings = warnings.0.into_inner().unwrap();
    assert!(warnings.iter().any(|warning| warning.contains("undo-2099")), "{warnings:?}");
    assert_eq!(repo.vault.stash().undo_list().unwrap().unreadable.len(), 1);
    assert!(damaged.exists());
    // The rows may be damaged where the beginning is not.
    let torn = journal.join("undo-2099-01-02T000000000000Z0000-00000000.json");
    let whole = fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let text = fs::read_to_string(whole).unwrap().replace("\"files\"", "\"flies\"");
    fs::write(&torn, text).unwrap();
    assert!(repo.vault.stash().undo_roots().is_err());
    let before = repo.state();
    let error = repo.vault.stash().redo(UNDO, &Silent).unwrap_err();
    assert!(error.to_string().contains("undo-2099-01-02"), "{error}");
    assert_eq!(repo.state(), before);
    fs::remove_file(torn).unwrap();
    assert!(!redo(&repo).is_partial());
}

#[test]
fn a_hostile_record_writes_nothing_outside_the_tree() {
    let repo = pushed();
    let id = repo.plant_object(b"payload");
    for (n, path) in ["../escaped", "/escaped", ".git/hooks/post-commit", ".muse/HEAD", "a/../../escaped"]
        .iter()
        .enumerate()
    {
        let record = format!(
            "{{\n\"version\": 1,\n\"kind\": \"verb\",\n\"verb\": \"apply\",\n\"of\": null,\n\"message\": \"\",\n\
             \"entries\": [],\n\"files\": [[\"{path}\", [\"{id}\", 7, 0, 420], null]]\n}}\n"
        );
        let name = format!("undo-2099-01-01T00000000000{n}Z0000-00000000.json");
        fs::create_dir_all(repo.muse().join("stem/journal")).unwrap();
        fs::write(repo.muse().join("stem/journal").join(name), record).unwrap();
    }
    let before = repo.state();
    assert!(repo.vault.stash().undo(UNDO, &Silent).is_err());
    assert_eq!(repo.state(), before);
    assert!(!repo.root().parent().unwrap().join("escaped").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_being_written_is_not_written_over() {
    // In memory no lease is given, and nobody is seen.
    let repo = Repo::new();
    repo.write("take.wav", "stashed");
    repo.push();
    let path = repo.write("take.wav", "recording");
    let mut writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
    let applied = repo.apply("0");
    if !applied.is_partial() {
        println!("skipped: this file system has no leases");
        return;
    }
    assert_eq!(left(&applied.left_alone), [("take.wav".to_owned(), "busy")]);
    std::io::Write::write_all(&mut writer, b" goes on").unwrap();
    assert_eq!(repo.texts()["take.wav"], "recording goes on");
}

fn stem(repo: &Repo, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(binary::stem())
        .args(args)
        .current_dir(repo.root())
        .env_remove("MUSE_REPO_ROOT")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn stem_json(repo: &Repo, args: &[&str]) -> (i32, Value) {
    let (code, out, err) = stem(repo, &[args, &["--json"]].concat());
    (code, serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out} {err}")))
}

#[test]
fn the_program_undoes_lists_and_redoes() {
    let repo = pushed();
    assert_eq!(stem(&repo, &["stash", "pop"]).0, 0);
    let (code, list) = stem_json(&repo, &["stash", "undo", "--list"]);
    assert_eq!(code, 0);
    let verbs: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|i| i["verb"].as_str().unwrap()).collect();
    assert_eq!(verbs, ["pop", "push"]);
    assert_eq!(list["items"][0]["steps"], 1);
    assert_eq!(list["items"][0]["undone"], false);

    let (code, dry) = stem_json(&repo, &["stash", "undo", "-n"]);
    assert_eq!((code, dry["dry_run"].as_bool()), (0, Some(true)));
    assert!(repo.list().is_empty());

    let (code, undone) = stem_json(&repo, &["stash", "undo"]);
    assert_eq!((code, undone["verb"].as_str()), (0, Some("pop")));
    assert_eq!(undone["entries"][0]["on_stack"], true);
    assert_eq!(repo.list().len(), 1);

    let (code, out, _) = stem(&repo, &["stash", "undo", "--redo"]);
    assert_eq!(code, 0);
    assert!(out.contains("Did again the pop"), "{out}");
    assert!(repo.list().is_empty());

    repo.write("tracks/kick.wav", "newer");
    let (code, _, err) = stem(&repo, &["stash", "undo"]);
    assert_eq!(code, 4);
    assert!(err.contains("tracks/kick.wav: changed since"), "{err}");

    stem(&repo, &["stash", "undo"]);
    let (code, error) = stem_json(&repo, &["stash", "undo"]);
    assert_eq!((code, error["error"]["kind"].as_str()), (1, Some("nothing_to_undo")));
    let (code, out, _) = stem(&repo, &["stash", "undo", "--list"]);
    assert_eq!(code, 0);
    assert!(out.contains("redo +1"), "{out}");
    assert_eq!(stem(&repo, &["stash", "undo", "--list", "--redo"]).0, 1);
}

#[test]
fn verbs_say_what_they_do_when_a_verb_died() {
    let repo = pushed();
    // The record of a pop that did half its work: one file written, one not, the entry still there.
    repo.pop("0");
    let journal = repo.muse().join("stem/journal");
    let record = fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let held = repo.muse().join("stem/undo/held");
    let entry = fs::read_dir(&held).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&record).unwrap();
    let start = text.find("stash-").unwrap();
    let file = &text[start..start + text[start..].find('"').unwrap()];
    fs::rename(entry, repo.muse().join("stash").join(file)).unwrap();
    fs::rename(&record, record.with_extension("open.json")).unwrap();
    fs::remove_file(repo.path("tracks/kick.wav")).unwrap();

    let (code, _, err) = stem(&repo, &["status"]);
    assert_eq!(code, 0);
    assert!(err.contains("was interrupted"), "{err}");
    let (code, _, err) = stem(&repo, &["stash", "apply", "-n"]);
    assert_eq!(code, 0);
    assert!(err.contains("a pop of 'On main: stash' that was interrupted was rolled back: 2 files"), "{err}");
    assert_eq!(repo.texts()["tracks/kick.wav"], "kick of HEAD");
    assert!(!repo.path("tracks/new/pad.wav").exists());
    assert_eq!(repo.list().len(), 1);
    assert!(!repo.vault.stash().is_interrupted().unwrap());
}

#[test]
fn a_scoped_push_without_head_is_undone_by_its_entry_alone() {
    let repo = Repo::in_memory();
    repo.write("tracks/drums/kick.wav", "kick");
    repo.push_with(&stemvault::PushOptions { track: Some("drums".into()), ..Default::default() });
    repo.write("tracks/drums/kick.wav", "went on");
    let undone = undo(&repo);
    assert!(!undone.is_partial());
    assert!(repo.list().is_empty());
    assert_eq!(repo.texts()["tracks/drums/kick.wav"], "went on");
    redo(&repo);
    assert!(repo.holds(b"kick"));
}

#[test]
fn a_pop_with_missing_objects_can_be_undone_and_keeps_its_entry() {
    let repo = pushed();
    let id = hex(b"a new pad");
    fs::remove_file(repo.object_path(&id)).unwrap();
    let before = (repo.tree(), entries(&repo));
    let popped = repo.pop("0");
    assert!(!popped.dropped);
    assert_eq!(popped.missing.len(), 1);
    let undone = undo(&repo);
    assert!(!undone.is_partial());
    assert_eq!((repo.tree(), entries(&repo)), before);
    // Dropped by force, the entry comes back by undo.
    let forced = repo.vault.stash().apply("0", ApplyOptions { force: true, ..POP }, &Silent).unwrap();
    assert!(forced.dropped);
    undo(&repo);
    assert_eq!((repo.tree(), entries(&repo)), before);
}

#[test]
fn nothing_to_undo_is_an_error_of_the_user() {
    let repo = Repo::in_memory();
    let error = Error::from(repo.vault.stash().undo(UNDO, &Silent).unwrap_err());
    assert_eq!((error.name(), error.kind()), ("nothing_to_undo", stemvault::ErrorKind::User));
    assert!(repo.vault.stash().undo_list().unwrap().items.is_empty());
}
