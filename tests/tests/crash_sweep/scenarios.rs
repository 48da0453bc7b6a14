//! What is done to which repository: one line for each.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use stem_testkit::crash::Image;
use stem_testkit::{FaultPlan, Made};
use stemvault::format::stamp::Stamp;
use stemvault::{
    ApplyOptions, CopyOptions, CopyPlace, Dir, ExchangeError, ExportOptions, GcOptions, HeadChoice,
    ImportOptions, ObjectStoreExt as _, PackingOptions, PushOptions, RepackOptions, Silent, SnapshotOptions,
    StashError, UndoOptions, UnpackingOptions, Vault, VerifyOptions,
};
use stemvault_tests::repo::rel;
use stemvault_tests::tree;

use crate::check::Before;

/// One verb on one repository.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Makes the repository.
    pub(crate) setup: fn(&Path),
    /// Runs the verb; also what the user does after the crash.
    pub(crate) verb: fn(&Vault, &Before) -> Done,
    /// What recovery makes of the working tree.
    pub(crate) recovery: Recovery,
    /// Whether the verb walks the working tree and removes what others left there.
    pub(crate) walks: bool,
}

/// What recovery makes of the working tree when a verb died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// It is as before the verb, or as after it.
    Settles,
    /// The repository was not in order before the verb.
    Mends,
    /// As before the verb; and what only undo records name may go, for that is what the verb is there for.
    Expires,
}

use Recovery::{Expires, Mends, Settles};

pub(crate) type Done = Result<(), String>;

/// All of them. A new verb is a line here.
pub(crate) const SCENARIOS: &[Scenario] = &[
    s("push, no HEAD", fresh, |v, _| push(v, &PushOptions::default()), Settles, true),
    s("push, brings HEAD back", day, |v, _| push(v, &PushOptions::default()), Settles, true),
    s("push --keep", day, |v, _| push(v, &keep()), Settles, true),
    s("push --track", day, |v, _| push(v, &track()), Settles, true),
    s("push PATH, no HEAD", fresh, |v, _| push(v, &path()), Settles, true),
    s("push what older entries have", applied, |v, _| push(v, &PushOptions::default()), Settles, true),
    s("push --no-head", day, |v, _| push(v, &no_head()), Settles, true),
    s("push after a push that died", died, |v, _| push(v, &PushOptions::default()), Mends, true),
    s("pop", pushed, |v, b| apply(v, b, &ApplyOptions::pop()), Settles, false),
    s("pop over newer work", newer, |v, b| apply(v, b, &ApplyOptions::pop()), Settles, false),
    s("pop into an empty tree", emptied, |v, b| apply(v, b, &ApplyOptions::pop()), Settles, false),
    s("apply", pushed, |v, b| apply(v, b, &ApplyOptions::default()), Settles, false),
    s("apply over newer work", newer, |v, b| apply(v, b, &ApplyOptions::default()), Settles, false),
    s("drop", stacked, |v, b| found(v.stash().drop_entry(&b.stack[0]).map(drop)), Settles, false),
    s("clear", stacked, |v, _| told(v.stash().clear()), Settles, false),
    s("undo a push", pushed, undo, Settles, false),
    s("undo a pop over newer work", popped_over, undo, Settles, false),
    s("undo an apply over newer work", applied_over, undo, Settles, false),
    s("undo a drop", dropped, undo, Settles, false),
    s("undo a clear", cleared, undo, Settles, false),
    s("redo a push", undone, redo, Settles, false),
    s("redo a pop over newer work", undone_pop, redo, Settles, false),
    s("snapshot, the first", fresh, |v, _| snapshot(v), Settles, true),
    s("snapshot", day, |v, _| snapshot(v), Settles, true),
    s("gc, the first phase", garbage, |v, _| gc(v, 0), Settles, false),
    s("gc, the second phase", condemned, |v, _| gc(v, 20), Settles, false),
    s("pack", history, |v, _| told(v.pack(&PackingOptions::default(), &Silent)), Settles, false),
    s("pack --all", stacked, |v, _| pack(v), Settles, false),
    s("unpack", packed, |v, _| told(v.unpack(&UnpackingOptions::default(), &Silent)), Settles, false),
    s("repack", packs, |v, _| told(v.packs().repack(&RepackOptions::default())), Settles, false),
    s("gc with packs", packed_garbage, |v, _| gc(v, 20), Settles, false),
    s("push, with packs", packed, |v, _| push(v, &PushOptions::default()), Settles, true),
    s("pop, with packs", packed, |v, b| apply(v, b, &ApplyOptions::pop()), Settles, false),
    s("verify --repair", rotten, |v, _| repair(v), Mends, false),
    s("export", stacked, |v, _| export(v), Settles, false),
    s("export, over another part", parted, |v, _| export(v), Settles, false),
    s("import", arrived, import, Settles, false),
    s("import of what is partly there", arrived_in_part, import, Settles, false),
    s("copy --all", copied_from, copy, Settles, false),
    s("undo an import", imported, undo, Settles, false),
    s("gc --expire-undo", condemned, |v, _| expire(v), Expires, false),
    s("newer Muse: push", shelf_day, |v, _| push(v, &PushOptions::default()), Settles, true),
    s("newer Muse: push on others", shelf_mixed, |v, _| push(v, &PushOptions::default()), Settles, true),
    s("newer Muse: push --keep", shelf_day, |v, _| push(v, &keep()), Settles, true),
    s("newer Muse: pop", shelf_pushed, |v, b| apply(v, b, &ApplyOptions::pop()), Settles, false),
    s(
        "newer Muse: pop over newer work",
        shelf_over,
        |v, b| apply(v, b, &ApplyOptions::pop()),
        Settles,
        false,
    ),
    s(
        "newer Muse: drop",
        shelf_mixed,
        |v, b| found(v.stash().drop_entry(&b.stack[0]).map(drop)),
        Settles,
        false,
    ),
    s("newer Muse: clear", shelf_mixed, |v, _| told(v.stash().clear()), Settles, false),
    s("newer Muse: undo a push", shelf_pushed, undo, Settles, false),
    s("newer Muse: undo a pop", shelf_popped, undo, Settles, false),
    s("newer Muse: undo a drop", shelf_dropped, undo, Settles, false),
    s("newer Muse: undo a clear", shelf_cleared, undo, Settles, false),
    s("newer Muse: redo a push", shelf_undone, redo, Settles, false),
    s("newer Muse: redo a clear", shelf_uncleared, redo, Settles, false),
    s("newer Muse: gc --expire-undo", shelf_dropped, |v, _| expire(v), Expires, false),
];

/// From here on a repository of newer Muse, which keeps its stash in an array. The working tree stays where the sweep
/// looks for it.
fn make_newer(root: &Path) {
    fs::write(root.join(".muse/HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::create_dir_all(root.join(".muse/stem")).unwrap();
    fs::write(root.join(".muse/stem/config.toml"), "[worktree]\npath = \"muse-work\"\n").unwrap();
}

fn shelf_day(root: &Path) {
    day(root);
    make_newer(root);
}

fn shelf_pushed(root: &Path) {
    shelf_day(root);
    run(root, |v| push(v, &PushOptions::default()));
}

fn shelf_over(root: &Path) {
    shelf_pushed(root);
    write(root, "tracks/drums/kick.wav", b"newer kick");
}

/// An entry in a file, one that Muse wrote, and two in the array that were pushed.
fn shelf_mixed(root: &Path) {
    stacked(root);
    let own = fs::read_dir(root.join(".muse/stash")).unwrap().map(|entry| entry.unwrap().path());
    let mut own: Vec<_> = own.collect();
    own.sort();
    own.iter().skip(1).for_each(|path| fs::remove_file(path).unwrap());
    fs::remove_dir_all(root.join(".muse/stem")).unwrap();
    make_newer(root);
    let id = id_of(b"entry 1");
    let theirs = format!(
        "[\n  {{\n    \"snapshot_id\": \"x\",\n    \"manifest\": {{\n      \"theirs.wav\": \"{id}\"\n    }},\n    \"branch\": \"b\",\n    \"stashed_at\": \"2026-03-16T12:00:00+00:00\"\n  }}\n]"
    );
    fs::write(root.join(".muse/stash.json"), theirs).unwrap();
    for n in 3..5 {
        write(root, &format!("take-{n}.wav"), format!("entry {n}").as_bytes());
        run(root, |v| push(v, &PushOptions::default()));
    }
    write(root, "take.wav", b"in the tree");
}

fn shelf_popped(root: &Path) {
    shelf_over(root);
    run(root, |v| told(v.stash().apply("0", ApplyOptions::pop(), &Silent)));
}

fn shelf_dropped(root: &Path) {
    shelf_mixed(root);
    run(root, |v| told(v.stash().drop_entry("0")));
}

fn shelf_cleared(root: &Path) {
    shelf_mixed(root);
    run(root, |v| told(v.stash().clear()));
}

fn shelf_undone(root: &Path) {
    shelf_pushed(root);
    run(root, |v| told(v.stash().undo(UndoOptions::default(), &Silent)));
}

fn shelf_uncleared(root: &Path) {
    shelf_cleared(root);
    run(root, |v| told(v.stash().undo(UndoOptions::default(), &Silent)));
}

const fn s(
    name: &'static str,
    setup: fn(&Path),
    verb: fn(&Vault, &Before) -> Done,
    recovery: Recovery,
    walks: bool,
) -> Scenario {
    Scenario { name, setup, verb, recovery, walks }
}

fn told<T, E: std::error::Error>(done: Result<T, E>) -> Done {
    done.map(drop).map_err(|error| error.to_string())
}

fn push(vault: &Vault, options: &PushOptions) -> Done {
    told(vault.stash().push(options, &Silent))
}

fn keep() -> PushOptions {
    PushOptions { keep: true, ..PushOptions::default() }
}

fn track() -> PushOptions {
    PushOptions { track: Some("drums".into()), ..PushOptions::default() }
}

fn path() -> PushOptions {
    PushOptions { paths: vec![rel("tracks")], ..PushOptions::default() }
}

fn no_head() -> PushOptions {
    PushOptions { head: HeadChoice::None, ..PushOptions::default() }
}

fn apply(vault: &Vault, before: &Before, options: &ApplyOptions) -> Done {
    found(vault.stash().apply(&before.stack[0], options.clone(), &Silent).map(drop))
}

fn snapshot(vault: &Vault) -> Done {
    told(vault.stash().snapshot(&SnapshotOptions::default(), &Silent))
}

/// Exports the newest entry; a file that has its name is whole.
fn export(vault: &Vault) -> Done {
    let dir = vault.repository().muse().ensure_dir(&rel("stem/tmp")).map_err(|error| error.to_string())?;
    match vault.export("0", &dir, &rel("out.stem"), &ExportOptions::default(), &Silent) {
        Err(stemvault::Error::Exchange(ExchangeError::Exists { .. })) => {}
        other => told(other)?,
    }
    let mut wanted = Vec::new();
    told(vault.export_to("0", &mut wanted, &ExportOptions::default(), &Silent))?;
    let found = fs::read(dir.path().join("out.stem")).map_err(|error| error.to_string())?;
    if found == wanted { Ok(()) } else { Err("the bundle is not the one that was exported".into()) }
}

/// Imports the bundle that lies beside the repository: there is one entry of it afterwards, however often.
fn import(vault: &Vault, before: &Before) -> Done {
    let bundle =
        fs::File::open(vault.repository().root().join("in.stem")).map_err(|error| error.to_string())?;
    told(vault.import(bundle, ImportOptions::default(), &Silent))?;
    let stack = vault.stash().list().map_err(|error| error.to_string())?;
    if stack.len() == before.stack.len() + 1 { Ok(()) } else { Err(format!("{} entries", stack.len())) }
}

/// Copies the repository that lies beside, with its two entries: they are there afterwards, however often.
fn copy(vault: &Vault, before: &Before) -> Done {
    let from = CopyPlace::source("from", vault.repository().root()).map_err(|error| error.to_string())?;
    let options = CopyOptions { all: true, ..CopyOptions::default() };
    let copied = vault.copy_from(&from, &options, &Silent).map_err(|error| error.to_string())?;
    if !copied.is_complete() {
        return Err(format!("{copied:?}"));
    }
    let stack = vault.stash().list().map_err(|error| error.to_string())?;
    if stack.len() == before.stack.len() + 2 { Ok(()) } else { Err(format!("{} entries", stack.len())) }
}

/// The second time, the entry may have gone.
fn found(done: Result<(), StashError>) -> Done {
    match done {
        Err(StashError::NoSuchEntry { .. }) => Ok(()),
        other => told(other),
    }
}

/// Undoes what could be undone before; the second time, that may have been done.
fn undo(vault: &Vault, before: &Before) -> Done {
    told(vault.stash().recover(&Silent))?;
    let next = next_undo(vault, false)?;
    if next == before.undo { told(vault.stash().undo(UndoOptions::default(), &Silent)) } else { Ok(()) }
}

fn redo(vault: &Vault, before: &Before) -> Done {
    told(vault.stash().recover(&Silent))?;
    let next = next_undo(vault, true)?;
    if next == before.redo { told(vault.stash().redo(UndoOptions::default(), &Silent)) } else { Ok(()) }
}

/// The record that undo, or redo, is about.
pub(crate) fn next_undo(vault: &Vault, undone: bool) -> Result<Option<String>, String> {
    let list = vault.stash().undo_list().map_err(|e| e.to_string())?;
    Ok(list.items.into_iter().find(|item| item.undone == undone && item.steps == 1).map(|item| item.id))
}

/// Collects, some days from now.
fn gc(vault: &Vault, days: i64) -> Done {
    let now = Stamp::now().map_err(|e| e.to_string())?.as_micros() + days * 86_400_000_000;
    let now = Some(Stamp::from_micros(now).map_err(|e| e.to_string())?);
    told(vault.gc(&GcOptions { now, ..GcOptions::default() }, &Silent))
}

/// Packs what Muse may ask for, too.
fn pack(vault: &Vault) -> Done {
    told(vault.pack(&PackingOptions { all: true, ..PackingOptions::default() }, &Silent))
}

fn repair(vault: &Vault) -> Done {
    told(vault.verify(&VerifyOptions { repair: true, ..VerifyOptions::default() }, &Silent))
}

fn expire(vault: &Vault) -> Done {
    told(vault.gc(&GcOptions { expire_undo: Some(Duration::ZERO), ..GcOptions::default() }, &Silent))
}

fn write(root: &Path, path: &str, bytes: &[u8]) {
    tree::write(&root.join("muse-work"), path, bytes);
}

/// Runs a verb in the repository at `root`.
fn run(root: &Path, verb: impl FnOnce(&Vault) -> Done) {
    verb(&Vault::open(root).unwrap()).unwrap();
}

/// Work without commits: equal files, a second name, permissions.
fn fresh(root: &Path) {
    Vault::init(root).unwrap();
    write(root, "tracks/drums/kick.wav", &b"kick ".repeat(900));
    write(root, "tracks/drums/twin.wav", &b"kick ".repeat(900));
    write(root, "tracks/bass.wav", b"bass");
    write(root, "sections/verse/a.mid", b"verse");
    fs::set_permissions(root.join("muse-work/tracks/bass.wav"), fs::Permissions::from_mode(0o600)).unwrap();
    write(root, "linked.wav", b"two names");
    fs::hard_link(root.join("muse-work/linked.wav"), root.join("second-name.wav")).unwrap();
}

/// A HEAD and a day's work on it: changed, new, deleted and equal files.
fn day(root: &Path) {
    Vault::init(root).unwrap();
    write(root, "tracks/drums/kick.wav", b"HEAD's kick");
    write(root, "tracks/drums/gone.wav", b"HEAD's, deleted");
    write(root, "tracks/bass.wav", b"HEAD's bass");
    write(root, "mix.wav", b"HEAD's mix");
    write(root, "same.mid", b"unchanged");
    run(root, snapshot);
    write(root, "tracks/drums/kick.wav", &b"today's kick ".repeat(300));
    write(root, "tracks/drums/new.wav", b"today's new");
    write(root, "tracks/drums/twin.wav", b"today's new");
    write(root, "tracks/bass.wav", b"today's bass");
    fs::remove_file(root.join("muse-work/tracks/drums/gone.wav")).unwrap();
    fs::remove_file(root.join("muse-work/mix.wav")).unwrap();
    write(root, "mix.wav", b"two names today");
    fs::hard_link(root.join("muse-work/mix.wav"), root.join("second-name.wav")).unwrap();
}

fn pushed(root: &Path) {
    day(root);
    run(root, |v| push(v, &PushOptions::default()));
}

/// The entry is in the working tree too.
fn applied(root: &Path) {
    pushed(root);
    run(root, |v| told(v.stash().apply("0", ApplyOptions::default(), &Silent)));
    write(root, "another.wav", b"another");
}

/// An entry, and files that are newer than it.
fn newer(root: &Path) {
    pushed(root);
    write(root, "tracks/drums/kick.wav", b"newer kick");
    write(root, "tracks/drums/new.wav", b"newer new");
    write(root, "elsewhere.wav", b"stays");
}

/// An entry, and directories in which nothing is.
fn emptied(root: &Path) {
    fresh(root);
    run(root, |v| push(v, &PushOptions::default()));
    fs::remove_dir_all(root.join("muse-work/tracks")).unwrap();
    fs::create_dir_all(root.join("muse-work/linked.wav/only/directories")).unwrap();
}

/// Three entries.
fn stacked(root: &Path) {
    let vault = Vault::init(root).unwrap();
    for n in 0..3 {
        write(root, "take.wav", format!("entry {n}").as_bytes());
        write(root, &format!("take-{n}.wav"), format!("entry {n} too").as_bytes());
        push(&vault, &PushOptions::default()).unwrap();
    }
    write(root, "take.wav", b"in the tree");
}

fn popped_over(root: &Path) {
    newer(root);
    run(root, |v| told(v.stash().apply("0", ApplyOptions::pop(), &Silent)));
}

fn applied_over(root: &Path) {
    newer(root);
    run(root, |v| told(v.stash().apply("0", ApplyOptions::default(), &Silent)));
}

/// An export of another entry to the same file died.
fn parted(root: &Path) {
    stacked(root);
    let vault = Vault::open(root).unwrap();
    let mut other = Vec::new();
    vault.export_to("1", &mut other, &ExportOptions::default(), &Silent).unwrap();
    other.truncate(other.len() * 3 / 4);
    fs::create_dir_all(root.join(".muse/stem/tmp")).unwrap();
    fs::write(root.join(".muse/stem/tmp/out.stem.partial"), other).unwrap();
}

/// A bundle of somebody else.
fn arrived(root: &Path) {
    let other = tempfile::tempdir_in("/dev/shm").unwrap();
    stacked(other.path());
    let sender = Vault::open(other.path()).unwrap();
    write(other.path(), "tracks/theirs.wav", b"their take");
    write(other.path(), "empty", b"");
    push(&sender, &PushOptions::default()).unwrap();
    let mut bundle = Vec::new();
    sender.export_to("0", &mut bundle, &ExportOptions::default(), &Silent).unwrap();
    pushed(root);
    fs::write(root.join("in.stem"), bundle).unwrap();
}

/// Some of its objects are there, which nothing names.
fn arrived_in_part(root: &Path) {
    arrived(root);
    let vault = Vault::open(root).unwrap();
    vault.store().put_bytes(b"their take").unwrap();
    vault.store().put_bytes(b"in the tree").unwrap();
}

fn copied_from(root: &Path) {
    stacked(root);
    let from = root.join("from");
    Vault::init(&from).unwrap();
    for n in 0..2 {
        write(&from, &format!("theirs-{n}.wav"), format!("their take {n}").as_bytes());
        run(&from, |v| push(v, &PushOptions::default()));
    }
}

fn imported(root: &Path) {
    arrived(root);
    let vault = Vault::open(root).unwrap();
    let bundle = fs::File::open(root.join("in.stem")).unwrap();
    vault.import(bundle, ImportOptions::default(), &Silent).unwrap();
}

fn dropped(root: &Path) {
    stacked(root);
    run(root, |v| told(v.stash().drop_entry("0")));
}

fn cleared(root: &Path) {
    stacked(root);
    run(root, |v| told(v.stash().clear()));
}

fn undone(root: &Path) {
    pushed(root);
    run(root, |v| told(v.stash().undo(UndoOptions::default(), &Silent)));
}

fn undone_pop(root: &Path) {
    popped_over(root);
    run(root, |v| told(v.stash().undo(UndoOptions::default(), &Silent)));
}

/// Objects that nothing needs, beside all that is needed.
fn garbage(root: &Path) {
    dropped(root);
    write(root, "head.wav", b"head");
    run(root, snapshot);
    let vault = Vault::open(root).unwrap();
    for n in 0..3 {
        vault.store().put_bytes(format!("garbage {n}").as_bytes()).unwrap();
    }
}

/// They are known to be.
fn condemned(root: &Path) {
    garbage(root);
    run(root, |v| gc(v, 0));
}

/// A HEAD behind HEAD.
fn history(root: &Path) {
    day(root);
    run(root, snapshot);
}

/// All objects in a pack.
fn packed(root: &Path) {
    stacked(root);
    run(root, pack);
}

/// Two packs, one with an object that is needed no more.
fn packs(root: &Path) {
    packed(root);
    write(root, "take-9.wav", b"one more");
    run(root, |v| push(v, &PushOptions::default()));
    run(root, pack);
}

fn packed_garbage(root: &Path) {
    garbage(root);
    run(root, pack);
    run(root, |v| gc(v, 0));
}

/// An object has other bytes than its name says, and a file of the working tree has the right ones.
fn rotten(root: &Path) {
    pushed(root);
    run(root, |v| told(v.stash().apply("0", ApplyOptions::default(), &Silent)));
    let id = id_of(b"today's bass").to_string();
    let path = root.join(".muse/objects").join(&id[..2]).join(&id[2..]);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"today's rot.").unwrap();
}

/// A push was killed after its first adoption.
fn died(root: &Path) {
    day(root);
    for at in 1.. {
        let plan = FaultPlan::kill_at(at);
        let copy = tempfile::tempdir_in("/dev/shm").unwrap();
        Image::read(root).unwrap().build(copy.path()).unwrap();
        let vault = Vault::from_dir(&Dir::open_observed(copy.path(), plan.clone()).unwrap()).unwrap();
        let _ = push(&vault, &PushOptions::default());
        let adopted = |made: &Made| matches!(made, Made::Rename(from, _) if from.ends_with("new.wav") || from.ends_with("twin.wav"));
        if plan.made().iter().any(adopted) {
            drop(vault);
            let dead = Image::read(copy.path()).unwrap();
            for entry in fs::read_dir(root).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
            }
            dead.build(root).unwrap();
            return;
        }
    }
}

/// What Muse names objects by, of bytes.
pub(crate) fn id_of(bytes: &[u8]) -> stemvault::ObjectId {
    let mut hasher = stemvault::Hasher::new(stemvault::Algorithm::Sha256);
    hasher.update(bytes);
    hasher.finish().id
}
