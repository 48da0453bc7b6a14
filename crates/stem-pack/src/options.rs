//! What can be chosen when a store is opened.
//!
//! Nothing here is needed to read: packs say by themselves how each record was made. Two handles with different options
//! may share a store.

use stem_audio::{ChunkParams, CodecLevel, Sizes};
use stem_hash::Algorithm;

/// How bytes are made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Raw,
    /// Everything by zstd at this level, audio too.
    Zstd(i32),
    /// Samples by the audio codecs, everything else by zstd at level `zstd`.
    Audio {
        /// How much time the audio codecs may take.
        samples: CodecLevel,
        /// zstd's level for everything else.
        zstd: i32,
    },
}

impl Default for Compression {
    fn default() -> Self {
        Self::Audio { samples: CodecLevel::Default, zstd: 3 }
    }
}

/// How large objects are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunking {
    /// By content, into chunks of about so many bytes in samples, and a quarter of that in everything else. 4 KiB to
    /// 4 MiB; rounded down to a power of two.
    Average(usize),
    /// Into large blocks of equal length that are not looked for elsewhere: an edit costs the whole file.
    Whole,
}

impl Default for Chunking {
    fn default() -> Self {
        Self::Average(ChunkParams::DEFAULT.samples.average())
    }
}

/// How to open a [`crate::PackStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackOptions {
    /// What makes the ids. `None` takes what the store says, SHA-256 when it says nothing. Another one than the store's
    /// is an error.
    pub algorithm: Option<Algorithm>,
    /// How bytes are made smaller.
    pub compression: Compression,
    /// How large objects are cut.
    pub chunking: Chunking,
    /// Whether small objects that are put together may share a trained dictionary.
    pub dictionary: bool,
    /// From about how many bytes on a pack is closed and another one begun.
    pub pack_limit: u64,
    /// Memory for chunks that ranges were read of, in bytes.
    pub cache: usize,
}

impl Default for PackOptions {
    fn default() -> Self {
        Self {
            algorithm: None,
            compression: Compression::default(),
            chunking: Chunking::default(),
            dictionary: true,
            pack_limit: 1 << 30,
            cache: 16 << 20,
        }
    }
}

/// The longest average that keeps every chunk within what a record may hold.
const LONGEST_AVERAGE: usize = 4 << 20;
/// How much shorter chunks are in bytes that are no samples.
const BYTES_SHARE: usize = ChunkParams::DEFAULT.samples.average() / ChunkParams::DEFAULT.bytes.average();

impl Chunking {
    /// What the chunker is told.
    pub(crate) fn params(self) -> ChunkParams {
        match self {
            Self::Average(average) => {
                let average = average.min(LONGEST_AVERAGE);
                ChunkParams { samples: Sizes::around(average), bytes: Sizes::around(average / BYTES_SHARE) }
            }
            Self::Whole => ChunkParams { samples: Sizes::around(1 << 20), bytes: Sizes::around(1 << 20) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::MAX_CHUNK;

    #[test]
    fn no_chunk_is_longer_than_a_record_may_be() {
        for average in [0, 1 << 12, 1 << 20, 3 << 20, usize::MAX] {
            let params = Chunking::Average(average).params();
            assert!(params.samples.max() as u64 <= MAX_CHUNK && params.bytes.max() as u64 <= MAX_CHUNK);
        }
        assert_eq!(Chunking::default().params(), ChunkParams::DEFAULT);
    }
}
