//! Where samples are found, and where rightly none are.

use stem_audio::{Audio, Encoding, HEAD_LEN, SampleFormat, probe};

use crate::common::{Fmt, aiff, aiff_chunk, riff, riff_chunk, wav};

fn found(file: &[u8]) -> Option<Audio> {
    probe(file, Some(file.len() as u64))
}

fn samples(file: &[u8]) -> &[u8] {
    let range = found(file).expect("samples").samples;
    &file[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}

fn pcm(bits: u8, container: u8, channels: u8) -> SampleFormat {
    let encoding = if container == 1 { Encoding::Unsigned } else { Encoding::Signed };
    SampleFormat::new(encoding, bits, container, channels, false, 48_000).unwrap()
}

#[test]
fn every_width_and_number_of_channels_of_a_wav() {
    for channels in [1, 2, 3, 6, 9, 64] {
        for container in 1..=4_u8 {
            let length = 5 * usize::from(container) * usize::from(channels);
            let bytes: Vec<u8> = (0..=255).cycle().take(length).collect();
            let fmt = Fmt::pcm(u16::from(container) * 8, channels.into());
            for file in [wav(fmt, &bytes), wav(fmt.extensible(u16::from(container) * 8 - 1), &bytes)] {
                let audio = found(&file).expect("samples");
                assert_eq!(audio.format.container(), container.into());
                assert_eq!(audio.format.channels(), channels.into());
                assert_eq!(samples(&file), bytes);
            }
            assert_eq!(found(&wav(fmt, &bytes)).unwrap().format, pcm(container * 8, container, channels));
        }
        let float = wav(Fmt::float(channels.into()), &vec![7; 40 * usize::from(channels)]);
        assert_eq!(found(&float).unwrap().format.encoding(), Encoding::Float);
    }
}

#[test]
fn odd_valid_bits_lie_in_their_container() {
    let file = |bits, block_align| wav(Fmt { block_align, ..Fmt::pcm(bits, 2) }, &[0; 48]);
    assert_eq!(found(&file(20, 6)).unwrap().format, pcm(20, 3, 2));
    assert_eq!(found(&file(24, 8)).unwrap().format, pcm(24, 4, 2));
    assert_eq!(found(&file(12, 4)).unwrap().format, pcm(12, 2, 2));
    let extensible = wav(Fmt::pcm(32, 2).extensible(24), &[0; 48]);
    assert_eq!(found(&extensible).unwrap().format, pcm(24, 4, 2));
    let unsaid = wav(Fmt::pcm(24, 2).extensible(0), &[0; 48]);
    assert_eq!(found(&unsaid).unwrap().format, pcm(24, 3, 2));
}

#[test]
fn contradictions_are_just_bytes() {
    let plain = Fmt::pcm(16, 2);
    for fmt in [
        Fmt { channels: 0, ..plain },
        Fmt { channels: 65, block_align: 130, ..plain },
        Fmt { channels: u16::MAX, ..plain },
        Fmt { block_align: 0, ..plain },
        Fmt { block_align: 5, ..plain },
        Fmt { block_align: 2, ..plain },
        Fmt { block_align: u16::MAX, ..plain },
        Fmt { bits: 0, ..plain },
        Fmt { bits: 17, ..plain },
        Fmt { bits: u16::MAX, ..plain },
        Fmt { tag: 2, ..plain },
        Fmt { tag: 0x55, ..plain },
        Fmt { tag: 0xFFFE, ..plain },
        Fmt { tag: 3, ..plain },
        Fmt { bits: 64, block_align: 16, ..Fmt::float(2) },
        plain.extensible(17),
        Fmt { bits: 15, ..plain.extensible(15) },
        Fmt { extension: Some((16, 2)), ..plain.extensible(16) },
    ] {
        assert_eq!(found(&wav(fmt, &[0; 64])), None, "{fmt:?}");
    }
    let mut foreign = wav(plain.extensible(16), &[0; 64]);
    foreign[12 + 8 + 30] ^= 1;
    assert_eq!(found(&foreign), None, "a sub-format of somebody else");
}

#[test]
fn chunks_around_the_samples_are_skipped() {
    let fmt = riff_chunk(b"fmt ", &Fmt::pcm(16, 1).body());
    let junk = riff_chunk(b"JUNK", &[b'd'; 27]);
    let data = riff_chunk(b"data", &[9; 11]);
    let list = riff_chunk(b"LIST", b"INFO");
    let file = riff(b"RIFF", &[junk.clone(), fmt.clone(), junk.clone(), data.clone(), list]);
    assert_eq!(samples(&file), [9; 10], "whole frames only");

    let before = riff(b"RIFF", &[data.clone(), fmt.clone()]);
    assert_eq!(found(&before), None, "the format must be known first");
    let twice = riff(b"RIFF", &[fmt.clone(), fmt.clone(), data.clone()]);
    assert_eq!(samples(&twice), [9; 10]);
    let other = riff_chunk(b"fmt ", &Fmt::pcm(8, 2).body());
    assert_eq!(found(&riff(b"RIFF", &[fmt.clone(), other, data.clone()])), None, "two formats");

    // An odd chunk whose padding was forgotten.
    let mut unpadded = junk;
    unpadded.pop();
    assert_eq!(samples(&riff(b"RIFF", &[unpadded.clone(), fmt.clone(), unpadded, data])), [9; 10]);
    assert_eq!(found(&riff(b"RIFF", &[fmt])), None, "no samples at all");
}

#[test]
fn lengths_are_hints() {
    let frames = [3; 40];
    let good = wav(Fmt::pcm(16, 2), &frames);
    let size_at = 40;
    for size in [0, u32::MAX, 1 << 31, 41] {
        let mut file = good.clone();
        file[size_at..size_at + 4].copy_from_slice(&size.to_le_bytes());
        assert_eq!(samples(&file), frames, "size {size}");
    }
    let mut short = good.clone();
    short[size_at..size_at + 4].copy_from_slice(&10_u32.to_le_bytes());
    assert_eq!(samples(&short), &frames[..8], "the rest is no samples");
    // As a stream of unknown length the header is believed.
    assert_eq!(probe(&good[..44], None).unwrap().samples, 44..84);
    let mut endless = good;
    endless[size_at..size_at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let range = probe(&endless[..44], None).unwrap().samples;
    assert!(range.start == 44 && range.end > 1 << 63 && (range.end - range.start).is_multiple_of(4));
}

#[test]
fn sizes_that_wrapped_are_completed() {
    let header = &wav(Fmt::pcm(16, 2), &[0; 40])[..44];
    let end = |len| probe(header, Some(len)).unwrap().samples.end;
    assert_eq!(end(44 + 40 + (1 << 32) - 1), 84);
    assert_eq!(end(44 + 40 + (1 << 32)), 84 + (1 << 32));
    assert_eq!(end(44 + 40 + (3 << 32) + 500), 84 + (3 << 32));
}

#[test]
fn the_64_bit_forms_have_their_size_elsewhere() {
    let ds64 = |size: u64| riff_chunk(b"ds64", &[9_u64.to_le_bytes(), size.to_le_bytes(), [0; 8]].concat());
    let fmt = riff_chunk(b"fmt ", &Fmt::float(2).body());
    let data = [b"data", &u32::MAX.to_le_bytes()[..], &[1; 88]].concat();
    for kind in [b"RF64", b"BW64"] {
        let file = |size| riff(kind, &[ds64(size), fmt.clone(), data.clone()]);
        assert_eq!(samples(&file(48)).len(), 48);
        for wrong in [0, u64::MAX, 1 << 40] {
            assert_eq!(samples(&file(wrong)).len(), 88, "size {wrong}");
        }
        let without = riff(kind, &[fmt.clone(), data.clone()]);
        assert_eq!(samples(&without).len(), 88);
        let small = riff(kind, &[ds64(1 << 40), fmt.clone(), riff_chunk(b"data", &[1; 80])]);
        assert_eq!(samples(&small).len(), 80, "the size in the chunk is one");
    }
    let long = probe(&riff(b"RF64", &[ds64(6 << 32), fmt, data]), Some(7 << 32)).unwrap();
    assert_eq!(long.samples.end - long.samples.start, 6 << 32);
}

#[test]
fn aiff_in_both_byte_orders() {
    let bytes: Vec<u8> = (1..=48).collect();
    for (compression, bits, expected) in [
        (None, 8, Some((Encoding::Signed, 1, false))),
        (None, 16, Some((Encoding::Signed, 2, true))),
        (None, 20, Some((Encoding::Signed, 3, true))),
        (Some(b"NONE"), 24, Some((Encoding::Signed, 3, true))),
        (Some(b"twos"), 16, Some((Encoding::Signed, 2, true))),
        (Some(b"sowt"), 16, Some((Encoding::Signed, 2, false))),
        (Some(b"sowt"), 32, Some((Encoding::Signed, 4, false))),
        (Some(b"fl32"), 32, Some((Encoding::Float, 4, true))),
        (Some(b"FL32"), 24, Some((Encoding::Float, 4, true))),
        (Some(b"fl64"), 64, None),
        (Some(b"ima4"), 16, None),
        (None, 0, None),
        (None, 33, None),
    ] {
        for offset in [0, 6, 4000] {
            let file = aiff(2, bits, compression, offset, &bytes);
            let seen = found(&file).map(|audio| {
                let format = audio.format;
                assert_eq!((format.rate(), format.channels()), (44_100, 2));
                (format.encoding(), format.container(), format.big_endian())
            });
            assert_eq!(seen, expected, "{compression:?} {bits}");
            if seen.is_some() {
                assert_eq!(samples(&file), bytes);
            }
        }
    }
    for channels in [0, 65, u16::MAX] {
        assert_eq!(found(&aiff(channels, 16, None, 0, &[])), None);
    }
}

#[test]
fn aiff_sound_comes_after_its_format_and_not_before() {
    let file = aiff(1, 16, None, 0, &[1, 2, 3, 4]);
    let (header, chunks) = file.split_at(12);
    let (common, sound) = chunks.split_at(8 + 18);
    let junk = aiff_chunk(b"ANNO", b"odd");
    assert_eq!(samples(&[header, &junk, common, &junk, sound, &junk].concat()), [1, 2, 3, 4]);
    assert_eq!(found(&[header, sound, common].concat()), None);
    let sized = |size: u32| {
        let mut file = file.clone();
        file[12 + 26 + 4..][..4].copy_from_slice(&size.to_be_bytes());
        file
    };
    assert_eq!(samples(&sized(0)), [1, 2, 3, 4]);
    assert_eq!(samples(&sized(u32::MAX)), [1, 2, 3, 4]);
    assert_eq!(samples(&sized(8 + 3)), [1, 2]);
    assert_eq!(found(&sized(7)), None, "no room for its own fields");
    let mut beyond = file.clone();
    beyond[12 + 26 + 8..][..4].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(found(&beyond), None);
}

#[test]
fn only_the_head_is_looked_at() {
    let fmt = riff_chunk(b"fmt ", &Fmt::pcm(16, 1).body());
    let data = riff_chunk(b"data", &[9; 8]);
    let file = |junk| riff(b"RIFF", &[fmt.clone(), riff_chunk(b"JUNK", &vec![0; junk]), data.clone()]);
    let before = 12 + fmt.len() + 8 + 8;
    let near = file(HEAD_LEN - before);
    assert_eq!(samples(&near), [9; 8]);
    assert_eq!(probe(&near[..HEAD_LEN], Some(near.len() as u64)), found(&near));
    assert_eq!(found(&file(HEAD_LEN - before + 2)), None);
}

#[test]
fn what_is_no_audio_is_none() {
    for bytes in [
        &b""[..],
        b"RIFF",
        b"RIFF\0\0\0\0AVI ",
        b"FORM\0\0\0\0ILBM",
        b"MThd\0\0\0\x06",
        b"{\"a\": 1}",
        &[0; 100],
    ] {
        assert_eq!(found(bytes), None);
        assert_eq!(probe(bytes, None), None);
    }
}
