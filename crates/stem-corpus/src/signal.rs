//! Stems: what an instrument plays, and the edits made to it.
//!
//! A stem is a list of [`Piece`]s, as an audio program keeps its edits: each names a take and a stretch of that
//! take's own time line. A punch-in replaces a stretch by one of another take, an insertion moves what follows, and
//! everything outside stays byte for byte what it was, which is just what a store that finds edits has to find.
//!
//! A take is a sequence of bars. The first take follows a song: it rests for some bars (exact zeros), repeats some
//! exactly (a loop), and plays the others as a musician does, never twice alike: gain and noise differ. The noise,
//! about 70 dB below full scale, is what audio coding has to pay for; a stem without it would shrink to nothing.

mod encode;
mod pattern;
mod tables;

use std::io::{self, Write};

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::seed::derive;
use crate::wav::Wave;
pub use encode::Precision;
use pattern::{BLOCK, Pattern, Stage};
pub(crate) use tables::exp2;

/// What plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Instrument {
    /// Bass drum: short hits, digital silence between them.
    Kick,
    /// Snare drum.
    Snare,
    /// The whole drum kit with cymbals, as overhead or room microphones hear it.
    Kit,
    /// Bass, one note at a time.
    Bass,
    /// Guitar, two notes at a time.
    Guitar,
    /// Piano chords.
    Keys,
    /// Long, slow chords.
    Pad,
    /// A singing line with vibrato.
    Lead,
    /// Several of them together, for bounces.
    Band,
}

impl Instrument {
    /// Noise of a performance: the floor in 1/65536 of a 16-bit triangle, and the right shift of the loudest sample
    /// of a block that is added to it.
    const fn noise(self) -> (i32, u32) {
        match self {
            Self::Kick | Self::Snare => (1_400, 10),
            Self::Kit => (3_000, 9),
            Self::Bass | Self::Pad => (1_600, 10),
            Self::Guitar | Self::Lead => (2_400, 9),
            Self::Keys | Self::Band => (2_000, 10),
        }
    }
}

/// Which take of an instrument: 0 follows the song with its rests and loops, others play throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Take(pub u32);

/// A stretch of a take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Piece {
    /// The take.
    pub take: Take,
    /// First frame, in the time of the take.
    pub start: u64,
    /// Frames.
    pub frames: u64,
}

/// A level in 1/32768; never above 1, so that nothing clips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gain(u16);

impl Gain {
    /// Unchanged.
    pub const UNITY: Self = Self(0x8000);
    /// 1.5 dB down.
    pub const DOWN_1_5_DB: Self = Self(27_571);

    /// `level / 32768`, at most [`UNITY`](Self::UNITY).
    pub const fn new(level: u16) -> Self {
        if level > Self::UNITY.0 { Self::UNITY } else { Self(level) }
    }
}

/// The form of a song, two bars per part: rests are a fifth of it, loops a ninth.
const FORM: [Part; 9] = [
    Part::Play,
    Part::Play,
    Part::Rest,
    Part::Loop,
    Part::Play,
    Part::Play,
    Part::Play,
    Part::Rest,
    Part::Play,
];
/// Different bars of one instrument.
const PATTERNS: usize = 4;

#[derive(Debug, Clone, Copy)]
enum Part {
    Play,
    Loop,
    Rest,
}

/// A stem: a WAV file of one instrument.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stem {
    wave: Wave,
    instrument: Instrument,
    precision: Precision,
    seed: u64,
    tempo: u32,
    gain: Gain,
    pieces: Vec<Piece>,
}

impl Stem {
    /// The first take of `instrument`, as long as `wave` says, at `tempo` beats per minute (kept within 60 to 200).
    pub fn new(wave: Wave, instrument: Instrument, precision: Precision, seed: u64, tempo: u32) -> Self {
        let pieces = vec![Piece { take: Take(0), start: 0, frames: wave.frames() }];
        let tempo = tempo.clamp(60, 200);
        Self { wave, instrument, precision, seed, tempo, gain: Gain::UNITY, pieces }
    }

    /// The container.
    pub const fn wave(&self) -> &Wave {
        &self.wave
    }

    /// What plays.
    pub const fn instrument(&self) -> Instrument {
        self.instrument
    }

    /// How many bits of a float sample are used.
    pub const fn precision(&self) -> Precision {
        self.precision
    }

    /// The edits, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Frames in a bar of four beats.
    pub fn bar_frames(&self) -> u64 {
        u64::from(self.wave.format().rate()) * 240 / u64::from(self.tempo)
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.wave.len()
    }

    /// Always false: even a stem without frames has a header.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The same at another level.
    #[must_use]
    pub fn at(mut self, gain: Gain) -> Self {
        self.gain = gain;
        self
    }

    /// A new take from frame `at` on, over `frames` frames: the length stays, and so does everything else.
    #[must_use]
    pub fn punched_in(self, at: u64, frames: u64) -> Self {
        let end = at.saturating_add(frames).min(self.wave.frames());
        let at = at.min(end);
        self.spliced(at, end - at, end - at)
    }

    /// A new take of `frames` frames put in before frame `at`: what follows moves, nothing else changes.
    #[must_use]
    pub fn inserted(self, at: u64, frames: u64) -> Self {
        let at = at.min(self.wave.frames());
        self.spliced(at, 0, frames)
    }

    fn spliced(mut self, at: u64, removed: u64, added: u64) -> Self {
        let take = Take(self.pieces.iter().map(|piece| piece.take.0).max().unwrap_or(0).saturating_add(1));
        let mut pieces = stretch(&self.pieces, 0, at);
        pieces.push(Piece { take, start: at, frames: added });
        pieces.extend(stretch(&self.pieces, at.saturating_add(removed), u64::MAX));
        pieces.retain(|piece| piece.frames > 0);
        let frames = self.wave.frames().saturating_sub(removed).saturating_add(added);
        self.wave = self.wave.with_frames(frames);
        self.pieces = pieces;
        self
    }

    /// Writes the file, a bar at a time.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.wave.head())?;
        let mut player = Player::new(self);
        let mut left = self.wave.frames();
        for piece in &self.pieces {
            let mut at = piece.start;
            let end = piece.start.saturating_add(piece.frames.min(left));
            left = left.saturating_sub(piece.frames);
            while at < end {
                at = player.play(piece.take, at, end, out)?;
            }
        }
        out.write_all(&self.wave.tail())
    }
}

/// The part of `pieces` between two frames of the stem.
fn stretch(pieces: &[Piece], from: u64, to: u64) -> Vec<Piece> {
    let mut cut = Vec::with_capacity(pieces.len() + 2);
    let mut begin = 0_u64;
    for piece in pieces {
        let end = begin.saturating_add(piece.frames);
        let (first, last) = (begin.max(from), end.min(to));
        if first < last {
            let start = piece.start.saturating_add(first - begin);
            cut.push(Piece { take: piece.take, start, frames: last - first });
        }
        begin = end;
    }
    cut
}

/// Plays the bars of a stem into reused buffers.
struct Player<'a> {
    stem: &'a Stem,
    stage: Stage,
    patterns: [Option<Pattern>; PATTERNS],
    samples: Vec<i32>,
    bytes: Vec<u8>,
}

impl<'a> Player<'a> {
    fn new(stem: &'a Stem) -> Self {
        let format = stem.wave.format();
        let stage = Stage {
            instrument: stem.instrument,
            seed: stem.seed,
            rate: format.rate(),
            channels: usize::from(format.channels()),
            bar_frames: usize::try_from(stem.bar_frames()).unwrap_or(0),
        };
        Self { stem, stage, patterns: [const { None }; PATTERNS], samples: Vec::new(), bytes: Vec::new() }
    }

    /// Writes what lies before `end` of the bar that holds frame `at`; returns the frame after it.
    fn play(&mut self, take: Take, at: u64, end: u64, out: &mut dyn Write) -> io::Result<u64> {
        let bar_frames = self.stem.bar_frames().max(1);
        let bar = at / bar_frames;
        let next = (bar + 1).saturating_mul(bar_frames).min(end);
        self.render(take, bar);
        let offset = |frame: u64| {
            let frame = usize::try_from(frame - bar * bar_frames).unwrap_or(usize::MAX);
            frame.saturating_mul(self.stage.channels).min(self.samples.len())
        };
        let wanted = &self.samples[offset(at)..offset(next)];
        let format = self.stem.wave.format().sample();
        encode::encode(wanted, format, self.stem.precision, self.stem.gain.0, &mut self.bytes);
        out.write_all(&self.bytes)?;
        Ok(next)
    }

    fn render(&mut self, take: Take, bar: u64) {
        let seed = derive(self.stem.seed, 0x7A6E_0000 + u64::from(take.0));
        let part = if take == Take(0) { part_of_song(self.stem.seed, bar) } else { Part::Play };
        let (pattern, gain, noise) = match part {
            Part::Rest => {
                self.samples.clear();
                self.samples.resize(self.stage.bar_frames * self.stage.channels, 0);
                return;
            }
            Part::Loop => (0_u64, 255, derive(self.stem.seed, 0x100F)),
            Part::Play => {
                let noise = derive(seed, bar);
                (bar / 2 % PATTERNS as u64, 208 + noise_bits(noise), noise)
            }
        };
        let slot = usize::try_from(pattern).unwrap_or(0) % self.patterns.len();
        let pattern = self.patterns[slot].get_or_insert_with(|| Pattern::render(&self.stage, pattern));
        perform(pattern, gain, noise, &mut self.samples);
    }
}

/// The part that bar `bar` belongs to; each instrument enters the form at another place.
fn part_of_song(seed: u64, bar: u64) -> Part {
    let place = (bar / 2).wrapping_add(derive(seed, 0xF0) % 9) % 9;
    FORM.get(usize::try_from(place).unwrap_or(0)).copied().unwrap_or(Part::Play)
}

/// 0..48 from a seed: how hard a bar is played.
fn noise_bits(seed: u64) -> i32 {
    i32::try_from((seed >> 32) % 48).unwrap_or(0)
}

/// `pattern` at `gain / 256` (below 256) with fresh noise of triangular distribution.
///
/// Peak 2^22 times 255 fits 31 bits, and what comes out fits 24.
fn perform(pattern: &Pattern, gain: i32, seed: u64, out: &mut Vec<i32>) {
    let mut noise = Xoshiro256PlusPlus::seed_from_u64(seed);
    out.clear();
    out.resize(pattern.samples.len(), 0);
    for ((out, samples), hiss) in out.chunks_mut(BLOCK).zip(pattern.samples.chunks(BLOCK)).zip(&pattern.hiss)
    {
        if *hiss == 0 {
            continue;
        }
        for (out, samples) in out.chunks_mut(2).zip(samples.chunks(2)) {
            let bits = noise.next_u64();
            for ((out, sample), shift) in out.iter_mut().zip(samples).zip([0, 32]) {
                *out = ((sample * gain) >> 8) + ((triangle(bits >> shift) * hiss) >> 16);
            }
        }
    }
}

/// The sum of two signed 16-bit numbers.
#[inline]
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "takes 16 bits at a time")]
fn triangle(bits: u64) -> i32 {
    i32::from(bits as u16 as i16) + i32::from((bits >> 16) as u16 as i16)
}
