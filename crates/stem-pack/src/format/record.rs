//! What stands before each payload of a pack.

use stem_hash::{Algorithm, Checksum, ChecksumHasher, Hasher, ObjectId};

use super::field::{Field, check64, upper};
use super::{
    ATTRIBUTES_LEN, CHUNK_ENTRY_LEN, CHUNK_LIST_HEADER_LEN, FOOTER_LEN, FormatError, MAX_CHUNKS,
    MAX_METADATA, METADATA_HEADER_LEN, PackId, Result, Structure,
};

const MAGIC: Field<1> = Field::at(0);
const KIND: Field<1> = Field::at(1);
const CODEC: Field<1> = Field::at(2);
const FLAGS: Field<1> = Field::at(3);
const DICTIONARY: Field<4> = Field::at(4);
const STORED_LEN: Field<8> = Field::at(8);
const RAW_LEN: Field<8> = Field::at(16);
const ID: Field<32> = Field::at(24);
const PAYLOAD_CHECK: Field<8> = Field::at(56);
const HEADER_CHECK: Field<8> = Field::at(64);

#[cfg(test)]
pub(super) const TABLE: &[(usize, usize)] = &[
    MAGIC.span(),
    KIND.span(),
    CODEC.span(),
    FLAGS.span(),
    DICTIONARY.span(),
    STORED_LEN.span(),
    RAW_LEN.span(),
    ID.span(),
    PAYLOAD_CHECK.span(),
    HEADER_CHECK.span(),
];

const MAGIC_BYTE: u8 = 0xa5;
const FLAG_ATTRIBUTES: u8 = 1;
const HERE: Structure = Structure::RecordHeader;
const COVERED: usize = HEADER_CHECK.end() - 8;

/// The length of a record's header in bytes.
pub const RECORD_HEADER_LEN: usize = HEADER_CHECK.end();
/// The most raw bytes of an object that is stored whole, and of a chunk: 16 MiB.
pub const MAX_CHUNK: u64 = 16 << 20;
/// The largest dictionary: 1 MiB.
pub const MAX_DICTIONARY: u64 = 1 << 20;
/// The largest object in bytes.
pub const MAX_OBJECT: u64 = i64::MAX as u64;
/// The longest pack in bytes.
pub const MAX_PACK_LEN: u64 = 1 << 48;
/// The most records of a pack, its footer not counted.
pub const MAX_PACK_RECORDS: u64 = 1 << 19;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// An object, whole.
    Object = 1,
    /// A chunk, named by the BLAKE3 of its bytes.
    Chunk = 2,
    /// An object as the list of its chunks.
    ChunkList = 3,
    /// A zstd dictionary, named by its BLAKE3.
    Dictionary = 4,
    /// Who wrote the pack.
    Metadata = 5,
    /// The end of the pack.
    Footer = 6,
}

impl Kind {
    /// The number on disk.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind of a number on disk.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Object),
            2 => Some(Self::Chunk),
            3 => Some(Self::ChunkList),
            4 => Some(Self::Dictionary),
            5 => Some(Self::Metadata),
            6 => Some(Self::Footer),
            _ => None,
        }
    }

    /// Whether a record of this kind answers for an object.
    pub const fn is_object(self) -> bool {
        matches!(self, Self::Object | Self::ChunkList)
    }

    /// Whether records of this kind have an id and stand in the index.
    pub const fn is_indexed(self) -> bool {
        matches!(self, Self::Object | Self::Chunk | Self::ChunkList | Self::Dictionary)
    }
}

/// How a payload was made from the raw bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// As they are.
    Raw,
    /// One zstd frame.
    Zstd,
    /// One zstd frame made with a dictionary.
    ZstdDictionary,
    /// The sample codec of `stem-audio` with this number, 0 to 15.
    Sample(u8),
    /// A codec that this version does not know; its payloads cannot be read.
    Other(u8),
}

/// The first number of the sample codecs, and how many there are.
const SAMPLE: u8 = 16;
const SAMPLES: u8 = 16;

impl Codec {
    /// The number on disk; `None` for a sample codec beyond the numbers that are set aside for them.
    pub const fn number(self) -> Option<u8> {
        match self {
            Self::Raw => Some(0),
            Self::Zstd => Some(1),
            Self::ZstdDictionary => Some(2),
            Self::Sample(number) if number < SAMPLES => Some(SAMPLE + number),
            Self::Sample(_) => None,
            Self::Other(number) => Some(number),
        }
    }

    /// The codec of a number on disk.
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Raw,
            1 => Self::Zstd,
            2 => Self::ZstdDictionary,
            SAMPLE..32 => Self::Sample(number - SAMPLE),
            _ => Self::Other(number),
        }
    }
}

/// Where a record stands; its header is bound to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The pack.
    pub pack: PackId,
    /// The offset of the record's header in the file.
    pub offset: u64,
}

/// XXH3-64h of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadCheck(u64);

impl PayloadCheck {
    /// The check of these bytes.
    pub fn of(payload: &[u8]) -> Self {
        Self(check64(payload))
    }
}

/// Computes a [`PayloadCheck`] piece by piece.
#[derive(Debug, Clone, Default)]
pub struct PayloadHasher(ChecksumHasher);

impl PayloadHasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the payload.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The check of everything seen so far.
    pub fn finish(&self) -> PayloadCheck {
        PayloadCheck(upper(self.0.finish()))
    }
}

/// The id of a chunk or dictionary: BLAKE3 of its bytes.
pub fn chunk_id(raw: &[u8]) -> ObjectId {
    let mut hasher = Hasher::new(Algorithm::Blake3);
    hasher.update(raw);
    hasher.finish().id
}

/// How a record header names the dictionary with this id.
pub fn dictionary_tag(dictionary: &ObjectId) -> [u8; 4] {
    let [a, b, c, d, ..] = *dictionary.as_bytes();
    [a, b, c, d]
}

/// What stands before each payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// What the record is.
    pub kind: Kind,
    /// How the payload was made.
    pub codec: Codec,
    /// Whether the payload begins with [`super::Attributes`].
    pub attributes: bool,
    /// The [`dictionary_tag`] of the dictionary that the codec needs; zero otherwise.
    pub dictionary: [u8; 4],
    /// The length of the payload in bytes.
    pub stored_len: u64,
    /// The length of what the payload stands for, in bytes; see the table of kinds.
    pub raw_len: u64,
    /// The id; zero for metadata and footer.
    pub id: ObjectId,
    /// The check of the payload.
    pub payload_check: PayloadCheck,
}

impl RecordHeader {
    /// The bytes of the header at this place; an error if no reader would accept them.
    pub fn encode(&self, place: &Place) -> Result<[u8; RECORD_HEADER_LEN]> {
        self.validate()?;
        let Some(codec) = self.codec.number() else {
            return Err(FormatError::contradiction(HERE, "the codec has no number"));
        };
        let mut bytes = [0; RECORD_HEADER_LEN];
        MAGIC.set(&mut bytes, [MAGIC_BYTE]);
        KIND.set(&mut bytes, [self.kind.number()]);
        CODEC.set(&mut bytes, [codec]);
        FLAGS.set(&mut bytes, [if self.attributes { FLAG_ATTRIBUTES } else { 0 }]);
        DICTIONARY.set(&mut bytes, self.dictionary);
        STORED_LEN.set(&mut bytes, self.stored_len.to_le_bytes());
        RAW_LEN.set(&mut bytes, self.raw_len.to_le_bytes());
        ID.set(&mut bytes, *self.id.as_bytes());
        PAYLOAD_CHECK.set(&mut bytes, self.payload_check.0.to_le_bytes());
        let check = header_check(&bytes, place);
        HEADER_CHECK.set(&mut bytes, check.to_le_bytes());
        Ok(bytes)
    }

    /// Reads the header that stands at this place.
    pub fn decode(bytes: &[u8; RECORD_HEADER_LEN], place: &Place) -> Result<Self> {
        if MAGIC.get(bytes) != [MAGIC_BYTE] {
            return Err(FormatError::Magic { structure: HERE });
        }
        if header_check(bytes, place).to_le_bytes() != HEADER_CHECK.get(bytes) {
            return Err(FormatError::Check { structure: HERE });
        }
        let [kind] = KIND.get(bytes);
        let kind = Kind::from_number(kind).ok_or(FormatError::Unknown {
            structure: HERE,
            what: "kind of record",
            value: kind.into(),
        })?;
        let [codec] = CODEC.get(bytes);
        let [flags] = FLAGS.get(bytes);
        if flags & !FLAG_ATTRIBUTES != 0 {
            return Err(FormatError::Unknown { structure: HERE, what: "flag", value: flags.into() });
        }
        let header = Self {
            kind,
            codec: Codec::from_number(codec),
            attributes: flags & FLAG_ATTRIBUTES != 0,
            dictionary: DICTIONARY.get(bytes),
            stored_len: u64::from_le_bytes(STORED_LEN.get(bytes)),
            raw_len: u64::from_le_bytes(RAW_LEN.get(bytes)),
            id: ObjectId::from_bytes(ID.get(bytes)),
            payload_check: PayloadCheck(u64::from_le_bytes(PAYLOAD_CHECK.get(bytes))),
        };
        header.validate()?;
        Ok(header)
    }

    /// The length of header and payload together.
    pub fn record_len(&self) -> u64 {
        self.stored_len.saturating_add(RECORD_HEADER_LEN as u64)
    }

    /// The length of the payload without the attributes.
    pub fn coded_len(&self) -> u64 {
        self.stored_len.saturating_sub(self.attributes_len())
    }

    fn attributes_len(&self) -> u64 {
        if self.attributes { ATTRIBUTES_LEN as u64 } else { 0 }
    }

    /// Whether the lengths and flags are possible for the kind. Whoever reads a payload may reserve `stored_len` and
    /// `raw_len` bytes afterwards, except for chunk lists, which are read in parts.
    fn validate(&self) -> Result<()> {
        let says = |fine: bool, what| {
            if fine { Ok(()) } else { Err(FormatError::contradiction(HERE, what)) }
        };
        says(!self.attributes || self.kind == Kind::Object, "only a whole object has attributes in front")?;
        says(
            self.dictionary == [0; 4] || self.codec == Codec::ZstdDictionary,
            "only zstd with a dictionary names one",
        )?;
        let raw_limit = match self.kind {
            Kind::Object | Kind::Chunk => MAX_CHUNK,
            Kind::ChunkList => MAX_OBJECT,
            Kind::Dictionary => MAX_DICTIONARY,
            Kind::Metadata => (METADATA_HEADER_LEN + MAX_METADATA) as u64,
            Kind::Footer => FOOTER_LEN as u64,
        };
        FormatError::bound(HERE, "raw length", self.raw_len, raw_limit)?;
        says(self.raw_len > 0 || self.kind == Kind::Object, "only an object may be empty")?;
        match self.kind {
            Kind::Object | Kind::Chunk => {
                says(self.stored_len >= self.attributes_len(), "there is no room for the attributes")?;
                FormatError::bound(HERE, "length of the payload", self.coded_len(), self.raw_len)?;
                says(
                    self.codec != Codec::Raw || self.coded_len() == self.raw_len,
                    "the payload is raw and of another length",
                )
            }
            Kind::ChunkList => {
                let entries = self.stored_len.checked_sub(CHUNK_LIST_HEADER_LEN as u64);
                let entries = entries.filter(|len| len.is_multiple_of(CHUNK_ENTRY_LEN as u64));
                let count = entries.map_or(0, |len| len / CHUNK_ENTRY_LEN as u64);
                says(count > 0 && self.codec == Codec::Raw, "the payload is no chunk list")?;
                FormatError::bound(HERE, "number of chunks", count, MAX_CHUNKS)
            }
            Kind::Dictionary | Kind::Metadata | Kind::Footer => says(
                self.codec == Codec::Raw && self.stored_len == self.raw_len,
                "the payload of this kind is raw",
            ),
        }
    }
}

/// The header check: of the place and of everything before the field.
fn header_check(bytes: &[u8; RECORD_HEADER_LEN], place: &Place) -> u64 {
    let mut covered = [0; 16 + 8 + COVERED];
    let (pack, rest) = covered.split_at_mut(16);
    let (offset, header) = rest.split_at_mut(8);
    pack.copy_from_slice(place.pack.as_bytes());
    offset.copy_from_slice(&place.offset.to_le_bytes());
    header.copy_from_slice(&bytes[..COVERED]);
    upper(Checksum::of(&covered))
}
