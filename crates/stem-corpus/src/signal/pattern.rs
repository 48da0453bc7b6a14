//! One bar of an instrument, rendered once and performed many times.
//!
//! Synthesis is some twenty times dearer per sample than a performance (`super::perform`), and a stem of minutes
//! needs only a handful of different bars, so the cost vanishes. What makes two performances of a bar differ, and
//! what audio coders cannot predict, is added later.

use super::Instrument;
use super::tables::{Cycle, exp2, harmonics, look_up, sine};
use crate::seed::{Dice, derive};

/// Interleaved samples that share one noise level.
pub(super) const BLOCK: usize = 256;
/// Peak of a pattern: 6 dB below full scale of 24 bits, which leaves room for gain and noise without clipping.
const PEAK: f32 = 4_194_303.0;
/// Where a decaying note ends: 80 dB down, and from there on exactly nothing.
const INAUDIBLE: f32 = 1e-4;

/// What a bar is rendered for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage {
    pub(super) instrument: Instrument,
    pub(super) seed: u64,
    pub(super) rate: u32,
    pub(super) channels: usize,
    pub(super) bar_frames: usize,
}

/// A bar of interleaved samples within ±[`PEAK`], and the noise that goes with each block of it.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) samples: Vec<i32>,
    /// Per [`BLOCK`]: scale of the noise in 1/65536; 0 where the block is exactly silent.
    pub(super) hiss: Vec<i32>,
}

impl Pattern {
    pub(super) fn render(stage: &Stage, number: u64) -> Self {
        let mut bar = Bar {
            stage: *stage,
            mix: vec![0.0; stage.bar_frames * stage.channels],
            dice: Dice::new(derive(stage.seed, number)),
        };
        let degree = [0, 5, 2, 4][usize::try_from(number % 4).unwrap_or(0)];
        bar.play(stage.instrument, degree);
        bar.finish()
    }
}

/// How a pitched instrument sounds and what it plays.
struct Timbre {
    /// MIDI note of the lowest root.
    register: u32,
    /// Equal parts of the bar on which notes may start.
    steps: u32,
    /// One step in so many is a rest.
    rests: u32,
    /// Notes struck together.
    chord: u32,
    /// Harmonics of the bright part.
    overtones: u16,
    attack_ms: u32,
    half_life_ms: u32,
    /// Depth of vibrato as a fraction of the frequency.
    vibrato: f32,
}

const BASS: Timbre = Timbre {
    register: 28,
    steps: 8,
    rests: 5,
    chord: 1,
    overtones: 12,
    attack_ms: 4,
    half_life_ms: 110,
    vibrato: 0.0,
};
const GUITAR: Timbre = Timbre {
    register: 45,
    steps: 8,
    rests: 4,
    chord: 2,
    overtones: 16,
    attack_ms: 2,
    half_life_ms: 160,
    vibrato: 0.001,
};
const KEYS: Timbre = Timbre {
    register: 52,
    steps: 4,
    rests: 8,
    chord: 3,
    overtones: 10,
    attack_ms: 3,
    half_life_ms: 220,
    vibrato: 0.0,
};
const PAD: Timbre = Timbre {
    register: 45,
    steps: 1,
    rests: 64,
    chord: 4,
    overtones: 8,
    attack_ms: 300,
    half_life_ms: 1_500,
    vibrato: 0.002,
};
const LEAD: Timbre = Timbre {
    register: 57,
    steps: 6,
    rests: 3,
    chord: 1,
    overtones: 14,
    attack_ms: 40,
    half_life_ms: 240,
    vibrato: 0.006,
};
/// A minor scale in semitones.
const SCALE: [u32; 7] = [0, 2, 3, 5, 7, 8, 10];

struct Bar {
    stage: Stage,
    mix: Vec<f32>,
    dice: Dice,
}

/// Level of even and of odd channels.
type Pan = [f32; 2];

impl Bar {
    fn play(&mut self, instrument: Instrument, degree: u32) {
        match instrument {
            Instrument::Kick => self.kick(),
            Instrument::Snare => self.snare([0.9, 1.0], 45),
            Instrument::Kit => {
                self.kick();
                self.snare([0.8, 0.6], 90);
                self.cymbals();
            }
            Instrument::Bass => self.tune(&BASS, degree),
            Instrument::Guitar => self.tune(&GUITAR, degree),
            Instrument::Keys => self.tune(&KEYS, degree),
            Instrument::Pad => self.tune(&PAD, degree),
            Instrument::Lead => self.tune(&LEAD, degree),
            Instrument::Band => {
                self.kick();
                self.snare([0.7, 0.6], 60);
                self.tune(&BASS, degree);
                self.tune(&KEYS, degree);
                self.tune(&LEAD, degree);
            }
        }
    }

    fn kick(&mut self) {
        let ghost = self.dice.below(8);
        for step in [0, 4] {
            self.thump(step, [1.0, 1.0]);
        }
        if ghost % 2 == 1 {
            self.thump(ghost, [0.6, 0.6]);
        }
    }

    fn thump(&mut self, step: u32, pan: Pan) {
        let fade = self.decay(45);
        let floor = self.increment(45.0);
        let mut sweep = self.increment(160.0) - floor;
        let slide = self.decay(18);
        let mut level = 0.9;
        let mut phase = 0_u32;
        for frame in self.frames_from(step, 8) {
            let value = look_up(sine(), phase) * level;
            add(frame, value, pan);
            phase = phase.wrapping_add(whole(floor + sweep));
            sweep *= slide;
            level *= fade;
            if level < INAUDIBLE {
                break;
            }
        }
    }

    fn snare(&mut self, pan: Pan, half_life_ms: u32) {
        for step in [2, 6] {
            self.burst(step, 8, 0.35, half_life_ms, pan);
            let fade = self.decay(half_life_ms);
            let step_width = whole(self.increment(186.0));
            let mut level = 0.5;
            let mut phase = 0_u32;
            for frame in self.frames_from(step, 8) {
                add(frame, look_up(sine(), phase) * level, pan);
                phase = phase.wrapping_add(step_width);
                level *= fade;
                if level < INAUDIBLE {
                    break;
                }
            }
        }
    }

    fn cymbals(&mut self) {
        for step in 0..16 {
            let open = self.dice.one_in(8);
            let loudness = if step % 4 == 0 { 0.08 } else { 0.05 };
            self.burst(step, 16, loudness, if open { 70 } else { 14 }, [0.7, 1.0]);
        }
    }

    /// Noise without its low end, as a stick on metal or wire makes it.
    fn burst(&mut self, step: u32, steps: u32, loudness: f32, half_life_ms: u32, pan: Pan) {
        let fade = self.decay(half_life_ms);
        let mut noise = Dice::new(self.dice.bits());
        let mut level = loudness;
        let mut low = 0.0_f32;
        for frame in self.frames_from(step, steps) {
            let white = signed(noise.bits());
            low += (white - low) * 0.25;
            add(frame, (white - low) * level, pan);
            level *= fade;
            if level < INAUDIBLE {
                break;
            }
        }
    }

    fn tune(&mut self, timbre: &Timbre, degree: u32) {
        let body = harmonics(1, 3, 2);
        let bright = harmonics(2, timbre.overtones, 1);
        for step in 0..timbre.steps {
            if step > 0 && self.dice.one_in(timbre.rests) {
                continue;
            }
            let walk = if timbre.chord == 1 { self.dice.below(4) } else { 0 };
            for voice in 0..timbre.chord {
                let place = degree + walk + voice * 2;
                let note = timbre.register + SCALE[place as usize % 7] + 12 * (place / 7);
                let pan = if voice % 2 == 0 { [0.9, 0.7] } else { [0.6, 1.0] };
                self.note(timbre, step, note, pan, &body, &bright);
            }
        }
    }

    fn note(&mut self, timbre: &Timbre, step: u32, note: u32, pan: Pan, body: &Cycle, bright: &Cycle) {
        // 440 Hz is note 69; note 9 is five octaves lower, below all that is played, and exponents stay positive.
        let hertz = 440.0 / 32.0 * exp2(f64::from(note.saturating_sub(9)) / 12.0);
        let width = self.increment(hertz);
        let attack = self.per_frame(timbre.attack_ms);
        let fade = self.decay(timbre.half_life_ms);
        let dull = self.decay(timbre.half_life_ms / 3);
        let wobble = whole(self.increment(5.5));
        let loudness = 0.5 + 0.5 * signed(self.dice.bits()).abs();
        let (mut level, mut edge, mut rise) = (loudness, 0.6 * loudness, 0.0_f32);
        let (mut phase, mut lfo) = (whole(self.increment(1.0)).wrapping_mul(note), 0_u32);
        for frame in self.frames_from(step, timbre.steps) {
            let value = (look_up(body, phase) * level + look_up(bright, phase) * edge) * rise;
            add(frame, value, pan);
            let bend = 1.0 + timbre.vibrato * look_up(sine(), lfo);
            phase = phase.wrapping_add(whole(width * bend));
            lfo = lfo.wrapping_add(wobble);
            rise = (rise + attack).min(1.0);
            level *= fade;
            edge *= dull;
            if level < INAUDIBLE {
                break;
            }
        }
    }

    /// The frames from `step` of `steps` in the bar to its end.
    fn frames_from(&mut self, step: u32, steps: u32) -> std::slice::ChunksExactMut<'_, f32> {
        let start = self.stage.bar_frames * step as usize / (steps as usize).max(1);
        let start = (start * self.stage.channels).min(self.mix.len());
        self.mix[start..].chunks_exact_mut(self.stage.channels)
    }

    /// Phase per frame at `hertz`, as a float of the 32-bit turn.
    #[expect(clippy::cast_possible_truncation, reason = "rounding to single precision is what is wanted")]
    fn increment(&self, hertz: f64) -> f32 {
        (hertz * 4_294_967_296.0 / f64::from(self.stage.rate)) as f32
    }

    /// The factor per frame that halves a level in `ms`.
    #[expect(clippy::cast_possible_truncation, reason = "rounding to single precision is what is wanted")]
    fn decay(&self, ms: u32) -> f32 {
        let frames = f64::from(self.stage.rate) * f64::from(ms.max(1)) / 1_000.0;
        (1.0 / exp2(1.0 / frames)) as f32
    }

    /// The step per frame that goes from 0 to 1 in `ms`.
    #[expect(clippy::cast_possible_truncation, reason = "rounding to single precision is what is wanted")]
    fn per_frame(&self, ms: u32) -> f32 {
        (1_000.0 / (f64::from(self.stage.rate) * f64::from(ms.max(1)))) as f32
    }

    #[expect(clippy::cast_possible_truncation, reason = "the scale keeps every value within PEAK")]
    fn finish(mut self) -> Pattern {
        self.fade_out();
        let peak = self.mix.iter().fold(f32::MIN_POSITIVE, |peak, value| peak.max(value.abs()));
        let scale = PEAK / peak;
        let samples: Vec<i32> = self.mix.iter().map(|value| (value * scale) as i32).collect();
        let (floor, follow) = self.stage.instrument.noise();
        let hiss = samples
            .chunks(BLOCK)
            .map(|block| match block.iter().fold(0, |loudest, value| loudest.max(value.abs())) {
                0 => 0,
                loudest => floor + (loudest >> follow),
            })
            .collect();
        Pattern { samples, hiss }
    }

    /// Two milliseconds at the end, so that the loop does not click.
    fn fade_out(&mut self) {
        let frames = (self.stage.rate as usize / 500).min(self.stage.bar_frames);
        let step = self.per_frame(2);
        let mut level = 0.0;
        for frame in self.mix.rchunks_exact_mut(self.stage.channels).take(frames) {
            for sample in frame {
                *sample *= level;
            }
            level = (level + step).min(1.0);
        }
    }
}

#[inline]
fn add(frame: &mut [f32], value: f32, pan: Pan) {
    for (channel, sample) in frame.iter_mut().enumerate() {
        *sample += value * pan[channel & 1];
    }
}

/// A phase as an integer; callers keep it within the turn.
#[inline]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, nothing wraps")]
fn whole(phase: f32) -> u32 {
    phase as u32
}

/// The low 24 bits as a number in `-1.0..1.0`.
#[inline]
#[expect(clippy::cast_precision_loss, reason = "24 bits fit the mantissa")]
fn signed(bits: u64) -> f32 {
    (bits & 0xFF_FFFF) as f32 / 8_388_608.0 - 1.0
}
