//! Chunking, of objects long enough for the parallel cutter to divide its work.

use stem_audio::{Audio, ChunkParams, Chunker, Piece, PieceKind, Sizes, cut_all};

use super::super::feed::{Feed, pick};
use super::format;
use crate::source::noise;

/// The longest object that is made.
const LONGEST: usize = 400 << 10;

/// Cuts an object that the bytes describe: all at once, as it comes in, and by many threads.
///
/// # Panics
///
/// When the three do not agree, or chunks do not make up the object, are too short or too long, or tear a frame.
pub fn check_chunker(data: &[u8]) {
    let mut feed = Feed::new(data);
    let average = |byte: u8| Sizes::around(4096 << (byte % 4));
    let params = ChunkParams { samples: average(feed.byte()), bytes: average(feed.byte()) };
    let audio = (!feed.byte().is_multiple_of(4)).then(|| {
        let format = format(&mut feed);
        let start = u64::from(feed.u16()) << (feed.byte() % 5);
        let frames = u64::from(feed.u16()) << (feed.byte() % 6);
        // The header may promise more than there is.
        Audio { format, samples: start..start + frames * format.frame_len() as u64 }
    });
    let step = feed.below(4096) + 1;
    let object = object(feed);
    let audio = audio.as_ref();
    let all = sequential(&object, &params, audio);
    check_pieces(&all, &object, &params, audio);
    assert_eq!(cut_all(&object, &params, audio), all, "many threads cut otherwise");
    assert_eq!(incoming(&object, &params, audio, step), all, "a stream is cut otherwise");
}

fn sequential(object: &[u8], params: &ChunkParams, audio: Option<&Audio>) -> Vec<Piece> {
    let mut chunker = Chunker::new(params, audio);
    let (mut rest, mut pieces) = (object, Vec::new());
    while let Some(piece) = chunker.next(rest, true) {
        assert!(piece.len > 0 && piece.len <= rest.len());
        rest = &rest[piece.len..];
        pieces.push(piece);
    }
    assert!(rest.is_empty(), "{} bytes are in no chunk", rest.len());
    assert_eq!(chunker.position(), object.len() as u64);
    pieces
}

/// As a pipe gives it: a little more whenever the chunker has not seen enough.
fn incoming(object: &[u8], params: &ChunkParams, audio: Option<&Audio>, step: usize) -> Vec<Piece> {
    let mut chunker = Chunker::new(params, audio);
    let (mut begin, mut shown, mut pieces) = (0, 0, Vec::new());
    loop {
        let last = shown == object.len();
        match chunker.next(&object[begin..shown], last) {
            Some(piece) => {
                begin += piece.len;
                pieces.push(piece);
            }
            None if last => return pieces,
            None => {
                assert!(shown - begin < chunker.max(), "more than the longest chunk is not enough");
                shown = (shown + step).min(object.len());
            }
        }
    }
}

fn check_pieces(pieces: &[Piece], object: &[u8], params: &ChunkParams, audio: Option<&Audio>) {
    let len = object.len() as u64;
    let (start, end) =
        audio.map_or((len, len), |audio| (audio.samples.start.min(len), audio.samples.end.min(len)));
    let frame = audio.map_or(1, |audio| audio.format.frame_len() as u64);
    let mut position = 0;
    for (number, piece) in pieces.iter().enumerate() {
        let next = position + piece.len as u64;
        let (section_end, sizes) = match piece.kind {
            PieceKind::Samples => {
                assert!(position >= start && next <= end, "samples outside of the samples");
                assert_eq!((position - start) % frame, 0, "chunk {number} begins within a frame");
                assert_eq!(piece.len as u64 % frame, 0, "chunk {number} ends within a frame");
                (end - (end - start) % frame, params.samples)
            }
            // Less than a frame at the object's end.
            PieceKind::Bytes if position >= start && position < end => {
                assert!(next == len && (piece.len as u64) < frame, "bytes within the samples");
                (next, params.samples)
            }
            PieceKind::Bytes => {
                assert!(next <= start || position >= end, "bytes within the samples");
                (if position < start { start } else { len }, params.bytes)
            }
        };
        assert!(piece.len <= sizes.max(), "chunk {number} has {} bytes", piece.len);
        assert!(piece.len >= sizes.min() || next == section_end, "chunk {number} has {} bytes", piece.len);
        position = next;
    }
    assert_eq!(position, len, "the chunks make up the object");
}

/// An object put together from runs: noise, one byte, literals, and what came before.
fn object(mut feed: Feed<'_>) -> Vec<u8> {
    let mut object = Vec::new();
    while !feed.is_empty() && object.len() < LONGEST {
        let kind = feed.byte();
        let len = usize::from(feed.u16()) << (kind >> 6);
        match pick([0, 1, 2, 3], kind) {
            0 => object.extend_from_slice(&noise(u64::from(feed.byte()), len)),
            1 => object.resize(object.len() + len, feed.byte()),
            2 => object.extend_from_slice(feed.bytes(len % 600)),
            _ if object.is_empty() => {}
            _ => {
                let from = feed.u16() as usize * 16 % object.len();
                let to = (from + len).min(object.len());
                object.extend_from_within(from..to);
            }
        }
    }
    object.truncate(LONGEST);
    object
}
