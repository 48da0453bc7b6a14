use stem_corpus::signal::{Instrument, Precision, Stem};
use stem_corpus::wav::{Extra, Format, SampleFormat, Wave};
use stem_corpus::{FileSpec, Kind};

use crate::bytes_of;
use crate::riff::{Riff, u16_at, u32_at, u64_at};

fn file(wave: Wave) -> Vec<u8> {
    let stem = Stem::new(wave, Instrument::Keys, Precision::Exact24, 5, 120);
    bytes_of(&FileSpec::new("x.wav", Kind::Stem(stem)))
}

#[test]
fn plain_integer_header_is_44_bytes() {
    let bytes = file(Wave::new(Format::STUDIO, 100));
    let riff = Riff::parse(&bytes);
    assert_eq!(riff.ids(), ["fmt ", "data"]);
    assert_eq!(riff.chunk("data"), Some((44, 600)));
    let (fmt, len) = riff.chunk("fmt ").unwrap();
    assert_eq!(len, 16);
    let fields =
        [u16_at(&bytes, fmt), u16_at(&bytes, fmt + 2), u16_at(&bytes, fmt + 12), u16_at(&bytes, fmt + 14)];
    assert_eq!(fields, [1, 2, 6, 24]);
    assert_eq!(u32_at(&bytes, fmt + 4), 48_000);
    assert_eq!(u32_at(&bytes, fmt + 8), 288_000);
}

#[test]
fn float_header_has_a_fact_chunk_with_the_frames() {
    let bytes = file(Wave::new(Format::STUDIO_FLOAT, 77));
    let riff = Riff::parse(&bytes);
    assert_eq!(riff.ids(), ["fmt ", "fact", "data"]);
    let (fmt, len) = riff.chunk("fmt ").unwrap();
    assert_eq!((u16_at(&bytes, fmt), len), (3, 18));
    assert_eq!(u32_at(&bytes, riff.chunk("fact").unwrap().0), 77);
}

#[test]
fn extensible_header_names_the_subformat() {
    for (format, code) in [(Format::STUDIO, 1), (Format::STUDIO_FLOAT, 3)] {
        let bytes = file(Wave::new(format, 10).extensible());
        let riff = Riff::parse(&bytes);
        let (fmt, len) = riff.chunk("fmt ").unwrap();
        assert_eq!((u16_at(&bytes, fmt), len, u16_at(&bytes, fmt + 16)), (0xFFFE, 40, 22));
        assert_eq!(u32_at(&bytes, fmt + 20), 3, "left and right");
        assert_eq!(u16_at(&bytes, fmt + 24), code);
        assert_eq!(bytes[fmt + 26..fmt + 40], *b"\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71");
    }
}

#[test]
fn broadcast_chunk_has_its_fixed_part_and_history() {
    let bytes = file(Wave::new(Format::STUDIO, 10).titled("piano").with(Extra::Bext));
    let riff = Riff::parse(&bytes);
    assert_eq!(riff.ids(), ["bext", "fmt ", "data"]);
    let (bext, len) = riff.chunk("bext").unwrap();
    assert!(bytes[bext..].starts_with(b"piano\0"));
    assert_eq!(&bytes[bext + 320..bext + 338], b"2026-01-0112:00:00");
    assert_eq!(u64_at(&bytes, bext + 338), 3600 * 48_000);
    assert_eq!(u16_at(&bytes, bext + 346), 1);
    let history = &bytes[bext + 602..bext + usize::try_from(len).unwrap()];
    assert!(history.starts_with(b"A=PCM,F=48000,W=24") && history.ends_with(b"\r\n"));
}

#[test]
fn odd_chunks_are_padded_before_and_after_the_samples() {
    let mono = Format::new(44_100, 1, SampleFormat::Pcm24).unwrap();
    for frames in [0, 1, 2, 3] {
        let wave = Wave::new(mono, frames)
            .titled("odd")
            .with(Extra::Junk(7))
            .with(Extra::Info)
            .followed_by(Extra::Junk(13))
            .followed_by(Extra::Info);
        let bytes = file(wave.clone());
        assert_eq!(bytes.len() as u64, wave.len());
        let riff = Riff::parse(&bytes);
        assert_eq!(riff.ids(), ["JUNK", "fmt ", "LIST", "data", "JUNK", "LIST"]);
        assert_eq!(riff.chunk("data").unwrap().1, frames * 3);
    }
}

#[test]
fn fitting_comes_within_a_frame_of_the_length() {
    for len in [0, 40, 44, 45, 50, 51, 1_000, 4_095, 4_096, 1 << 20] {
        for format in [Format::STUDIO, Format::STUDIO_FLOAT, Format::GUIDE] {
            let wave = Wave::new(format, 9).with(Extra::Junk(28)).followed_by(Extra::Junk(3)).fitting(len);
            let least = wave.clone().with_frames(0).len();
            assert!(wave.len() <= len.max(least));
            assert!(wave.len() + u64::from(format.frame_bytes()) + 1 > len, "{len}: {}", wave.len());
        }
    }
}

#[test]
fn files_beyond_4_gib_are_rf64() {
    let len = 5 << 30;
    let wave = Wave::new(Format::STUDIO_FLOAT, 0).with(Extra::Bext).fitting(len);
    assert!(len - wave.len() < 9);
    let head = wave.head();
    assert_eq!(&head[..16], b"RF64\xFF\xFF\xFF\xFFWAVEds64");
    assert_eq!(u32_at(&head, 16), 28);
    assert_eq!(u64_at(&head, 20), wave.len() - 8);
    assert_eq!(u64_at(&head, 28), wave.data_len());
    assert_eq!(u64_at(&head, 36), wave.frames());
    assert!(head.ends_with(b"data\xFF\xFF\xFF\xFF"));
    assert_eq!(wave.len(), head.len() as u64 + wave.data_len());
}

#[test]
fn the_limit_of_riff_is_met_to_the_byte() {
    // 44 bytes of header; the size field counts all but eight.
    let mono = Format::new(48_000, 1, SampleFormat::Pcm16).unwrap();
    let last = (u64::from(u32::MAX) + 8 - 44) / 2;
    assert!(Wave::new(mono, last).head().starts_with(b"RIFF"));
    assert!(Wave::new(mono, last + 1).head().starts_with(b"RF64"));
    assert!(Wave::new(mono, u64::MAX).len() > 1 << 48);
}

#[test]
fn unusable_formats_are_refused() {
    for (rate, channels) in [(0, 2), (7_999, 2), (192_001, 2), (48_000, 0), (48_000, 9)] {
        assert_eq!(Format::new(rate, channels, SampleFormat::Pcm24), None);
    }
}
