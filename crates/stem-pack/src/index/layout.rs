//! The parts of an index file beside its entries.

use stem_hash::{Algorithm, Checksum, ChecksumHasher};

use super::entry::INDEX_ENTRY_LEN;
use super::error::{Result, check, contradiction};
use crate::format::field::{Field, first, version_one};
use crate::format::{
    FormatError, MAX_PACK_LEN, PackId, Structure, algorithm_from_number, algorithm_to_number,
};

const MAGIC: Field<8> = Field::at(0);
const VERSION: Field<4> = Field::at(8);
const ALGORITHM: Field<4> = Field::at(12);

const BUCKET_END: Field<4> = Field::at(0);
const BUCKET_CHECK: Field<4> = Field::at(4);

const PACK_ID: Field<16> = Field::at(0);
const PACK_LEN: Field<8> = Field::at(16);
const PACK_END: Field<8> = Field::at(24);
const PACK_HEADERS: Field<16> = Field::at(32);

const ENTRIES: Field<8> = Field::at(0);
const OBJECTS: Field<8> = Field::at(8);
const BITS: Field<4> = Field::at(16);
const PACKS: Field<4> = Field::at(20);
const RESERVED: Field<8> = Field::at(24);
const CHECKSUM: Field<16> = Field::at(32);
const END_MAGIC: Field<8> = Field::at(48);

#[cfg(test)]
pub(super) const HEADER_TABLE: &[(usize, usize)] = &[MAGIC.span(), VERSION.span(), ALGORITHM.span()];
#[cfg(test)]
pub(super) const ROW_TABLE: &[(usize, usize)] = &[BUCKET_END.span(), BUCKET_CHECK.span()];
#[cfg(test)]
pub(super) const PACK_TABLE: &[(usize, usize)] =
    &[PACK_ID.span(), PACK_LEN.span(), PACK_END.span(), PACK_HEADERS.span()];
#[cfg(test)]
pub(super) const TRAILER_TABLE: &[(usize, usize)] = &[
    ENTRIES.span(),
    OBJECTS.span(),
    BITS.span(),
    PACKS.span(),
    RESERVED.span(),
    CHECKSUM.span(),
    END_MAGIC.span(),
];

const END_MAGIC_BYTES: [u8; 8] = *b"STEMIEND";
const HERE: Structure = Structure::Index;

pub(super) const HEADER_LEN: usize = ALGORITHM.end();
pub(super) const ROW_LEN: usize = BUCKET_CHECK.end();
pub(super) const PACK_ROW_LEN: usize = PACK_HEADERS.end();
pub(super) const TRAILER_LEN: usize = END_MAGIC.end();
/// What the trailer's checksum covers of the trailer.
const COVERED: usize = CHECKSUM.end() - 16;

/// How many bits of an id the fan-out goes by at most.
pub const MAX_FAN_OUT_BITS: u32 = 24;
/// The most entries of an index.
pub const MAX_INDEX_ENTRIES: u64 = u32::MAX as u64;
/// The most packs under one index.
pub const MAX_INDEX_PACKS: u64 = u16::MAX as u64;
/// How many entries a bucket has on average at most.
const PER_BUCKET: u64 = 16;

/// Which of the two files an index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexKind {
    /// The index of one pack.
    Pack,
    /// The index over several packs.
    Multi,
}

impl IndexKind {
    const fn magic(self) -> [u8; 8] {
        match self {
            Self::Pack => *b"STEMPIDX",
            Self::Multi => *b"STEMMIDX",
        }
    }
}

/// The bytes of the header.
pub(super) fn encode_header(kind: IndexKind, algorithm: Algorithm) -> Result<[u8; HEADER_LEN]> {
    let number =
        algorithm_to_number(algorithm).ok_or_else(|| contradiction("the algorithm has no number"))?;
    let mut bytes = [0; HEADER_LEN];
    MAGIC.set(&mut bytes, kind.magic());
    VERSION.set(&mut bytes, 1u32.to_le_bytes());
    ALGORITHM.set(&mut bytes, u32::from(number).to_le_bytes());
    Ok(bytes)
}

/// Reads the header of an index of this kind.
pub(super) fn decode_header(bytes: &[u8; HEADER_LEN], kind: IndexKind) -> Result<Algorithm> {
    if MAGIC.get(bytes) != kind.magic() {
        return Err(FormatError::Magic { structure: HERE }.into());
    }
    version_one(u32::from_le_bytes(VERSION.get(bytes)), HERE)?;
    Ok(algorithm_from_number(u32::from_le_bytes(ALGORITHM.get(bytes)), HERE)?)
}

/// The number of the bucket of an id.
pub(super) fn bucket_of(id: &[u8; 32], bits: u32) -> u32 {
    let [a, b, c, d, ..] = *id;
    let high = u64::from(u32::from_be_bytes([a, b, c, d]));
    // A shift by 32, for no bits, is one of a 64-bit number and leaves nothing.
    u32::try_from(high >> 32u32.saturating_sub(bits)).unwrap_or(0)
}

/// How many bits the fan-out of so many entries goes by.
pub(super) fn fan_out_bits(entries: u64) -> u32 {
    (0..MAX_FAN_OUT_BITS).find(|bits| entries >> bits <= PER_BUCKET).unwrap_or(MAX_FAN_OUT_BITS)
}

/// One row of the fan-out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// The number of entries in this bucket and before it.
    pub end: u32,
    /// The check of the bucket's bytes.
    pub check: u32,
}

impl Row {
    pub(super) fn encode(self) -> [u8; ROW_LEN] {
        let mut bytes = [0; ROW_LEN];
        BUCKET_END.set(&mut bytes, self.end.to_le_bytes());
        BUCKET_CHECK.set(&mut bytes, self.check.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; ROW_LEN]) -> Self {
        Self {
            end: u32::from_le_bytes(BUCKET_END.get(bytes)),
            check: u32::from_le_bytes(BUCKET_CHECK.get(bytes)),
        }
    }
}

/// The check of a bucket.
pub(super) fn bucket_check(checksum: Checksum) -> u32 {
    u32::from_le_bytes(Field::<4>::at(0).get(&checksum.as_u128().to_le_bytes()))
}

/// A pack that an index covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoveredPack {
    /// Its id.
    pub id: PackId,
    /// The length of its file in bytes.
    pub len: u64,
    /// Up to which offset its records are in the index: that of its footer, or where a torn pack ends.
    pub end: u64,
    /// XXH3-128 of its header and of the headers of those records.
    pub headers: Checksum,
}

impl CoveredPack {
    pub(super) fn encode(&self) -> [u8; PACK_ROW_LEN] {
        let mut bytes = [0; PACK_ROW_LEN];
        PACK_ID.set(&mut bytes, *self.id.as_bytes());
        PACK_LEN.set(&mut bytes, self.len.to_le_bytes());
        PACK_END.set(&mut bytes, self.end.to_le_bytes());
        PACK_HEADERS.set(&mut bytes, self.headers.as_u128().to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; PACK_ROW_LEN]) -> Self {
        Self {
            id: PackId::from_bytes(PACK_ID.get(bytes)),
            len: u64::from_le_bytes(PACK_LEN.get(bytes)),
            end: u64::from_le_bytes(PACK_END.get(bytes)),
            headers: Checksum::from_u128(u128::from_le_bytes(PACK_HEADERS.get(bytes))),
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        FormatError::bound(HERE, "length of a pack", self.len, MAX_PACK_LEN)?;
        Ok(FormatError::bound(HERE, "indexed part of a pack", self.end, self.len)?)
    }
}

/// The numbers that say where everything is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub entries: u64,
    pub objects: u64,
    pub bits: u32,
    pub packs: u32,
}

impl Layout {
    /// Where the fan-out begins, which is where the entries end.
    pub(super) fn tail_offset(&self) -> u64 {
        HEADER_LEN as u64 + self.entries * INDEX_ENTRY_LEN as u64
    }

    /// The length of the fan-out.
    pub(super) fn fan_out_len(&self) -> u64 {
        (ROW_LEN as u64) << self.bits
    }

    /// The length of fan-out, pack table and trailer.
    pub(super) fn tail_len(&self) -> u64 {
        self.fan_out_len() + u64::from(self.packs) * PACK_ROW_LEN as u64 + TRAILER_LEN as u64
    }

    /// The trailer; `covered` has seen everything that its checksum covers before it.
    pub(super) fn encode(&self, mut covered: ChecksumHasher) -> [u8; TRAILER_LEN] {
        let mut bytes = [0; TRAILER_LEN];
        ENTRIES.set(&mut bytes, self.entries.to_le_bytes());
        OBJECTS.set(&mut bytes, self.objects.to_le_bytes());
        BITS.set(&mut bytes, self.bits.to_le_bytes());
        PACKS.set(&mut bytes, self.packs.to_le_bytes());
        covered.update(&bytes[..COVERED]);
        CHECKSUM.set(&mut bytes, covered.finish().as_u128().to_le_bytes());
        END_MAGIC.set(&mut bytes, END_MAGIC_BYTES);
        bytes
    }

    /// Reads the numbers of a trailer. They are bounded, and in a file of `len` bytes there is room for what they
    /// describe; whether they are true, [`Self::check`] says.
    pub(super) fn decode(bytes: &[u8; TRAILER_LEN], len: u64) -> Result<Self> {
        if END_MAGIC.get(bytes) != END_MAGIC_BYTES {
            return Err(FormatError::Magic { structure: HERE }.into());
        }
        RESERVED.is_reserved(bytes, HERE)?;
        let layout = Self {
            entries: u64::from_le_bytes(ENTRIES.get(bytes)),
            objects: u64::from_le_bytes(OBJECTS.get(bytes)),
            bits: u32::from_le_bytes(BITS.get(bytes)),
            packs: u32::from_le_bytes(PACKS.get(bytes)),
        };
        FormatError::bound(HERE, "number of entries", layout.entries, MAX_INDEX_ENTRIES)?;
        FormatError::bound(HERE, "number of objects", layout.objects, layout.entries)?;
        FormatError::bound(HERE, "bits of the fan-out", layout.bits.into(), MAX_FAN_OUT_BITS.into())?;
        FormatError::bound(HERE, "number of packs", layout.packs.into(), MAX_INDEX_PACKS)?;
        let expected = layout.tail_offset() + layout.tail_len();
        if expected != len {
            return Err(FormatError::Length { structure: HERE, found: len, expected }.into());
        }
        Ok(layout)
    }

    /// Checks everything of the tail (fan-out, pack table, trailer) that a lookup relies on.
    pub(super) fn check(&self, header: &[u8; HEADER_LEN], tail: &[u8], kind: IndexKind) -> Result<()> {
        let Some((before, trailer)) = tail.split_last_chunk::<TRAILER_LEN>() else {
            return Err(contradiction("it has no trailer"));
        };
        let mut covered = ChecksumHasher::new();
        covered.update(header);
        covered.update(before);
        covered.update(&trailer[..COVERED]);
        if covered.finish().as_u128().to_le_bytes() != CHECKSUM.get(trailer) {
            return Err(check());
        }
        let (rows, packs) = self.split(before);
        if rows.len() as u64 != 1 << self.bits || packs.len() as u64 != u64::from(self.packs) {
            return Err(contradiction("its parts have other lengths than it says"));
        }
        let mut last = 0;
        for row in rows {
            let end = Row::decode(row).end;
            if end < last {
                return Err(contradiction("the fan-out falls"));
            }
            last = end;
        }
        if u64::from(last) != self.entries {
            return Err(contradiction("the fan-out does not end at the last entry"));
        }
        if kind == IndexKind::Pack && packs.len() != 1 {
            return Err(contradiction("it is of one pack and does not name one"));
        }
        packs.iter().try_for_each(|row| CoveredPack::decode(row).validate())
    }

    /// Splits a tail into the rows of the fan-out and of the pack table; whole rows only, as many as there are.
    pub(super) fn split<'a>(&self, tail: &'a [u8]) -> (&'a [[u8; ROW_LEN]], &'a [[u8; PACK_ROW_LEN]]) {
        let fan_out = usize::try_from(self.fan_out_len()).unwrap_or(usize::MAX);
        let (rows, rest) = tail.split_at_checked(fan_out).unwrap_or_default();
        let (packs, _) = rest.as_chunks();
        let count = usize::try_from(self.packs).unwrap_or(usize::MAX);
        (rows.as_chunks().0, packs.get(..count).unwrap_or_default())
    }
}

/// The first bytes of a file as its header.
pub(super) fn header_of(bytes: &[u8]) -> Result<&[u8; HEADER_LEN]> {
    Ok(first(bytes, HERE)?)
}
