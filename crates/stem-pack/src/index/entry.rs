//! One entry of an index.

use stem_hash::ObjectId;

use super::error::{Result, contradiction};
use crate::format::field::Field;
use crate::format::{Codec, FormatError, Kind, RecordHeader, Structure};

const ID: Field<32> = Field::at(0);
const OFFSET: Field<8> = Field::at(32);
const RAW_LEN: Field<8> = Field::at(40);
const STORED_LEN: Field<4> = Field::at(48);
const KIND: Field<1> = Field::at(52);
const CODEC: Field<1> = Field::at(53);
const PACK: Field<2> = Field::at(54);

#[cfg(test)]
pub(super) const TABLE: &[(usize, usize)] =
    &[ID.span(), OFFSET.span(), RAW_LEN.span(), STORED_LEN.span(), KIND.span(), CODEC.span(), PACK.span()];

/// The length of an entry in bytes.
pub const INDEX_ENTRY_LEN: usize = PACK.end();

/// What is looked for under an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Want {
    /// Anything.
    Any,
    /// An object, whole or as a list of its chunks.
    Object,
    /// A chunk.
    Chunk,
    /// A dictionary.
    Dictionary,
}

impl Want {
    /// Whether a record of this kind is wanted.
    pub const fn accepts(self, kind: Kind) -> bool {
        match self {
            Self::Any => true,
            Self::Object => kind.is_object(),
            Self::Chunk => matches!(kind, Kind::Chunk),
            Self::Dictionary => matches!(kind, Kind::Dictionary),
        }
    }
}

/// Where a record is, and what the index says of it.
///
/// Ordered as in the index: by id, kind, pack and offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexEntry {
    /// The record's id.
    pub id: ObjectId,
    /// What the record is.
    pub kind: Kind,
    /// How its payload was made.
    pub codec: Codec,
    /// The number of its pack in the index's table.
    pub pack: u16,
    /// The offset of its header in the pack.
    pub offset: u64,
    /// Its raw length; for an object, the object's length.
    pub raw_len: u64,
    stored_len: u32,
}

impl IndexEntry {
    /// The entry of the record with this header at `offset` of pack number `pack`.
    pub fn new(header: &RecordHeader, pack: u16, offset: u64) -> Self {
        Self {
            id: header.id,
            kind: header.kind,
            codec: header.codec,
            pack,
            offset,
            raw_len: header.raw_len,
            stored_len: u32::try_from(header.stored_len).unwrap_or(u32::MAX),
        }
    }

    /// The length of the payload, where the index knows it: below 4 GiB, and so for all but chunk lists of very
    /// large objects.
    pub fn stored_len(&self) -> Option<u64> {
        (self.stored_len < u32::MAX).then_some(u64::from(self.stored_len))
    }

    /// Whether the entry tells the truth about the record whose header stands at its offset.
    pub fn agrees_with(&self, header: &RecordHeader) -> bool {
        *self == Self::new(header, self.pack, self.offset)
    }

    /// The same entry where its pack has this number.
    pub(super) fn in_pack(self, pack: u16) -> Self {
        Self { pack, ..self }
    }

    /// By what the entries of an index are sorted.
    pub(super) fn key(&self) -> (ObjectId, Kind, u16, u64) {
        (self.id, self.kind, self.pack, self.offset)
    }

    pub(super) fn encode(&self) -> Result<[u8; INDEX_ENTRY_LEN]> {
        let codec = self.codec.number().ok_or_else(|| contradiction("a codec has no number"))?;
        let mut bytes = [0; INDEX_ENTRY_LEN];
        ID.set(&mut bytes, *self.id.as_bytes());
        OFFSET.set(&mut bytes, self.offset.to_le_bytes());
        RAW_LEN.set(&mut bytes, self.raw_len.to_le_bytes());
        STORED_LEN.set(&mut bytes, self.stored_len.to_le_bytes());
        KIND.set(&mut bytes, [self.kind.number()]);
        CODEC.set(&mut bytes, [codec]);
        PACK.set(&mut bytes, self.pack.to_le_bytes());
        Ok(bytes)
    }

    /// Reads an entry of an index over `packs` packs.
    pub(super) fn decode(bytes: &[u8; INDEX_ENTRY_LEN], packs: u32) -> Result<Self> {
        let [kind] = KIND.get(bytes);
        let kind = Kind::from_number(kind).filter(|kind| kind.is_indexed());
        let Some(kind) = kind else {
            let [value] = KIND.get(bytes);
            return Err(FormatError::Unknown {
                structure: Structure::Index,
                what: "kind of record",
                value: value.into(),
            }
            .into());
        };
        let pack = u16::from_le_bytes(PACK.get(bytes));
        if u32::from(pack) >= packs {
            return Err(contradiction("an entry is of a pack that is not in the table"));
        }
        let [codec] = CODEC.get(bytes);
        Ok(Self {
            id: ObjectId::from_bytes(ID.get(bytes)),
            kind,
            codec: Codec::from_number(codec),
            pack,
            offset: u64::from_le_bytes(OFFSET.get(bytes)),
            raw_len: u64::from_le_bytes(RAW_LEN.get(bytes)),
            stored_len: u32::from_le_bytes(STORED_LEN.get(bytes)),
        })
    }

    /// The id of an entry that is not decoded otherwise.
    pub(super) fn id_of(bytes: &[u8; INDEX_ENTRY_LEN]) -> [u8; 32] {
        ID.get(bytes)
    }
}
