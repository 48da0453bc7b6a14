//! Broken, truncated and hostile recordings: an answer, no panic, and no more memory than was promised.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]
#![expect(clippy::cast_possible_truncation, reason = "any byte will do")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use stem_corpus::wav::{Format, SampleFormat, Wave};
use stem_inspect::{Difference, Limits, ReadAt, clip, compare, describe, waveform};

/// What issue and documentation promise.
const MOST: usize = 64 << 20;

/// Counts what is reserved.
struct Counting {
    live: AtomicUsize,
    peak: AtomicUsize,
}

#[expect(unsafe_code, reason = "an allocator is unsafe to implement; this one only counts")]
// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = self.live.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        self.peak.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.live.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static MEMORY: Counting = Counting { live: AtomicUsize::new(0), peak: AtomicUsize::new(0) };

/// Runs something and says how much more memory it had than before, at most.
fn peak_of(run: impl FnOnce()) -> usize {
    let before = MEMORY.live.load(Ordering::Relaxed);
    MEMORY.peak.store(before, Ordering::Relaxed);
    run();
    MEMORY.peak.load(Ordering::Relaxed).saturating_sub(before)
}

fn ask_everything(bytes: &dyn ReadAt, whole: &dyn ReadAt) {
    // A limit that hostile headers reach and honest files do not.
    let limits = Limits { decoded: 1 << 22, ..Limits::default() };
    let described = describe(b"take.wav", bytes, &limits).unwrap();
    let _ = described.summary();
    let _ = compare(b"take.wav", whole, bytes, &limits).unwrap().summary();
    let _ = compare(b"take.wav", bytes, whole, &limits).unwrap().summary();
    let _ = waveform(bytes, 0..u64::MAX, 100, &limits).unwrap();
    let _ = clip(bytes, 1000..3000, 1 << 16, &limits).unwrap();
}

fn wav(format: SampleFormat) -> Vec<u8> {
    let wave = Wave::new(Format::new(44_100, 2, format).unwrap(), 4000);
    let mut bytes = wave.head();
    let data = bytes.len() as u64;
    let mut state = 1_u32;
    while (bytes.len() as u64) < wave.len() - wave.tail().len() as u64 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.push((state >> 24) as u8);
    }
    assert!(bytes.len() as u64 > data);
    bytes.extend(wave.tail());
    bytes
}

/// A WAV header that says anything, and some bytes.
fn said(channels: u16, rate: u32, bits: u16, size: u32) -> Vec<u8> {
    let frame = (u32::from(channels) * u32::from(bits) / 8) as u16;
    let mut file = b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0\x01\0".to_vec();
    file.extend_from_slice(&channels.to_le_bytes());
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&rate.wrapping_mul(frame.into()).to_le_bytes());
    file.extend_from_slice(&frame.to_le_bytes());
    file.extend_from_slice(&bits.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&size.to_le_bytes());
    file.extend((0..200_000_u32).map(|value| (value * 7) as u8));
    file
}

/// A long recording of many channels that is nowhere kept: a header, and then bytes made of their place.
struct Long {
    head: Vec<u8>,
    len: u64,
    /// Where the bytes are others.
    punched: std::ops::Range<u64>,
}

impl Long {
    fn new(bytes: u64, punched: std::ops::Range<u64>) -> Self {
        let mut head = said(64, 48_000, 32, bytes as u32);
        head.truncate(44);
        Self { len: bytes + 44, head, punched }
    }
}

impl ReadAt for Long {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buf.len().min(left);
        for (place, byte) in (offset..).zip(&mut buf[..count]) {
            let noise =
                (place / 4).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29).wrapping_mul(place | 1);
            let other = u64::from(self.punched.contains(&place)) * 0x3C;
            *byte = self.head.get(place as usize).copied().unwrap_or(((noise >> 40) ^ other) as u8);
        }
        Ok(count)
    }
}

/// A FLAC stream information that says anything, before the frames of another.
fn announced(flac: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut file = flac.to_vec();
    change(&mut file[8..42]);
    file
}

#[test]
fn every_file_has_an_answer_within_the_promised_memory() {
    let flac = include_bytes!("data/tone.flac").to_vec();
    let mp3 = include_bytes!("data/tone.mp3").to_vec();
    let ogg = include_bytes!("data/tone.ogg").to_vec();
    let aiff = {
        let mut file =
            b"FORM\0\0\x20\x2eAIFFCOMM\0\0\0\x12\0\x02\0\0\x08\0\0\x10\x40\x0e\xac\x44\0\0\0\0\0\0".to_vec();
        file.extend_from_slice(b"SSND\0\0\x20\x08\0\0\0\0\0\0\0\0");
        file.extend((0..8192_u32).map(|value| ((value * 31) >> 3) as u8));
        file
    };
    let wavs = [wav(SampleFormat::Pcm24), wav(SampleFormat::Float32)];
    let whole: Vec<&Vec<u8>> = [&flac, &mp3, &ogg, &aiff].into_iter().chain(&wavs).collect();
    let check = |name: &str, bytes: &Vec<u8>, other: &Vec<u8>| {
        let peak = peak_of(|| ask_everything(bytes, other));
        assert!(peak <= MOST, "{name}: {} MiB", peak >> 20);
    };

    let mut state = 42_u64;
    let mut roll = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for (number, file) in whole.iter().enumerate() {
        for part in 0..24 {
            let cut = file[..file.len() * part / 24].to_vec();
            check(&format!("file {number}, cut to {}", cut.len()), &cut, file);
        }
        for round in 0..60 {
            let mut broken: Vec<u8> = (*file).clone();
            for _ in 0..=roll(8) {
                // Headers are hit as often as everything else.
                let within = if roll(2) == 0 { broken.len().min(120) } else { broken.len() };
                let at = roll(within);
                broken[at] = roll(256) as u8;
            }
            check(&format!("file {number}, round {round}"), &broken, file);
        }
    }

    for (channels, rate, bits) in
        [(64, u32::MAX, 32), (64, 768_000, 24), (1, 1, 8), (64, 8, 8), (65, 44_100, 16), (2, 0, 16)]
    {
        for size in [0, 7, 199_999, u32::MAX - 1, u32::MAX] {
            let file = said(channels, rate, bits, size);
            check(&format!("{channels} channels, {rate} Hz, {bits} bits, {size} bytes"), &file, &wavs[0]);
        }
    }

    let long = Long::new(80 << 20, 0..0);
    for (name, punched) in [("one span", 20 << 20..45 << 20), ("everything", 0..u64::MAX)] {
        let other = Long::new(80 << 20, punched);
        let peak = peak_of(|| {
            let found = compare(b"", &long, &other, &Limits::default()).unwrap();
            assert!(matches!(found, Difference::Audio(_)), "{found:?}");
        });
        assert!(peak <= MOST, "64 channels, {name}: {} MiB", peak >> 20);
    }

    check("the longest FLAC", &announced(&flac, |info| info[13..18].fill(0xFF)), &flac);
    check("the largest blocks", &announced(&flac, |info| info[..4].fill(0xFF)), &flac);
    check("no rate", &announced(&flac, |info| info[10..12].fill(0)), &flac);
    check("eight channels", &announced(&flac, |info| info[12] |= 0x0E), &flac);
    let mut blocks = flac[..42].to_vec();
    blocks[4] = 0;
    for _ in 0..40 {
        // Pictures of 16 MiB that are not there.
        blocks.extend_from_slice(&[6, 0xFF, 0xFF, 0xFF, 1, 2, 3]);
    }
    check("pictures", &blocks, &flac);
    let tag = [b"ID3\x04\0\0\x7f\x7f\x7f\x7f".as_slice(), &mp3].concat();
    check("a tag larger than the file", &tag, &mp3);
    let codebooks = {
        let mut file = ogg.clone();
        let setup = file.windows(7).position(|bytes| bytes == b"\x05vorbis").unwrap();
        // 131,072 entries of 32 numbers.
        file[setup + 11..setup + 16].copy_from_slice(&[32, 0, 0, 0, 2]);
        file
    };
    check("a codebook of 16 MiB", &codebooks, &ogg);
}
