//! Repositories of newer Muse: working tree at the root, `.museignore`, and its own stash, `.muse/stash.json`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use stemvault::format::commit::Generation;
use stemvault::{
    ApplyOptions, ErrorKind, GcOptions, HeadChoice, OnConflict, Phase, PushOptions, RelPath, Silent,
    SnapshotOptions, StashError, UndoOptions, Vault, VerifyOptions,
};
use stemvault_tests::binary::stem;
use stemvault_tests::golden::hex;
use stemvault_tests::hook::At;
use stemvault_tests::tree;
use tempfile::TempDir;

/// A repository laid out as newer Muse lays it out.
struct Muse {
    dir: TempDir,
    vault: Vault,
}

impl Muse {
    fn new() -> Self {
        Self::with("ref: refs/heads/main\n", "")
    }

    fn with(head: &str, config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let muse = dir.path().join(".muse");
        for folder in ["objects", "refs/heads", "commits", "snapshots", "stem"] {
            fs::create_dir_all(muse.join(folder)).unwrap();
        }
        fs::write(muse.join("HEAD"), head).unwrap();
        fs::write(muse.join("refs/heads/main"), "").unwrap();
        let repo = "{\n  \"repo_id\": \"0d5e\",\n  \"schema_version\": \"1\",\n  \"domain\": \"midi\"\n}\n";
        fs::write(muse.join("repo.json"), repo).unwrap();
        fs::write(muse.join("stem/config.toml"), config).unwrap();
        let vault = Vault::open(dir.path()).unwrap();
        Self { dir, vault }
    }

    fn root(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, path: &str, bytes: &str) {
        tree::write(self.root(), path, bytes);
    }

    /// The working tree as text, without `.muse`.
    fn texts(&self) -> BTreeMap<String, String> {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let all = tree::bytes(self.root()).into_iter().map(|(path, bytes)| (text(path), text(bytes)));
        all.filter(|(path, _)| !path.starts_with(".muse/")).collect()
    }

    fn shelf(&self) -> PathBuf {
        self.root().join(".muse/stash.json")
    }

    fn shelf_text(&self) -> String {
        fs::read_to_string(self.shelf()).unwrap()
    }

    fn push(&self, message: &str) -> stemvault::PushResult {
        let options = PushOptions { message: Some(message.into()), ..PushOptions::default() };
        self.vault.stash().push(&options, &Silent).unwrap()
    }

    fn apply(&self, reference: &str, options: ApplyOptions) -> stemvault::ApplyResult {
        self.vault.stash().apply(reference, options, &Silent).unwrap()
    }

    fn undo(&self) {
        self.vault.stash().undo(UndoOptions::default(), &Silent).unwrap();
    }

    fn redo(&self) {
        self.vault.stash().redo(UndoOptions::default(), &Silent).unwrap();
    }

    fn messages(&self) -> Vec<String> {
        let list = self.vault.stash().list().unwrap();
        list.into_iter().map(|one| one.entry.map_or_else(|why| why, |e| e.message.to_string())).collect()
    }

    /// Stores bytes as Muse would, and returns their id.
    fn object(&self, bytes: &str) -> String {
        let id = hex(bytes.as_bytes());
        tree::write(self.root(), format!(".muse/objects/{}/{}", &id[..2], &id[2..]), bytes);
        id
    }

    /// An element as Muse would have written it into its array.
    fn element(&self, branch: &str, at: &str, files: &[(&str, &str)]) -> String {
        let rows: Vec<String> =
            files.iter().map(|(path, text)| format!("      \"{path}\": \"{}\"", self.object(text))).collect();
        let joined: Vec<String> =
            files.iter().map(|(path, text)| format!("{path}\0{}", hex(text.as_bytes()))).collect();
        format!(
            "{{\n    \"snapshot_id\": \"{}\",\n    \"manifest\": {{\n{}\n    }},\n    \"branch\": \"{branch}\",\n    \"stashed_at\": \"{at}\"\n  }}",
            hex(joined.join("\0").as_bytes()),
            rows.join(",\n")
        )
    }

    fn shelve(&self, elements: &[String]) {
        fs::write(self.shelf(), format!("[\n  {}\n]", elements.join(",\n  "))).unwrap();
    }
}

const EARLY: &str = "2026-03-16T12:00:00.123456+00:00";
const EARLIER: &str = "2026-03-16T11:00:00+00:00";

fn texts(rows: &[(&str, &str)]) -> BTreeMap<String, String> {
    rows.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn head_tells_the_generation_and_with_it_the_working_tree() {
    let commit = format!("commit: {}", "ab".repeat(32));
    for (head, config, generation, tree) in [
        ("ref: refs/heads/main\n", "", Generation::Newer, ""),
        (commit.as_str(), "", Generation::Newer, ""),
        ("refs/heads/main\n", "", Generation::Reference, "muse-work"),
        ("ref: refs/heads/main", "[worktree]\npath = \"state\"", Generation::Newer, "state"),
        ("refs/heads/main", "[worktree]\npath = \".\"", Generation::Reference, ""),
        // Nobody can tell; the domain does.
        ("what?", "", Generation::Newer, ""),
    ] {
        let repo = Muse::with(head, config);
        assert_eq!(repo.vault.repository().generation(), generation, "{head}");
        assert_eq!(repo.vault.repository().working_tree(), repo.root().join(tree), "{head}");
    }
    // A directory of that name is a part of the tree like any other.
    let repo = Muse::new();
    repo.write("muse-work/a.mid", "a");
    assert_eq!(Vault::open(repo.root()).unwrap().repository().working_tree(), repo.root());
}

#[test]
fn what_is_ignored_is_neither_saved_nor_removed() {
    let repo = Muse::new();
    repo.write(".museignore", "[global]\npatterns = [\"*.bak\"]\n[domain.midi]\npatterns = [\"/cache/*\", \"!keep.bak\"]\n[domain.code]\npatterns = [\"*.mid\"]\n");
    let stays = [
        (".env", "secret"),
        ("a.bak", "b"),
        ("cache/x/y", "c"),
        ("node_modules/m", "m"),
        (".git/config", "g"),
    ];
    let goes =
        [("a.mid", "1"), (".hidden", "2"), (".cache/peaks", "3"), ("keep.bak", "4"), ("x/cache/y", "5")];
    for (path, text) in stays.iter().chain(&goes) {
        repo.write(path, text);
    }
    let tracked: Vec<String> =
        repo.vault.stash().tracked_files().unwrap().into_iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(tracked, [".cache/peaks", ".hidden", ".museignore", "a.mid", "keep.bak", "x/cache/y"]);
    let pushed = repo.push("all");
    assert_eq!((pushed.files_stashed, pushed.left_alone.len()), (6, 0));
    assert_eq!(repo.texts(), texts(&stays));
    repo.apply("0", ApplyOptions::pop());
    for (path, text) in stays.iter().chain(&goes) {
        assert_eq!(repo.texts().get(*path).map(String::as_str), Some(*text), "{path}");
    }
}

#[test]
fn an_ignored_file_that_differs_is_saved_before_an_entry_replaces_it() {
    let repo = Muse::new();
    repo.write("a.bak", "stashed");
    repo.push("one");
    repo.write("a.bak", "newer");
    repo.write(".museignore", "[global]\npatterns = [\"*.bak\"]\n");
    let refused = repo.vault.stash().apply(
        "0",
        ApplyOptions { on_conflict: OnConflict::Fail, ..ApplyOptions::default() },
        &Silent,
    );
    assert!(matches!(refused, Err(StashError::Conflicts { .. })));
    let applied = repo.apply("0", ApplyOptions::default());
    assert_eq!(applied.overwritten.len(), 1);
    assert_eq!(repo.texts()["a.bak"], "stashed");
    repo.undo();
    assert_eq!(repo.texts()["a.bak"], "newer");
}

#[test]
fn a_museignore_that_cannot_be_used_changes_nothing() {
    for text in ["*.bak\nnode_modules/\n", "[global]\npatterns = [", "\u{0}"] {
        let repo = Muse::new();
        repo.write("a.mid", "1");
        repo.write(".museignore", text);
        let before = repo.texts();
        let stash = repo.vault.stash();
        let problems = [
            stash.push(&PushOptions::default(), &Silent).map(drop).unwrap_err(),
            stash.snapshot(&SnapshotOptions::default(), &Silent).map(drop).unwrap_err(),
            stash.status(&Silent).map(drop).unwrap_err(),
            stash.tracked_files().map(drop).unwrap_err(),
        ];
        for problem in problems {
            assert!(problem.to_string().contains(".museignore"), "{problem}");
            assert_eq!(problem.kind(), ErrorKind::User);
        }
        assert_eq!(repo.texts(), before);
        assert!(!repo.shelf().exists());
    }
    // The reference knows no such file.
    let repo = Muse::with("refs/heads/main", "");
    repo.write("muse-work/a.mid", "1");
    repo.write(".museignore", "no TOML");
    assert_eq!(repo.push("x").files_stashed, 1);
}

#[test]
fn head_may_name_what_is_ignored_by_now() {
    let repo = Muse::new();
    repo.write("a.mid", "1");
    repo.write("old.bak", "2");
    repo.vault.stash().snapshot(&SnapshotOptions::default(), &Silent).unwrap();
    repo.write(".museignore", "[global]\npatterns = [\"*.bak\"]\n");
    repo.write("old.bak", "mine");
    let status = repo.vault.stash().status(&Silent).unwrap();
    let changed: Vec<String> = status.changes.iter().map(|change| change.path.to_string()).collect();
    assert_eq!(changed, [".museignore"]);
    let pushed = repo.push("x");
    assert!(!pushed.is_partial(), "{:?}", pushed.left_alone);
    assert_eq!(repo.texts(), texts(&[("a.mid", "1"), ("old.bak", "mine")]));
}

#[test]
fn a_push_writes_the_array_as_muse_does() {
    let repo = Muse::new();
    repo.write("tracks/naïve \"1\".mid", "kick");
    repo.write("a.mid", "a");
    let pushed = repo.push("chorus WIP");
    let id = pushed.stash_id.unwrap();
    let value: Value = serde_json::from_str(&repo.shelf_text()).unwrap();
    let at = value[0]["stashed_at"].as_str().unwrap();
    let manifest = [("a.mid", "a"), ("tracks/naïve \\\"1\\\".mid", "kick")];
    let rows: Vec<String> = manifest
        .iter()
        .map(|(path, text)| format!("      \"{path}\": \"{}\"", hex(text.as_bytes())))
        .collect();
    let joined = format!("a.mid\0{}\0tracks/naïve \"1\".mid\0{}", hex(b"a"), hex(b"kick"));
    let golden = format!(
        "[\n  {{\n    \"snapshot_id\": \"{}\",\n    \"manifest\": {{\n{}\n    }},\n    \"branch\": \"main\",\n    \"stashed_at\": \"{at}\"\n  }}\n]",
        hex(joined.as_bytes()),
        rows.join(",\n")
    );
    assert_eq!(repo.shelf_text(), golden);
    assert!(repo.texts().is_empty());
    assert!(
        !repo.root().join(".muse/stash").exists()
            || fs::read_dir(repo.root().join(".muse/stash")).unwrap().next().is_none()
    );
    // What the array cannot say is not lost.
    let list = repo.vault.stash().list().unwrap();
    assert_eq!(list[0].stash_id, id);
    let entry = list[0].entry.as_ref().unwrap();
    assert_eq!(entry.message.to_string(), "chorus WIP");
    assert_eq!(entry.stem.as_ref().unwrap().files.len(), 2);
    let popped = repo.apply(&id, ApplyOptions::pop());
    assert!(popped.dropped);
    assert_eq!(repo.texts(), texts(&[("a.mid", "a"), ("tracks/naïve \"1\".mid", "kick")]));
    assert_eq!(repo.shelf_text(), "[]");
}

#[test]
fn python_reads_what_is_written_and_writes_what_is_read() {
    const SCRIPT: &str = "
import json, sys
path = sys.argv[1]
with open(path, encoding='utf-8') as f: text = f.read()
stash = json.loads(text)
assert json.dumps(stash, indent=2, ensure_ascii=False) == text, 'not as json.dumps writes it'
assert [sorted(e) for e in stash] == [['branch', 'manifest', 'snapshot_id', 'stashed_at']] * len(stash)
stash.insert(0, dict(stash[0], branch='from-python', stashed_at='2199-01-01T00:00:00.000001+00:00'))
with open(path, 'w', encoding='utf-8') as f: f.write(json.dumps(stash, indent=2, ensure_ascii=sys.argv[2] == 'ascii'))
";
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no python3");
        return;
    }
    for spelling in ["ascii", "unescaped"] {
        let repo = Muse::new();
        repo.write("tracks/naïve\t太鼓🎹.mid", "kick");
        repo.push("first");
        let ran =
            Command::new("python3").args(["-c", SCRIPT]).arg(repo.shelf()).arg(spelling).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        // Muse wrote the file anew, and the element is still the one whose message is known.
        assert_eq!(repo.messages(), ["On from-python: stash", "first"], "{spelling}");
        repo.apply("0", ApplyOptions::pop());
        assert_eq!(repo.texts(), texts(&[("tracks/naïve\t太鼓🎹.mid", "kick")]));
        assert_eq!(repo.messages(), ["first"]);
    }
}

#[test]
fn what_muse_stashed_is_listed_applied_popped_and_dropped() {
    let repo = Muse::new();
    let one = repo.element("main", EARLY, &[("a.mid", "1"), ("b.mid", "2")]);
    let two = repo.element("feat/x", EARLIER, &[("c.mid", "3")]).replacen('{', "{\n    \"more\": [1, 2],", 1);
    repo.shelve(&[one.clone(), two.clone()]);
    repo.write("other.mid", "stays");
    assert_eq!(repo.messages(), ["On main: stash", "On feat/x: stash"]);
    let shown = repo.vault.stash().show("1").unwrap();
    assert_eq!((shown.files.len(), shown.files[0].size), (1, Some(1)));
    assert!(shown.stash_id.starts_with("stash-2026-03-16T110000000000Z0000-"));

    // Muse's own pop would remove `other.mid`.
    repo.apply("1", ApplyOptions::default());
    assert_eq!(repo.texts(), texts(&[("c.mid", "3"), ("other.mid", "stays")]));
    let popped = repo.apply("stash@{0}", ApplyOptions::pop());
    assert!(popped.dropped);
    assert_eq!(repo.texts().len(), 4);
    assert_eq!(repo.shelf_text(), format!("[\n  {two}\n]"));
    repo.undo();
    assert_eq!(repo.texts(), texts(&[("c.mid", "3"), ("other.mid", "stays")]));
    assert_eq!(repo.shelf_text(), format!("[\n  {one},\n  {two}\n]"));
    let dropped = repo.vault.stash().drop_entry("1").unwrap();
    assert_eq!(dropped.message, "On feat/x: stash");
    assert_eq!(repo.shelf_text(), format!("[\n  {one}\n]"));
    repo.undo();
    // To the byte, keys that nobody here knows included.
    assert_eq!(repo.shelf_text(), format!("[\n  {one},\n  {two}\n]"));
    repo.redo();
    assert_eq!(repo.shelf_text(), format!("[\n  {one}\n]"));
}

#[test]
fn a_pop_without_all_objects_keeps_the_element() {
    let repo = Muse::new();
    let one = repo.element("main", EARLY, &[("a.mid", "1"), ("b.mid", "2")]);
    repo.shelve(std::slice::from_ref(&one));
    let id = hex(b"1");
    fs::remove_file(repo.root().join(format!(".muse/objects/{}/{}", &id[..2], &id[2..]))).unwrap();
    let popped = repo.apply("0", ApplyOptions::pop());
    assert_eq!((popped.dropped, popped.missing.len(), popped.files_applied), (false, 1, 1));
    assert_eq!(repo.shelf_text(), format!("[\n  {one}\n]"));
}

#[test]
fn own_entries_and_elements_are_one_stack_by_time() {
    let repo = Muse::new();
    repo.shelve(&[repo.element("old", EARLY, &[("c.mid", "3")])]);
    repo.write("tracks/kick/a.mid", "1");
    repo.write("b.mid", "2");
    let scoped = PushOptions {
        message: Some("scoped".into()),
        paths: vec![RelPath::new("tracks").unwrap()],
        head: HeadChoice::None,
        ..PushOptions::default()
    };
    repo.vault.stash().push(&scoped, &Silent).unwrap();
    // Muse's pop of a part would remove all the rest.
    assert_eq!(fs::read_dir(repo.root().join(".muse/stash")).unwrap().count(), 1);
    repo.push("whole");
    assert_eq!(repo.messages(), ["whole", "scoped", "On old: stash"]);
    assert_eq!(repo.vault.stash().clear().unwrap().count, 3);
    assert_eq!(repo.shelf_text(), "[]");
    assert!(repo.messages().is_empty());
    repo.undo();
    assert_eq!(repo.messages(), ["whole", "scoped", "On old: stash"]);
    repo.redo();
    assert!(repo.messages().is_empty());
    repo.undo();
    repo.undo();
    assert_eq!(repo.messages(), ["scoped", "On old: stash"]);
    assert_eq!(repo.texts(), texts(&[("b.mid", "2"), ("tracks/kick/a.mid", "1")]));
    repo.redo();
    assert_eq!(repo.messages(), ["whole", "scoped", "On old: stash"]);
    assert!(repo.texts().is_empty());
}

#[test]
fn elements_that_are_alike_are_told_apart() {
    let repo = Muse::new();
    let one = repo.element("main", EARLY, &[("a.mid", "1")]);
    repo.shelve(&[one.clone(), one.clone(), one.clone()]);
    let ids: std::collections::BTreeSet<String> =
        repo.vault.stash().list().unwrap().into_iter().map(|entry| entry.stash_id).collect();
    assert_eq!(ids.len(), 3);
    for left in [2, 1, 0] {
        repo.vault.stash().drop_entry(&left.to_string()).unwrap();
        assert_eq!(repo.vault.stash().list().unwrap().len(), left);
    }
    for back in [1, 2, 3] {
        repo.undo();
        assert_eq!(repo.vault.stash().list().unwrap().len(), back);
    }
    assert_eq!(repo.vault.stash().clear().unwrap().count, 3);
    repo.undo();
    assert_eq!(repo.shelf_text(), format!("[\n  {one},\n  {one},\n  {one}\n]"));
}

#[test]
fn an_array_that_cannot_be_read_is_left_as_it_is() {
    for text in ["{\"a\": 1}", "[", "[] x"] {
        let repo = Muse::new();
        repo.write("a.mid", "1");
        fs::write(repo.shelf(), text).unwrap();
        let before = repo.texts();
        let list = repo.vault.stash().list().unwrap();
        assert!(list.len() == 1 && list[0].entry.as_ref().unwrap_err().contains("stash.json"));
        let stash = repo.vault.stash();
        for problem in [
            stash.push(&PushOptions::default(), &Silent).map(drop).unwrap_err(),
            stash.drop_entry("0").map(drop).unwrap_err(),
            stash.clear().map(drop).unwrap_err(),
            stash.apply("0", ApplyOptions::pop(), &Silent).map(drop).unwrap_err(),
        ] {
            assert!(matches!(problem, StashError::UnreadableMuseStash { .. }), "{problem}");
            assert!(problem.to_string().contains("repair it"), "{problem}");
        }
        assert_eq!((repo.texts(), repo.shelf_text()), (before, text.to_owned()));
        assert!(repo.vault.gc(&GcOptions::default(), &Silent).is_err());
        // Moved away, it is in nobody's way.
        fs::remove_file(repo.shelf()).unwrap();
        repo.push("x");
        repo.apply("0", ApplyOptions::pop());
    }
}

#[test]
fn an_element_that_cannot_be_read_can_be_dropped() {
    let repo = Muse::new();
    let good = repo.element("main", EARLY, &[("a.mid", "1")]);
    let bad = "{\"manifest\": {\"../x\": \"y\"}}".to_owned();
    repo.shelve(&[bad.clone(), good.clone()]);
    let list = repo.vault.stash().list().unwrap();
    assert!(list[0].entry.is_ok() && list[1].entry.is_err());
    assert!(repo.vault.stash().apply("1", ApplyOptions::default(), &Silent).is_err());
    repo.vault.stash().drop_entry("1").unwrap();
    assert_eq!(repo.shelf_text(), format!("[\n  {good}\n]"));
    repo.undo();
    assert_eq!(repo.messages().len(), 2);
    assert!(repo.shelf_text().contains(&bad));
}

#[test]
fn the_configuration_chooses_where_entries_go() {
    for (head, config, in_array) in [
        ("ref: refs/heads/main", "", true),
        ("ref: refs/heads/main", "[stash]\nformat = \"entries\"", false),
        ("ref: refs/heads/main", "[store]\nurl = \"pack:\"", false),
        ("refs/heads/main", "", false),
        ("refs/heads/main", "[stash]\nformat = \"muse\"", true),
    ] {
        let repo = Muse::with(head, config);
        tree::write(repo.vault.repository().working_tree(), "a.mid", "1");
        repo.push("x");
        assert_eq!(repo.shelf().exists(), in_array, "{head} {config}");
        repo.apply("0", ApplyOptions::pop());
        assert_eq!(fs::read_to_string(repo.vault.repository().working_tree().join("a.mid")).unwrap(), "1");
    }
}

#[test]
fn what_muse_wrote_meanwhile_is_kept() {
    let repo = Muse::new();
    repo.write("a.mid", "1");
    let theirs = repo.element("theirs", "2199-01-01T00:00:00+00:00", &[("c.mid", "3")]);
    // Muse writes after the push has begun and before its entry.
    let at = At::new(Phase::Syncing, || repo.shelve(std::slice::from_ref(&theirs)));
    repo.vault.stash().push(&PushOptions::default(), &at).unwrap();
    assert!(at.came());
    assert_eq!(repo.messages(), ["On main: stash", "On theirs: stash"]);
    assert!(repo.shelf_text().contains(&theirs));
}

#[test]
fn gc_keeps_what_is_stashed_and_what_muse_dropped_until_it_is_old() {
    let gc = |repo: &Muse, days: i64| {
        let now = stemvault::format::stamp::Stamp::now().unwrap().as_micros() + days * 86_400_000_000;
        let now = Some(stemvault::format::stamp::Stamp::from_micros(now).unwrap());
        repo.vault.gc(&GcOptions { now, ..GcOptions::default() }, &Silent).unwrap()
    };
    let repo = Muse::new();
    repo.shelve(&[repo.element("main", EARLY, &[("c.mid", "3")])]);
    repo.write("a.mid", "1");
    repo.push("x");
    repo.vault.stash().drop_entry("1").unwrap();
    // What newer Muse has beside: it names commits.
    for (path, text) in
        [(".muse/tags/x/y.json", "{}"), (".muse/remotes/origin/main", ""), (".muse/MERGE_STATE.json", "{}")]
    {
        repo.write(path, text);
    }
    gc(&repo, 0);
    gc(&repo, 20);
    for text in ["1", "3"] {
        assert!(repo.vault.store().stat(&hex(text.as_bytes()).parse().unwrap()).unwrap().is_some(), "{text}");
    }
    // Muse's own drop, and no undo.
    fs::write(repo.shelf(), "[]").unwrap();
    fs::remove_dir_all(repo.root().join(".muse/stem/journal")).unwrap();
    fs::remove_dir_all(repo.root().join(".muse/stem/undo")).unwrap();
    gc(&repo, 0);
    gc(&repo, 20);
    assert!(repo.vault.store().stat(&hex(b"1").parse().unwrap()).unwrap().is_some());
    let verified = repo.vault.verify(&VerifyOptions::default(), &Silent).unwrap();
    assert!(verified.hint.is_none());
}

#[test]
fn verify_names_muses_gc_where_stashed_objects_vanished_and_a_second_copy_heals_them() {
    let repo = Muse::new();
    repo.write("a.mid", "1");
    repo.push("x");
    repo.vault.keep_safe("0", &Silent).unwrap();
    // Muse's gc: no commit names it.
    let id = hex(b"1");
    fs::remove_file(repo.root().join(format!(".muse/objects/{}/{}", &id[..2], &id[2..]))).unwrap();
    let verified = repo.vault.verify(&VerifyOptions::default(), &Silent).unwrap();
    assert!(verified.damaged.is_empty());
    repo.apply("0", ApplyOptions::pop());
    assert_eq!(repo.texts()["a.mid"], "1");

    repo.write("b.mid", "2");
    repo.push("y");
    let id = hex(b"2");
    fs::remove_file(repo.root().join(format!(".muse/objects/{}/{}", &id[..2], &id[2..]))).unwrap();
    let verified = repo.vault.verify(&VerifyOptions::default(), &Silent).unwrap();
    assert!(verified.hint.is_some_and(|hint| hint.contains("gc")));
}

#[test]
fn the_binary_works_in_a_repository_of_newer_muse() {
    let repo = Muse::new();
    repo.write("a.mid", "1");
    let run = |args: &[&str]| {
        let ran = Command::new(stem()).arg("--repo").arg(repo.root()).args(args).output().unwrap();
        let (out, err) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap());
        assert!(ran.status.success(), "{args:?}: {out}{err}");
        (out, err)
    };
    run(&["stash", "push", "-m", "one", "--keep-safe"]);
    assert!(fs::read_dir(repo.root().join(".muse/stem/packs")).unwrap().count() > 0);
    assert!(repo.shelf_text().contains("\"a.mid\""));
    let listed: Value = serde_json::from_str(&run(&["--json", "stash", "list"]).0).unwrap();
    assert_eq!(listed["entries"][0]["message"], "one");
    run(&["stash", "pop"]);
    assert_eq!(repo.texts(), texts(&[("a.mid", "1")]));
    repo.write("tracks/k/b.mid", "2");
    let (_, told) = run(&["stash", "push", "--no-head", "tracks"]);
    assert!(told.contains("Muse itself will not list"), "{told}");
    run(&["stash", "drop"]);
    run(&["stash", "undo"]);
    run(&["verify"]);
    run(&["gc"]);
    let text = "no TOML";
    repo.write(".museignore", text);
    let ran = Command::new(stem()).arg("--repo").arg(repo.root()).args(["stash"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert!(String::from_utf8(ran.stderr).unwrap().contains(".museignore"));
}
