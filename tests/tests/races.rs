//! Files that change while they are pushed: nothing that a program wrote to the end is ever lost.
//!
//! A writer thread works on some files while the main thread pushes. Afterwards what the writer last completed must be
//! in the working tree or in an entry, and every object must hold what its name says.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use stemvault::{PushOptions, Silent};
use stemvault_tests::repo::{POP, Repo, left};
use stemvault_tests::tree;

/// Files that the writer works on, and files beside them that nobody touches.
const TOUCHED: usize = 6;
const QUIET: usize = 10;
const ROUNDS: usize = 24;

fn name(n: usize) -> String {
    format!("tracks/t{}/take-{n}.wav", n % 3)
}

/// Everything that can still be had: files of the working tree and objects of all entries.
fn held(repo: &Repo) -> HashSet<Vec<u8>> {
    let mut held: HashSet<Vec<u8>> = tree::bytes(&repo.work()).into_values().collect();
    let objects = repo.objects();
    for entry in repo.list() {
        let entry = entry.entry.expect("an entry of ours is readable");
        held.extend(entry.manifest.iter().map(|(path, id)| {
            objects
                .get(&id.to_string())
                .unwrap_or_else(|| panic!("the object of '{path}' is missing"))
                .clone()
        }));
    }
    held
}

/// The `<pieces>` that files consist of.
fn pieces(files: &HashSet<Vec<u8>>) -> HashSet<Vec<u8>> {
    let parts = files.iter().flat_map(|file| file.split_inclusive(|&b| b == b'>'));
    parts.filter_map(|part| part.iter().position(|&b| b == b'<').map(|at| part[at..].to_vec())).collect()
}

/// Runs `writer` against pushes. It gets the paths of its files, the number of its turn and a flag that ends it, and
/// returns what must still be found afterwards: whole files, or `<pieces>` of files.
fn race(writer: impl Fn(&[PathBuf], usize, &AtomicBool) -> Vec<Vec<u8>> + Sync) {
    for round in 0..ROUNDS {
        let repo = any_repo(round);
        let with_head = round % 2 == 1;
        if with_head {
            for n in 0..TOUCHED / 2 {
                repo.write(name(n), format!("head {n}"));
            }
            repo.snapshot();
        }
        for n in 0..TOUCHED + QUIET {
            // Sizes differ, so that the order of work differs.
            repo.write(name(n), format!("before {n} ").repeat(1 + 4000 * (n % 4)));
        }
        let quiet: Vec<Vec<u8>> =
            (TOUCHED..TOUCHED + QUIET).map(|n| fs::read(repo.path(name(n))).unwrap()).collect();
        let paths: Vec<PathBuf> = (0..TOUCHED).map(|n| repo.path(name(n))).collect();
        let stop = AtomicBool::new(false);
        let (pushed, written) = std::thread::scope(|scope| {
            let thread = scope.spawn(|| writer(&paths, round, &stop));
            let pushed = repo.vault.stash().push(&PushOptions::default(), &Silent);
            stop.store(true, Ordering::Relaxed);
            (pushed, thread.join().expect("the writer can always write"))
        });
        let pushed = pushed.unwrap_or_else(|error| panic!("round {round}: {error}"));
        let held = held(&repo);
        let pieces = pieces(&held);
        for bytes in &quiet {
            assert!(held.contains(bytes), "round {round}: a file that nobody touched is lost: {pushed:?}");
        }
        for n in TOUCHED..TOUCHED + QUIET {
            assert!(
                !repo.path(name(n)).exists(),
                "round {round}: {} stays for no reason: {pushed:?}",
                name(n)
            );
        }
        for bytes in written {
            let found = held.contains(&bytes) || pieces.contains(&bytes);
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
            assert!(
                found,
                "round {round}: what was written is lost: {text:?}\n{pushed:?}\n{:?}",
                repo.tree().keys()
            );
        }
        repo.assert_no_temporaries();
    }
}

/// Most rounds run in memory, where nothing but the race takes time; the others on the file system of temporary files.
fn any_repo(round: usize) -> Repo {
    if round.is_multiple_of(4) { Repo::new() } else { Repo::in_memory() }
}

/// A short pause of no fixed length, so that the writer meets every step of a push.
fn pause(round: usize) {
    for _ in 0..round % 7 * 40 {
        std::hint::spin_loop();
    }
}

#[test]
fn a_file_that_grows_loses_nothing() {
    race(|paths, round, stop| {
        let mut pieces = Vec::new();
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            let piece = format!("<piece {turn} of round {round}>").into_bytes();
            let file = OpenOptions::new().append(true).create(true).open(&paths[turn % paths.len()]);
            file.expect("appending").write_all(&piece).expect("appending");
            pieces.push(piece);
            turn += 1;
            pause(round);
        }
        pieces
    });
}

#[test]
fn a_file_that_is_kept_open_and_grows_loses_nothing() {
    race(|paths, round, stop| {
        let open = |path: &PathBuf| OpenOptions::new().append(true).create(true).open(path).expect("opening");
        let mut files: Vec<_> = paths.iter().map(open).collect();
        let mut pieces = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let piece = format!("<piece {} of round {round}>", pieces.len()).into_bytes();
            let at = pieces.len() % files.len();
            files[at].write_all(&piece).expect("appending");
            pieces.push(piece);
            pause(round);
        }
        pieces
    });
}

#[test]
fn a_file_that_is_rewritten_in_place_keeps_its_last_version() {
    race(|paths, round, stop| {
        let mut last = vec![None; paths.len()];
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            let at = turn % paths.len();
            let bytes =
                format!("version {turn} of {at} in round {round} ").repeat(1 + turn % 50).into_bytes();
            fs::write(&paths[at], &bytes).expect("writing");
            last[at] = Some(bytes);
            turn += 1;
            pause(round);
        }
        last.into_iter().flatten().collect()
    });
}

#[test]
fn a_file_that_is_cut_keeps_what_is_left() {
    race(|paths, round, stop| {
        let mut last = vec![None; paths.len()];
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            let at = turn % paths.len();
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&paths[at])
                .expect("opening");
            let bytes = format!("cut {turn} of {at} in round {round}").into_bytes();
            file.set_len(0).expect("cutting");
            std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).expect("writing");
            drop(file);
            last[at] = Some(bytes);
            turn += 1;
            pause(round);
        }
        last.into_iter().flatten().collect()
    });
}

#[test]
fn a_file_that_is_saved_by_renaming_keeps_its_last_version() {
    race(|paths, round, stop| {
        let mut last = vec![None; paths.len()];
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            let at = turn % paths.len();
            let bytes = format!("saved {turn} of {at} in round {round}").into_bytes();
            // Hidden, so that no push takes the file before it has its name.
            let beside = paths[at].with_file_name(format!(".{at}.tmp"));
            fs::write(&beside, &bytes).expect("writing");
            fs::rename(&beside, &paths[at]).expect("renaming");
            last[at] = Some(bytes);
            turn += 1;
            pause(round);
        }
        last.into_iter().flatten().collect()
    });
}

#[test]
fn a_file_that_comes_and_goes_is_lost_by_its_owner_only() {
    race(|paths, round, stop| {
        let mut turn = 0;
        let mut last = Vec::new();
        while !stop.load(Ordering::Relaxed) || turn % paths.len() != 0 {
            let path = &paths[turn % paths.len()];
            let _ = fs::remove_file(path);
            pause(round);
            let bytes = format!("again {turn} in round {round}").into_bytes();
            fs::write(path, &bytes).expect("writing");
            turn += 1;
            last.push(bytes);
        }
        last.split_off(last.len().saturating_sub(paths.len()))
    });
}

#[test]
fn a_file_that_becomes_a_directory_loses_nothing() {
    race(|paths, round, stop| {
        let mut last = vec![None; paths.len()];
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            let at = turn % paths.len();
            let bytes = format!("inside {turn} of {at} in round {round}").into_bytes();
            last[at] = None;
            // A push may put HEAD's file here, or take what is inside, at any moment.
            let _ = fs::remove_file(&paths[at]);
            if fs::create_dir(&paths[at]).is_ok() && fs::write(paths[at].join("x"), &bytes).is_ok() {
                pause(round);
                last[at] = Some(bytes);
            }
            turn += 1;
            if turn % 3 == 0 && !stop.load(Ordering::Relaxed) {
                last[at] = None;
                let _ = fs::remove_dir_all(&paths[at]);
                let bytes = format!("file {turn} of {at} in round {round}").into_bytes();
                if fs::write(&paths[at], &bytes).is_ok() {
                    last[at] = Some(bytes);
                }
            }
        }
        last.into_iter().flatten().collect()
    });
}

#[test]
fn a_file_that_becomes_a_link_never_lets_a_write_out_of_the_tree() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("target.wav");
    fs::write(&target, "outside").unwrap();
    race(|paths, round, stop| {
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            let path = &paths[turn % paths.len()];
            let to: &Path = if turn % 2 == 0 { &target } else { outside.path() };
            let _ = fs::remove_file(path);
            let _ = symlink(to, path);
            pause(round);
            turn += 1;
        }
        Vec::new()
    });
    assert_eq!(fs::read(&target).unwrap(), b"outside");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn a_directory_that_becomes_a_link_never_lets_a_write_out_of_the_tree() {
    for round in 0..ROUNDS {
        let outside = tempfile::tempdir().unwrap();
        for n in 0..5 {
            tree::write(outside.path(), format!("take-{n}.wav"), "outside");
        }
        let before = tree::read(outside.path());
        let repo = any_repo(round);
        for n in 0..5 {
            repo.write(format!("d/take-{n}.wav"), format!("head {n}"));
        }
        repo.snapshot();
        for n in 0..5 {
            repo.write(format!("d/take-{n}.wav"), format!("edited {n}"));
        }
        let (dir, away) = (repo.path("d"), repo.path(".away"));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    fs::rename(&dir, &away).unwrap();
                    // A push may have made a directory here meanwhile.
                    if symlink(outside.path(), &dir).is_err() {
                        break;
                    }
                    pause(round);
                    fs::remove_file(&dir).unwrap();
                    if fs::rename(&away, &dir).is_err() {
                        break;
                    }
                    pause(round);
                }
            });
            // It may say that a link is in the way, or that a directory vanished; it may not write through the link.
            let _ = repo.vault.stash().push(&PushOptions::default(), &Silent);
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(tree::read(outside.path()), before, "round {round}");
        let held = held(&repo);
        for n in 0..5 {
            let bytes = format!("edited {n}").into_bytes();
            let hidden = tree::bytes(&repo.work()).into_values().any(|b| b == bytes);
            assert!(hidden || held.contains(&bytes), "round {round}: take {n} is lost");
        }
    }
}

#[test]
fn files_that_appear_during_a_push_stay() {
    for round in 0..ROUNDS {
        let repo = any_repo(round);
        for n in 0..QUIET {
            repo.write(name(n), format!("before {n}"));
        }
        let stop = AtomicBool::new(false);
        let made = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let mut made = 0;
                while !stop.load(Ordering::Relaxed) && made < 3000 {
                    repo.write(format!("tracks/new/{made}.wav"), format!("new {made}"));
                    made += 1;
                    pause(round);
                }
                made
            });
            repo.push();
            stop.store(true, Ordering::Relaxed);
            thread.join().unwrap()
        });
        let held = held(&repo);
        for n in 0..made {
            assert!(held.contains(&format!("new {n}").into_bytes()), "round {round}: new file {n} is lost");
        }
    }
}

/// A program that opens and closes the same file all the time is not waited for: the file stays, and the push ends.
#[test]
fn pushes_against_a_busy_program_end_and_tell() {
    let repo = Repo::new();
    let busy = repo.write("busy.wav", "busy");
    for n in 0..QUIET {
        repo.write(name(n), "quiet");
    }
    let file = OpenOptions::new().append(true).open(&busy).unwrap();
    for _ in 0..3 {
        let pushed = repo.push();
        assert_eq!(left(&pushed.left_alone), [("busy.wav".to_owned(), "busy")]);
        assert!(busy.exists());
    }
    drop(file);
    assert!(!repo.push().is_partial());
    assert!(!busy.exists());
    assert_eq!(repo.list().len(), 4);
}

/// The same against pop: what a program wrote to the end after the pop is there.
#[test]
fn a_pop_against_a_writer_leaves_whole_files() {
    for round in 0..ROUNDS {
        let repo = any_repo(round);
        let path = repo.write("a.wav", "stashed ".repeat(5000));
        repo.push();
        fs::write(&path, "new").unwrap();
        let stop = AtomicBool::new(false);
        let (popped, last) = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let mut last = "new".to_owned();
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    last = format!("writer {turn}");
                    fs::write(&path, &last).unwrap();
                    pause(round);
                }
                last
            });
            let popped = repo.vault.stash().apply("0", POP, &Silent);
            stop.store(true, Ordering::Relaxed);
            (popped.unwrap(), thread.join().unwrap())
        });
        let texts = repo.texts();
        let shown = &texts["a.wav"][..texts["a.wav"].len().min(40)];
        // What is being written is not written over: then the entry stays, and so does the program's file.
        assert_eq!(popped.dropped, popped.left_alone.is_empty(), "round {round}: {popped:?}");
        assert_eq!(repo.list().len(), usize::from(!popped.dropped), "round {round}");
        let stashed = "stashed ".repeat(5000);
        assert!(texts["a.wav"] == last || texts["a.wav"] == stashed, "round {round}: {shown:?}");
        // The last that the program wrote is there, or was there when the pop took its place, and is saved.
        let saved = tree::bytes(&repo.muse().join("stem/undo/saved"));
        assert!(
            texts.values().any(|text| *text == last) || saved.values().any(|bytes| bytes == last.as_bytes()),
            "round {round}: the last version is gone, there is {shown:?}"
        );
        repo.assert_no_temporaries();
    }
}
