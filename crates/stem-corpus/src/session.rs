//! Listings: which files a session holds, and what a working day makes of them.
//!
//! Three corpora are fixed, so that figures measured years apart can be compared: *a*, twelve stems
//! ([`Session::stems`]); *b*, the same after a day ([`Session::edited`]); *c*, thousands of small files
//! ([`Session::small_files`]). [`Session::demo`] mixes all of it at any size.

use std::collections::BTreeSet;

use crate::file::{FileSpec, Kind};
use crate::midi::Score;
use crate::preset::{Preset, Subject};
use crate::seed::{Dice, derive, named};
use crate::signal::{Gain, Instrument, Precision, Stem, exp2};
use crate::wav::{Extra, Format, Wave};

/// Bytes of one stem of corpus *a* as measured: 128 MiB.
pub const STEM_BYTES: u64 = 128 << 20;
/// Files of corpus *c* as measured.
pub const SMALL_FILES: u32 = 20_000;
/// Longest small file; the shortest is [`crate::midi::MIN_LEN`].
pub const SMALL_MAX: u64 = 32 << 10;

/// Stems of a demo are no longer than this while there are fewer than [`MOST_GROUPS`] dozens of them.
const DEMO_STEM: u64 = 512 << 20;
const MOST_GROUPS: u64 = 64;
/// Small files of a demo: a fiftieth of its bytes, and no more than this many.
const MOST_SMALL: u32 = 4_000;

/// What a working day does to a stem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    Same,
    PunchIn,
    Insert,
    Gain,
    Rename,
    Delete,
}

/// One row per stem: path below `tracks/`, instrument, whether it is float, what day two does.
struct Row(&'static str, Instrument, bool, Edit);

const ROWS: [Row; 12] = [
    Row("drums/kick", Instrument::Kick, false, Edit::Same),
    Row("drums/snare", Instrument::Snare, false, Edit::Same),
    Row("drums/overheads", Instrument::Kit, false, Edit::Same),
    Row("drums/room", Instrument::Kit, true, Edit::Same),
    Row("bass/di", Instrument::Bass, false, Edit::PunchIn),
    Row("bass/amp", Instrument::Bass, false, Edit::Gain),
    Row("guitars/left", Instrument::Guitar, false, Edit::PunchIn),
    Row("guitars/right", Instrument::Guitar, false, Edit::PunchIn),
    Row("keys/piano", Instrument::Keys, false, Edit::Insert),
    Row("keys/pad", Instrument::Pad, true, Edit::Rename),
    Row("vocals/lead", Instrument::Lead, true, Edit::PunchIn),
    Row("vocals/backing", Instrument::Lead, false, Edit::Delete),
];
/// What day two records beside the dozen.
const NEW_STEM: Row = Row("vocals/double", Instrument::Lead, false, Edit::Same);

/// The files of a session, in the order of the listing: stems first, then bounces, then small files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    seed: u64,
    files: Vec<FileSpec>,
}

impl Session {
    /// Corpus *a*: twelve stereo stems at 48 kHz of at most `stem_bytes` each (less by a few bytes, for whole
    /// frames), nine of 24 bits and three of floats that hold 24 bits.
    pub fn stems(seed: u64, stem_bytes: u64) -> Self {
        Self { seed, files: ROWS.iter().map(|row| stem(seed, row, 1, stem_bytes)).collect() }
    }

    /// Corpus *c*: `count` MIDI files and JSON presets of 0.2 to 32 KiB, mostly small; 20,000 come to 122 MiB.
    pub fn small_files(seed: u64, count: u32) -> Self {
        Self { seed, files: (0..count).map(|number| small_file(seed, number)).collect() }
    }

    /// A whole session of `total` bytes: stems, bounces of sections, presets, MIDI and a project file.
    ///
    /// The total is met exactly from 1 MiB on; less may not hold the headers of so many files, and then the session
    /// is a little larger than asked for.
    pub fn demo(seed: u64, total: u64) -> Self {
        let mut small = small_share(seed, total / 50);
        let used = sum(&small);
        let bounces = bounces(seed, total / 10);
        let project = (total / 64).min(16 << 10);
        let left = total.saturating_sub(used + sum(&bounces) + project);
        let groups = left.div_ceil(12 * DEMO_STEM).clamp(1, MOST_GROUPS);
        let mut files: Vec<FileSpec> = (1..=groups)
            .flat_map(|group| ROWS.iter().map(move |row| stem(seed, row, group, left / (12 * groups))))
            .collect();
        files.extend(bounces);
        files.append(&mut small);
        let rest = total.saturating_sub(sum(&files));
        let path = "project.json";
        files.push(FileSpec::new(path, Kind::Json(Preset::new(named(seed, path), rest, Subject::Project))));
        Self { seed, files }
    }

    /// The session after a working day.
    ///
    /// Of each dozen stems four stay, four have 10 s punched in, one has 2 s inserted at 30 s, one is 1.5 dB lower,
    /// one has another name, one is gone, and one is new; in stems too short for that the stretches are a quarter and
    /// an eighth of the length. One bounce is lower; the project file, a small file in 16 differ, one in 64 is gone and
    /// as many are new.
    #[must_use]
    pub fn edited(&self) -> Self {
        let seed = derive(self.seed, 2);
        let mut taken: BTreeSet<String> = self.files.iter().map(|file| file.path.clone()).collect();
        let mut day = Day { seed, files: Vec::with_capacity(self.files.len() + 16), taken: &mut taken };
        let mut stems = 0_usize;
        let mut bounces = 0_usize;
        for file in &self.files {
            match &file.kind {
                Kind::Stem(stem) if file.path.starts_with("sections/") => {
                    day.edit_stem(file, stem, if bounces == 0 { Edit::Gain } else { Edit::Same });
                    bounces += 1;
                }
                Kind::Stem(stem) => {
                    let edit = ROWS.get(stems % ROWS.len()).map_or(Edit::Same, |row| row.3);
                    day.edit_stem(file, stem, edit);
                    stems += 1;
                }
                Kind::Midi(score) => day.edit_small(file, || Kind::Midi(score.clone().revised())),
                Kind::Json(preset) => day.edit_small(file, || Kind::Json(preset.clone().revised())),
            }
        }
        let files = day.files;
        Self { seed, files }
    }

    /// The files.
    pub fn files(&self) -> &[FileSpec] {
        &self.files
    }

    /// The files, for a caller that edits the list.
    pub fn into_files(self) -> Vec<FileSpec> {
        self.files
    }

    /// Bytes of all files.
    pub fn total_len(&self) -> u64 {
        sum(&self.files)
    }
}

/// The second day as it fills up.
struct Day<'a> {
    seed: u64,
    files: Vec<FileSpec>,
    taken: &'a mut BTreeSet<String>,
}

impl Day<'_> {
    fn edit_stem(&mut self, file: &FileSpec, stem: &Stem, edit: Edit) {
        let rate = u64::from(stem.wave().format().rate());
        let frames = stem.wave().frames();
        let edited = match edit {
            Edit::Same => file.clone(),
            Edit::PunchIn => {
                let length = (10 * rate).min(frames / 4);
                // Somewhere in the middle: behind the first fifth, and over before the last twentieth.
                let at = frames / 100 * u64::from(Dice::new(named(self.seed, &file.path)).between(20, 70));
                FileSpec::new(file.path.clone(), Kind::Stem(stem.clone().punched_in(at, length)))
            }
            Edit::Insert => {
                let at = (30 * rate).min(frames / 2);
                let length = (2 * rate).min(frames / 8);
                FileSpec::new(file.path.clone(), Kind::Stem(stem.clone().inserted(at, length)))
            }
            Edit::Gain => FileSpec::new(file.path.clone(), Kind::Stem(stem.clone().at(Gain::DOWN_1_5_DB))),
            Edit::Rename => {
                let path = self.free(&format!("{}-wide", file.path.trim_end_matches(".wav")), "wav");
                FileSpec::new(path, file.kind.clone())
            }
            Edit::Delete => {
                // The new one takes the room of the one that goes.
                let path = self.free("tracks/vocals/double", "wav");
                let seed = named(self.seed, &path);
                let wave = studio_wave(false, &path).fitting(file.len);
                let kind = Stem::new(wave, NEW_STEM.1, Precision::Exact24, seed, tempo(self.seed));
                FileSpec::new(path, Kind::Stem(kind))
            }
        };
        self.files.push(edited);
    }

    fn edit_small(&mut self, file: &FileSpec, revised: impl FnOnce() -> Kind) {
        let mut dice = Dice::new(named(self.seed, &file.path));
        let is_project = !file.path.contains('/');
        match dice.below(64) {
            0 if !is_project => {
                let number = 1_000_000 + dice.below(1_000_000);
                let mut new = small_file(self.seed, number);
                let (name, extension) = new.path.rsplit_once('.').unwrap_or((&new.path, "mid"));
                new.path = self.free(name, extension);
                self.files.push(new);
            }
            1..=4 => self.files.push(FileSpec::new(file.path.clone(), revised())),
            _ if is_project => self.files.push(FileSpec::new(file.path.clone(), revised())),
            _ => self.files.push(file.clone()),
        }
    }

    /// `name.extension`, or with a number when that is taken.
    fn free(&mut self, name: &str, extension: &str) -> String {
        let mut path = format!("{name}.{extension}");
        let mut number = 2_u64;
        while !self.taken.insert(path.clone()) {
            path = format!("{name}-{number}.{extension}");
            number += 1;
        }
        path
    }
}

fn stem(seed: u64, row: &Row, group: u64, len: u64) -> FileSpec {
    let Row(name, instrument, float, _) = row;
    let path = match group {
        1 => format!("tracks/{name}.wav"),
        _ => format!("tracks/{name}-{group}.wav"),
    };
    let wave = studio_wave(*float, &path).fitting(len);
    let kind = Stem::new(wave, *instrument, Precision::Exact24, named(seed, &path), tempo(seed));
    FileSpec::new(path, Kind::Stem(kind))
}

/// A studio container in one of the shapes that audio programs give it, chosen by the path.
fn studio_wave(float: bool, path: &str) -> Wave {
    let format = if float { Format::STUDIO_FLOAT } else { Format::STUDIO };
    let title = path.trim_end_matches(".wav").rsplit('/').next().unwrap_or("stem");
    let wave = Wave::new(format, 0).titled(title);
    match named(0, path) % 4 {
        0 => wave.with(Extra::Junk(28)).with(Extra::Bext),
        1 => wave.extensible().followed_by(Extra::Info),
        2 => wave.with(Extra::Junk(28)).with(Extra::Bext).with(Extra::Info).followed_by(Extra::Junk(13)),
        _ => wave,
    }
}

/// A bounce per section: a mix in true floats, a master of 24 bits, a mono guide of 16 bits at 44.1 kHz.
fn bounces(seed: u64, len: u64) -> Vec<FileSpec> {
    let master = Wave::new(Format::STUDIO, 0).titled("master").with(Extra::Bext);
    let mix = Wave::new(Format::STUDIO_FLOAT, 0).titled("mix").extensible().followed_by(Extra::Info);
    let guide = Wave::new(Format::GUIDE, 0).titled("guide").with(Extra::Info);
    let rows = [
        ("sections/chorus/mix.wav", mix, Precision::Full, 2),
        ("sections/verse/master.wav", master, Precision::Exact24, 3),
        ("sections/bridge/guide.wav", guide, Precision::Exact24, 6),
    ];
    rows.into_iter()
        .map(|(path, wave, precision, share)| {
            let wave = wave.fitting(len / share);
            let stem = Stem::new(wave, Instrument::Band, precision, named(seed, path), tempo(seed));
            FileSpec::new(path, Kind::Stem(stem))
        })
        .collect()
}

/// Small files until `bytes` are used up or there are enough of them.
fn small_share(seed: u64, bytes: u64) -> Vec<FileSpec> {
    let mut left = bytes;
    (0..MOST_SMALL)
        .map(|number| small_file(seed, number))
        .take_while(|file| {
            let fits = file.len <= left;
            left = left.saturating_sub(file.len);
            fits
        })
        .collect()
}

/// A MIDI file or a preset, two to three, of 0.2 to 32 KiB; every doubling of the length is equally likely.
fn small_file(seed: u64, number: u32) -> FileSpec {
    const PLAYERS: [&str; 5] = ["drums", "bass", "keys", "strings", "lead"];
    const PLUGINS: [&str; 5] = ["polyphone", "tape", "plate", "compressor", "equaliser"];
    let mut dice = Dice::new(derive(named(seed, "small files"), u64::from(number)));
    let len = log_uniform(dice.unit());
    let content = dice.bits();
    let folder = number / 100;
    if dice.below(5) < 3 {
        let player = dice.pick(&PLAYERS, "keys");
        let path = format!("midi/{player}/{folder:03}/idea-{number:05}.mid");
        FileSpec::new(path, Kind::Midi(Score::new(content, len)))
    } else {
        let plugin = dice.pick(&PLUGINS, "tape");
        let path = format!("presets/{plugin}/{folder:03}/preset-{number:05}.json");
        FileSpec::new(path, Kind::Json(Preset::new(content, len, Subject::Preset)))
    }
}

/// From [`crate::midi::MIN_LEN`] to [`SMALL_MAX`]: their ratio is 2^7.3205.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "205 to 32,768")]
fn log_uniform(unit: f64) -> u64 {
    let len = 205.0 * exp2(unit * 7.3205);
    (len as u64).clamp(crate::midi::MIN_LEN, SMALL_MAX)
}

fn tempo(seed: u64) -> u32 {
    Dice::new(named(seed, "tempo")).between(84, 150)
}

fn sum(files: &[FileSpec]) -> u64 {
    files.iter().fold(0, |sum, file| sum.saturating_add(file.len))
}
