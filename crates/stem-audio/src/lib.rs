//! Audio as bytes: container structure, sample-aligned chunking and lossless coding of samples.
//!
//! Every function here is a pure one: bytes in, bytes or facts out, whatever the bytes are. Nothing is ever repaired or
//! refused: what is no audio is just bytes, and what a codec cannot make smaller stays as it was.
//!
//! An object is [probed](probe) by its head, cut into chunks by a [`Chunker`] or by [`cut_all`], and each chunk of
//! samples is handed to [`codec::encode`].

pub mod checks;
pub mod chunk;
pub mod codec;
pub mod container;
pub mod flac;
mod format;
pub mod pcm;

pub use chunk::{ChunkParams, Chunker, Piece, PieceKind, Sizes, cut_all};
pub use codec::{CodecLevel, DecodeError, SampleCodec, Scratch};
pub use container::{Audio, HEAD_LEN, probe};
pub use format::{Encoding, MAX_CHANNELS, SampleFormat};
