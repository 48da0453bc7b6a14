//! What can be wrong with samples and with frames.

use thiserror::Error;

/// Why samples were not encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The format is none that frames can hold.
    #[error("FLAC frames hold 1 or 2 channels of 4 to 32 bits here, not {channels} of {bits} bits")]
    Format {
        /// Channels asked for.
        channels: u32,
        /// Bits per sample asked for.
        bits: u32,
    },
    /// The planes are not as many as the channels.
    #[error("{planes} planes of samples for {channels} channels")]
    Planes {
        /// Planes given.
        planes: usize,
        /// Channels of the format.
        channels: u32,
    },
    /// The planes differ in length.
    #[error("the channels have {first} and {second} samples")]
    Lengths {
        /// Samples of the first channel.
        first: usize,
        /// Samples of the second channel.
        second: usize,
    },
    /// A sample does not fit the bits of the format.
    #[error("a sample of channel {channel} in the block from sample {block} does not fit {bits} bits")]
    Range {
        /// Channel, from 0.
        channel: usize,
        /// First sample of the block in which it is.
        block: usize,
        /// Bits of the format.
        bits: u32,
    },
    /// More frames than the format can number.
    #[error("{frames} samples are more than one run of FLAC frames can number")]
    TooLong {
        /// Samples per channel.
        frames: usize,
    },
}

/// Why bytes are not the frames of the samples asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not the expected FLAC frames: {kind}, at byte {offset}")]
pub struct DecodeError {
    /// Where, counted from the first byte given: near the place that shows it, which is not always the damaged one.
    pub offset: usize,
    /// What.
    pub kind: DecodeErrorKind,
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The format asked for is none that frames can hold here.
    #[error("the format asked for is not 1 or 2 channels of 4 to 32 bits")]
    Format,
    /// The planes to fill are not as many as the channels.
    #[error("the planes to fill are not as many as the channels")]
    Planes,
    /// The bytes end inside a frame, or before all samples are there.
    #[error("the data ends too early")]
    Truncated,
    /// Bytes are left after the last sample.
    #[error("data after the last sample")]
    Trailing,
    /// No frame begins here.
    #[error("no frame begins here")]
    Sync,
    /// The checksum of a frame's header is wrong.
    #[error("the checksum of the frame's header is wrong")]
    HeaderChecksum,
    /// The checksum of a frame is wrong.
    #[error("the checksum of the frame is wrong")]
    FrameChecksum,
    /// A field has a value that the format reserves or forbids.
    #[error("a reserved or forbidden value: {0}")]
    Forbidden(&'static str),
    /// A frame is not of the format asked for, or out of order.
    #[error("another frame than expected: {0} differs")]
    Mismatch(&'static str),
    /// A sample is outside the range of its bits.
    #[error("a sample is outside the range of its bits")]
    Range,
    /// Valid, but not taken here.
    #[error("valid, but not supported: {0}")]
    Unsupported(&'static str),
}

impl DecodeErrorKind {
    pub(super) const fn at(self, offset: usize) -> DecodeError {
        DecodeError { offset, kind: self }
    }
}
