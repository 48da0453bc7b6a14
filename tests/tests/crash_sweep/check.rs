//! What must hold of every image.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use stem_testkit::crash::{Image, Node};
use stemvault::{ObjectId, ObjectStore as _, ObjectStoreExt as _, Silent, Vault};
use stemvault_tests::holdings::{named_in, saved_at};

use crate::scenarios::{Recovery, Scenario, id_of, next_undo};
use crate::sweep::scratch;

/// Bytes and permissions by path.
pub(crate) type Files = BTreeMap<PathBuf, (Vec<u8>, u32)>;

/// Largest object in any scenario.
const LARGEST: u64 = 1 << 20;

/// How the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Crash {
    /// The process died.
    Killed,
    /// The machine died.
    LostPower,
    /// The machine died, and the user's files had been written so shortly before that they may be gone without us.
    LostUnsynced,
}

/// What was there before the verb.
pub(crate) struct Before {
    /// The stack.
    pub(crate) stack: Vec<String>,
    /// What undo and redo would revert.
    pub(crate) undo: Option<String>,
    pub(crate) redo: Option<String>,
    /// What must not be lost: contents of the working tree, and contents that an entry, a snapshot or a record names.
    in_tree: BTreeSet<Vec<u8>>,
    in_store: BTreeSet<Vec<u8>>,
    /// Objects that are torn.
    torn: HashSet<String>,
    /// The working tree.
    tree: Files,
}

impl Before {
    pub(crate) fn read(scenario: &Scenario, root: &Path) -> Self {
        let vault = Vault::open(root).unwrap();
        let stack = vault.stash().list().unwrap().into_iter().map(|entry| entry.stash_id).collect();
        let image = Image::read(root).unwrap();
        let stored = |id: ObjectId| {
            let saved = || std::fs::read(saved_at(root, &id)).ok();
            // What is damaged before cannot be asked for afterwards.
            vault.store().get(&id, LARGEST).ok().flatten().or_else(saved)
        };
        let mut lasting = image.clone();
        lasting.0.retain(|path, _| scenario.recovery != Recovery::Expires || !path.starts_with(".muse/stem"));
        let in_store = named(&lasting).into_iter().filter_map(stored).collect();
        let torn = torn(&image);
        let tree = work(&image);
        let in_tree = tree.values().map(|(bytes, _)| bytes.clone()).collect();
        let (undo, redo) = (next_undo(&vault, false).unwrap(), next_undo(&vault, true).unwrap());
        Self { stack, undo, redo, in_tree, in_store, torn, tree }
    }
}

/// Files alone, by path.
pub(crate) fn files(image: &Image) -> Files {
    let file = |(path, node): (&PathBuf, &Node)| match node {
        Node::File { bytes, mode, .. } => Some((path.clone(), (bytes.to_vec(), *mode))),
        _ => None,
    };
    image.0.iter().filter_map(file).collect()
}

/// The working tree.
fn work(image: &Image) -> Files {
    let below = |(path, file): (PathBuf, _)| Some((path.strip_prefix("muse-work").ok()?.to_path_buf(), file));
    files(image).into_iter().filter_map(below).collect()
}

/// Objects that a whole document of the repository names: an entry, a record, a snapshot, a commit.
fn named(image: &Image) -> HashSet<ObjectId> {
    let mut found = HashSet::new();
    for (path, (bytes, _)) in files(image) {
        if path.starts_with(".muse") && path.extension().is_some_and(|extension| extension == "json") {
            found.extend(named_in(&bytes));
        }
    }
    found
}

/// Loose objects whose bytes are not what their names say.
fn torn(image: &Image) -> HashSet<String> {
    let name = |(path, (bytes, _)): (PathBuf, (Vec<u8>, u32))| {
        let name = path.strip_prefix(".muse/objects").ok()?.to_string_lossy().replace('/', "");
        (name != id_of(&bytes).to_string()).then_some(name)
    };
    files(image).into_iter().filter_map(name).collect()
}

/// Opens the image and examines it, before and after running the verb again.
pub(crate) fn check(
    scenario: &Scenario,
    before: &Before,
    after: &Files,
    image: &Image,
    crash: Crash,
) -> Result<(), String> {
    let home = scratch();
    let root = home.path();
    image.build(root).map_err(|e| format!("the image cannot be built: {e}"))?;
    is_sound(before, &before.torn, root, image, crash).map_err(|e| format!("right after the crash: {e}"))?;

    let vault = Vault::open(root).map_err(|e| format!("it cannot be opened: {e}"))?;
    vault.stash().recover(&Silent).map_err(|e| format!("no recovery: {e}"))?;
    let recovered = read(root)?;
    is_sound(before, &before.torn, root, &recovered, crash).map_err(|e| format!("after recovery: {e}"))?;
    if scenario.recovery == Recovery::Settles && crash != Crash::LostUnsynced {
        let mut found = work(&recovered);
        // As below.
        found.retain(|path, _| crash == Crash::Killed || !is_temporary(path));
        if let (Err(undone), Err(done)) = (same_tree(&found, &before.tree), same_tree(&found, after)) {
            return Err(format!("after recovery: not undone, {undone}, and not done, {done}"));
        }
    }
    vault.stash().recover(&Silent).map_err(|e| format!("no second recovery: {e}"))?;
    if read(root)? != recovered {
        return Err("a second recovery changes something".into());
    }

    (scenario.verb)(&vault, before).map_err(|e| format!("the verb cannot be run again: {e}"))?;
    drop(vault);
    let end = read(root)?;
    is_sound(before, &HashSet::new(), root, &end, crash).map_err(|e| format!("after the second run: {e}"))?;
    let mut found = work(&end);
    // The note that temporary files are in the tree may be lost and they not: then only verbs that walk find them.
    found.retain(|path, _| crash == Crash::Killed || scenario.walks || !is_temporary(path));
    if crash == Crash::LostUnsynced {
        Ok(())
    } else {
        same_tree(&found, after).map_err(|e| format!("after the second run: {e}"))
    }
}

fn is_temporary(path: &Path) -> bool {
    path.iter().any(|name| name.to_string_lossy().starts_with(".stem-tmp-"))
}

fn read(root: &Path) -> Result<Image, String> {
    Image::read(root).map_err(|e| format!("it cannot be read: {e}"))
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(30)]).escape_debug().to_string()
}

fn same_tree(found: &Files, expected: &Files) -> Result<(), String> {
    for (path, (bytes, mode)) in expected {
        match found.get(path) {
            None => return Err(format!("'{}' is missing", path.display())),
            Some((other, _)) if other != bytes => {
                return Err(format!(
                    "'{}' holds {} bytes, \"{}\", and not {} bytes, \"{}\"",
                    path.display(),
                    other.len(),
                    show(other),
                    bytes.len(),
                    show(bytes)
                ));
            }
            Some((_, other)) if other != mode => {
                return Err(format!("'{}' has mode {other:o}, not {mode:o}", path.display()));
            }
            Some(_) => {}
        }
    }
    match found.keys().find(|path| !expected.contains_key(*path)) {
        Some(path) => Err(format!("there is '{}'", path.display())),
        None => Ok(()),
    }
}

/// Every content that was there is in the working tree, or in the store under an id that something names. Objects hold
/// what their names say, entries can be read and all their objects are there, but for those that were broken before.
fn is_sound(
    before: &Before,
    broken: &HashSet<String>,
    root: &Path,
    image: &Image,
    crash: Crash,
) -> Result<(), String> {
    let vault = Vault::open(root).map_err(|e| format!("it cannot be opened: {e}"))?;
    if let Some(name) = torn(image).difference(broken).next() {
        return Err(format!("object {name} is torn"));
    }
    for entry in vault.stash().list().map_err(|e| format!("there is no list: {e}"))? {
        let read = entry.entry.map_err(|e| format!("entry {} cannot be read: {e}", entry.stash_id))?;
        for (path, id) in read.manifest.iter() {
            match vault.store().stat(id) {
                Ok(Some(_)) => {}
                _ if broken.contains(&id.to_string()) => {}
                other => return Err(format!("{}: object of '{path}': {other:?}", entry.stash_id)),
            }
        }
    }
    let in_tree: HashSet<Vec<u8>> = work(image).into_values().map(|(bytes, _)| bytes).collect();
    let named = named(image);
    let of_tree = before.in_tree.iter().filter(|_| crash != Crash::LostUnsynced);
    for bytes in of_tree.chain(&before.in_store).filter(|bytes| !in_tree.contains(*bytes)) {
        let id = id_of(bytes);
        let stored = vault.store().get(&id, LARGEST).map_err(|e| format!("object {id}: {e}"))?;
        let saved = image.0.get(Path::new(".muse/stem/undo/saved").join(id.to_string()).as_path());
        let is_saved = matches!(saved, Some(Node::File { bytes: saved, .. }) if **saved == **bytes);
        if !is_saved && stored.as_ref() != Some(bytes) {
            return Err(format!("\"{}\" is neither in the tree nor in the store", show(bytes)));
        }
        if !named.contains(&id) {
            return Err(format!("nothing names the object of \"{}\"", show(bytes)));
        }
    }
    Ok(())
}
