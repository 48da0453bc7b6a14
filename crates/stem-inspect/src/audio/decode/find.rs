//! Whether a file is FLAC, MP3 or OGG Vorbis, and where its audio is.

use std::io;
use std::ops::Range;

use super::ogg;
use crate::source::{ReadAt, read_full};

/// Metadata blocks or tags that are skipped before the file is taken for something else.
const MOST_TAGS: usize = 1024;

/// How samples are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Flac,
    Mp3,
    Vorbis,
}

impl Codec {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Flac => "FLAC",
            Self::Mp3 => "MP3",
            Self::Vorbis => "Vorbis",
        }
    }

    pub(crate) fn container(self) -> &'static str {
        match self {
            Self::Vorbis => "OGG",
            _ => self.name(),
        }
    }
}

/// A file that can be decoded.
#[derive(Clone)]
pub(crate) struct Found<'a> {
    pub(crate) file: &'a dyn ReadAt,
    pub(crate) codec: Codec,
    /// What the decoder is told before the audio: FLAC's stream information.
    pub(super) head: Vec<u8>,
    /// Where the coded samples are, without tags.
    pub(crate) audio: Range<u64>,
}

/// Looks at the beginning of a file.
pub(crate) fn find(file: &dyn ReadAt) -> io::Result<Option<Found<'_>>> {
    let start = after_id3(file)?;
    let mut magic = [0; 4];
    let count = read_full(file, &mut magic, start)?;
    match magic.get(..count) {
        Some(b"fLaC") => flac(file, start),
        Some(b"OggS") if start == 0 => ogg::is_vorbis(file).map(|is| {
            is.then(|| Found { file, codec: Codec::Vorbis, head: Vec::new(), audio: 0..file.len() })
        }),
        Some([0xFF, _, _, _]) => mp3(file, start),
        _ => Ok(None),
    }
}

/// Where the file goes on after tags of the kind `ID3v2`.
fn after_id3(file: &dyn ReadAt) -> io::Result<u64> {
    let mut at = 0;
    for _ in 0..MOST_TAGS {
        let mut head = [0; 10];
        if read_full(file, &mut head, at)? < head.len() || !head.starts_with(b"ID3") {
            break;
        }
        // Four times seven bits.
        let size = head[6..].iter().fold(0_u64, |size, &byte| size << 7 | u64::from(byte & 0x7F));
        let footer = if head[5] & 0x10 == 0 { 0 } else { 10 };
        at += 10 + size + footer;
    }
    Ok(at)
}

/// RFC 9639, section 8: metadata blocks, the first of which is the stream information.
fn flac(file: &dyn ReadAt, start: u64) -> io::Result<Option<Found<'_>>> {
    const STREAM_INFO: usize = 34;
    let mut head = vec![0; 8 + STREAM_INFO];
    if read_full(file, &mut head, start)? < head.len() || head[4] & 0x7F != 0 || head[5..8] != [0, 0, 34] {
        return Ok(None);
    }
    let mut last = head[4] & 0x80 != 0;
    let mut at = start + head.len() as u64;
    let mut blocks = 0;
    while !last {
        let mut block = [0; 4];
        blocks += 1;
        if blocks > MOST_TAGS || read_full(file, &mut block, at)? < block.len() {
            return Ok(None);
        }
        last = block[0] & 0x80 != 0;
        at += 4 + u64::from(u32::from_be_bytes([0, block[1], block[2], block[3]]));
    }
    // The decoder sees the stream information as the only block.
    head[4] = 0x80;
    Ok(Some(Found { file, codec: Codec::Flac, head, audio: at.min(file.len())..file.len() }))
}

/// Two headers of layer III, one after the other as the first one says.
fn mp3(file: &dyn ReadAt, start: u64) -> io::Result<Option<Found<'_>>> {
    let header = |at| {
        let mut header = [0; 4];
        Ok::<_, io::Error>((read_full(file, &mut header, at)? == 4).then_some(header))
    };
    let Some(first) = header(start)? else { return Ok(None) };
    let Some(length) = mp3_frame(first) else { return Ok(None) };
    let fits = match header(start + length)? {
        // Version, layer and rate stay.
        Some(second) => {
            mp3_frame(second).is_some()
                && second[1] & 0xFE == first[1] & 0xFE
                && (second[2] ^ first[2]) & 0x0C == 0
        }
        // A single frame is the whole file.
        None => start + length == file.len(),
    };
    let mut end = file.len();
    let mut tag = [0; 3];
    if let Some(at) = end.checked_sub(128)
        && at > start
        && read_full(file, &mut tag, at)? == 3
        && &tag == b"TAG"
    {
        end = at;
    }
    Ok(fits.then(|| Found { file, codec: Codec::Mp3, head: Vec::new(), audio: start..end }))
}

/// The length of a frame of layer III (ISO/IEC 11172-3, 13818-3), by its header; `None` if it is none.
fn mp3_frame(header: [u8; 4]) -> Option<u64> {
    const BITRATES: [[u64; 14]; 2] = [
        [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    ];
    const RATES: [u64; 3] = [44_100, 48_000, 32_000];
    if header[0] != 0xFF || header[1] & 0xE0 != 0xE0 || header[1] & 0x06 != 0x02 {
        return None;
    }
    // MPEG 2.5, reserved, 2, 1.
    let (lower, quarters) = match header[1] >> 3 & 3 {
        0 => (1, 4),
        2 => (1, 2),
        3 => (0, 1),
        _ => return None,
    };
    let bitrate = BITRATES[lower].get(usize::from(header[2] >> 4).checked_sub(1)?)? * 1000;
    let rate = RATES.get(usize::from(header[2] >> 2 & 3))? / quarters;
    let padding = u64::from(header[2] >> 1 & 1);
    Some(if lower == 0 { 144 } else { 72 } * bitrate / rate + padding)
}
