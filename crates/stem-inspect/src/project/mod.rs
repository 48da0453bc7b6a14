//! Projects that are XML, mostly compressed with gzip, such as those of Ableton Live.
//!
//! A program that saves a project writes other bytes each time, if only because the compressor was another one. So what is
//! compared is the XML. What cannot be unpacked or read is no project, and [`obstacle`] says why.

mod compare;
mod facts;
mod gzip;
mod live;
mod summary;
mod xml;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io;

pub use facts::{ProjectDifference, ProjectFacts, ProjectTrack, TrackKind};

use crate::limits::Limits;
use crate::plain::{self, SHORT};
use gzip::Trouble;
use live::Track;
use xml::Document;

/// Entries of any list; what is left out is counted.
pub const MAX_LISTED: usize = 1000;

/// What a project is like; `None` where it is none that is understood.
///
/// # Errors
///
/// The question was cancelled.
pub fn describe(bytes: &[u8], limits: &Limits) -> io::Result<Option<ProjectFacts>> {
    limits.check()?;
    let Ok(Some(xml)) = unpack(bytes, limits) else { return Ok(None) };
    let Some(document) = read(&xml) else { return Ok(None) };
    let tracks = live::tracks(&document);
    Ok(Some(ProjectFacts {
        program: live::program(&document),
        root: plain::shown(document.name_of(0), SHORT),
        compressed: gzip::is_gzip(bytes),
        xml_bytes: xml.len() as u64,
        elements: document.len() as u64,
        more_tracks: tracks.len().saturating_sub(MAX_LISTED) as u64,
        tracks: tracks.into_iter().take(MAX_LISTED).map(|track| track.facts).collect(),
        tempo: live::tempo(&document),
    }))
}

/// How two projects differ; `None` where one is none that is understood.
///
/// # Errors
///
/// The question was cancelled.
pub fn difference(before: &[u8], after: &[u8], limits: &Limits) -> io::Result<Option<ProjectDifference>> {
    limits.check()?;
    let Ok(Some(old)) = unpack(before, limits) else { return Ok(None) };
    let Some(old_document) = read(&old) else { return Ok(None) };
    limits.check()?;
    let Ok(Some(new)) = unpack(after, limits) else { return Ok(None) };
    let Some(new_document) = read(&new) else { return Ok(None) };
    limits.check()?;
    Ok(Some(compared(&old_document, &new_document, old == new)))
}

/// Why a file that is compressed with gzip is not looked into, for people; `None` where it is, or is not compressed.
pub fn obstacle(bytes: &[u8], limits: &Limits) -> Option<&'static str> {
    match unpack(bytes, limits) {
        Ok(Some(xml)) if read(&xml).is_some() => None,
        Ok(_) if !gzip::is_gzip(bytes) => None,
        Ok(_) => Some("compressed; what is in it is no XML that can be read"),
        Err(Trouble::Damaged) => Some("compressed, and damaged"),
        Err(Trouble::TooLong) => Some("compressed, and too long to be unpacked here"),
    }
}

/// The XML; `None` where the file is neither compressed nor begins like XML.
fn unpack<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Option<Cow<'a, [u8]>>, Trouble> {
    if gzip::is_gzip(bytes) {
        return gzip::unpack(bytes, limits).map(|xml| Some(xml.into()));
    }
    let begins =
        bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start().starts_with(b"<?xml");
    Ok(begins.then_some(bytes.into()))
}

fn read(xml: &[u8]) -> Option<Document<'_>> {
    xml::parse(std::str::from_utf8(xml).ok()?)
}

fn pair<T: PartialEq>(before: Option<T>, after: Option<T>) -> Option<[T; 2]> {
    before.zip(after).filter(|(before, after)| before != after).map(Into::into)
}

fn compared(before: &Document<'_>, after: &Document<'_>, same_content: bool) -> ProjectDifference {
    let found = compare::compare(before, after);
    let (old, new) = (live::tracks(before), live::tracks(after));
    let known: HashMap<_, &Track<'_>> = old.iter().map(|track| (track.id, track)).collect();
    let kept: HashSet<_> = new.iter().map(|track| track.id).collect();
    let renamed = new.iter().filter_map(|track| {
        let old = known.get(&track.id).filter(|old| old.facts.name != track.facts.name)?;
        Some([old.facts.name.clone(), track.facts.name.clone()])
    });
    let facts = |track: &Track<'_>| track.facts.clone();
    ProjectDifference {
        same_content,
        program: pair(live::program(before), live::program(after)),
        tempo: pair(live::tempo(before), live::tempo(after)),
        tracks_added: new.iter().filter(|t| !known.contains_key(&t.id)).take(MAX_LISTED).map(facts).collect(),
        tracks_removed: old.iter().filter(|t| !kept.contains(&t.id)).take(MAX_LISTED).map(facts).collect(),
        tracks_renamed: renamed.take(MAX_LISTED).collect(),
        added: found.added,
        removed: found.removed,
        values: found.values,
        track_name_values: found.names,
        changes: found.changes,
        more: found.more,
    }
}
