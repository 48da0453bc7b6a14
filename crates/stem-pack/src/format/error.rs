//! What can be wrong with bytes that claim to be ours.

use std::fmt;

/// A structure of `docs/format/pack.md` or `docs/format/pack-index.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Structure {
    /// The first bytes of a pack.
    PackHeader,
    /// What stands before each payload.
    RecordHeader,
    /// The bytes of a record.
    Payload,
    /// A file's permission bits and mtime.
    Attributes,
    /// The chunks of a large object.
    ChunkList,
    /// Who wrote the pack.
    Metadata,
    /// The last record of a pack.
    Footer,
    /// The tombstones.
    Removed,
    /// A pack's index or the multi-pack index.
    Index,
}

impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PackHeader => "pack header",
            Self::RecordHeader => "record header",
            Self::Payload => "payload",
            Self::Attributes => "attributes",
            Self::ChunkList => "chunk list",
            Self::Metadata => "metadata block",
            Self::Footer => "footer",
            Self::Removed => "list of removed objects",
            Self::Index => "index",
        })
    }
}

/// Why some bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// There are fewer or more bytes than the structure has.
    #[error("the {structure} has {found} bytes where {expected} belong")]
    Length {
        /// Where.
        structure: Structure,
        /// How many there are.
        found: u64,
        /// How many there should be (at least, if it is fewer).
        expected: u64,
    },
    /// It begins or ends with something else.
    #[error("no {structure} is here: its magic is missing")]
    Magic {
        /// What was looked for.
        structure: Structure,
    },
    /// Written by a later version of the format.
    #[error("the {structure} is of version {found}; this program reads up to version {supported}")]
    Version {
        /// Where.
        structure: Structure,
        /// The version found.
        found: u32,
        /// The latest one known here.
        supported: u32,
    },
    /// The bytes do not agree with their check.
    #[error("the {structure} is damaged: it does not agree with its checksum")]
    Check {
        /// Where.
        structure: Structure,
    },
    /// A number that has no meaning in this version.
    #[error("the {structure} names an unknown {what}: {value}")]
    Unknown {
        /// Where.
        structure: Structure,
        /// What the number stands for.
        what: &'static str,
        /// The number.
        value: u64,
    },
    /// A number beyond its limit.
    #[error("the {structure} says {value} for the {what}; the limit is {limit}")]
    TooLarge {
        /// Where.
        structure: Structure,
        /// What the number stands for.
        what: &'static str,
        /// The number.
        value: u64,
        /// The most that is allowed.
        limit: u64,
    },
    /// Fields that contradict each other, or the place they stand at.
    #[error("the {structure} contradicts itself: {what}")]
    Contradiction {
        /// Where.
        structure: Structure,
        /// What does not fit.
        what: &'static str,
    },
}

impl FormatError {
    pub(crate) fn contradiction(structure: Structure, what: &'static str) -> Self {
        Self::Contradiction { structure, what }
    }

    /// `Err` unless `value` is within `limit`.
    pub(crate) fn bound(
        structure: Structure,
        what: &'static str,
        value: u64,
        limit: u64,
    ) -> Result<(), Self> {
        if value > limit { Err(Self::TooLarge { structure, what, value, limit }) } else { Ok(()) }
    }
}
