//! Object ids and hashing at the speed of the hardware.
//!
//! Everything that turns bytes into names is here: the [`ObjectId`] with its one spelling, the
//! [`Checksum`] beside it, the incremental [`Hasher`], and the hashing of whole files, one
//! ([`hash_file`]) or many ([`hash_many`]).
//!
//! SHA-256 is the binding cost of storing stems, so that is where the care went. One stream of it waits
//! for the latency of the instructions; two streams, interleaved on one core, do not. [`hash_many`]
//! therefore hashes two files per thread, largest first, and refills each of the two lanes as its file
//! ends. The checksum is taken of each piece while that is in the cache.
//!
//! Files are mapped only where the caller says that nobody can truncate them (see [`FileJob`]), and read
//! elsewhere. A [`Mapping`] shows a whole file of a store's own, for tables that are searched in place.

mod buffer;
mod checksum;
mod file;
mod hasher;
mod id;
mod lane;
mod many;
mod map;
mod sha256;
mod window;

pub use checksum::{Checksum, ChecksumHasher};
pub use file::{FileJob, HashFile, HashOptions, MAP_WINDOW, hash_file};
pub use hasher::{Digest, Hasher, hash_reader};
pub use id::{Algorithm, HEX_LEN, HexId, IdError, IdPrefix, ObjectId, UnknownAlgorithm};
pub use many::{Cancelled, HashObserver, HashSource, Silent, hash_many};
pub use map::Mapping;
