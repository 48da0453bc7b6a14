//! Lossless coding of one chunk of samples.
//!
//! Integers are coded as FLAC. Floats that are integers times a power of two, which is what DAWs mostly export, are coded
//! as those integers; other floats as integers down to a common scale and the bits below it as they are; floats of no such
//! order by bytes. docs/format/sample-codecs.md has the payloads. What does not get smaller is not coded at all.
//!
//! Rejected: `WavPack`, which codes floats about as small, but is C and needs `bindgen`; `pco`, and byte planes with zstd
//! for all floats, both larger.

mod bits;
mod exceptions;
mod floats;
mod frames;
mod lanes;
mod layout;
mod planes;
mod scratch;

pub use scratch::Scratch;

use crate::flac;
use crate::format::{Encoding, SampleFormat};
use crate::pcm;

/// The longest chunk that can be coded, in bytes; chunks of samples are far shorter.
pub const MAX_RAW_LEN: usize = 1 << 28;

/// A codec; its number is stored and never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SampleCodec {
    /// Integers as FLAC.
    Integers,
    /// Floats as FLAC of integers, with the mapping that gives the floats back.
    Floats,
    /// Bytes of equal significance together, compressed by zstd.
    BytePlanes,
}

impl SampleCodec {
    /// All codecs, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Integers, Self::Floats, Self::BytePlanes];

    /// The codec's number.
    pub const fn id(self) -> u8 {
        match self {
            Self::Integers => 1,
            Self::Floats => 2,
            Self::BytePlanes => 3,
        }
    }

    /// The codec with this number.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.id() == id)
    }
}

/// How much time coding may take. Decoding takes the same time for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CodecLevel {
    /// As fast as possible.
    Fast,
    /// Nearly as small as possible at nearly full speed.
    #[default]
    Default,
    /// The smallest, at a fraction of the speed.
    High,
}

/// Why a payload cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Written by a newer version.
    #[error(
        "coded samples of version {found}, of which this program knows only {}: use a newer one",
        layout::VERSION
    )]
    Version {
        /// The version that the payload names.
        found: u8,
    },
    /// It ends too early.
    #[error("coded samples end too early")]
    Truncated,
    /// It contradicts itself.
    #[error("damaged coded samples: {0}")]
    Damaged(&'static str),
    /// The length that the chunk should have is no number of frames, or too large.
    #[error("a chunk of {raw_len} bytes cannot hold these samples")]
    Length {
        /// The length that was asked for.
        raw_len: usize,
    },
    /// The FLAC frames of a lane are damaged.
    #[error("damaged FLAC frames")]
    Frames(#[source] flac::DecodeError),
}

/// Codes a chunk of samples, appending the payload to `out`.
///
/// `None`, with `out` as it was, where `raw` is not a whole number of frames, or would not get smaller. Nothing is stored until
/// [`decodes_to`] has said that the payload gives the chunk back.
///
/// ```
/// # use stem_audio::{codec, CodecLevel, Encoding, SampleFormat, Scratch};
/// let format = SampleFormat::new(Encoding::Signed, 16, 2, 1, false, 44_100).unwrap();
/// let raw: Vec<u8> = (0..10_000_u16).flat_map(|i| (i % 100).to_le_bytes()).collect();
/// let (mut scratch, mut payload, mut back) = (Scratch::new(), Vec::new(), Vec::new());
/// let codec = codec::encode(&raw, &format, CodecLevel::Default, &mut scratch, &mut payload).unwrap();
/// assert!(payload.len() < raw.len() / 2);
/// codec::decode(codec, &payload, raw.len(), &mut scratch, &mut back)?;
/// assert_eq!(back, raw);
/// # Ok::<(), stem_audio::DecodeError>(())
/// ```
pub fn encode(
    raw: &[u8],
    format: &SampleFormat,
    level: CodecLevel,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Option<SampleCodec> {
    if raw.is_empty() || raw.len() > MAX_RAW_LEN || !raw.len().is_multiple_of(format.frame_len()) {
        return None;
    }
    let start = out.len();
    let codec = match format.encoding() {
        Encoding::Unsigned | Encoding::Signed => {
            pcm::unpack(raw, format, &mut scratch.planes);
            layout::write_header(SampleCodec::Integers, format, out);
            lanes::encode(format, level, scratch, out).map(|()| SampleCodec::Integers)
        }
        Encoding::Float => floats::encode(raw, format, level, scratch, out),
    };
    let codec = codec.filter(|_| out.len() - start < raw.len());
    if codec.is_none() {
        out.truncate(start);
    }
    codec
}

/// Decodes a payload of `codec` that was a chunk of `raw_len` bytes, and appends the chunk to `out`.
///
/// On an error `out` is as it was. Memory is bounded by `raw_len`, whatever the payload says.
pub fn decode(
    codec: SampleCodec,
    payload: &[u8],
    raw_len: usize,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let (format, rest) = layout::read_header(codec, payload)?;
    if raw_len == 0 || raw_len > MAX_RAW_LEN || !raw_len.is_multiple_of(format.frame_len()) {
        return Err(DecodeError::Length { raw_len });
    }
    let frames = raw_len / format.frame_len();
    let float = format.encoding() == Encoding::Float;
    match codec {
        SampleCodec::Integers if float => Err(DecodeError::Damaged("floats as integers")),
        SampleCodec::Integers => {
            let rest = lanes::decode(rest, &format, frames, scratch)?;
            if !rest.is_empty() {
                return Err(DecodeError::Damaged("bytes after the frames"));
            }
            pcm::pack(&scratch.planes, &format, out);
            Ok(())
        }
        SampleCodec::Floats if float => {
            floats::decode(rest, &format, frames, scratch)?;
            pcm::pack(&scratch.planes, &format, out);
            Ok(())
        }
        SampleCodec::Floats => Err(DecodeError::Damaged("integers as floats")),
        SampleCodec::BytePlanes => planes::decode(rest, format.container(), raw_len, scratch, out),
    }
}

/// Whether a payload decodes to exactly `raw`: the proof that a chunk may be stored by it.
pub fn decodes_to(codec: SampleCodec, payload: &[u8], raw: &[u8], scratch: &mut Scratch) -> bool {
    let mut decoded = std::mem::take(&mut scratch.decoded);
    decoded.clear();
    let same = decode(codec, payload, raw.len(), scratch, &mut decoded).is_ok() && decoded == raw;
    scratch.decoded = decoded;
    same
}
