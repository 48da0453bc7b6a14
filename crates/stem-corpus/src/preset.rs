//! JSON documents of exactly the length asked for: presets of instruments, and the project file of a session.
//!
//! Parameters go on until the document is full; the rest is a remark, which is where the last bytes go.

use std::io::Write;

use crate::seed::{Dice, derive};

/// Shortest document.
pub const MIN_LEN: u64 = 205;
/// Longest document.
pub const MAX_LEN: u64 = 1 << 24;

/// What a document describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The settings of one plug-in.
    Preset,
    /// Tracks, clips and mixer of a session.
    Project,
}

/// A JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Preset {
    seed: u64,
    len: u64,
    revision: u32,
    subject: Subject,
}

const OPEN: &str = "  ]";
const REMARK: &str = ",\n  \"remark\": \"";
const CLOSE: &str = "\"\n}\n";
/// No entry is longer.
const ENTRY_MAX: usize = 112;

const PARAMETERS: [&str; 16] = [
    "cutoff",
    "resonance",
    "attack",
    "decay",
    "sustain",
    "release",
    "drive",
    "mix",
    "width",
    "detune",
    "lfo_rate",
    "lfo_depth",
    "pan",
    "output_gain",
    "threshold",
    "ratio",
];
const SECTIONS: [&str; 4] = ["osc_a", "osc_b", "filter", "amp"];
const WORDS: [&str; 12] = [
    "warm", "wide", "dark", "late", "take", "keep", "softer", "verse", "chorus", "bridge", "again", "louder",
];

impl Preset {
    /// A document of `len` bytes, kept within [`MIN_LEN`] and [`MAX_LEN`].
    pub fn new(seed: u64, len: u64, subject: Subject) -> Self {
        Self { seed, len: len.clamp(MIN_LEN, MAX_LEN), revision: 0, subject }
    }

    /// The same document after a knob or two was turned: some values differ, nothing moves.
    #[must_use]
    pub fn revised(mut self) -> Self {
        self.revision = self.revision.saturating_add(1);
        self
    }

    /// Bytes of the document.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Always false: a document has braces.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The document.
    pub fn to_bytes(&self) -> Vec<u8> {
        let len = usize::try_from(self.len).unwrap_or(0);
        let mut out = Vec::with_capacity(len);
        let mut dice = Dice::new(self.seed);
        // Writing to a `Vec` cannot fail.
        let _ = self.opening(&mut out, &mut dice);
        let ending = OPEN.len() + REMARK.len() + CLOSE.len() + 1;
        let turned = derive(self.seed, 0xED17) % 23;
        let mut number = 0_u64;
        while out.len() + ENTRY_MAX + ending <= len {
            out.extend_from_slice(if number == 0 { b"\n    " } else { b",\n    " });
            let mut value = dice.below(1_000_000);
            // Most knobs stand where they always stand.
            if dice.one_in(2) {
                value = value / 250_000 * 250_000;
            }
            if number % 23 == turned || number == 0 {
                value = (value + self.revision.wrapping_mul(123_457)) % 1_000_000;
            }
            let _ = self.entry(&mut out, number, value, &mut dice);
            number += 1;
        }
        out.push(b'\n');
        out.extend_from_slice(OPEN.as_bytes());
        out.extend_from_slice(REMARK.as_bytes());
        let mut room = len.saturating_sub(out.len() + CLOSE.len());
        // A document without parameters still tells its revisions apart.
        if number == 0 && room >= 8 {
            let _ = write!(out, "{:07} ", self.revision % 10_000_000);
            room -= 8;
        }
        while room > 0 {
            let word = dice.pick(&WORDS, "more").as_bytes();
            let word = word.get(..room.min(word.len())).unwrap_or_default();
            out.extend_from_slice(word);
            room -= word.len();
            if room > 0 {
                out.push(b' ');
                room -= 1;
            }
        }
        out.extend_from_slice(CLOSE.as_bytes());
        out
    }

    fn opening(&self, out: &mut Vec<u8>, dice: &mut Dice) -> std::io::Result<()> {
        let word = dice.pick(&WORDS, "warm");
        let number = dice.below(100);
        match self.subject {
            Subject::Preset => write!(
                out,
                "{{\n  \"name\": \"{word} {number:02}\",\n  \"plugin\": \"Polyphone\",\n  \"version\": 3,\n  \"parameters\": ["
            ),
            Subject::Project => write!(
                out,
                "{{\n  \"name\": \"{word} {number:02}\",\n  \"tempo\": {},\n  \"rate\": 48000,\n  \"clips\": [",
                dice.between(84, 150)
            ),
        }
    }

    fn entry(&self, out: &mut Vec<u8>, number: u64, value: u32, dice: &mut Dice) -> std::io::Result<()> {
        match self.subject {
            Subject::Preset => {
                let section = dice.pick(&SECTIONS, "amp");
                let name = dice.pick(&PARAMETERS, "mix");
                write!(out, "{{ \"id\": {number}, \"name\": \"{section}.{name}\", \"value\": 0.{value:06} }}")
            }
            Subject::Project => {
                let lane = dice.below(24);
                let (start, length) = (number * 4, dice.pick(&[4, 8, 16], 4));
                write!(
                    out,
                    "{{ \"track\": {lane}, \"bar\": {start}, \"bars\": {length}, \"level\": 0.{value:06}, \"muted\": false }}"
                )
            }
        }
    }
}
