//! Files of every kind: empty, sparse, unreadable, open elsewhere, with more than one name.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use stemvault::{Phase, PushOptions, Silent, Vault};
use stemvault_tests::child;
use stemvault_tests::hook::At;
use stemvault_tests::repo::{Repo, left};
use stemvault_tests::tree;

#[test]
fn empty_files_come_back() {
    let repo = Repo::new();
    repo.write("a", "");
    repo.write("tracks/b", "");
    repo.write("c", "c");
    let before = repo.tree();
    let pushed = repo.push();
    assert_eq!((pushed.files_stashed, pushed.bytes_stashed), (3, 1));
    assert_eq!(repo.objects().len(), 2);
    assert!(repo.tree().is_empty());
    assert!(repo.pop("0").dropped);
    assert_eq!(repo.tree(), before);
}

#[test]
fn a_sparse_file_comes_back_whole() {
    let repo = Repo::new();
    let path = repo.path("sparse.wav");
    let file = File::create(&path).unwrap();
    file.set_len(8 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"middle", 4 << 20).unwrap();
    drop(file);
    let before = repo.tree();
    assert_eq!(repo.push().bytes_stashed, 8 << 20);
    repo.assert_sound();
    assert!(repo.pop("0").dropped);
    assert_eq!(repo.tree(), before);
}

#[test]
fn a_file_that_is_open_for_writing_is_saved_and_stays() {
    let repo = Repo::new();
    let path = repo.write("take.wav", "so far");
    repo.write("other.wav", "other");
    let mut writer = OpenOptions::new().append(true).open(&path).unwrap();
    let pushed = repo.push();
    assert_eq!(left(&pushed.left_alone), [("take.wav".to_owned(), "busy")]);
    assert!(pushed.is_partial());
    assert_eq!(pushed.files_stashed, 2, "what was there is saved all the same");
    writer.write_all(b", and more").unwrap();
    drop(writer);
    assert_eq!(fs::read(&path).unwrap(), b"so far, and more");
    assert!(!repo.path("other.wav").exists());
    repo.assert_sound();
    assert!(repo.holds(b"so far") && repo.holds(b"other"));
}

/// A store through a mapping opens nothing and, on a page that is dirty already, moves no time.
#[test]
fn a_file_that_is_mapped_writable_is_saved_and_stays() {
    let repo = Repo::new();
    let path = repo.write("take.wav", "so far so good");
    let script = "import mmap,sys\nf=open(sys.argv[1],'r+b')\nm=mmap.mmap(f.fileno(),0)\nf.close()\nm[0:2]=b'SO'\n\
                  print('ready',flush=True)\nsys.stdin.readline()\nm[0:6]=b'LATER!'\nprint('done',flush=True)\nsys.stdin.readline()";
    let writer = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(&path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(mut writer) = writer else {
        eprintln!("skipped a_file_that_is_mapped_writable_is_saved_and_stays: there is no python3");
        return;
    };
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(writer.stdout.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let mut stdin = writer.stdin.take().unwrap();
    let hook = At::new(Phase::Syncing, || {
        stdin.write_all(b"\n").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "done");
    });
    let pushed = repo.vault.stash().push(&PushOptions::default(), &hook).unwrap();
    assert!(hook.came());
    drop(hook);
    assert!(pushed.is_partial(), "{pushed:?}");
    assert_eq!(left(&pushed.left_alone).len(), 1, "{pushed:?}");
    assert_eq!(fs::read(&path).unwrap(), b"LATER! so good");
    drop(stdin);
    writer.wait().unwrap();
    repo.assert_sound();
}

#[test]
fn a_file_that_is_open_for_reading_leaves_like_any_other() {
    let repo = Repo::new();
    let path = repo.write("take.wav", "bytes");
    let reader = File::open(&path).unwrap();
    let pushed = repo.push();
    assert!(!pushed.is_partial() && !path.exists(), "{pushed:?}");
    assert_eq!(std::io::read_to_string(reader).unwrap(), "bytes");
    repo.assert_sound();
}

#[test]
fn a_file_with_a_second_name_leaves_and_its_other_name_keeps_the_bytes() {
    let repo = Repo::new();
    let path = repo.write("a.wav", "shared");
    let outside = repo.root().join("outside.wav");
    fs::hard_link(&path, &outside).unwrap();
    fs::hard_link(&path, repo.path("b.wav")).unwrap();
    let before = repo.tree();
    let pushed = repo.push();
    assert_eq!(pushed.files_stashed, 2);
    assert!(repo.tree().is_empty(), "{pushed:?}");
    // Writing through the name that is left must not reach into the store.
    OpenOptions::new().append(true).open(&outside).unwrap().write_all(b" and changed").unwrap();
    repo.assert_sound();
    repo.pop("0");
    assert_eq!(repo.tree(), before);
    assert_eq!(fs::read(&outside).unwrap(), b"shared and changed");
}

#[test]
fn writing_to_a_restored_file_does_not_reach_into_the_store() {
    let repo = Repo::new();
    let path = repo.write("a.wav", "one");
    repo.snapshot();
    repo.write("a.wav", "two");
    repo.push();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"!").unwrap();
    repo.assert_sound();
    repo.apply("0");
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"!").unwrap();
    repo.assert_sound();
    assert_eq!(repo.texts()["a.wav"], "two!");
}

#[test]
fn permissions_and_times_come_back() {
    let repo = Repo::new();
    let times = [0, 1, 999_999_999, 1_700_000_000_123_456_789, 4_000_000_000_000_000_001];
    for (n, mode) in [0o400u32, 0o440, 0o600, 0o644, 0o666, 0o700, 0o755, 0o777, 0o4755, 0o2755, 0o1644]
        .into_iter()
        .enumerate()
    {
        let path = repo.write(format!("f{n}"), format!("{n}"));
        tree::set_meta(&path, mode, times[n % times.len()]);
    }
    let before = repo.tree();
    assert_eq!(repo.push().left_alone, []);
    assert!(repo.pop("0").dropped);
    assert_eq!(repo.tree(), before);
}

#[test]
fn equal_files_keep_their_own_permissions_and_times() {
    let repo = Repo::new();
    for (n, mode) in [0o600u32, 0o755, 0o644, 0o400].into_iter().enumerate() {
        tree::set_meta(&repo.write(format!("{n}"), "same"), mode, 1_000_000_000 * (n as i128 + 1));
    }
    let before = repo.tree();
    repo.push();
    assert_eq!(repo.objects().len(), 1);
    assert!(repo.pop("0").dropped);
    assert_eq!(repo.tree(), before);
}

/// Root reads everything, so the push runs as nobody when the test runs as root.
#[test]
fn what_cannot_be_read_is_told_and_stays() {
    let repo = Repo::new();
    for (path, text) in [
        ("readable.wav", "yes"),
        ("secret.wav", "no"),
        ("closed/inside.wav", "hidden"),
        ("foreign.wav", "theirs"),
    ] {
        repo.write(path, text);
    }
    let lock = |locked: bool| {
        fs::set_permissions(repo.path("secret.wav"), Permissions::from_mode(if locked { 0 } else { 0o644 }))
            .unwrap();
        fs::set_permissions(repo.path("closed"), Permissions::from_mode(if locked { 0 } else { 0o755 }))
            .unwrap();
    };
    lock(true);
    if fs::read(repo.path("secret.wav")).is_err() {
        push_beside_unreadable_files(repo.root());
    } else {
        let owned = std::process::Command::new("chown").args(["-R", "65534:65534"]).arg(repo.root()).status();
        let foreign = std::process::Command::new("chown").arg("0:0").arg(repo.path("foreign.wav")).status();
        let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
        let child = child::prefixed(&nobody, "child_pushes_beside_unreadable_files", repo.root()).output();
        match child {
            Ok(output) if owned.is_ok_and(|s| s.success()) && foreign.is_ok_and(|s| s.success()) => {
                let text = String::from_utf8_lossy(&output.stdout).into_owned()
                    + &String::from_utf8_lossy(&output.stderr);
                if text.contains("Permission denied") && !text.contains("running 1 test") {
                    eprintln!(
                        "skipped what_cannot_be_read_is_told_and_stays: nobody may not run this binary"
                    );
                    return;
                }
                assert!(output.status.success(), "{text}");
                assert!(text.contains("1 passed"), "{text}");
            }
            other => {
                eprintln!("skipped what_cannot_be_read_is_told_and_stays: {other:?}");
                return;
            }
        }
    }
    lock(false);
    assert_eq!(
        repo.texts().into_iter().collect::<Vec<_>>(),
        [("closed/inside.wav", "hidden"), ("secret.wav", "no")].map(|(p, t)| (p.to_owned(), t.to_owned()))
    );
    assert!(repo.holds(b"yes") && repo.holds(b"theirs"));
    repo.assert_sound();
}

fn push_beside_unreadable_files(root: &Path) {
    let vault = Vault::open(root).unwrap();
    let pushed = vault.stash().push(&PushOptions::default(), &Silent).unwrap();
    let reasons = left(&pushed.left_alone);
    assert_eq!(reasons, [("closed".to_owned(), "unreadable"), ("secret.wav".to_owned(), "unreadable")]);
    assert!(pushed.is_partial());
    assert_eq!(pushed.files_stashed, 2);
}

#[test]
#[ignore = "run as another user by what_cannot_be_read_is_told_and_stays"]
fn child_pushes_beside_unreadable_files() {
    if let Some(root) = child::task() {
        push_beside_unreadable_files(&root);
    }
}

/// A directory that cannot be written to keeps its files: they are saved, and told.
#[test]
fn a_directory_that_cannot_be_changed_keeps_its_files() {
    let repo = Repo::new();
    repo.write("fixed/a.wav", "a");
    repo.write("b.wav", "b");
    fs::set_permissions(repo.path("fixed"), Permissions::from_mode(0o555)).unwrap();
    let probe = repo.path("fixed/probe");
    if fs::write(&probe, "").is_err() {
        push_from_a_fixed_directory(repo.root());
    } else {
        fs::remove_file(probe).unwrap();
        let owned = std::process::Command::new("chown").args(["-R", "65534:65534"]).arg(repo.root()).status();
        let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
        let child = child::prefixed(&nobody, "child_pushes_from_a_fixed_directory", repo.root()).output();
        let (Ok(output), Ok(true)) = (child, owned.map(|s| s.success())) else {
            eprintln!("skipped a_directory_that_cannot_be_changed_keeps_its_files: no setpriv");
            return;
        };
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if text.contains("Permission denied") && !text.contains("running 1 test") {
            eprintln!(
                "skipped a_directory_that_cannot_be_changed_keeps_its_files: nobody may not run this binary"
            );
            return;
        }
        assert!(output.status.success(), "{text}");
    }
    fs::set_permissions(repo.path("fixed"), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(repo.texts().into_iter().collect::<Vec<_>>(), [("fixed/a.wav".to_owned(), "a".to_owned())]);
    assert!(repo.holds(b"a") && repo.holds(b"b"));
    repo.assert_sound();
}

fn push_from_a_fixed_directory(root: &Path) {
    let vault = Vault::open(root).unwrap();
    let pushed = vault.stash().push(&PushOptions::default(), &Silent).unwrap();
    assert_eq!(pushed.files_stashed, 2, "{pushed:?}");
    assert!(pushed.is_partial(), "the file that stays must be told: {pushed:?}");
    assert_eq!(left(&pushed.left_alone).len(), 1, "{pushed:?}");
}

#[test]
#[ignore = "run as another user by a_directory_that_cannot_be_changed_keeps_its_files"]
fn child_pushes_from_a_fixed_directory() {
    if let Some(root) = child::task() {
        push_from_a_fixed_directory(&root);
    }
}

#[test]
fn a_thousand_small_files_come_back() {
    let repo = Repo::new();
    for n in 0..1000 {
        repo.write(format!("presets/bank {}/{n:04}.json", n / 100), format!("{{\"preset\": {}}}", n % 700));
    }
    let before = repo.tree();
    let pushed = repo.push();
    assert_eq!((pushed.files_stashed, pushed.left_alone.len()), (1000, 0));
    assert_eq!(repo.objects().len(), 700);
    assert!(repo.tree().is_empty());
    repo.assert_sound();
    assert!(repo.pop("0").dropped);
    assert_eq!(repo.tree(), before);
}
