//! The last record of a pack, by which a complete one is known.

use stem_hash::{Checksum, ChecksumHasher, ObjectId};

use super::field::Field;
use super::{
    Codec, FormatError, Kind, MAX_PACK_LEN, MAX_PACK_RECORDS, PACK_HEADER_LEN, PayloadCheck, Place,
    RECORD_HEADER_LEN, RecordHeader, Result, Structure,
};

const RECORDS: Field<8> = Field::at(0);
const OBJECTS: Field<8> = Field::at(8);
const OFFSET: Field<8> = Field::at(16);
const HEADERS: Field<16> = Field::at(24);
const MAGIC: Field<8> = Field::at(40);

#[cfg(test)]
pub(super) const TABLE: &[(usize, usize)] =
    &[RECORDS.span(), OBJECTS.span(), OFFSET.span(), HEADERS.span(), MAGIC.span()];

const MAGIC_BYTES: [u8; 8] = *b"STEMTAIL";
const HERE: Structure = Structure::Footer;

/// The length of a footer's payload in bytes.
pub const FOOTER_LEN: usize = MAGIC.end();

/// What the footer says of the records before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footer {
    /// Their number.
    pub records: u64,
    /// The number of those that answer for an object.
    pub objects: u64,
    /// Where they end: the offset of the footer's own record header.
    pub offset: u64,
    /// XXH3-128 of the pack's header and of all their headers, in order.
    pub headers: Checksum,
}

impl Footer {
    /// The footer's record, header and payload, in the pack `pack`.
    pub fn encode(&self, pack: super::PackId) -> Result<[u8; RECORD_HEADER_LEN + FOOTER_LEN]> {
        self.validate()?;
        let mut payload = [0; FOOTER_LEN];
        RECORDS.set(&mut payload, self.records.to_le_bytes());
        OBJECTS.set(&mut payload, self.objects.to_le_bytes());
        OFFSET.set(&mut payload, self.offset.to_le_bytes());
        HEADERS.set(&mut payload, self.headers.as_u128().to_le_bytes());
        MAGIC.set(&mut payload, MAGIC_BYTES);
        let header = RecordHeader {
            kind: Kind::Footer,
            codec: Codec::Raw,
            attributes: false,
            dictionary: [0; 4],
            stored_len: FOOTER_LEN as u64,
            raw_len: FOOTER_LEN as u64,
            id: ObjectId::from_bytes([0; 32]),
            payload_check: PayloadCheck::of(&payload),
        }
        .encode(&Place { pack, offset: self.offset })?;
        let mut record = [0; RECORD_HEADER_LEN + FOOTER_LEN];
        record[..RECORD_HEADER_LEN].copy_from_slice(&header);
        record[RECORD_HEADER_LEN..].copy_from_slice(&payload);
        Ok(record)
    }

    /// Reads the payload of the footer whose (sound) record header is `header` and stands at `place`.
    pub fn decode(payload: &[u8; FOOTER_LEN], header: &RecordHeader, place: &Place) -> Result<Self> {
        if PayloadCheck::of(payload) != header.payload_check {
            return Err(FormatError::Check { structure: HERE });
        }
        if MAGIC.get(payload) != MAGIC_BYTES || header.kind != Kind::Footer {
            return Err(FormatError::Magic { structure: HERE });
        }
        let footer = Self {
            records: u64::from_le_bytes(RECORDS.get(payload)),
            objects: u64::from_le_bytes(OBJECTS.get(payload)),
            offset: u64::from_le_bytes(OFFSET.get(payload)),
            headers: Checksum::from_u128(u128::from_le_bytes(HEADERS.get(payload))),
        };
        footer.validate()?;
        if footer.offset != place.offset {
            return Err(FormatError::contradiction(HERE, "it stands elsewhere than it says"));
        }
        Ok(footer)
    }

    fn validate(&self) -> Result<()> {
        FormatError::bound(HERE, "number of records", self.records, MAX_PACK_RECORDS)?;
        FormatError::bound(HERE, "number of objects", self.objects, self.records)?;
        FormatError::bound(HERE, "length of the pack", self.offset, MAX_PACK_LEN)
    }

    /// The length of the whole pack in bytes.
    pub fn pack_len(&self) -> u64 {
        self.offset.saturating_add((RECORD_HEADER_LEN + FOOTER_LEN) as u64)
    }
}

/// Sums up the headers of a pack while it is written or walked.
#[derive(Debug, Clone)]
pub struct FooterBuilder {
    records: u64,
    objects: u64,
    offset: u64,
    headers: ChecksumHasher,
}

impl FooterBuilder {
    /// A pack that so far has a header only.
    pub fn new(header: &[u8; PACK_HEADER_LEN]) -> Self {
        let mut headers = ChecksumHasher::new();
        headers.update(header);
        Self { records: 0, objects: 0, offset: PACK_HEADER_LEN as u64, headers }
    }

    /// Takes a record: its header, and the same as bytes. An error when the pack is full.
    pub fn push(&mut self, header: &RecordHeader, bytes: &[u8; RECORD_HEADER_LEN]) -> Result<()> {
        let end = self.offset.saturating_add(header.record_len());
        FormatError::bound(HERE, "number of records", self.records + 1, MAX_PACK_RECORDS)?;
        FormatError::bound(
            HERE,
            "length of the pack",
            end,
            MAX_PACK_LEN - (RECORD_HEADER_LEN + FOOTER_LEN) as u64,
        )?;
        self.records += 1;
        self.objects += u64::from(header.kind.is_object());
        self.offset = end;
        self.headers.update(bytes);
        Ok(())
    }

    /// Where the next record begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of records so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The footer that may follow now.
    pub fn footer(&self) -> Footer {
        Footer {
            records: self.records,
            objects: self.objects,
            offset: self.offset,
            headers: self.headers.finish(),
        }
    }
}
