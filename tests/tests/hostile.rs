//! Damaged and hostile repositories: each is a clear error of the right kind, and nothing is changed by it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use stemvault::{
    ApplyOptions, Error, ErrorKind, HeadChoice, PushOptions, Result, Silent, SnapshotOptions, Vault,
};
use stemvault_tests::golden::hex;
use stemvault_tests::hostile::{STASH_ID, entry_text, manifest_text};
use stemvault_tests::repo::{POP, Repo, head_manifest};

const ID: &str = "cc962289af2873dd6dad32931554372a7d2d2de5bd5859c8265eb58b5197a88e";

/// A repository with a working tree, a HEAD, a good entry and an object, into which hostile things are put.
fn repo() -> Repo {
    let repo = Repo::in_memory();
    repo.write("head.wav", "head");
    repo.snapshot();
    repo.write("stashed.wav", "stashed");
    repo.push();
    repo.write("work.wav", "work in progress");
    repo.write(".hidden", "hidden");
    repo
}

/// Runs a verb that must fail with `kind` and change nothing.
fn assert_refused<T: std::fmt::Debug>(
    repo: &Repo,
    what: &str,
    kind: ErrorKind,
    verb: impl FnOnce(&Repo) -> stemvault::Result<T>,
) -> String {
    let before = repo.state();
    let error = match verb(repo) {
        Err(error) => error,
        Ok(done) => panic!("{what}: was done: {done:?}"),
    };
    assert_eq!(error.kind(), kind, "{what}: {error}");
    assert_eq!(repo.state(), before, "{what}: something was changed");
    repo.assert_no_temporaries();
    let text = error.to_string();
    assert!(!text.contains(['\u{1b}', '\u{7}']) && text.len() < 2000, "{what}: {text:?}");
    text
}

fn apply(repo: &Repo, reference: &str, options: ApplyOptions) -> Result<stemvault::ApplyResult> {
    Ok(repo.vault.stash().apply(reference, options, &Silent)?)
}

fn push(repo: &Repo, head: HeadChoice) -> Result<stemvault::PushResult> {
    Ok(repo.vault.stash().push(&PushOptions { head, ..PushOptions::default() }, &Silent)?)
}

/// Every verb that opens the entry refuses it; the list shows it, the good entry works, and a drop removes it.
fn assert_entry_refused(repo: &Repo, what: &str, says: &str) {
    for options in [ApplyOptions::default(), POP, ApplyOptions { force: true, ..POP }] {
        let text = assert_refused(repo, what, ErrorKind::Damaged, |repo| apply(repo, STASH_ID, options));
        assert!(text.contains(says) && text.contains("cannot be read"), "{what}: {text}");
    }
    assert_refused(repo, what, ErrorKind::Damaged, |repo| Ok(repo.vault.stash().show(STASH_ID)?));
    let list = repo.list();
    assert_eq!(list.len(), 2, "{what}");
    let broken = list.iter().find(|entry| entry.stash_id == STASH_ID).unwrap();
    let reason = broken.entry.as_ref().unwrap_err();
    assert!(reason.contains(says), "{what}: {reason}");
    let good = list.iter().find(|entry| entry.stash_id != STASH_ID).unwrap();
    assert!(good.entry.is_ok());
    let before = repo.tree();
    assert!(repo.apply(&good.stash_id).missing.is_empty());
    fs::remove_file(repo.path("stashed.wav")).unwrap();
    assert_eq!(repo.tree(), before);
}

fn drop_it(repo: &Repo) {
    let dropped = repo.vault.stash().drop_entry(STASH_ID).unwrap();
    assert_eq!((dropped.stash_id.as_str(), dropped.message.as_str()), (STASH_ID, ""));
    assert_eq!(repo.list().len(), 1);
}

#[test]
fn manifest_paths_that_leave_the_tree_are_refused() {
    let repo = repo();
    let id = repo.plant_object(b"payload");
    let long = "x".repeat(256);
    let deep = "x/".repeat(2048) + "x";
    for (path, says) in [
        ("../escaped", "'..'"),
        ("a/../../escaped", "'..'"),
        ("a/..", "'..'"),
        ("./a", "'.'"),
        ("/tmp/escaped", "absolute"),
        ("//a", "absolute"),
        ("", "empty"),
        ("a//b", "empty component"),
        ("a/", "empty component"),
        ("a\\u0000b", "NUL"),
        ("\\ud800", "U+D800"),
        (".muse/HEAD", ".muse"),
        (".MUSE/refs/heads/main", ".muse"),
        ("a/.git/config", ".git"),
        (".Git/hooks/post-checkout", ".git"),
        (&long, "255"),
        (&deep, "4095"),
    ] {
        // A good path before it must not be written either.
        let manifest = format!("{{\"aaa.wav\": \"{id}\", \"{path}\": \"{id}\"}}");
        repo.plant_entry(STASH_ID, entry_text(STASH_ID, &manifest));
        assert_entry_refused(&repo, path, says);
    }
    drop_it(&repo);
    assert!(!Path::new("/tmp/escaped").exists());
}

#[test]
fn manifest_paths_that_contradict_each_other_are_refused() {
    let repo = repo();
    let id = repo.plant_object(b"payload");
    for (manifest, says) in [
        (format!("{{\"a\": \"{id}\", \"a\": \"{id}\"}}"), "twice"),
        (format!("{{\"a\": \"{id}\", \"a/b\": \"{id}\"}}"), "directory"),
        (format!("{{\"\\u00e4\": \"{id}\", \"\\udcc3\\udca4\": \"{id}\"}}"), "twice"),
    ] {
        repo.plant_entry(STASH_ID, entry_text(STASH_ID, &manifest));
        assert_entry_refused(&repo, &manifest, says);
    }
}

#[test]
fn ids_that_are_none_are_refused() {
    let repo = repo();
    let upper = ID.to_uppercase();
    let slash = format!("cc/{}", &ID[3..]);
    let climbing = format!("../{}", &ID[3..]);
    let long = format!("{ID}0");
    for (id, says) in [
        ("", "0 characters"),
        (&ID[..63], "63 characters"),
        (&long, "65 characters"),
        (&upper, "upper-case"),
        (&slash, "position 2"),
        (&climbing, "position 0"),
        (&ID.replace('c', "g"), "position 0"),
        (&"\\u0000".repeat(64), "position 0"),
    ] {
        repo.plant_entry(STASH_ID, entry_text(STASH_ID, &manifest_text("a.wav", id)));
        assert_entry_refused(&repo, id, says);
    }
    for value in ["5", "null", "[]", "{}", "true"] {
        repo.plant_entry(STASH_ID, entry_text(STASH_ID, &format!("{{\"a.wav\": {value}}}")));
        assert_entry_refused(&repo, value, "a.wav");
    }
}

#[test]
fn an_entry_that_is_cut_at_any_length_is_refused() {
    let repo = repo();
    let id = repo.plant_object(b"payload");
    let text = entry_text(STASH_ID, &format!("{{\"a\\udce9.wav\": \"{id}\", \"b.wav\": \"{id}\"}}"));
    let before = repo.tree();
    for end in 0..text.len() {
        let file = repo.plant_entry(STASH_ID, &text[..end]);
        let error = apply(&repo, STASH_ID, POP).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{end}: {error}");
        let list = repo.list();
        assert_eq!(list.len(), 2, "{end}");
        assert_eq!(list.iter().filter(|entry| entry.entry.is_ok()).count(), 1, "{end}");
        assert!(file.exists());
    }
    assert_eq!(repo.tree(), before);
    repo.plant_entry(STASH_ID, text);
    assert!(apply(&repo, STASH_ID, POP).unwrap().dropped);
}

#[test]
fn our_own_entry_that_is_cut_at_any_length_is_refused() {
    let repo = Repo::new();
    for n in 0..3 {
        repo.write(format!("take {n}"), format!("{n}"));
    }
    repo.push();
    let file = repo.list().remove(0).file;
    let text = fs::read(&file).unwrap();
    let state = repo.state();
    for end in 0..text.len() {
        fs::write(&file, &text[..end]).unwrap();
        let error = apply(&repo, "0", POP).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{end}: {error}");
        assert!(repo.tree().is_empty(), "{end}");
    }
    fs::write(&file, &text).unwrap();
    assert_eq!(repo.state().keys().collect::<Vec<_>>(), state.keys().collect::<Vec<_>>());
    assert!(repo.pop("0").dropped);
    assert_eq!(repo.tree().len(), 3);
}

#[test]
fn entries_that_are_no_entries_are_refused() {
    let repo = repo();
    let id = repo.plant_object(b"payload");
    let good = entry_text(STASH_ID, &manifest_text("a.wav", &id));
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let wide = format!("{{{}\"z\": 1}}", "\"a\": {}, ".repeat(100_000));
    for (what, text) in [
        ("empty", String::new()),
        ("null", "null".into()),
        ("an array", "[]".into()),
        ("a number", "5".into()),
        ("an empty object", "{}".into()),
        ("two documents", format!("{good}{good}")),
        ("another id", good.replace(STASH_ID, "../../stash")),
        ("a deep manifest", entry_text(STASH_ID, &deep)),
        ("a deep unknown key", good.replacen('{', &format!("{{\"x\": {deep},"), 1)),
        ("a wide object", wide),
        ("a manifest that is a list", entry_text(STASH_ID, "[]")),
        ("a manifest that is null", entry_text(STASH_ID, "null")),
        ("a manifest that is there twice", good.replacen('{', "{\"manifest\": {},", 1)),
        ("a message that is there twice", good.replacen('{', "{\"message\": \"x\",", 1)),
        ("a byte order mark", format!("\u{feff}{good}")),
        ("a control character", good.replace("planted", "plan\u{1b}ted")),
        ("an unknown escape", good.replace("planted", "plan\\qted")),
        ("not a number", good.replace("\"main\"", "NaN")),
        ("half a surrogate pair that names nothing", good.replace("a.wav", "\\ud83d.wav")),
    ] {
        repo.plant_entry(STASH_ID, text);
        assert_entry_refused(&repo, what, "");
    }
    repo.plant_entry(
        STASH_ID,
        good.replace("planted", "pl\u{e4}nted")
            .into_bytes()
            .iter()
            .map(|&b| if b == 0xc3 { 0xff } else { b })
            .collect::<Vec<u8>>(),
    );
    assert_entry_refused(&repo, "bytes that are not UTF-8", "UTF-8");
}

#[test]
fn an_entry_that_is_no_file_is_refused_and_the_others_work() {
    type Make = fn(&Path);
    let cases: [(&str, Make); 4] = [
        ("a directory", |at| fs::create_dir(at).unwrap()),
        ("a link", |at| symlink("/etc/passwd", at).unwrap()),
        ("a dangling link", |at| symlink("nowhere", at).unwrap()),
        ("a FIFO", |at| assert!(Command::new("mkfifo").arg(at).status().unwrap().success())),
    ];
    for (what, make) in cases {
        let repo = repo();
        let file = repo.muse().join(format!("stash/{STASH_ID}.json"));
        make(&file);
        assert_entry_refused(&repo, what, "");
    }
}

#[test]
fn an_entry_of_a_gigabyte_is_refused_without_reading_it() {
    let repo = repo();
    let file = repo.plant_entry(STASH_ID, "");
    fs::File::options().write(true).open(file).unwrap().set_len(1 << 30).unwrap();
    let list = repo.list();
    assert_eq!(list.len(), 2);
    let broken = list.iter().find(|entry| entry.stash_id == STASH_ID).unwrap();
    assert!(broken.entry.is_err());
    assert!(apply(&repo, STASH_ID, POP).is_err());
}

#[test]
fn any_byte_of_an_entry_may_be_changed() {
    let repo = Repo::new();
    repo.write("a.wav", "a");
    repo.push();
    let file = repo.list().remove(0).file;
    let text = fs::read(&file).unwrap();
    for at in 0..text.len() {
        for byte in [0, b'"', b'/', b'.', 0xff, text[at] ^ 1] {
            let mut changed = text.clone();
            changed[at] = byte;
            fs::write(&file, &changed).unwrap();
            // It is applied or refused; what it writes stays in the tree.
            let _ = apply(&repo, "0", ApplyOptions::default());
        }
    }
    let all = repo.state();
    let strange: Vec<_> =
        all.keys().filter(|path| !path.starts_with(b".muse") && !path.starts_with(b"muse-work")).collect();
    assert!(strange.is_empty(), "{strange:?}");
    repo.objects();
}

#[test]
fn head_that_is_garbage_is_an_error() {
    let long = "x".repeat(10_000);
    for (what, bytes) in [
        ("empty", &b""[..]),
        ("blank", b" \n"),
        ("not UTF-8", b"refs/heads/\xff"),
        ("a bare name", b"main"),
        ("outside of heads", b"refs/tags/v1"),
        ("climbing", b"refs/heads/../../../etc/passwd"),
        ("climbing symbolically", b"ref: refs/heads/../x"),
        ("absolute", b"refs/heads//etc/passwd"),
        ("no name", b"refs/heads/"),
        ("a name with a newline", b"refs/heads/a\nb"),
        ("a name with an escape", b"refs/heads/a\x1b[2Jb"),
        ("a NUL", b"refs/heads/a\0b"),
        ("a short commit", b"commit: abcdef"),
        ("an upper-case commit", b"commit: CC962289AF2873DD6DAD32931554372A7D2D2DE5BD5859C8265EB58B5197A88E"),
        ("very long", long.as_bytes()),
    ] {
        let repo = repo();
        fs::write(repo.muse().join("HEAD"), bytes).unwrap();
        assert_every_verb_that_needs_head_refuses(&repo, what, ErrorKind::Internal, true);
    }
}

/// HEAD or its ref cannot be used: push (whatever it is told of HEAD's files, where HEAD itself is broken), snapshot
/// and status refuse; the stack works.
fn assert_every_verb_that_needs_head_refuses(repo: &Repo, what: &str, kind: ErrorKind, head_itself: bool) {
    assert_refused(repo, what, kind, |repo| push(repo, HeadChoice::Repository));
    if head_itself {
        assert_refused(repo, what, kind, |repo| push(repo, HeadChoice::None));
    }
    assert_refused(repo, what, kind, |repo| {
        Ok(repo.vault.stash().snapshot(&SnapshotOptions::default(), &Silent)?)
    });
    assert_refused(repo, what, kind, |repo| Ok(repo.vault.stash().status(&Silent)?));
    assert_eq!(repo.list().len(), 1);
    assert!(repo.pop("0").dropped, "{what}");
    assert_eq!(repo.texts()["stashed.wav"], "stashed");
}

#[test]
fn a_missing_head_is_an_error() {
    let repo = repo();
    fs::remove_file(repo.muse().join("HEAD")).unwrap();
    assert_every_verb_that_needs_head_refuses(&repo, "no HEAD", ErrorKind::User, true);
}

#[test]
fn head_that_is_no_file_is_an_error() {
    let repo = repo();
    let head = repo.muse().join("HEAD");
    fs::remove_file(&head).unwrap();
    fs::create_dir(&head).unwrap();
    assert_every_verb_that_needs_head_refuses(&repo, "a directory", ErrorKind::Internal, true);
    let repo = self::repo();
    let head = repo.muse().join("HEAD");
    fs::remove_file(&head).unwrap();
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    fs::write(elsewhere.path(), "refs/heads/main").unwrap();
    symlink(elsewhere.path(), &head).unwrap();
    assert_every_verb_that_needs_head_refuses(&repo, "a link", ErrorKind::Internal, true);
}

#[test]
fn a_ref_that_is_garbage_is_an_error() {
    let long = "a".repeat(10_000);
    for (what, bytes) in [
        ("a word", &b"garbage"[..]),
        ("a short id", b"cc96"),
        ("an id with a slash", b"cc/62289af2873dd6dad32931554372a7d2d2de5bd5859c8265eb58b5197a88e"),
        ("an upper-case id", b"CC962289AF2873DD6DAD32931554372A7D2D2DE5BD5859C8265EB58B5197A88E"),
        ("two ids", b"cc962289af2873dd6dad32931554372a7d2d2de5bd5859c8265eb58b5197a88e\ncc962289af2873dd6dad32931554372a7d2d2de5bd5859c8265eb58b5197a88e"),
        ("not UTF-8", b"\xff\xfe"),
        ("NULs, as a crash leaves them", &[0; 65]),
        ("very long", long.as_bytes()),
    ] {
        let repo = repo();
        fs::write(repo.muse().join("refs/heads/main"), bytes).unwrap();
        assert_every_verb_that_needs_head_refuses(&repo, what, ErrorKind::Internal, false);
    }
    let repo = repo();
    let ref_file = repo.muse().join("refs/heads/main");
    fs::remove_file(&ref_file).unwrap();
    fs::create_dir(&ref_file).unwrap();
    assert_every_verb_that_needs_head_refuses(&repo, "a directory", ErrorKind::Internal, false);
}

/// The commit or the snapshot that HEAD names is damaged: never "no commits".
#[test]
fn commits_and_snapshots_that_are_garbage_are_errors() {
    let only = |repo: &Repo, folder: &str| {
        let mut files = fs::read_dir(repo.muse().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        files.next().unwrap()
    };
    for folder in ["commits", "snapshots"] {
        let good = fs::read_to_string(only(&repo(), folder)).unwrap();
        let id = only(&repo(), folder).file_stem().unwrap().to_str().unwrap().to_owned();
        let _ = id;
        for (what, text) in [
            ("empty", String::new()),
            ("NULs", "\0".repeat(100)),
            ("null", "null".into()),
            ("an array", "[]".into()),
            ("an empty object", "{}".into()),
            ("cut", good[..good.len() / 2].to_owned()),
            ("deep", format!("{{\"x\": {}}}", "[".repeat(100_000))),
        ] {
            let repo = repo();
            fs::write(only(&repo, folder), text).unwrap();
            let what = format!("{folder}: {what}");
            assert_refused(&repo, &what, ErrorKind::Internal, |repo| push(repo, HeadChoice::Repository));
            assert_refused(&repo, &what, ErrorKind::Internal, |repo| {
                Ok(repo.vault.stash().status(&Silent)?)
            });
            // The user may still say what HEAD is.
            assert!(push(&repo, HeadChoice::None).is_ok(), "{what}");
        }
    }
}

#[test]
fn a_snapshot_with_paths_that_leave_the_tree_is_an_error() {
    for path in ["../x", "/x", ".muse/HEAD", "a/.git/config", "a//b"] {
        let repo = repo();
        let file = fs::read_dir(repo.muse().join("snapshots")).unwrap().next().unwrap().unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("\"head.wav\""));
        fs::write(&file, text.replace("\"head.wav\"", &format!("\"{path}\""))).unwrap();
        assert_refused(&repo, path, ErrorKind::Internal, |repo| push(repo, HeadChoice::Repository));
        assert_refused(&repo, path, ErrorKind::Internal, |repo| Ok(repo.vault.stash().status(&Silent)?));
    }
}

#[test]
fn a_commit_whose_snapshot_is_missing_is_an_error() {
    let repo = repo();
    fs::remove_dir_all(repo.muse().join("snapshots")).unwrap();
    assert_refused(&repo, "no snapshot", ErrorKind::User, |repo| push(repo, HeadChoice::Repository));
}

#[test]
fn a_head_manifest_that_is_garbage_is_an_error() {
    let repo = repo();
    let deep = "[".repeat(100_000);
    for (what, json) in [
        ("empty", String::new()),
        ("null", "null".into()),
        ("an array", "[]".into()),
        ("a number as id", "{\"a\": 5}".into()),
        ("a word as id", "{\"a\": \"x\"}".into()),
        ("a nested manifest", format!("{{\"manifest\": {{\"a\": \"{ID}\"}}}}")),
        ("an upper-case id", format!("{{\"a\": \"{}\"}}", ID.to_uppercase())),
        ("a climbing path", format!("{{\"../a\": \"{ID}\"}}")),
        ("an absolute path", format!("{{\"/a\": \"{ID}\"}}")),
        ("a path in .muse", format!("{{\".muse/HEAD\": \"{ID}\"}}")),
        ("an empty path", format!("{{\"\": \"{ID}\"}}")),
        ("a path with NUL", format!("{{\"a\\u0000\": \"{ID}\"}}")),
        ("a path twice", format!("{{\"a\": \"{ID}\", \"a\": \"{ID}\"}}")),
        ("a file that is a directory", format!("{{\"a\": \"{ID}\", \"a/b\": \"{ID}\"}}")),
        ("cut", format!("{{\"a\": \"{ID}\"")),
        ("deep", deep),
    ] {
        let text = assert_refused(&repo, what, ErrorKind::User, |repo| push(repo, head_manifest(json)));
        assert!(text.contains("head.json"), "{what}: the file is not named: {text}");
    }
    let not_text = assert_refused(&repo, "bytes", ErrorKind::User, |repo| {
        push(repo, head_manifest(&b"{\"\xff\": 1}"[..]))
    });
    assert!(not_text.contains("head.json"));
}

#[test]
fn objects_that_are_damaged_are_told_and_not_restored() {
    for (what, bytes) in
        [("other bytes", &b"STASHED"[..]), ("cut", b"stas"), ("empty", b""), ("longer", b"stashed and more")]
    {
        let repo = repo();
        let id = hex(b"stashed");
        fs::write(repo.object_path(&id), bytes).unwrap();
        let before = repo.tree();
        let popped = repo.pop("0");
        assert!(!popped.dropped && popped.is_partial(), "{what}: {popped:?}");
        assert_eq!(
            popped.missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["stashed.wav"],
            "{what}"
        );
        let mut after = repo.tree();
        after.remove(&b"head.wav"[..]);
        let mut before = before;
        before.remove(&b"head.wav"[..]);
        assert_eq!(after, before, "{what}: a damaged file was written");
        assert_eq!(repo.list().len(), 1);
        // Only when told so does the entry go.
        let forced = apply(&repo, "0", ApplyOptions { force: true, ..POP }).unwrap();
        assert!(forced.dropped && forced.is_partial(), "{what}");
    }
}

#[test]
fn a_directory_that_is_no_repository_is_an_error_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let kind = |result: Result<Vault>| result.map(drop).map_err(|error| error.kind()).unwrap_err();
    assert_eq!(kind(Vault::open(dir.path())), ErrorKind::NoRepository);
    assert_eq!(kind(Vault::discover(dir.path())), ErrorKind::NoRepository);
    assert_eq!(kind(Vault::open(&dir.path().join("nowhere"))), ErrorKind::NoRepository);
    fs::write(dir.path().join(".muse"), "a file").unwrap();
    assert_eq!(kind(Vault::open(dir.path())), ErrorKind::NoRepository);
    assert!(!dir.path().join(".muse").is_dir());
}

#[test]
fn a_config_that_is_garbage_is_an_error() {
    for text in [
        "garbage",
        "version = 99",
        "[store]\nurl = \"nowhere:x\"",
        "[worktree]\npath = \"../x\"",
        "[worktree]\npath = \"/\"",
        "\u{0}",
    ] {
        let repo = repo();
        fs::create_dir_all(repo.muse().join("stem")).unwrap();
        fs::write(repo.muse().join("stem/config.toml"), text).unwrap();
        let before = repo.state();
        let error = Vault::open(repo.root()).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::User, "{text}: {error}");
        assert!(matches!(error, Error::Odb(_)), "{text}: {error}");
        assert_eq!(repo.state(), before);
    }
}

#[test]
fn a_working_tree_inside_the_repositorys_own_files_is_refused() {
    for path in [".muse", ".muse/objects", ".MUSE", ".git"] {
        let repo = repo();
        fs::create_dir_all(repo.muse().join("stem")).unwrap();
        fs::write(repo.muse().join("stem/config.toml"), format!("[worktree]\npath = \"{path}\"\n")).unwrap();
        let before = repo.state();
        if let Ok(vault) = Vault::open(repo.root()) {
            let pushed = vault
                .stash()
                .push(&PushOptions { head: HeadChoice::None, ..PushOptions::default() }, &Silent);
            assert!(pushed.is_err(), "{path}: {pushed:?}");
        }
        assert_eq!(repo.state(), before, "{path}");
    }
}
