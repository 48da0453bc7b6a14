//! The two states of a disk, and the images of a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::image::{Image, Node};
use super::random::Random;
use super::recorder::Event;

type Inode = usize;
type Names = BTreeMap<OsString, Inode>;

/// The directory that is watched.
const ROOT: Inode = 0;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Content {
    bytes: Arc<[u8]>,
    mode: u32,
    mtime: (i64, i64),
}

#[derive(Debug, Clone)]
enum Body {
    /// Names as every process sees them, and as the medium is sure to hold them.
    Dir {
        live: Names,
        durable: Names,
    },
    Link(PathBuf),
    File {
        live: Content,
        durable: Content,
    },
}

/// A change of names that no flush has covered. All of it happens or nothing.
#[derive(Debug, Clone)]
struct Pending {
    /// What is created, moved or removed.
    inode: Inode,
    /// Directory, name, and what it stands for afterwards.
    slots: Vec<(Inode, OsString, Option<Inode>)>,
}

impl Pending {
    /// Whether this, which came later, cannot have happened without `earlier`.
    fn needs(&self, earlier: &Self) -> bool {
        let touches = |dir: Inode| self.slots.iter().any(|slot| slot.0 == dir);
        self.inode == earlier.inode
            || touches(earlier.inode)
            || earlier.slots.iter().any(|slot| slot.0 == self.inode)
            || self.slots.iter().any(|a| earlier.slots.iter().any(|b| (a.0, &a.1) == (b.0, &b.1)))
    }
}

/// Which of the names that no flush covers reached the medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostNames {
    /// None did.
    All,
    /// All did.
    None,
    /// Those changed before some moment did, as a journal would have it.
    Later,
    /// Any that do not need one which did not.
    Any,
}

/// What became of bytes that no flush covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostBytes {
    /// They are as they were at the last flush; of a new file, there are none.
    All,
    /// They are all there.
    None,
    /// The file has its size, and zeros in it.
    Zeros,
    /// For each file something else: all, none, a part, zeros.
    Any,
}

/// What a power cut does to what no flush covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Names.
    pub names: LostNames,
    /// Bytes.
    pub bytes: LostBytes,
    /// Decides where there is a choice.
    pub seed: u64,
}

/// A disk while a run goes on.
#[derive(Debug, Clone)]
pub struct Disk {
    nodes: Vec<Body>,
    pending: Vec<Pending>,
}

impl Disk {
    /// A disk that holds this tree, durably.
    pub fn new(image: &Image) -> Self {
        let empty = || Body::Dir { live: Names::new(), durable: Names::new() };
        let mut disk = Self { nodes: vec![empty()], pending: Vec::new() };
        let mut files: BTreeMap<usize, Inode> = BTreeMap::new();
        for (path, node) in &image.0 {
            let inode = match node {
                Node::Dir => disk.add(empty()),
                Node::Link(target) => disk.add(Body::Link(target.clone())),
                Node::File { inode, bytes, mode, mtime } => {
                    let live = Content { bytes: Arc::clone(bytes), mode: *mode, mtime: *mtime };
                    let known = files.get(inode).copied();
                    known.unwrap_or_else(|| {
                        let added = disk.add(Body::File { durable: live.clone(), live });
                        files.insert(*inode, added);
                        added
                    })
                }
            };
            let (dir, name) = disk.place(path).unwrap_or((ROOT, OsString::new()));
            if let Some(Body::Dir { live, durable }) = disk.nodes.get_mut(dir) {
                live.insert(name.clone(), inode);
                durable.insert(name, inode);
            }
        }
        disk
    }

    /// Says that the bytes of the files below `dir` were written a moment ago and no flush covers them.
    pub fn forget_bytes_below(&mut self, dir: &Path) {
        let Some(at) = self.find(dir) else { return };
        let mut dirs = vec![at];
        while let Some(at) = dirs.pop() {
            let Some(Body::Dir { live, .. }) = self.nodes.get(at) else { continue };
            for inode in live.values().copied().collect::<Vec<_>>() {
                match self.nodes.get_mut(inode) {
                    Some(Body::Dir { .. }) => dirs.push(inode),
                    Some(Body::File { durable, .. }) => durable.bytes = Arc::default(),
                    _ => {}
                }
            }
        }
    }

    /// Whether everything that the file at `path` holds is sure to survive.
    pub fn is_durable(&self, path: &Path) -> bool {
        let body = self.find(path).and_then(|inode| self.nodes.get(inode));
        matches!(body, Some(Body::File { live, durable }) if live.bytes == durable.bytes)
    }

    /// Makes a change.
    ///
    /// # Errors
    ///
    /// It cannot have happened to this disk: something changed it that was not announced.
    pub fn apply(&mut self, event: &Event) -> Result<(), String> {
        let absent = || format!("{event:?}: there is no such path; something was not announced");
        match event {
            Event::Create(path, mode) => {
                let new = Content { bytes: Arc::default(), mode: *mode, mtime: (0, 0) };
                let inode = self.add(Body::File { live: new.clone(), durable: new });
                let (dir, name) = self.place(path).ok_or_else(absent)?;
                self.rename(Pending { inode, slots: vec![(dir, name, Some(inode))] });
            }
            Event::CreateDir(path) => {
                let inode = self.add(Body::Dir { live: Names::new(), durable: Names::new() });
                let (dir, name) = self.place(path).ok_or_else(absent)?;
                self.rename(Pending { inode, slots: vec![(dir, name, Some(inode))] });
            }
            Event::Write(path, new) => self.file(path).ok_or_else(absent)?.bytes = Arc::clone(new),
            Event::Metadata(path, mode, mtime) => {
                let file = self.file(path).ok_or_else(absent)?;
                (file.mode, file.mtime) = (*mode, *mtime);
            }
            Event::SyncFile(path) => {
                let inode = self.find(path).ok_or_else(absent)?;
                self.settle_file(inode);
            }
            Event::SyncDir(path) => {
                let dir = self.find(path).ok_or_else(absent)?;
                let touched =
                    self.pending.iter().map(|op| op.slots.iter().any(|slot| slot.0 == dir)).collect();
                let happened = self.closed(touched);
                self.settle_names(&happened);
            }
            Event::SyncAll => {
                self.settle_names(&vec![true; self.pending.len()]);
                (0..self.nodes.len()).for_each(|inode| self.settle_file(inode));
            }
            Event::Rename(from, to) => {
                let inode = self.find(from).ok_or_else(absent)?;
                let (dir, name) = self.place(from).ok_or_else(absent)?;
                let (goal_dir, goal) = self.place(to).ok_or_else(absent)?;
                // Two names of one file: nothing happens.
                if self.find(to) != Some(inode) {
                    self.rename(Pending {
                        inode,
                        slots: vec![(dir, name, None), (goal_dir, goal, Some(inode))],
                    });
                }
            }
            Event::RemoveFile(path) | Event::RemoveDir(path) => {
                let inode = self.find(path).ok_or_else(absent)?;
                let (dir, name) = self.place(path).ok_or_else(absent)?;
                self.rename(Pending { inode, slots: vec![(dir, name, None)] });
            }
        }
        Ok(())
    }

    /// What is there when the process dies now and the system goes on.
    pub fn killed(&self) -> Image {
        let names = |inode: Inode| match self.nodes.get(inode) {
            Some(Body::Dir { live, .. }) => live.clone(),
            _ => Names::new(),
        };
        let content = |inode: Inode| match self.nodes.get(inode) {
            Some(Body::File { live, .. }) => Some(live.clone()),
            _ => None,
        };
        self.image(&names, &content)
    }

    /// What is there when the power goes now.
    pub fn lost_power(&self, loss: Loss) -> Image {
        let mut random = Random::new(loss.seed);
        let happened = match loss.names {
            LostNames::All => vec![false; self.pending.len()],
            LostNames::None => vec![true; self.pending.len()],
            LostNames::Later => {
                let until = random.below(self.pending.len() + 1);
                (0..self.pending.len()).map(|at| at < until).collect()
            }
            LostNames::Any => {
                let wish = (0..self.pending.len()).map(|_| random.coin()).collect();
                if random.coin() { self.closed(wish) } else { self.possible(wish) }
            }
        };
        let mut dirs: BTreeMap<Inode, Names> = BTreeMap::new();
        for (inode, body) in self.nodes.iter().enumerate() {
            if let Body::Dir { durable, .. } = body {
                dirs.insert(inode, durable.clone());
            }
        }
        for (op, _) in self.pending.iter().zip(&happened).filter(|(_, happened)| **happened) {
            for (dir, name, to) in &op.slots {
                set(dirs.entry(*dir).or_default(), name, *to);
            }
        }
        let contents: Vec<Option<Content>> = self
            .nodes
            .iter()
            .map(|body| match body {
                Body::File { live, durable } => Some(lose(live, durable, loss.bytes, &mut random)),
                _ => None,
            })
            .collect();
        let names = |inode: Inode| dirs.get(&inode).cloned().unwrap_or_default();
        self.image(&names, &|inode| contents.get(inode).cloned().flatten())
    }

    fn add(&mut self, body: Body) -> Inode {
        self.nodes.push(body);
        self.nodes.len() - 1
    }

    fn names(&self, dir: Inode) -> Option<&Names> {
        match self.nodes.get(dir) {
            Some(Body::Dir { live, .. }) => Some(live),
            _ => None,
        }
    }

    fn find(&self, path: &Path) -> Option<Inode> {
        path.iter().try_fold(ROOT, |at, name| self.names(at)?.get(name).copied())
    }

    /// The directory of a path and its name in there.
    fn place(&self, path: &Path) -> Option<(Inode, OsString)> {
        let dir = self.find(path.parent()?)?;
        Some((dir, path.file_name().map(OsStr::to_os_string)?))
    }

    fn file(&mut self, path: &Path) -> Option<&mut Content> {
        let inode = self.find(path)?;
        match self.nodes.get_mut(inode) {
            Some(Body::File { live, .. }) => Some(live),
            _ => None,
        }
    }

    fn rename(&mut self, op: Pending) {
        for (dir, name, to) in &op.slots {
            if let Some(Body::Dir { live, .. }) = self.nodes.get_mut(*dir) {
                set(live, name, *to);
            }
        }
        self.pending.push(op);
    }

    fn settle_file(&mut self, inode: Inode) {
        if let Some(Body::File { live, durable }) = self.nodes.get_mut(inode) {
            *durable = live.clone();
        }
    }

    fn settle_names(&mut self, happened: &[bool]) {
        let pending = std::mem::take(&mut self.pending);
        for (op, &done) in pending.into_iter().zip(happened) {
            if !done {
                self.pending.push(op);
                continue;
            }
            for (dir, name, to) in &op.slots {
                if let Some(Body::Dir { durable, .. }) = self.nodes.get_mut(*dir) {
                    set(durable, name, *to);
                }
            }
        }
    }

    /// With all that these need.
    fn closed(&self, mut happened: Vec<bool>) -> Vec<bool> {
        for (at, later) in self.pending.iter().enumerate().rev() {
            let (before, rest) = happened.split_at_mut(at);
            if rest.first() == Some(&true) {
                for (done, earlier) in before.iter_mut().zip(&self.pending) {
                    *done |= later.needs(earlier);
                }
            }
        }
        happened
    }

    /// Without those that need one which did not happen.
    fn possible(&self, mut happened: Vec<bool>) -> Vec<bool> {
        for (at, later) in self.pending.iter().enumerate() {
            let (before, rest) = happened.split_at_mut(at);
            let possible =
                before.iter().zip(&self.pending).all(|(done, earlier)| *done || !later.needs(earlier));
            if let Some(done) = rest.first_mut() {
                *done &= possible;
            }
        }
        happened
    }

    fn image(&self, names: &dyn Fn(Inode) -> Names, content: &dyn Fn(Inode) -> Option<Content>) -> Image {
        let mut image = Image::default();
        let mut seen = BTreeSet::new();
        let mut dirs = vec![(ROOT, PathBuf::new())];
        while let Some((dir, at)) = dirs.pop() {
            seen.insert(dir);
            for (name, inode) in names(dir) {
                let path = at.join(name);
                let node = match (self.nodes.get(inode), content(inode)) {
                    (Some(Body::Link(target)), _) => Node::Link(target.clone()),
                    (_, Some(Content { bytes, mode, mtime })) => Node::File { inode, bytes, mode, mtime },
                    // A directory has one name; a second would be a mistake of the model.
                    _ if seen.contains(&inode) => continue,
                    _ => {
                        dirs.push((inode, path.clone()));
                        Node::Dir
                    }
                };
                image.0.insert(path, node);
            }
        }
        image
    }
}

fn set(names: &mut Names, name: &OsStr, to: Option<Inode>) {
    match to {
        Some(inode) => drop(names.insert(name.to_os_string(), inode)),
        None => drop(names.remove(name)),
    }
}

/// What a file holds after the power went.
fn lose(live: &Content, durable: &Content, lost: LostBytes, random: &mut Random) -> Content {
    let cut = |len: usize| live.bytes.get(..len).map(Arc::from).unwrap_or_default();
    let zeros = || {
        // What was durable before stays, unless the file was replaced by something else in place.
        let kept = if live.bytes.starts_with(&durable.bytes) { durable.bytes.len() } else { 0 };
        let mut bytes = live.bytes.to_vec();
        bytes[kept..].fill(0);
        Arc::from(bytes)
    };
    match lost {
        _ if live == durable => live.clone(),
        LostBytes::None => live.clone(),
        // Permissions and time are journaled as names are, so they are there although the bytes are not.
        LostBytes::All => Content { bytes: Arc::clone(&durable.bytes), ..live.clone() },
        LostBytes::Zeros => Content { bytes: zeros(), ..live.clone() },
        LostBytes::Any => {
            let bytes = match random.below(4) {
                0 => Arc::clone(&durable.bytes),
                1 => Arc::clone(&live.bytes),
                2 => cut(durable.bytes.len()
                    + random.below(live.bytes.len().saturating_sub(durable.bytes.len()) + 1)),
                _ => zeros(),
            };
            Content { bytes, ..live.clone() }
        }
    }
}
