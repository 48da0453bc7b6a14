//! What a process that measures is asked, and answers: one line of JSON each, in the version of one program.
//!
//! Paths are relative to the scratch directory, which is where the process runs, so they are plain text whatever the
//! directories of the user are called.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stem_hash::{Checksum, ObjectId};

use crate::model::{Class, ClassTime, Latencies, Operation};
use crate::strategy::Way;

/// A copy of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Item {
    /// Its name, below the directory of the copies.
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) class: Class,
    /// What it is in the store, once it is there.
    pub(crate) digest: Option<Named>,
}

/// What an object is called.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) id: ObjectId,
    pub(crate) checksum: Option<Checksum>,
}

/// What to do, all of it in one process and with one handle of the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The store's URL.
    pub(crate) url: String,
    /// What its location is relative to.
    pub(crate) base: String,
    pub(crate) way: Way,
    pub(crate) operations: Vec<Task>,
    /// The directory of the copies that are stored, and that of those which are compared with.
    pub(crate) from: String,
    pub(crate) pristine: String,
    pub(crate) items: Vec<Item>,
    /// The same of the second version.
    pub(crate) second_from: String,
    pub(crate) second: Vec<Item>,
    /// Where files are written that come back.
    pub(crate) restored: String,
    /// Directories whose files are to be taken out of the system's cache first.
    pub(crate) cool: Vec<String>,
    /// How many ranges are read.
    pub(crate) ranges: u32,
    pub(crate) seed: u64,
}

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Task {
    Put,
    Get,
    Ranges,
    Stat,
    List,
    PutSecond,
    Reclaim,
    /// Removes everything, unmeasured: from a store that no directory of ours holds.
    Clear,
}

/// What a process says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// So many more bytes are done.
    Progress(u64),
    /// Whether the cache was emptied of all that was asked for.
    Cooled(bool),
    /// Everything is stored.
    Stored(Box<Put>),
    /// The operation is done.
    Done(Task, Operation),
    /// How long the files of each class took in the operation whose end is told next.
    Classes(Task, BTreeMap<Class, ClassTime>),
    /// Single reads are done.
    Read(Latencies),
    /// It could not be done.
    Failed {
        reason: String,
        /// For want of room.
        full: bool,
    },
}

/// The answer to a put.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Put {
    pub(crate) task: Task,
    pub(crate) operation: Operation,
    /// In the order of the items.
    pub(crate) digests: Vec<Named>,
    /// What the store says that it takes.
    pub(crate) bytes: Option<u64>,
}
