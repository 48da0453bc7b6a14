//! The index of one pack, from its records in any order.

use std::io::Write;

use stem_hash::Algorithm;

use super::entry::IndexEntry;
use super::error::Result;
use super::layout::{CoveredPack, IndexKind};
use super::write::{IndexSummary, IndexWriter};
use crate::format::{FormatError, MAX_PACK_RECORDS, RecordHeader, Structure};

/// Collects the records of a pack while it is written or walked, and writes its index.
///
/// Memory: 64 bytes for each record, of which a pack has at most [`MAX_PACK_RECORDS`]: 32 MiB.
#[derive(Debug, Clone)]
pub struct IndexBuilder {
    algorithm: Algorithm,
    entries: Vec<IndexEntry>,
}

impl IndexBuilder {
    /// The index of a pack without records, in a store of these ids.
    pub fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, entries: Vec::new() }
    }

    /// Takes the record whose header stands at `offset`; those of kinds that are not indexed are passed over.
    pub fn push(&mut self, header: &RecordHeader, offset: u64) -> Result<()> {
        if header.kind.is_indexed() {
            let count = self.entries.len() as u64 + 1;
            FormatError::bound(Structure::Index, "number of records", count, MAX_PACK_RECORDS)?;
            self.entries.push(IndexEntry::new(header, 0, offset));
        }
        Ok(())
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Writes the index, front to back. Durability and name are the caller's.
    pub fn write(mut self, pack: &CoveredPack, out: &mut dyn Write) -> Result<IndexSummary> {
        self.entries.sort_unstable_by_key(IndexEntry::key);
        let count = self.entries.len() as u64;
        let mut writer = IndexWriter::new(out, IndexKind::Pack, self.algorithm, count)?;
        for entry in &self.entries {
            writer.push(entry)?;
        }
        writer.finish(std::slice::from_ref(pack))
    }

    /// The bytes of the index.
    pub fn to_bytes(self, pack: &CoveredPack) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.write(pack, &mut bytes)?;
        Ok(bytes)
    }
}
