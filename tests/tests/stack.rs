//! The stack: its order, how entries are named, and many programs at once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use stemvault::{ApplyOptions, ErrorKind, HeadChoice, PushOptions, Silent, Vault};
use stemvault_tests::child;
use stemvault_tests::hostile::{entry_text, manifest_text};
use stemvault_tests::repo::{POP, Repo, head_manifest, rel};
use stemvault_tests::tree;

/// A repository with entries `0` (newest) to `count - 1`, whose messages are these numbers.
fn stacked(count: usize) -> Repo {
    let repo = Repo::new();
    for n in (0..count).rev() {
        repo.write("a.wav", format!("take {n}"));
        repo.push_with(&PushOptions { message: Some(n.to_string()), ..PushOptions::default() });
    }
    repo
}

fn messages(repo: &Repo) -> Vec<String> {
    let message = |entry: stemvault::EntryRef| entry.entry.unwrap().message.to_string_lossy().into_owned();
    repo.list().into_iter().map(message).collect()
}

#[test]
fn the_newest_entry_comes_first_and_indices_close_up() {
    let repo = stacked(5);
    assert_eq!(messages(&repo), ["0", "1", "2", "3", "4"]);
    assert_eq!(repo.list().iter().map(|entry| entry.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(repo.vault.stash().drop_entry("stash@{2}").unwrap().message, "2");
    assert_eq!(messages(&repo), ["0", "1", "3", "4"]);
    assert_eq!(repo.pop("2").message, "3");
    assert_eq!(repo.texts()["a.wav"], "take 3");
    assert_eq!(messages(&repo), ["0", "1", "4"]);
    assert_eq!(repo.vault.stash().clear().unwrap().count, 3);
    assert!(repo.list().is_empty());
    assert_eq!(repo.vault.stash().clear().unwrap().count, 0);
}

#[test]
fn entries_are_named_by_index_or_by_the_beginning_of_their_id() {
    let repo = stacked(3);
    let id = repo.list()[1].stash_id.clone();
    for reference in ["1", "stash@{1}", "01", &id, &id[..id.len() - 1], &id[..id.len() - 7]] {
        let shown = repo.vault.stash().show(reference).unwrap();
        assert_eq!((shown.index, shown.stash_id.as_str()), (1, id.as_str()), "{reference}");
        assert_eq!(shown.files[0].size, Some(6));
    }
    let error = repo.vault.stash().show("stash-2").unwrap_err();
    assert_eq!((error.name(), error.kind()), ("ambiguous_entry", ErrorKind::User), "{error}");
    assert!(error.to_string().contains("3 stash ids"), "{error}");
}

#[test]
fn an_id_that_is_the_beginning_of_another_is_no_doubt() {
    let repo = Repo::new();
    let object = repo.plant_object(b"x");
    for id in ["stash-2026-11-22T083413000000Z0000-0000000", "stash-2026-11-22T083413000000Z0000-00000001"] {
        repo.plant_entry(id, entry_text(id, &manifest_text("x.wav", &object)));
    }
    let shorter = "stash-2026-11-22T083413000000Z0000-0000000";
    assert_eq!(repo.vault.stash().show(shorter).unwrap().stash_id, shorter);
}

#[test]
fn an_index_beyond_the_stack_is_refused_in_the_references_words() {
    for count in [0, 1, 3] {
        let repo = stacked(count);
        for index in [count, count + 1, 99] {
            let expected = format!("stash@{{{index}}} does not exist (stack has {count} entries)");
            for reference in [index.to_string(), format!("stash@{{{index}}}")] {
                let before = repo.state();
                let stash = repo.vault.stash();
                assert_eq!(stash.apply(&reference, POP, &Silent).unwrap_err().to_string(), expected);
                assert_eq!(stash.drop_entry(&reference).unwrap_err().to_string(), expected);
                let error = stash.show(&reference).unwrap_err();
                assert_eq!((error.to_string(), error.kind()), (expected.clone(), ErrorKind::User));
                assert_eq!(repo.state(), before);
            }
        }
    }
}

#[test]
fn references_that_are_none_are_refused() {
    let repo = stacked(2);
    let before = repo.state();
    for reference in [
        "",
        " ",
        "-1",
        "+1",
        "1 ",
        "0x1",
        "1.0",
        "stash",
        "stash-",
        "stash@",
        "stash@{",
        "stash@{}",
        "stash@{-1}",
        "stash@{0",
        "stash@{x}",
        "@{0}",
        "stash-9",
        "stash-../x",
        "../stash-1",
        "*",
        "stash-*",
        "\u{663}",
        "\0",
        "stash@{0}x",
    ] {
        let stash = repo.vault.stash();
        for error in [
            stash.apply(reference, POP, &Silent).map(drop).unwrap_err(),
            stash.drop_entry(reference).map(drop).unwrap_err(),
            stash.show(reference).map(drop).unwrap_err(),
        ] {
            assert_eq!(
                (error.name(), error.kind()),
                ("no_such_entry", ErrorKind::User),
                "{reference:?}: {error}"
            );
        }
    }
    for huge in ["18446744073709551616", "stash@{99999999999999999999999999}"] {
        assert_eq!(repo.vault.stash().show(huge).unwrap_err().kind(), ErrorKind::User, "{huge}");
    }
    assert_eq!(repo.state(), before);
}

#[test]
fn an_unreadable_entry_has_its_own_index_and_can_be_dropped() {
    let repo = stacked(3);
    let middle = repo.list().remove(1);
    fs::write(&middle.file, "garbage").unwrap();
    let list = repo.list();
    assert_eq!(list.iter().map(|entry| entry.entry.is_ok()).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(list[1].stash_id, middle.stash_id);
    assert_eq!(repo.pop("stash@{2}").message, "2");
    let dropped = repo.vault.stash().drop_entry("1").unwrap();
    assert_eq!((dropped.index, dropped.stash_id, dropped.message), (1, middle.stash_id, String::new()));
    assert_eq!(messages(&repo), ["0"]);
}

#[test]
fn dropping_an_entry_that_is_a_link_removes_the_link() {
    let repo = stacked(1);
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    let link = repo.muse().join("stash/stash-2999-01-01T000000000000Z0000-00000000.json");
    symlink(elsewhere.path(), &link).unwrap();
    assert!(repo.list()[0].entry.is_err());
    repo.vault.stash().drop_entry("0").unwrap();
    assert!(fs::symlink_metadata(&link).is_err() && elsewhere.path().exists());
    assert_eq!(messages(&repo), ["0"]);
}

#[test]
fn clear_removes_unreadable_entries_too() {
    let repo = stacked(2);
    repo.plant_entry("stash-broken", "{");
    repo.plant_entry("stash-2999-01-01T000000000000Z0000-00000000", "");
    assert_eq!(repo.vault.stash().clear().unwrap().count, 4);
    assert!(repo.list().is_empty());
}

#[test]
fn files_beside_the_entries_are_not_entries() {
    let repo = stacked(1);
    for name in
        ["stash-x.json.tmp", ".stash-x.json", "Stash-x.json", "stash.json", "notes.txt", "stash-x.JSON"]
    {
        fs::write(repo.muse().join("stash").join(name), "x").unwrap();
    }
    assert_eq!(repo.list().len(), 1);
    assert_eq!(repo.vault.stash().clear().unwrap().count, 1);
    assert_eq!(fs::read_dir(repo.muse().join("stash")).unwrap().count(), 6);
}

#[test]
fn an_entry_whose_file_was_renamed_is_found_by_the_name_of_its_file() {
    let repo = stacked(2);
    let oldest = repo.list().remove(1);
    let name = "stash-copy";
    fs::rename(&oldest.file, oldest.file.with_file_name(format!("{name}.json"))).unwrap();
    let listed: Vec<String> = repo.list().into_iter().map(|entry| entry.stash_id).collect();
    assert_eq!(listed.len(), 2);
    assert!(listed.contains(&name.to_owned()), "{listed:?}");
    assert!(repo.pop(name).dropped);
    assert_eq!(messages(&repo), ["0"]);
}

#[test]
fn a_repository_without_a_stash_directory_has_an_empty_stack() {
    let repo = Repo::new();
    fs::remove_dir(repo.muse().join("stash")).unwrap();
    assert!(repo.list().is_empty());
    assert_eq!(repo.vault.stash().clear().unwrap().count, 0);
    repo.write("a.wav", "a");
    assert_eq!(repo.push().stash_ref, "stash@{0}");
    assert_eq!(repo.list().len(), 1);
}

#[test]
fn after_the_end_of_time_a_push_is_refused_and_changes_nothing() {
    let repo = Repo::new();
    let object = repo.plant_object(b"x");
    let id = "stash-9999-12-30T220000000000Z0000-00000000";
    let text = entry_text(id, &manifest_text("x.wav", &object));
    repo.plant_entry(id, text.replace("2026-11-22T08:34:13.597654", "9999-12-30T22:00:00.000000"));
    repo.write("a.wav", "a");
    let tree = repo.tree();
    let error = repo.vault.stash().push(&PushOptions::default(), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User, "{error}");
    assert_eq!(repo.tree(), tree, "the push was refused, so its files must be where they were");
    assert_eq!(repo.list().len(), 1);
    repo.vault.stash().drop_entry("0").unwrap();
    assert_eq!(repo.push().files_stashed, 1);
}

#[test]
fn pushes_in_the_same_microsecond_stay_in_order() {
    let repo = Repo::in_memory();
    let mut pushed = Vec::new();
    for n in 0..200 {
        repo.write("a.wav", format!("{n}"));
        pushed.push(repo.push_with(&PushOptions { keep: true, ..PushOptions::default() }).stash_id.unwrap());
    }
    pushed.reverse();
    let listed: Vec<String> = repo.list().into_iter().map(|entry| entry.stash_id).collect();
    assert_eq!(listed, pushed);
}

/// What one of several workers does, in a thread or in a process of its own: pushes its own track, sometimes pops the
/// entry that it made, sometimes looks around. Everything that it wrote begins with its name.
fn work(root: &Path, worker: &str, turns: usize) {
    let vault = Vault::open(root).unwrap();
    let stash = vault.stash();
    for turn in 0..turns {
        for file in 0..3 {
            let path = format!("tracks/{worker}/{turn}-{file}.wav");
            tree::write(vault.repository().working_tree(), path, format!("{worker}:{turn}:{file}"));
        }
        let head = if turn % 3 == 0 { HeadChoice::None } else { head_manifest("{}") };
        let options = PushOptions { track: Some(worker.to_owned()), head, ..PushOptions::default() };
        let pushed = stash.push(&options, &Silent).unwrap();
        let list = stash.list().unwrap();
        for entry in &list {
            assert!(entry.entry.is_ok(), "{:?}", entry.entry.as_ref().err());
        }
        if turn % 4 == 1 {
            let id = pushed.stash_id.unwrap();
            let popped = stash.apply(&id, POP, &Silent).unwrap();
            assert!(popped.dropped, "{popped:?}");
        }
        if turn % 5 == 2 {
            // An index may mean another entry by the time it is looked up, but never a broken one.
            match stash.apply("0", ApplyOptions::default(), &Silent) {
                Ok(applied) => assert!(applied.missing.is_empty(), "{applied:?}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::User, "{error}"),
            }
        }
    }
}

/// Everything that the workers wrote is in the tree or in an entry.
fn assert_nothing_lost(repo: &Repo, workers: &[String], turns: usize) {
    let objects = repo.objects();
    let mut held: BTreeSet<Vec<u8>> = tree::bytes(&repo.work()).into_values().collect();
    let mut ids = BTreeSet::new();
    for entry in repo.list() {
        assert!(ids.insert(entry.stash_id), "an id is there twice");
        for (path, id) in entry.entry.unwrap().manifest.iter() {
            held.insert(
                objects
                    .get(&id.to_string())
                    .unwrap_or_else(|| panic!("the object of '{path}' is missing"))
                    .clone(),
            );
        }
    }
    for worker in workers {
        for turn in 0..turns {
            for file in 0..3 {
                let bytes = format!("{worker}:{turn}:{file}").into_bytes();
                assert!(held.contains(&bytes), "{worker} lost file {file} of turn {turn}");
            }
        }
    }
    repo.assert_sound();
}

#[test]
fn threads_lose_nothing() {
    let repo = Repo::new();
    let workers: Vec<String> = (0..4).map(|n| format!("thread-{n}")).collect();
    std::thread::scope(|scope| {
        for worker in &workers {
            scope.spawn(|| work(repo.root(), worker, 12));
        }
    });
    assert_nothing_lost(&repo, &workers, 12);
}

#[test]
fn processes_lose_nothing() {
    let repo = Repo::new();
    let workers: Vec<String> = (0..4).map(|n| format!("process-{n}")).collect();
    let spawn = |worker: &String| {
        let mut command = child::command("child_works_on_a_track", repo.root());
        command
            .env("STEMVAULT_TEST_WORKER", worker)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let children: Vec<_> = workers.iter().map(spawn).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_nothing_lost(&repo, &workers, 12);
}

#[test]
#[ignore = "run several times at once by processes_lose_nothing"]
fn child_works_on_a_track() {
    if let Some(root) = child::task() {
        work(&root, &std::env::var("STEMVAULT_TEST_WORKER").unwrap(), 12);
    }
}

/// Two programs that pop the same entry: it is applied by both or refused to one, and dropped once.
#[test]
fn two_pops_of_one_entry_drop_it_once() {
    for _ in 0..20 {
        let repo = Repo::in_memory();
        repo.write("a.wav", "a");
        repo.push();
        let id = repo.list().remove(0).stash_id;
        let pop = || {
            Vault::open(repo.root()).unwrap().stash().apply(&id, POP, &Silent).map(|popped| popped.dropped)
        };
        let results = std::thread::scope(|scope| {
            [scope.spawn(pop), scope.spawn(pop)].map(|thread| thread.join().unwrap())
        });
        assert!(results.iter().any(|result| matches!(result, Ok(true))), "{results:?}");
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert_eq!(error.kind(), ErrorKind::User, "{error}");
        }
        assert!(repo.list().is_empty());
        assert_eq!(repo.texts()["a.wav"], "a");
    }
}

/// While one program pushes everything, others look: no reader is ever shown half a stack.
#[test]
fn readers_need_no_lock_and_see_whole_entries() {
    let repo = Repo::in_memory();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                for entry in repo.list() {
                    entry.entry.expect("an entry that is dropped meanwhile is not broken, it is gone");
                }
            }
        });
        for n in 0..60 {
            for file in 0..5 {
                repo.write(format!("{n}/{file}"), format!("{n} {file}"));
            }
            repo.push_with(&PushOptions {
                paths: vec![rel(n.to_string())],
                head: head_manifest("{}"),
                ..PushOptions::default()
            });
            if n % 3 == 2 {
                repo.vault.stash().drop_entry("1").unwrap();
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert_eq!(repo.list().len(), 40);
}
