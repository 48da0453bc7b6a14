//! The verbs: one module each, with its options and its result.

pub(crate) mod apply;
pub(crate) mod drop;
pub(crate) mod init;
pub(crate) mod list;
pub(crate) mod push;
pub(crate) mod snapshot;
pub(crate) mod status;

pub use apply::{ApplyOptions, ApplyResult};
pub use drop::{ClearResult, DropResult};
pub use init::init;
pub use list::{EntryRef, ShownEntry, ShownFile};
pub use push::{PushOptions, PushResult};
pub use snapshot::{SnapshotOptions, SnapshotResult};
pub use status::{Change, ChangeKind, StatusResult};
