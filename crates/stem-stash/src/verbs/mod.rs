//! The verbs: one module each, with its options and its result.

pub(crate) mod apply;
pub(crate) mod compare;
pub(crate) mod drop;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod list;
pub(crate) mod planned;
pub(crate) mod push;
pub(crate) mod snapshot;
pub(crate) mod status;
pub(crate) mod undo;
pub(crate) mod verify;

pub use apply::{ApplyOptions, ApplyResult, OnConflict};
pub use compare::InTree;
pub use drop::{ClearResult, DropResult};
pub use import::AddedEntry;
pub use init::init;
pub use list::{EntryRef, ShownEntry, ShownFile};
pub use planned::{Planned, PlannedAction};
pub use push::{PushOptions, PushResult};
pub use snapshot::{SnapshotOptions, SnapshotResult};
pub use status::{Change, ChangeKind, StatusResult};
pub use undo::{EntryMoved, UndoItem, UndoList, UndoOptions, UndoResult};
pub use verify::{BadRecord, Place, Places, References, WorkTreeCheck};
