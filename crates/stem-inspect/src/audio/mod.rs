//! Audio: what a recording is like, and what was done to it.

mod align;
pub(crate) mod change;
mod decode;
mod describe;
mod difference;
mod level;
mod loudness;
pub(crate) mod pcm;

pub use change::{AudioChange, AudioDifference, ChangedSpan, Edit, EditKind, Residual, Treatment};
pub use decode::damage_in;
pub use describe::{AudioFacts, Silence, describe};
pub use difference::difference;
pub use level::Decibels;
pub use pcm::{Opened, Pcm, open};
