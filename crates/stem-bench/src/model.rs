//! What a comparison found, as it is saved and reported. Documented in `docs/format/bench.md`.
//!
//! Figures are kept as they were measured, round by round; medians, ratios and judgements are made from them where they
//! are shown, so that a saved file can be read again by a better report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the saved form that this engine writes.
pub const VERSION: u32 = 2;

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// [`VERSION`].
    pub version: u32,
    /// The program that measured, with its version: `stem 0.1.0`.
    pub tool: String,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Where it ran.
    pub machine: Machine,
    /// What was measured on.
    pub material: Material,
    /// The second version of the material, of `--against`.
    pub second: Option<Material>,
    /// How many rounds were asked for.
    pub rounds: u32,
    /// What each strategy did, in the order in which they were given.
    pub strategies: Vec<StrategyResult>,
    /// The stored size to expect for the whole material; only of `--predict`.
    pub forecast: Option<Forecast>,
    /// What should be known when the figures are read: files that were left out, caches that could not be emptied, noise.
    pub notes: Vec<Note>,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

/// The machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Logical cores.
    pub cores: u32,
    /// Bytes of memory; 0 when unknown.
    pub memory: u64,
    /// Operating system and version.
    pub system: String,
    /// The kind of file system that the scratch directory is on.
    pub file_system: String,
}

/// Files of one kind, of which the strategies treat all alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// WAV or RF64 with integer samples.
    IntegerWav,
    /// WAV or RF64 with floating-point samples.
    FloatWav,
    /// AIFF and AIFF-C.
    Aiff,
    /// FLAC, MP3, OGG: audio that is compressed already.
    CompressedAudio,
    /// Standard MIDI files.
    Midi,
    /// Projects and presets: JSON, XML, `.als` and their like.
    Project,
    /// Everything else.
    Other,
}

/// A number of files and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What was measured on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Material {
    /// The directories, as they were given.
    pub directories: Vec<String>,
    /// All that was found there, by class.
    pub found: BTreeMap<Class, Amount>,
    /// What was taken of it, by class; equal to `found` when it was not sampled.
    pub sampled: BTreeMap<Class, Amount>,
    /// The seed of the sample.
    pub seed: u64,
}

/// What one strategy did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategyResult {
    /// Its name, unique in the comparison: `pack-audio-1M`.
    pub name: String,
    /// What it does, in a few words.
    pub about: String,
    /// The store's URL, without its place and without secrets.
    pub url: String,
    /// Why it has no figures, or not all, for people.
    pub failed: Option<String>,
    /// The figures of each finished round.
    pub rounds: Vec<Round>,
    /// What it stored in the first round; others differ by little, for packs depend on which thread is first.
    pub stored: Option<Stored>,
}

/// One operation over the whole material.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Processor seconds, user and system, of all threads.
    pub cpu_seconds: f64,
    /// Bytes of the files that were worked on, before any coding.
    pub bytes: u64,
    /// Objects that were worked on.
    pub objects: u64,
    /// Highest memory in use that belongs to the process alone (not page cache), in bytes, above what it was before; 0 when
    /// unknown.
    pub peak_memory: u64,
}

/// The figures of one round.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// Storing every file, until it is durable.
    pub put: Option<Operation>,
    /// Reading every file back to disk and comparing every byte.
    pub get: Option<Operation>,
    /// How long the files of each class took to be stored.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub put_classes: BTreeMap<Class, ClassTime>,
    /// How long they took to be read back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub get_classes: BTreeMap<Class, ClassTime>,
    /// Whether the cache of the system was emptied for `get` and `ranges`.
    pub cold: bool,
    /// Reading ranges at random places.
    pub ranges: Option<Latencies>,
    /// `stat` of every object.
    pub stat: Option<Operation>,
    /// Listing the store.
    pub list: Option<Operation>,
    /// Storing the second version into the same store.
    pub put_second: Option<Operation>,
    /// Removing what the second version does not need (without one, every fourth object), and compaction.
    pub reclaim: Option<Operation>,
}

/// How long the files of one class took, of the time of all threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassTime {
    /// Files.
    pub files: u64,
    /// Their bytes, before any coding.
    pub bytes: u64,
    /// Seconds that threads were busy with them, all threads added up; what belongs to no single file is left out.
    pub thread_seconds: f64,
}

/// How long single reads took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latencies {
    /// Bytes of each read.
    pub bytes: u64,
    /// Microseconds of each, sorted.
    pub micros: Vec<f64>,
}

/// What a strategy stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// Bytes of the material.
    pub raw: u64,
    /// Bytes left when every content is kept once.
    pub unique: u64,
    /// Bytes of the files in the store, indices and all.
    pub bytes: u64,
    /// Bytes that the file system gives to them.
    pub blocks: u64,
    /// Files in the store.
    pub files: u64,
    /// Bytes saved because content was there already (whole files and chunks).
    pub saved_by_dedup: u64,
    /// Bytes saved by coding what was stored.
    pub saved_by_codec: u64,
    /// By class, as far as it can be told apart: bytes of payload that objects of the class take.
    pub classes: BTreeMap<Class, StoredClass>,
    /// Bytes that the second version added.
    pub added_by_second: Option<u64>,
    /// Bytes left after `reclaim`.
    pub after_reclaim: Option<u64>,
}

/// What one class takes in a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredClass {
    /// Bytes of its files.
    pub raw: u64,
    /// Bytes that they take.
    pub stored: u64,
}

/// The stored size to expect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    /// All that would be stored.
    pub whole: Amount,
    /// What was read for it.
    pub read: Amount,
    /// By strategy's name.
    pub strategies: BTreeMap<String, Prediction>,
}

/// The stored size to expect of one strategy, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prediction {
    /// The estimate.
    pub bytes: u64,
    /// A low and a high bound, 95 %.
    pub low: u64,
    /// See `low`.
    pub high: u64,
}

/// Something to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// What it is about: `unreadable`, `changed`, `vanished`, `link`, `protected`, `cut`, `empty`, `classes`, `twins`,
    /// `forecast`, `cache`, `noise`, `failed`, `interrupted`.
    pub kind: String,
    /// For people.
    pub text: String,
}
