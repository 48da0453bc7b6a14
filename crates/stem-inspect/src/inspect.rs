//! Which kind a file is of, and whom to ask about it.
//!
//! The content decides. The path only helps where the content could be two things, which text can.

use std::io;

use serde::Serialize;

use crate::audio::{self, AudioDifference, AudioFacts};
use crate::chunks::{self, Share};
use crate::limits::Limits;
use crate::midi::{self, MidiDifference, MidiFacts};
use crate::project::{self, ProjectDifference, ProjectFacts};
use crate::source::{ReadAt, read_whole};
use crate::text::{self, JsonDifference, JsonFacts, TextDifference, TextFacts};
use crate::words::bytes;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Facts {
    /// A recording.
    Audio(AudioFacts),
    /// Notes.
    Midi(MidiFacts),
    /// JSON.
    Json(JsonFacts),
    /// Text.
    Text(TextFacts),
    /// A project of a workstation.
    Project(ProjectFacts),
    /// Anything else.
    Other,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// Its size in bytes.
    pub bytes: u64,
    /// What it holds.
    pub facts: Facts,
    /// What hinders a better answer, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How two versions of a file differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Difference {
    /// Not in a byte.
    Identical,
    /// Both are recordings.
    Audio(AudioDifference),
    /// Both are MIDI files.
    Midi(MidiDifference),
    /// Both are JSON.
    Json(JsonDifference),
    /// Both are text.
    Text(TextDifference),
    /// Both are projects.
    Project(ProjectDifference),
    /// Anything else: how much of the bytes is the same.
    Other(Share),
}

impl Description {
    /// One short line.
    pub fn summary(&self) -> String {
        match &self.facts {
            Facts::Audio(facts) => facts.summary(),
            Facts::Midi(facts) => facts.summary(),
            Facts::Json(facts) => facts.summary(),
            Facts::Text(facts) => facts.summary(),
            Facts::Project(facts) => facts.summary(),
            Facts::Other => bytes(self.bytes),
        }
    }
}

impl Difference {
    /// One short line, in the words of whoever made the file.
    pub fn summary(&self) -> String {
        match self {
            Self::Identical => "identical".into(),
            Self::Audio(difference) => difference.summary(),
            Self::Midi(difference) => difference.summary(),
            Self::Json(difference) => difference.summary(),
            Self::Text(difference) => difference.summary(),
            Self::Project(difference) => difference.summary(),
            Self::Other(share) => share.summary(),
        }
    }
}

/// Says what a file holds. What is damaged, or not understood, is [`Facts::Other`].
///
/// # Errors
///
/// Those of the medium; the question was cancelled.
pub fn describe(path: &[u8], source: &dyn ReadAt, limits: &Limits) -> io::Result<Description> {
    limits.check()?;
    let (facts, note) = match audio::open(source, limits)? {
        audio::Opened::Audio(pcm) => match audio::describe(&pcm, limits) {
            Ok(facts) => (Facts::Audio(facts), pcm.note()),
            Err(error) => match audio::damage_in(&error) {
                Some(note) => (Facts::Other, Some(note)),
                None => return Err(error),
            },
        },
        audio::Opened::Damaged(note) => (Facts::Other, Some(note)),
        audio::Opened::None => described_whole(path, source, limits)?,
    };
    Ok(Description { bytes: source.len(), facts, note })
}

fn described_whole(path: &[u8], source: &dyn ReadAt, limits: &Limits) -> io::Result<(Facts, Option<String>)> {
    let Some(whole) = read_whole(source, limits.whole)? else {
        return Ok((Facts::Other, None));
    };
    if let Some(facts) = midi::describe(&whole, limits)? {
        return Ok((Facts::Midi(facts), None));
    }
    if let Some(facts) = project::describe(&whole, limits)? {
        return Ok((Facts::Project(facts), None));
    }
    if may_be_json(path, &whole)
        && let Some(facts) = text::describe_json(&whole, limits)?
    {
        return Ok((Facts::Json(facts), None));
    }
    if let Some(facts) = text::describe_text(&whole, limits)? {
        return Ok((Facts::Text(facts), None));
    }
    Ok((Facts::Other, project::obstacle(&whole, limits).map(str::to_owned)))
}

/// Says how two versions of a file differ.
///
/// # Errors
///
/// Those of the medium; the question was cancelled.
pub fn compare(
    path: &[u8],
    before: &dyn ReadAt,
    after: &dyn ReadAt,
    limits: &Limits,
) -> io::Result<Difference> {
    limits.check()?;
    let note = match (audio::open(before, limits)?, audio::open(after, limits)?) {
        (audio::Opened::Audio(old), audio::Opened::Audio(new)) => {
            match audio::difference(&old, &new, limits) {
                Ok(found) if found.change == audio::AudioChange::Identical => {
                    return Ok(Difference::Identical);
                }
                Ok(found) => return Ok(Difference::Audio(found)),
                Err(error) => match audio::damage_in(&error) {
                    Some(note) => Some(note),
                    None => return Err(error),
                },
            }
        }
        (audio::Opened::Damaged(note), _) => Some(format!("before: {note}")),
        (_, audio::Opened::Damaged(note)) => Some(format!("after: {note}")),
        (audio::Opened::None, audio::Opened::None) => match compared_whole(path, before, after, limits)? {
            Ok(found) => return Ok(found),
            Err(note) => note,
        },
        _ => None,
    };
    let mut share = chunks::share(before, after, limits)?;
    share.note = note;
    Ok(if share.is_everything() { Difference::Identical } else { Difference::Other(share) })
}

/// The difference, or a note that says why there is no better one than that of the bytes.
fn compared_whole(
    path: &[u8],
    before: &dyn ReadAt,
    after: &dyn ReadAt,
    limits: &Limits,
) -> io::Result<Result<Difference, Option<String>>> {
    let (Some(old), Some(new)) = (read_whole(before, limits.whole)?, read_whole(after, limits.whole)?) else {
        return Ok(Err(None));
    };
    if old == new {
        return Ok(Ok(Difference::Identical));
    }
    if let Some(found) = midi::difference(&old, &new, limits)? {
        return Ok(Ok(Difference::Midi(found)));
    }
    if let Some(found) = project::difference(&old, &new, limits)? {
        return Ok(Ok(Difference::Project(found)));
    }
    if may_be_json(path, &old)
        && may_be_json(path, &new)
        && let Some(found) = text::json_difference(&old, &new, limits)?
    {
        return Ok(Ok(Difference::Json(found)));
    }
    if let Some(found) = text::text_difference(&old, &new, limits)? {
        return Ok(Ok(Difference::Text(found)));
    }
    let obstacle = |which, bytes| project::obstacle(bytes, limits).map(|note| format!("{which}: {note}"));
    Ok(Err(obstacle("before", &old).or_else(|| obstacle("after", &new))))
}

/// Whether the name says JSON, or nothing else and the content looks like it.
fn may_be_json(path: &[u8], content: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let extension = name.iter().rposition(|&byte| byte == b'.').map(|dot| &name[dot + 1..]);
    let begins = matches!(content.trim_ascii_start().first(), Some(b'{' | b'['));
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case(b"json"))
        || begins && !extension.is_some_and(|extension| extension.eq_ignore_ascii_case(b"txt"))
}
