//! What must hold for any bytes, as functions that panic where it does not: for fuzzing, and for replaying what fuzzing found.

use crate::chunk::{Chunker, cut_all};
use crate::codec::{self, CodecLevel, SampleCodec, Scratch};
use crate::container::{Audio, HEAD_LEN, probe};
use crate::{ChunkParams, Encoding, PieceKind, SampleFormat, Sizes};

/// Chunks short enough that an input of some KiB has several.
const SMALL: ChunkParams = ChunkParams { samples: Sizes::around(4 << 10), bytes: Sizes::around(4 << 10) };

/// An object as a store meets it: probed, cut, each chunk coded and decoded.
///
/// # Panics
///
/// When samples are found outside of the object or no whole frames, chunks are not the object, or a chunk does not come
/// back.
pub fn check_audio_container(object: &[u8]) {
    let audio = probe(object, Some(object.len() as u64));
    if let Some(Audio { format, samples }) = &audio {
        assert!(samples.start <= samples.end && samples.end <= object.len() as u64);
        assert_eq!((samples.end - samples.start) % format.frame_len() as u64, 0);
    }
    if let Some(Audio { format, samples }) = probe(object, None) {
        assert!(samples.start <= samples.end);
        assert_eq!((samples.end - samples.start) % format.frame_len() as u64, 0);
    }
    let head = object.get(..HEAD_LEN).unwrap_or(object);
    assert_eq!(probe(head, Some(object.len() as u64)), audio, "only the head is looked at");
    let mut scratch = Scratch::new();
    let mut rest = object;
    for piece in cut_all(object, &SMALL, audio.as_ref()) {
        let (chunk, after) = rest.split_at(piece.len);
        rest = after;
        if piece.kind == PieceKind::Samples
            && let Some(audio) = &audio
        {
            check_chunk(chunk, &audio.format, &mut scratch);
        }
    }
    assert!(rest.is_empty());
}

/// Samples of a format that the first bytes choose, coded and decoded; and the same bytes as a payload.
///
/// # Panics
///
/// When samples do not come back, or a payload decodes to another length than was asked for.
pub fn check_codec_round_trip(data: &[u8]) {
    let mut scratch = Scratch::new();
    let Some((choice, bytes)) = data.split_first_chunk::<4>() else { return };
    let [kind, container, channels, level] = *choice;
    let encoding = match kind % 3 {
        0 => Encoding::Unsigned,
        1 => Encoding::Signed,
        _ => Encoding::Float,
    };
    let container = if encoding == Encoding::Float { 4 } else { container % 4 + 1 };
    let channels = channels % crate::MAX_CHANNELS + 1;
    let format = SampleFormat::new(encoding, 8 * container, container, channels, kind & 0x80 != 0, 48_000);
    if let Some(format) = format {
        // Repeated, so that there is something to gain even in few bytes.
        let frames = bytes.len() / format.frame_len();
        let once = bytes.get(..frames * format.frame_len()).unwrap_or_default();
        check_chunk(&once.repeat(1 + usize::from(level) % 5), &format, &mut scratch);
    }
    let raw_len = usize::from(level) << 8;
    for codec in SampleCodec::ALL {
        let mut out = Vec::new();
        let result = codec::decode(codec, bytes, raw_len, &mut scratch, &mut out);
        assert_eq!(out.len(), if result.is_ok() { raw_len } else { 0 });
    }
}

fn check_chunk(chunk: &[u8], format: &SampleFormat, scratch: &mut Scratch) {
    for level in [CodecLevel::Fast, CodecLevel::Default, CodecLevel::High] {
        let mut payload = Vec::new();
        if let Some(codec) = codec::encode(chunk, format, level, scratch, &mut payload) {
            assert!(payload.len() < chunk.len());
            assert!(codec::decodes_to(codec, &payload, chunk, scratch), "{codec:?} {level:?} {format:?}");
        } else {
            assert!(payload.is_empty());
        }
    }
}

/// One object cut at once, and as it comes in portions that the first byte chooses.
///
/// # Panics
///
/// When the boundaries differ, a chunk is empty, too long or less than whole frames, or chunks are not the object.
pub fn check_chunker(data: &[u8]) {
    let Some((&[portion, channels], rest)) = data.split_first_chunk() else { return };
    // Short inputs are repeated until they are longer than a few chunks.
    let object = if rest.is_empty() { Vec::new() } else { rest.repeat((80 << 10) / rest.len() + 1) };
    let format =
        SampleFormat::new(Encoding::Signed, 24, 3, channels % crate::MAX_CHANNELS + 1, false, 48_000);
    let made_up = format.map(|format| {
        let start = u64::from(portion);
        let length = (object.len() as u64).saturating_sub(2 * start);
        Audio { format, samples: start..start + length - length % format.frame_len() as u64 }
    });
    for audio in [None, probe(&object, Some(object.len() as u64)), made_up] {
        let pieces = cut_all(&object, &SMALL, audio.as_ref());
        let mut chunker = Chunker::new(&SMALL, audio.as_ref());
        let (mut at, mut shown) = (0, 0);
        for piece in pieces {
            assert!(piece.len > 0 && piece.len <= SMALL.samples.max());
            if piece.kind == PieceKind::Samples {
                assert!(audio.as_ref().is_some_and(|audio| piece.len % audio.format.frame_len() == 0));
            }
            let streamed = loop {
                let buffer = object.get(at..shown).unwrap_or_default();
                if let Some(streamed) = chunker.next(buffer, shown == object.len()) {
                    break streamed;
                }
                assert!(shown < object.len(), "a chunk is missing");
                shown = object.len().min(shown + 1 + (usize::from(portion) << 4));
            };
            assert_eq!(streamed, piece);
            at += piece.len;
        }
        assert_eq!(at, object.len());
        assert_eq!(chunker.next(&[], true), None);
    }
}
