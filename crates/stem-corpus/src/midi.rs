//! Standard MIDI files, format 1, of exactly the length asked for.
//!
//! Notes go on until the track is full; the few bytes left are a sequencer-specific event, which is where audio
//! programs keep data of their own. So a listing knows the length before the file is made.

use crate::seed::{Dice, derive};

/// Shortest file.
pub const MIN_LEN: u64 = 205;
/// Longest file.
pub const MAX_LEN: u64 = 1 << 20;

/// Ticks per quarter note.
const DIVISION: u16 = 480;
const END_OF_TRACK: [u8; 4] = [0, 0xFF, 0x2F, 0];
/// Chunk type and length.
const CHUNK: usize = 8;
/// What one note needs at most: two deltas of two bytes, two messages of three.
const NOTE_MAX: usize = 10;
/// Delta, `FF 7F` and length.
const FILLER: usize = 4;
/// Bytes of notes per track, roughly: long files have more tracks, not only longer ones.
const TRACK_BYTES: usize = 6_000;

/// A score: notes of one instrument or several.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Score {
    seed: u64,
    len: u64,
    revision: u32,
}

impl Score {
    /// A score whose file has `len` bytes, kept within [`MIN_LEN`] and [`MAX_LEN`].
    pub fn new(seed: u64, len: u64) -> Self {
        Self { seed, len: len.clamp(MIN_LEN, MAX_LEN), revision: 0 }
    }

    /// The same score after some bars were played again: a few velocities differ, nothing moves.
    #[must_use]
    pub fn revised(mut self) -> Self {
        self.revision = self.revision.saturating_add(1);
        self
    }

    /// Bytes of the file.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Always false: a score has a header.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let len = usize::try_from(self.len).unwrap_or(0);
        let tracks = 1 + (len / TRACK_BYTES).min(7);
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(b"MThd\x00\x00\x00\x06\x00\x01");
        out.extend_from_slice(&u16::try_from(tracks + 1).unwrap_or(1).to_be_bytes());
        out.extend_from_slice(&DIVISION.to_be_bytes());
        track(&mut out, &self.tempo_track());
        for number in 0..tracks {
            let share = len.saturating_sub(out.len()) / (tracks - number);
            let body = self.notes(number, share.saturating_sub(CHUNK));
            track(&mut out, &body);
        }
        out
    }

    fn tempo_track(&self) -> Vec<u8> {
        let mut dice = Dice::new(self.seed);
        let mut body = Vec::with_capacity(64);
        let tempo = 60_000_000 / dice.between(84, 150);
        body.extend_from_slice(&[0, 0xFF, 0x51, 3]);
        body.extend_from_slice(&tempo.to_be_bytes()[1..]);
        body.extend_from_slice(&[0, 0xFF, 0x58, 4, 4, 2, 24, 8]);
        body.extend_from_slice(&END_OF_TRACK);
        body
    }

    /// The events of a track: exactly `len` bytes.
    fn notes(&self, number: usize, len: usize) -> Vec<u8> {
        const NAMES: [&str; 8] = ["Drums", "Bass", "Keys", "Strings", "Lead", "Pad", "Brass", "Arp"];
        let number_64 = u64::try_from(number).unwrap_or(0);
        let mut dice = Dice::new(derive(self.seed, 1 + number_64));
        let channel = u8::try_from(number % 16).unwrap_or(0);
        let mut body = Vec::with_capacity(len);
        let name = NAMES.get(number % NAMES.len()).copied().unwrap_or("Notes");
        body.extend_from_slice(&[0, 0xFF, 0x03, u8::try_from(name.len()).unwrap_or(0)]);
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&[0, 0xC0 | channel, low_7(dice.below(96))]);

        let riff = Riff::new(&mut dice);
        let mut step = 0_u64;
        while body.len() + NOTE_MAX + FILLER + END_OF_TRACK.len() <= len {
            let (key, length) = riff.note(step, &mut dice);
            let touched = if step % 64 < 4 { self.revision.wrapping_mul(7) } else { 0 };
            let velocity = 60 + dice.below(40).wrapping_add(touched) % 40;
            let late = dice.below(20);
            variable(&mut body, late);
            body.extend_from_slice(&[0x90 | channel, low_7(key), low_7(velocity)]);
            variable(&mut body, length - late);
            body.extend_from_slice(&[0x80 | channel, low_7(key), 64]);
            step += 1;
        }
        let filler = len.saturating_sub(body.len() + FILLER + END_OF_TRACK.len());
        body.extend_from_slice(&[0, 0xFF, 0x7F, u8::try_from(filler).unwrap_or(0x7F) & 0x7F]);
        body.resize(body.len() + filler, 0);
        body.extend_from_slice(&END_OF_TRACK);
        body
    }
}

/// A phrase of 16 notes that comes again with variations, as a sequenced part does.
struct Riff {
    keys: [u32; 16],
    lengths: [u32; 16],
}

impl Riff {
    fn new(dice: &mut Dice) -> Self {
        let root = dice.between(30, 70);
        Self {
            keys: std::array::from_fn(|_| root + dice.pick(&[0, 0, 3, 5, 7, 7, 10, 12, 15], 0)),
            lengths: std::array::from_fn(|_| dice.pick(&[120, 120, 240, 480], 240)),
        }
    }

    fn note(&self, step: u64, dice: &mut Dice) -> (u32, u32) {
        let place = usize::try_from(step % 16).unwrap_or(0);
        let key = self.keys.get(place).copied().unwrap_or(60);
        let length = self.lengths.get(place).copied().unwrap_or(240);
        if dice.one_in(4) { (key + dice.pick(&[2, 5, 12], 0), length) } else { (key, length) }
    }
}

fn track(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(b"MTrk");
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(body);
}

/// A variable-length quantity; callers stay below 2^14.
fn variable(out: &mut Vec<u8>, value: u32) {
    if value >= 0x80 {
        out.push(0x80 | low_7(value >> 7));
    }
    out.push(low_7(value));
}

fn low_7(value: u32) -> u8 {
    u8::try_from(value & 0x7F).unwrap_or(0)
}
