//! A made-up evening's work on a made-up song, for the page.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::unwrap_used,
    reason = "a test reports by panicking, and its numbers are small"
)]

use std::collections::BTreeMap;
use std::io::Write as _;

use stem_corpus::signal::{Instrument, Precision, Stem};
use stem_corpus::wav::{Extra, Format, SampleFormat, Wave};
use stem_inspect::page::{Bounds, Entry, File, Page, Status, embed, examine};
use stem_inspect::{Limits, ReadAt};

const RATE: usize = 48_000;

/// Frames of two channels, full scale 1.
type Frames = Vec<[f64; 2]>;

/// A recording of so many seconds.
fn take(instrument: Instrument, seed: u64, seconds: u64) -> Frames {
    let wave = Wave::new(Format::new(48_000, 2, SampleFormat::Pcm24).unwrap(), seconds * RATE as u64);
    let mut bytes = Vec::new();
    Stem::new(wave, instrument, Precision::Exact24, seed, 96).write_to(&mut bytes).unwrap();
    let start = bytes.windows(4).position(|name| name == b"data").unwrap() + 8;
    let value =
        |bytes: &[u8]| f64::from(i32::from_le_bytes([0, bytes[0], bytes[1], bytes[2]])) / 2_147_483_648.0;
    bytes[start..].chunks_exact(6).map(|frame| [value(&frame[..3]), value(&frame[3..])]).collect()
}

fn wav(frames: &Frames, mono: bool, extra: bool) -> Vec<u8> {
    let channels = if mono { 1 } else { 2 };
    let mut wave =
        Wave::new(Format::new(48_000, channels, SampleFormat::Pcm24).unwrap(), frames.len() as u64);
    if extra {
        wave = wave.titled("renamed").with(Extra::Bext).followed_by(Extra::Info);
    }
    let mut bytes = wave.head();
    for frame in frames {
        for sample in &frame[..usize::from(channels)] {
            let value = (sample * 8_388_608.0).round().clamp(-8_388_608.0, 8_388_607.0) as i32;
            bytes.extend_from_slice(&value.to_le_bytes()[..3]);
        }
    }
    bytes.extend(wave.tail());
    bytes
}

fn scaled(frames: &Frames, factor: impl Fn(usize) -> f64) -> Frames {
    frames.iter().enumerate().map(|(at, frame)| frame.map(|value| value * factor(at))).collect()
}

/// A file in two versions, and the group that it is shown in.
pub(crate) type Pair = (&'static str, &'static str, [Option<Vec<u8>>; 2]);

/// The files. `seconds` says how long the recordings are.
pub(crate) fn files(seconds: u64) -> Vec<Pair> {
    let at = |share: f64| (seconds as f64 * share * RATE as f64) as usize;
    let drums = take(Instrument::Kick, 3, seconds);
    let mut punched = drums.clone();
    let other = take(Instrument::Kick, 8, seconds);
    punched[at(0.4)..at(0.52)].copy_from_slice(&other[at(0.1)..at(0.1) + at(0.52) - at(0.4)]);
    let keys = take(Instrument::Keys, 5, seconds);
    let mut moved = keys.clone();
    moved.drain(at(0.7)..at(0.78));
    let phrase = take(Instrument::Lead, 1, seconds)[..at(0.06)].to_vec();
    moved.splice(at(0.2)..at(0.2), phrase);
    let length = moved.len();
    for (number, frame) in moved[length - at(0.05)..].iter_mut().enumerate() {
        *frame = frame.map(|value| value * (1.0 - number as f64 / at(0.05) as f64));
    }
    let bass = take(Instrument::Bass, 2, seconds);
    let quieter = scaled(&bass, |_| 10_f64.powf(-3.0 / 20.0));
    let lead = take(Instrument::Lead, 4, seconds / 2);
    let vocals = take(Instrument::Lead, 9, seconds);
    let rerendered = scaled(&vocals, |at| 1.0 + 0.04 * (at as f64 / 3000.0).sin());
    let preset: Vec<u8> = (0..60_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut tweaked = preset.clone();
    tweaked[30_000..30_040].fill(7);
    let text = |text: &str| Some(text.as_bytes().to_vec());
    vec![
        (
            "tracks/drums/kick.wav",
            "Track drums",
            [Some(wav(&drums, false, false)), Some(wav(&punched, false, false))],
        ),
        (
            "tracks/drums/hat.wav",
            "Track drums",
            [Some(wav(&drums, true, false)), Some(wav(&drums, true, false))],
        ),
        (
            "tracks/bass/bass-di.wav",
            "Track bass",
            [Some(wav(&bass, false, false)), Some(wav(&quieter, false, false))],
        ),
        (
            "tracks/keys/rhodes take 3.wav",
            "Track keys",
            [Some(wav(&keys, false, false)), Some(wav(&moved, false, false))],
        ),
        (
            "tracks/keys/pad.wav",
            "Track keys",
            [Some(wav(&keys, false, false)), Some(wav(&keys, false, true))],
        ),
        ("tracks/lead/hook-idea.wav", "Track lead", [None, Some(wav(&lead, true, false))]),
        (
            "tracks/vocals/main.wav",
            "Track vocals",
            [Some(wav(&vocals, false, false)), Some(wav(&rerendered, false, false))],
        ),
        ("tracks/vocals/scratch.wav", "Track vocals", [Some(wav(&lead, false, false)), None]),
        ("sections/chorus/melody.mid", "Section chorus", [Some(midi(60)), Some(midi(67))]),
        (
            "sections/chorus/section.json",
            "Section chorus",
            [
                text(r#"{"name":"chorus","tempo":96,"bars":16,"tags":["big"]}"#),
                text(r#"{"name":"chorus 2","tempo":98,"bars":16,"tags":["big","wide"],"key":"F# minor"}"#),
            ],
        ),
        (
            "notes.txt",
            "",
            [
                text("more cowbell\nless reverb\nask about the bridge\n"),
                text("more cowbell\nmuch less reverb\n"),
            ],
        ),
        (
            "song.als",
            "",
            [
                Some(project(96, &["Drums", "Bass", "Keys"])),
                Some(project(98, &["Drums", "Bass DI", "Keys", "Hook"])),
            ],
        ),
        ("presets/lead.fxp", "", [Some(preset), Some(tweaked)]),
        ("mix.json", "", [text("{}"), text("{}")]),
    ]
}

/// A project with two or three tracks.
fn project(tempo: u32, tracks: &[&str]) -> Vec<u8> {
    let tracks = tracks.iter().enumerate().fold(String::new(), |all, (id, name)| {
        format!("{all}<AudioTrack Id=\"{id}\"><Name><EffectiveName Value=\"{name}\"/></Name><Volume Value=\"0.{tempo}\"/></AudioTrack>\n")
    });
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Ableton MajorVersion=\"5\" Creator=\"Ableton Live 11.3\">\n<LiveSet>\n\
         <Tracks>\n{tracks}</Tracks>\n<MasterTrack><DeviceChain><Mixer><Tempo><Manual Value=\"{tempo}\"/></Tempo></Mixer>\
         </DeviceChain></MasterTrack>\n</LiveSet>\n</Ableton>\n"
    );
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(xml.as_bytes()).unwrap();
    out.finish().unwrap()
}

/// A MIDI file with four notes, the last of them `key`.
fn midi(key: u8) -> Vec<u8> {
    let mut track = vec![0, 0xff, 3, 6];
    track.extend_from_slice(b"melody");
    for note in [60, 62, 64, key] {
        track.extend_from_slice(&[0, 0x90, note, 96, 0x60, 0x80, note, 0]);
    }
    track.extend_from_slice(&[0, 0xff, 0x2f, 0]);
    let mut bytes = b"MThd\0\0\0\x06\0\x01\0\x01\0\x60MTrk".to_vec();
    bytes.extend_from_slice(&(track.len() as u32).to_be_bytes());
    bytes.extend(track);
    bytes
}

/// The page about some files.
pub(crate) fn page(files: &[Pair], bounds: &Bounds) -> Page {
    let limits = Limits::default();
    let mut drawn = 0;
    let mut shown: Vec<File> = files
        .iter()
        .map(|(path, group, versions)| {
            let versions = versions.each_ref().map(|bytes| bytes.as_ref().map(|bytes| bytes as &dyn ReadAt));
            let file =
                examine(path.as_bytes(), group, versions, drawn < bounds.drawn, bounds, &limits).unwrap();
            drawn += usize::from(file.recording.is_some());
            file
        })
        .collect();
    embed(&mut shown, bounds, &limits, &mut |index, side| {
        Ok(files[index].2[side].clone().map(|bytes| Box::new(bytes) as Box<dyn ReadAt>))
    })
    .unwrap();
    Page {
        entry: Entry {
            reference: "stash@{0}".to_owned(),
            message: "WIP chorus: bigger, wider, less reverb".to_owned(),
            branch: "chorus-rework".to_owned(),
            time: "2026-11-01 18:20 UTC".to_owned(),
        },
        versions: ["HEAD".to_owned(), "stash@{0}".to_owned()],
        files: shown,
        tool: "stem 0.1.0".to_owned(),
        ..Page::default()
    }
}

/// The same page with texts that try to break out of it wherever there is one.
pub(crate) fn hostile(files: &[Pair], bounds: &Bounds) -> Page {
    const BAD: [&str; 6] = [
        "</style><script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "\u{202e}gpj.exe\u{2066}\u{0}\u{1b}[31m",
        "<b>&lt;b&amp;",
        "https://example.com/<iframe src=//example.com>]]><!--",
    ];
    let mut page = page(files, bounds);
    let bad = |number: usize| BAD[number % BAD.len()].to_owned();
    page.entry = Entry { reference: bad(0), message: bad(1).repeat(20), branch: bad(2), time: bad(3) };
    page.versions = [bad(4), bad(5)];
    page.tool = bad(0);
    page.notes = vec![bad(1), bad(3).repeat(500)];
    for (number, file) in page.files.iter_mut().enumerate() {
        file.path = format!("{}/{}", bad(number), bad(number + 1).repeat(1 + number * 9));
        file.group = bad(number / 3);
        file.headline = bad(number + 2);
        file.notes.push(bad(number + 3));
        for fact in &mut file.facts {
            fact.values[1] = Some(bad(number + 4));
        }
        for list in &mut file.lists {
            list.title = bad(number);
            for item in &mut list.items {
                item.place = bad(number + 1).repeat(30);
                item.values = [Some(bad(number + 2)), Some(bad(number + 3).repeat(99))];
            }
        }
        if let Some(recording) = &mut file.recording {
            for mark in &mut recording.marks {
                mark.words = bad(number + 5);
            }
            if let Some(rest) = &mut recording.rest {
                rest.words = bad(number);
                rest.shape.columns.extend([[f32::NAN, f32::INFINITY], [9e9, -9e9]]);
            }
        }
    }
    page
}

/// How many files became what.
pub(crate) fn statuses(page: &Page) -> BTreeMap<String, usize> {
    page.files.iter().fold(BTreeMap::new(), |mut all, file| {
        let name = match file.status {
            Status::Same => "same",
            Status::Changed => "changed",
            Status::Added => "added",
            Status::Removed => "removed",
            Status::Unknown => "unknown",
        };
        *all.entry(name.to_owned()).or_default() += 1;
        all
    })
}
