//! What a disk holds after a crash: the model behind crash sweeps.
//!
//! A [`Recorder`] watches one real run through the seam of `stem-fs` and keeps every change with its bytes. A [`Disk`]
//! replays those changes and keeps two states: what every process saw, and what the medium was sure to hold. From it
//! come the [`Image`]s of a crash after any change: [`Disk::killed`], where the process died and the system went on, and
//! [`Disk::lost_power`], where a [`Loss`] says what of the unsynced changes reached the medium. An image is built into an
//! empty directory and opened like any repository.
//!
//! What the model assumes of a file system, and what it does not (`docs/durability.md` says it to users):
//!
//! - bytes of a file that no flush covers may be whole, missing, cut anywhere, or zeros; its permissions and times are
//!   kept with names, in the journal, and are there when its name is;
//! - a created, renamed or removed name that no flush of its directory covers may be there or not, independently of all
//!   others but these: changes of one file or of one name keep their order, and nothing reaches a directory that does
//!   not;
//! - a rename is there or not: never both names, never none;
//! - a flush of a file says nothing about its name, one of a directory nothing about its files' bytes.
//!
//! That is weaker than what ext4, XFS, btrfs and F2FS do, whose journals keep more order than this. Rejected: taking
//! images from a real file system below a recording block device, which shows what one kernel did and needs root;
//! `tests/scripts/power-cut.sh` does it besides. A run that dies for good at change N, as
//! [`FaultPlan::kill_at`](crate::FaultPlan::kill_at) has it, repeats the run for each N, and knows nothing of power.

mod disk;
mod image;
mod random;
mod recorder;

pub use disk::{Disk, Loss, LostBytes, LostNames};
pub use image::{Image, Node};
pub use random::Random;
pub use recorder::{Event, Recorder};
