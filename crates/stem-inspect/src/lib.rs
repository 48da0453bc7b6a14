//! What a file of a session holds, and how two of them differ, in the words of whoever made them.
//!
//! Pure functions over bytes that can be read by position. Nothing here knows of a store, a stash or a working tree, and
//! nothing is written. Memory does not grow with the size of the files.
//!
//! Every fact and every difference has `summary()`, one short line, and serialises by serde under names that
//! `docs/inspect.md` lists.

pub mod audio;
mod chunks;
mod draw;
mod inspect;
mod limits;
pub mod midi;
pub mod page;
mod plain;
pub mod project;
mod sequence;
mod source;
pub mod text;
pub mod words;

pub use chunks::Share;
pub use draw::{Clip, MAX_COLUMNS, clip, residual_waveform, waveform};
pub use inspect::{Description, Difference, Facts, compare, describe};
pub use limits::Limits;
pub use source::{ReadAt, read_full, read_whole};
