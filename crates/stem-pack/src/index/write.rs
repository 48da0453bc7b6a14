//! Writing an index from entries that arrive in order.

use std::io::{BufWriter, Write};

use stem_hash::{Algorithm, Checksum, ChecksumHasher, ObjectId};

use super::entry::IndexEntry;
use super::error::{Result, contradiction};
use super::layout::{
    CoveredPack, IndexKind, Layout, MAX_INDEX_ENTRIES, MAX_INDEX_PACKS, Row, bucket_check, bucket_of,
    encode_header, fan_out_bits,
};
use crate::format::{FormatError, Structure};

/// How much is given to the file at a time.
const BUFFER: usize = 256 * 1024;
/// From how many bytes on a bucket is no longer kept together before it is hashed and written.
const LONG_BUCKET: usize = 64 * 1024;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexSummary {
    /// The number of entries.
    pub entries: u64,
    /// The number of different objects.
    pub objects: u64,
    /// The length of the file in bytes.
    pub len: u64,
}

/// Writes an index from front to back. Memory: 8 bytes for each bucket, that is for about 10 entries.
pub(super) struct IndexWriter<W: Write> {
    out: BufWriter<W>,
    header: [u8; super::layout::HEADER_LEN],
    bits: u32,
    /// Rows of the buckets that are complete; the next bucket is the open one.
    rows: Vec<[u8; super::layout::ROW_LEN]>,
    /// What has not been written yet of the open bucket.
    bucket: Vec<u8>,
    /// What has been written of the open bucket, if it is a long one.
    long: Option<ChecksumHasher>,
    entries: u64,
    objects: u64,
    last: Option<(ObjectId, crate::format::Kind, u16, u64)>,
    last_object: Option<ObjectId>,
}

impl<W: Write> IndexWriter<W> {
    /// Begins an index of about `expected` entries.
    pub(super) fn new(out: W, kind: IndexKind, algorithm: Algorithm, expected: u64) -> Result<Self> {
        let header = encode_header(kind, algorithm)?;
        let mut out = BufWriter::with_capacity(BUFFER, out);
        out.write_all(&header)?;
        let bits = fan_out_bits(expected);
        Ok(Self {
            out,
            header,
            bits,
            rows: Vec::with_capacity(1 << bits),
            bucket: Vec::new(),
            long: None,
            entries: 0,
            objects: 0,
            last: None,
            last_object: None,
        })
    }

    /// Appends an entry, which comes after all others in the order of the index.
    pub(super) fn push(&mut self, entry: &IndexEntry) -> Result<()> {
        let key = entry.key();
        if self.last.is_some_and(|last| last >= key) {
            return Err(contradiction("its entries are not in order"));
        }
        self.last = Some(key);
        FormatError::bound(Structure::Index, "number of entries", self.entries + 1, MAX_INDEX_ENTRIES)?;
        self.close_before(u64::from(bucket_of(entry.id.as_bytes(), self.bits)))?;
        self.bucket.extend_from_slice(&entry.encode()?);
        if self.bucket.len() >= LONG_BUCKET {
            self.long.get_or_insert_with(ChecksumHasher::new).update(&self.bucket);
            self.out.write_all(&self.bucket)?;
            self.bucket.clear();
        }
        self.entries += 1;
        if entry.kind.is_object() && self.last_object != Some(entry.id) {
            self.last_object = Some(entry.id);
            self.objects += 1;
        }
        Ok(())
    }

    /// Completes all buckets before this one.
    fn close_before(&mut self, number: u64) -> Result<()> {
        while (self.rows.len() as u64) < number {
            let checksum = match self.long.take() {
                Some(mut long) => {
                    long.update(&self.bucket);
                    long.finish()
                }
                None => Checksum::of(&self.bucket),
            };
            self.out.write_all(&self.bucket)?;
            self.bucket.clear();
            let end = u32::try_from(self.entries).map_err(|_| contradiction("it has too many entries"))?;
            self.rows.push(Row { end, check: bucket_check(checksum) }.encode());
        }
        Ok(())
    }

    /// Writes everything behind the entries and flushes.
    pub(super) fn finish(mut self, packs: &[CoveredPack]) -> Result<IndexSummary> {
        FormatError::bound(Structure::Index, "number of packs", packs.len() as u64, MAX_INDEX_PACKS)?;
        self.close_before(1 << self.bits)?;
        let mut covered = ChecksumHasher::new();
        covered.update(&self.header);
        covered.update(self.rows.as_flattened());
        self.out.write_all(self.rows.as_flattened())?;
        for pack in packs {
            pack.validate()?;
            let row = pack.encode();
            covered.update(&row);
            self.out.write_all(&row)?;
        }
        let layout = Layout {
            entries: self.entries,
            objects: self.objects,
            bits: self.bits,
            packs: u32::try_from(packs.len()).unwrap_or(u32::MAX),
        };
        self.out.write_all(&layout.encode(covered))?;
        self.out.flush()?;
        Ok(IndexSummary {
            entries: layout.entries,
            objects: layout.objects,
            len: layout.tail_offset() + layout.tail_len(),
        })
    }
}
