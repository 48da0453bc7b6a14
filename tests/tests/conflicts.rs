//! What apply and pop do where something stands in the way of the files that come back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::process::Command;

use serde_json::Value;
use stemvault::{ApplyOptions, ApplyResult, OnConflict, PlannedAction, Silent, StashError, UndoOptions};
use stemvault_tests::binary;
use stemvault_tests::golden::hex;
use stemvault_tests::repo::{POP, Repo, left, rel};
use stemvault_tests::tree;

fn apply(repo: &Repo, options: ApplyOptions) -> Result<ApplyResult, StashError> {
    repo.vault.stash().apply("0", options, &Silent)
}

fn with(on_conflict: OnConflict, options: ApplyOptions) -> ApplyOptions {
    ApplyOptions { on_conflict, ..options }
}

/// HEAD with two files, an entry that changes both and adds one, and newer work at one of them.
fn conflicting() -> Repo {
    let repo = Repo::in_memory();
    repo.write("tracks/kick.wav", "kick of HEAD");
    repo.write("tracks/bass.wav", "bass of HEAD");
    repo.snapshot();
    repo.write("tracks/kick.wav", "kick of the entry");
    repo.write("tracks/bass.wav", "bass of the entry");
    repo.write("tracks/new.wav", "new");
    repo.push();
    repo.write("tracks/kick.wav", "newer kick");
    repo
}

/// The last 8 digits of the entry's id.
fn tag(repo: &Repo) -> String {
    let id = repo.list()[0].stash_id.clone();
    id[id.len() - 8..].to_owned()
}

#[test]
fn only_what_is_neither_heads_nor_the_entrys_is_a_conflict() {
    let repo = conflicting();
    let before = repo.state();
    let error = apply(&repo, with(OnConflict::Fail, ApplyOptions::default())).unwrap_err();
    assert!(
        matches!(&error, StashError::Conflicts { paths } if *paths == [rel("tracks/kick.wav")]),
        "{error}"
    );
    assert_eq!(repo.state(), before, "nothing was changed");
    // The entry's own content is none, and neither is HEAD's.
    repo.write("tracks/kick.wav", "kick of the entry");
    let applied = apply(&repo, with(OnConflict::Fail, ApplyOptions::default())).unwrap();
    assert_eq!(applied.files_applied, 3);
    assert!(applied.overwritten.is_empty());
    repo.assert_sound();
}

#[test]
fn the_default_overwrites_as_the_reference_does_and_says_so() {
    let repo = conflicting();
    let applied = apply(&repo, ApplyOptions::default()).unwrap();
    assert_eq!(applied.overwritten, [rel("tracks/kick.wav")]);
    assert!(!applied.is_partial());
    assert_eq!(repo.texts()["tracks/kick.wav"], "kick of the entry");
}

#[test]
fn both_are_kept_side_by_side() {
    for options in [ApplyOptions::default(), POP] {
        let repo = conflicting();
        let beside = format!("tracks/kick (stash {}).wav", tag(&repo));
        let pop = options.drop;
        let applied = apply(&repo, with(OnConflict::KeepBoth, options)).unwrap();
        assert_eq!(applied.kept_both, [(rel("tracks/kick.wav"), rel(&beside))]);
        assert_eq!((applied.files_applied, applied.is_partial(), applied.dropped), (3, false, pop));
        let texts = repo.texts();
        assert_eq!(texts["tracks/kick.wav"], "newer kick");
        assert_eq!(texts[&beside], "kick of the entry");
        assert_eq!(texts["tracks/bass.wav"], "bass of the entry");
        repo.vault.stash().undo(UndoOptions::default(), &Silent).unwrap();
        let texts = repo.texts();
        assert!(!texts.contains_key(&beside));
        assert_eq!(
            (texts["tracks/kick.wav"].as_str(), texts["tracks/bass.wav"].as_str()),
            ("newer kick", "bass of HEAD")
        );
        assert_eq!(repo.list().len(), 1);
    }
}

#[test]
fn the_name_beside_is_never_taken_from_another_file() {
    let repo = conflicting();
    let keep = || with(OnConflict::KeepBoth, ApplyOptions::default());
    let first = format!("tracks/kick (stash {}).wav", tag(&repo));
    let second = format!("tracks/kick (stash {} 2).wav", tag(&repo));
    repo.write(&first, "somebody's own");
    assert_eq!(apply(&repo, keep()).unwrap().kept_both[0].1, rel(&second));
    assert_eq!(repo.texts()[&first], "somebody's own");
    assert_eq!(repo.texts()[&second], "kick of the entry");
    // Once more changes nothing: the file is there already.
    let before = repo.tree();
    assert_eq!(apply(&repo, keep()).unwrap().kept_both[0].1, rel(&second));
    assert_eq!(repo.tree(), before);
}

#[test]
fn a_dry_run_tells_each_path_and_changes_nothing() {
    let repo = conflicting();
    let before = repo.state();
    let told = apply(&repo, ApplyOptions { dry_run: true, ..POP }).unwrap();
    assert!(!told.dropped);
    let actions: Vec<(String, &str, bool)> =
        told.plan.iter().map(|p| (p.path.to_string(), p.action.name(), p.conflict)).collect();
    assert_eq!(
        actions,
        [
            ("tracks/bass.wav".to_owned(), "replace", false),
            ("tracks/kick.wav".to_owned(), "replace", true),
            ("tracks/new.wav".to_owned(), "create", false),
        ]
    );
    let keep = ApplyOptions { dry_run: true, ..with(OnConflict::KeepBoth, POP) };
    let told = apply(&repo, keep).unwrap();
    assert!(told.plan.iter().any(|p| p.action == PlannedAction::Beside(rel("tracks/kick.wav"))));
    assert_eq!(repo.state(), before);
    assert!(!repo.muse().join("stem/undo/saved").exists());
    repo.assert_no_temporaries();
}

#[test]
fn a_part_of_an_entry_can_be_applied() {
    let repo = conflicting();
    let paths =
        |paths: &[&str]| ApplyOptions { paths: paths.iter().map(rel).collect(), ..Default::default() };
    let applied = apply(&repo, paths(&["tracks/new.wav"])).unwrap();
    assert_eq!(applied.files_applied, 1);
    assert_eq!(repo.texts()["tracks/bass.wav"], "bass of HEAD");
    let applied = apply(&repo, paths(&["tracks"])).unwrap();
    assert_eq!(applied.files_applied, 3);
    let error = apply(&repo, paths(&["tracks/kik.wav"])).unwrap_err();
    assert!(error.to_string().contains("did you mean 'tracks/kick.wav'"), "{error}");
    assert_eq!((error.name(), error.kind()), ("no_such_path", stemvault::ErrorKind::User));
    // A name is a whole component.
    assert!(apply(&repo, paths(&["track"])).is_err());
    let pop = ApplyOptions { paths: vec![rel("tracks")], ..POP };
    assert!(matches!(apply(&repo, pop), Err(StashError::InvalidInput(_))));
}

#[test]
fn exact_deletes_what_the_entry_knew_as_deleted_and_undo_brings_it_back() {
    let repo = Repo::in_memory();
    repo.write("gone.mid", "HEAD has it");
    repo.write("also-gone.mid", "and this");
    repo.write("stays.mid", "stays");
    repo.snapshot();
    fs::remove_file(repo.path("gone.mid")).unwrap();
    fs::remove_file(repo.path("also-gone.mid")).unwrap();
    repo.push();
    repo.write("also-gone.mid", "newer work");
    let plain = apply(&repo, ApplyOptions::default()).unwrap();
    assert!(plain.deleted.is_empty() && repo.path("gone.mid").exists());
    let exact = || ApplyOptions { exact: true, ..Default::default() };
    // Newer work is a conflict here too.
    assert!(matches!(apply(&repo, with(OnConflict::Fail, exact())), Err(StashError::Conflicts { .. })));
    let kept = apply(&repo, with(OnConflict::KeepBoth, exact())).unwrap();
    assert_eq!(kept.deleted, [rel("gone.mid")]);
    assert_eq!(repo.texts()["also-gone.mid"], "newer work");
    let all = apply(&repo, exact()).unwrap();
    assert_eq!((all.deleted.as_slice(), all.bytes_saved), (&[rel("also-gone.mid")][..], 10));
    assert_eq!(repo.texts().into_keys().collect::<Vec<_>>(), ["stays.mid"]);
    for _ in 0..2 {
        assert!(!repo.vault.stash().undo(UndoOptions::default(), &Silent).unwrap().is_partial());
    }
    assert_eq!(repo.texts()["gone.mid"], "HEAD has it");
    assert_eq!(repo.texts()["also-gone.mid"], "newer work");
}

#[test]
fn an_object_of_the_wrong_size_is_known_before_anything_is_written() {
    let repo = conflicting();
    fs::write(repo.object_path(&hex(b"new")), "longer than it was").unwrap();
    let told = apply(&repo, ApplyOptions { dry_run: true, ..Default::default() }).unwrap();
    assert_eq!(told.missing, [rel("tracks/new.wav")]);
    assert_eq!(left(&told.left_alone), [("tracks/new.wav".to_owned(), "corrupt")]);
    let popped = apply(&repo, POP).unwrap();
    assert!(!popped.dropped && !repo.path("tracks/new.wav").exists());
    assert!(apply(&repo, ApplyOptions { force: true, ..POP }).unwrap().dropped);
}

#[test]
fn a_directory_and_a_file_in_the_way_are_told_beforehand() {
    let repo = Repo::in_memory();
    repo.write("a/b.wav", "below a directory");
    repo.write("c", "a file");
    repo.push();
    fs::remove_dir_all(repo.path("a")).unwrap();
    repo.write("a", "a file where the directory was");
    repo.write("c/d.wav", "a directory where the file was");
    for dry_run in [true, false] {
        let told = apply(&repo, ApplyOptions { dry_run, ..Default::default() }).unwrap();
        assert_eq!(
            left(&told.left_alone),
            [("a/b.wav".to_owned(), "blocked"), ("c".to_owned(), "blocked")],
            "dry: {dry_run}"
        );
    }
    assert_eq!(repo.texts()["a"], "a file where the directory was");
    assert_eq!(repo.texts()["c/d.wav"], "a directory where the file was");
}

#[test]
fn names_that_differ_in_case_are_two_files_where_the_system_says_so() {
    let repo = Repo::in_memory();
    repo.write("Kick.wav", "upper");
    repo.write("kick.wav", "lower");
    if repo.texts().len() < 2 {
        println!("skipped: this file system ignores case");
        return;
    }
    repo.push();
    assert_eq!(apply(&repo, POP).unwrap().files_applied, 2);
    assert_eq!((repo.texts()["Kick.wav"].as_str(), repo.texts()["kick.wav"].as_str()), ("upper", "lower"));
}

#[test]
fn entries_are_addressed_by_the_beginning_of_their_id() {
    let repo = conflicting();
    let id = repo.list()[0].stash_id.clone();
    let part = &id[..id.len() - 4];
    let stash = repo.vault.stash();
    assert_eq!(stash.show(part).unwrap().stash_id, id);
    assert_eq!(stash.apply(part, ApplyOptions::default(), &Silent).unwrap().stash_id, id);
    repo.push();
    let error = stash.apply("stash-2", ApplyOptions::default(), &Silent).unwrap_err();
    assert!(matches!(error, StashError::AmbiguousEntry { count: 2, .. }), "{error}");
    assert_eq!(stash.drop_entry(&id).unwrap().stash_id, id);
    let other = repo.list()[0].stash_id.clone();
    assert_eq!(stash.apply(&other, POP, &Silent).unwrap().stash_id, other);
}

fn stem(repo: &Repo, args: &[&str]) -> (i32, Value, String) {
    let output = Command::new(binary::stem())
        .args(args)
        .arg("--json")
        .current_dir(repo.root())
        .env_remove("MUSE_REPO_ROOT")
        .output()
        .unwrap();
    let document = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), document, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_program_takes_the_options() {
    let repo = conflicting();
    let (code, error, _) = stem(&repo, &["stash", "apply", "--on-conflict", "fail"]);
    assert_eq!((code, error["error"]["kind"].as_str()), (1, Some("conflict")));
    let (code, told, _) = stem(&repo, &["stash", "pop", "--dry-run"]);
    assert_eq!((code, told["plan"].as_array().unwrap().len()), (0, 3));
    assert_eq!(told["plan"][1]["conflict"], true);
    let (code, part, _) = stem(&repo, &["stash", "apply", "0", "tracks/new.wav"]);
    assert_eq!((code, part["files_applied"].as_u64()), (0, Some(1)));
    let (code, error, _) = stem(&repo, &["stash", "apply", "0", "tracks/nev.wav"]);
    assert_eq!((code, error["error"]["kind"].as_str()), (1, Some("no_such_path")));
    let (code, _, _) = stem(&repo, &["stash", "pop", "0", "tracks/new.wav"]);
    assert_eq!(code, 1);
    let (code, kept, _) = stem(&repo, &["stash", "pop", "--on-conflict", "keep-both"]);
    assert_eq!((code, kept["dropped"].as_bool()), (0, Some(true)));
    assert_eq!(kept["kept_both"][0]["path"], "tracks/kick.wav");
    assert_eq!(tree::bytes(&repo.work()).len(), 4);
}

#[cfg(unix)]
#[test]
fn a_disk_without_room_is_told_before_the_first_write() {
    // An entry that claims more than any disk has, with a sparse object of that size.
    let repo = Repo::new();
    let size = 1_u64 << 43;
    let id = "ab".repeat(32);
    let object = repo.object_path(&id);
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    let sparse = fs::File::create(&object).unwrap().set_len(size);
    let stash_id = stemvault_tests::hostile::STASH_ID;
    let text = stemvault_tests::hostile::entry_text(
        stash_id,
        &stemvault_tests::hostile::manifest_text("huge.wav", &id),
    );
    let text = text.replace(
        "\n}",
        &format!(
            ",\n  \"stem\": {{\"version\": 1, \"head_snapshot\": null, \"deleted\": [], \"files\": [[{size}, 0, 420, null]]}}\n}}"
        ),
    );
    repo.plant_entry(stash_id, text);
    if sparse.is_err() || stemvault::available_space(repo.root()).is_none_or(|free| free >= size) {
        println!("skipped: no sparse file of that size, or room for it");
        return;
    }
    let entry = repo.entry(0);
    assert_eq!(entry.file(0).unwrap().size, size);
    repo.write("other", "other");
    let before = repo.tree();
    let error = apply(&repo, POP).unwrap_err();
    assert!(matches!(error, StashError::NoSpace { .. }), "{error}");
    assert_eq!(error.name(), "no_space");
    assert_eq!(repo.tree(), before);
    assert_eq!(repo.list().len(), 1);
}
