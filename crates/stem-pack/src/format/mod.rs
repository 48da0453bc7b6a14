//! The bytes of packs: headers, records, chunk lists, metadata, tombstones.
//!
//! Everything here is pure: bytes in, [`Result`] out, no file is opened. The formats are described in
//! `docs/format/pack.md`, whose tables a test compares with the constants here.
//!
//! Structures have a fixed layout and are read in place, field by field, from arrays of their own size: that needs neither
//! `unsafe` nor a copy, does not depend on alignment or on the machine's byte order, and cannot read beyond the end. Casting
//! mapped bytes to `#[repr(C)]` structs was rejected for the opposite of each. Self-describing encodings (CBOR, protobuf)
//! were rejected for what is read millions of times; the metadata block, read by people, is bincode.

mod attributes;
mod chunk_list;
mod error;
pub(crate) mod field;
mod footer;
mod header;
mod meta;
mod record;
mod removed;

#[cfg(test)]
pub(crate) mod document_tests;
#[cfg(test)]
mod hostile_tests;

pub use attributes::{ATTRIBUTES_LEN, Attributes};
pub use chunk_list::{
    CHUNK_ENTRY_LEN, CHUNK_LIST_HEADER_LEN, ChunkEntry, ChunkList, ChunkListBuilder, ChunkListHeader,
    EncodedChunkList, MAX_CHUNKS,
};
pub use error::{FormatError, Structure};
pub use footer::{FOOTER_LEN, Footer, FooterBuilder};
pub use header::{PACK_HEADER_LEN, PackHeader, PackId};
pub use meta::{MAX_METADATA, METADATA_HEADER_LEN, Metadata};
pub use record::{
    Codec, Kind, MAX_CHUNK, MAX_DICTIONARY, MAX_OBJECT, MAX_PACK_LEN, MAX_PACK_RECORDS, PayloadCheck,
    PayloadHasher, Place, RECORD_HEADER_LEN, RecordHeader, chunk_id, dictionary_tag,
};
pub use removed::{MAX_REMOVED, Removed, encode_removed, removed_len_limit};

use stem_hash::Algorithm;

/// The result of decoding.
pub type Result<T> = std::result::Result<T, FormatError>;

/// The number of an algorithm on disk.
pub(crate) fn algorithm_to_number(algorithm: Algorithm) -> Option<u8> {
    match algorithm {
        Algorithm::Sha256 => Some(1),
        Algorithm::Blake3 => Some(2),
        _ => None,
    }
}

/// The algorithm of a number on disk.
pub(crate) fn algorithm_from_number(number: u32, structure: Structure) -> Result<Algorithm> {
    match number {
        1 => Ok(Algorithm::Sha256),
        2 => Ok(Algorithm::Blake3),
        _ => Err(FormatError::Unknown { structure, what: "hash algorithm", value: number.into() }),
    }
}
