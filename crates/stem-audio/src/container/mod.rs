//! Where the samples of a file are.
//!
//! Only this much is wanted of a header: the format of the samples and the bytes they occupy. Everything before and
//! after them is kept as it is, so nothing needs to be understood completely, and what cannot be understood is no
//! error but `None`: the file is then stored as bytes, larger and just as exact. Headers lie in practice (recorders that
//! crashed, sizes beyond 4 GiB, streams of unknown length), so sizes are hints: samples never reach beyond what is
//! there, and where no length can be right they reach to the end. A library that parses WAV for playing was no choice:
//! such libraries refuse or repair what must survive here.

mod aiff;
mod cursor;
mod riff;

use std::ops::Range;

use crate::format::SampleFormat;

/// How much of an object's beginning [`probe`] looks at.
///
/// Chunk boundaries depend on what is found there, so whoever cuts an object must hand over all of it, or all there is.
pub const HEAD_LEN: usize = 1 << 20;

/// A file that holds samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audio {
    /// How they lie there.
    pub format: SampleFormat,
    /// The bytes of the file that are samples: whole frames, possibly none. Where the length of the file was not
    /// known and its header does not say either, the end is beyond any file.
    pub samples: Range<u64>,
}

/// Looks for samples in a file of which `head` is the beginning (its first [`HEAD_LEN`] bytes, or all) and `len` the
/// length in bytes, if that is known.
///
/// Understands RIFF/WAVE, RF64, BW64, AIFF and AIFF-C with integers of 8 to 32 bits or 32-bit floats.
///
/// ```
/// let mut wav = b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x80\xbb\0\0\0\xee\x02\0\x04\0\x10\0data\x08\0\0\0".to_vec();
/// wav.extend([0; 8]);
/// let audio = stem_audio::probe(&wav, Some(wav.len() as u64)).unwrap();
/// assert_eq!(audio.samples, 44..52);
/// assert_eq!((audio.format.channels(), audio.format.rate()), (2, 48_000));
/// assert_eq!(stem_audio::probe(b"MThd\0\0\0\x06", None), None);
/// ```
pub fn probe(head: &[u8], len: Option<u64>) -> Option<Audio> {
    let head = head.get(..HEAD_LEN).unwrap_or(head);
    let found = match head.first_chunk()? {
        b"RIFF" | b"RF64" | b"BW64" => riff::find(head, len)?,
        b"FORM" => aiff::find(head)?,
        _ => return None,
    };
    let available = len.unwrap_or(u64::MAX).checked_sub(found.start)?;
    let frame = found.format.frame_len() as u64;
    let length = found.length.unwrap_or(u64::MAX).min(available);
    Some(Audio { format: found.format, samples: found.start..found.start + (length - length % frame) })
}

/// What a header says.
struct Found {
    format: SampleFormat,
    /// The offset of the first sample.
    start: u64,
    /// Bytes of samples; `None`: to the end.
    length: Option<u64>,
}
