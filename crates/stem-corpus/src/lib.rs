//! Seeded sessions of stems, MIDI and project files.
//!
//! The demo, the benches and the tests need material that behaves as a session does: stems that audio coding
//! halves and general compression does not, exact silence where an instrument rests, bars that return byte for
//! byte, edits that change a few seconds of a long file, and thousands of small files. Recordings cannot be
//! shipped, and random bytes have none of these properties, so the material is made here.
//!
//! The same seed gives the same bytes on every platform and in every build: all arithmetic is on integers, or on
//! floats with the operations that IEEE 754 defines exactly (`+ - * /` and square root). The maths library is
//! never asked, since its last digit differs from system to system.
//!
//! A [`FileSpec`] is a recipe of a few hundred bytes that knows the exact length of its file before a byte of it
//! exists. [`Session`] lists recipes; [`Session::edited`] is the same session after a working day; [`tree`] writes
//! them below a directory. Everything else writes only to the [`std::io::Write`] that it is handed.
//!
//! ```
//! let session = stem_corpus::Session::demo(7, 1 << 20);
//! let mut bytes = Vec::new();
//! for file in session.files() {
//!     bytes.clear();
//!     file.write_to(&mut bytes)?;
//!     assert_eq!(bytes.len() as u64, file.len);
//! }
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod file;
pub mod midi;
pub mod preset;
mod seed;
pub mod session;
pub mod signal;
pub mod tree;
pub mod wav;

pub use file::{FileSpec, Kind};
pub use session::Session;
