//! Containers that are anything, and containers that are right.

use stem_audio::{Audio, Encoding, HEAD_LEN, SampleFormat, probe};

use super::super::feed::{Feed, pick};
use super::format;

/// The head of a file as it is, and a file that is put together by what the bytes say.
///
/// # Panics
///
/// When samples are found where there are none, or not where they are.
pub fn check_audio_probe(data: &[u8]) {
    let mut feed = Feed::new(data);
    if feed.byte() % 2 == 1 {
        return check_right(feed);
    }
    let more = u64::from(feed.u16()) << (feed.byte() % 40);
    let head = feed.rest();
    let len = head.len() as u64;
    for len in [None, Some(len), Some(len + more)] {
        let Some(audio) = probe(head, len) else { continue };
        check_found(&audio, len);
        assert!(matches!(head.get(..4), Some(b"RIFF" | b"RF64" | b"BW64" | b"FORM")));
        assert_eq!(probe(head, len), Some(audio));
    }
}

fn check_found(audio: &Audio, len: Option<u64>) {
    let range = &audio.samples;
    assert!(range.start <= range.end, "{range:?}");
    assert_eq!((range.end - range.start) % audio.format.frame_len() as u64, 0, "whole frames");
    assert!(len.is_none_or(|len| range.end <= len), "{range:?} of {len:?}");
    let same = SampleFormat::new(
        audio.format.encoding(),
        audio.format.bits(),
        u8::try_from(audio.format.container()).unwrap_or(0),
        u8::try_from(audio.format.channels()).unwrap_or(0),
        audio.format.big_endian(),
        audio.format.rate(),
    );
    assert_eq!(same, Some(audio.format), "a format that can be made");
}

/// Builds a file with these chunks around its samples and looks for them.
fn check_right(mut feed: Feed<'_>) {
    let kind = pick([*b"RIFF", *b"RF64", *b"BW64", *b"FORM"], feed.byte());
    let asked = format(&mut feed);
    let Some(format) = storable(kind, asked) else { return };
    let frames = usize::from(feed.u16() % 600);
    let samples: Vec<u8> = vec![0x55; frames * format.frame_len()];
    let little = kind != *b"FORM";
    let mut file = Vec::new();
    let form: &[u8] = match (little, format.big_endian() || format.container() == 1, format.encoding()) {
        (true, ..) => b"WAVE",
        (false, true, Encoding::Signed) => b"AIFF",
        (false, ..) => b"AIFC",
    };
    file.extend_from_slice(&kind);
    file.extend_from_slice(&[0xff; 4]);
    file.extend_from_slice(form);
    let wide = kind == *b"RF64" || kind == *b"BW64";
    if wide {
        let sizes = [0u64, samples.len() as u64, frames as u64].map(u64::to_le_bytes);
        chunk(&mut file, *b"ds64", &[&sizes.concat()[..], &[0; 4]].concat(), little);
    }
    for _ in 0..feed.byte() % 4 {
        other(&mut file, &mut feed, little);
    }
    let (name, body) =
        if little { (*b"fmt ", fmt_body(&format)) } else { (*b"COMM", comm_body(&format, form)) };
    chunk(&mut file, name, &body, little);
    for _ in 0..feed.byte() % 4 {
        other(&mut file, &mut feed, little);
    }
    let skip = if little { 0 } else { feed.below(40) };
    let start = file.len() + 8 + if little { 0 } else { 8 + skip };
    if little {
        chunk(&mut file, *b"data", &samples, little);
    } else {
        let offset = u32::try_from(skip).unwrap_or(0).to_be_bytes();
        let body = [&offset[..], &[0; 4], &vec![1; skip], &samples].concat();
        chunk(&mut file, *b"SSND", &body, little);
    }
    if wide {
        // RF64 says its length in ds64 alone.
        let at = start - 4;
        file[at..at + 4].fill(0xff);
    }
    let end = start + samples.len();
    // A length of 0 says "unknown", and then everything that follows are samples.
    if samples.is_empty() {
        file.truncate(end);
    } else {
        for _ in 0..feed.byte() % 4 {
            other(&mut file, &mut feed, little);
        }
    }
    assert!(file.len() < HEAD_LEN);
    let found = probe(&file, Some(file.len() as u64));
    let expected = Audio { format, samples: start as u64..end as u64 };
    assert_eq!(found, Some(expected), "{} of {} bytes", kind.escape_ascii(), file.len());
    // The head alone says it too, if it is told nothing of what follows.
    assert_eq!(probe(&file[..start + samples.len().min(1)], Some(file.len() as u64)), found);
}

/// What of a format this kind of file can say.
fn storable(kind: [u8; 4], format: SampleFormat) -> Option<SampleFormat> {
    let (encoding, container, channels) = (format.encoding(), format.container(), format.channels());
    let (container, channels) = (u8::try_from(container).ok()?, u8::try_from(channels).ok()?);
    let encoding = match (kind == *b"FORM", encoding, container) {
        (_, Encoding::Float, _) => Encoding::Float,
        (false, _, 1) => Encoding::Unsigned,
        _ => Encoding::Signed,
    };
    // WAV is little-endian; the floats of AIFF-C are big-endian.
    let big = kind == *b"FORM" && (format.big_endian() || encoding == Encoding::Float);
    SampleFormat::new(encoding, format.bits(), container, channels, big, format.rate())
}

fn chunk(file: &mut Vec<u8>, name: [u8; 4], body: &[u8], little: bool) {
    let size = u32::try_from(body.len()).unwrap_or(u32::MAX);
    file.extend_from_slice(&name);
    file.extend_from_slice(&if little { size.to_le_bytes() } else { size.to_be_bytes() });
    file.extend_from_slice(body);
    if body.len() % 2 == 1 {
        file.push(0);
    }
}

/// A chunk that means nothing here. Its name is none of those that do, and it does not end in one.
fn other(file: &mut Vec<u8>, feed: &mut Feed<'_>, little: bool) {
    let [first, second] = feed.array();
    let name = [b'x', first, second, b'x'];
    let len = feed.below(70);
    let body = feed.bytes(len).to_vec();
    chunk(file, name, &body, little);
}

fn fmt_body(format: &SampleFormat) -> Vec<u8> {
    let frame = u16::try_from(format.frame_len()).unwrap_or(0);
    let channels = u16::try_from(format.channels()).unwrap_or(0);
    let container_bits = u16::try_from(format.container() * 8).unwrap_or(0);
    let tag: u16 = if format.encoding() == Encoding::Float { 3 } else { 1 };
    let valid = u16::from(format.bits());
    // Bits that do not fill their container are told by the extensible form.
    let extensible = valid != container_bits;
    let mut body = Vec::new();
    body.extend_from_slice(&if extensible { 0xfffe_u16 } else { tag }.to_le_bytes());
    body.extend_from_slice(&channels.to_le_bytes());
    body.extend_from_slice(&format.rate().to_le_bytes());
    body.extend_from_slice(&format.rate().wrapping_mul(u32::from(frame)).to_le_bytes());
    body.extend_from_slice(&frame.to_le_bytes());
    body.extend_from_slice(&container_bits.to_le_bytes());
    if extensible {
        body.extend_from_slice(&22_u16.to_le_bytes());
        body.extend_from_slice(&valid.to_le_bytes());
        body.extend_from_slice(&3_u32.to_le_bytes());
        body.extend_from_slice(&tag.to_le_bytes());
        body.extend_from_slice(&[0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]);
    }
    body
}

fn comm_body(format: &SampleFormat, form: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&u16::try_from(format.channels()).unwrap_or(0).to_be_bytes());
    body.extend_from_slice(&0_u32.to_be_bytes());
    body.extend_from_slice(&u16::from(format.bits()).to_be_bytes());
    // The rate as an 80-bit float: an exponent, and the number with its first bit on top.
    let rate = u64::from(format.rate());
    let zeros = rate.leading_zeros();
    let exponent = if rate == 0 { 0 } else { 16_383 + 63 - zeros };
    body.extend_from_slice(&u16::try_from(exponent).unwrap_or(0).to_be_bytes());
    body.extend_from_slice(&rate.checked_shl(zeros).unwrap_or(0).to_be_bytes());
    if form == b"AIFC" {
        let compression: &[u8; 4] = match (format.encoding(), format.big_endian()) {
            (Encoding::Float, _) => b"fl32",
            (_, true) => b"twos",
            (_, false) => b"sowt",
        };
        body.extend_from_slice(compression);
        body.extend_from_slice(&[0, 0]);
    }
    body
}
