//! What Ableton Live keeps where in its sets, as versions 9 to 12 write them.

use super::compare::unescaped;
use super::facts::{ProjectTrack, TrackKind};
use super::xml::Document;
use crate::plain::{self, SHORT};

/// Which program wrote a document: Live, and others likewise, say so at the root.
pub(super) fn program(document: &Document<'_>) -> Option<String> {
    let root = document.attributes(0);
    let (_, creator) = root.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("creator"))?;
    Some(plain::shown(&unescaped(creator), SHORT)).filter(|name| !name.trim().is_empty())
}

fn set(document: &Document<'_>) -> Option<usize> {
    (document.name_of(0) == "Ableton").then(|| document.child(0, "LiveSet"))?
}

/// The tempo, as it is written.
pub(super) fn tempo(document: &Document<'_>) -> Option<String> {
    let set = set(document)?;
    // It was renamed in version 12.
    let main = document.child(set, "MainTrack").or_else(|| document.child(set, "MasterTrack"))?;
    let mixer =
        document.descend(main, &["DeviceChain", "Mixer"]).or_else(|| document.descend(main, &["Mixer"]))?;
    let manual = document.descend(mixer, &["Tempo", "Manual"])?;
    document.attribute(manual, "Value").map(|value| plain::shown(value, SHORT))
}

/// A track, and what it is known by from one version to the next.
#[derive(Debug)]
pub(super) struct Track<'a> {
    pub(super) id: (&'a str, Option<&'a str>),
    pub(super) facts: ProjectTrack,
}

pub(super) fn tracks<'a>(document: &Document<'a>) -> Vec<Track<'a>> {
    let Some(tracks) = set(document).and_then(|set| document.child(set, "Tracks")) else { return Vec::new() };
    let track = |element: usize| {
        let tag = document.name_of(element);
        let kind = match tag {
            "AudioTrack" => TrackKind::Audio,
            "MidiTrack" => TrackKind::Midi,
            "ReturnTrack" => TrackKind::Return,
            "GroupTrack" => TrackKind::Group,
            _ => TrackKind::Other,
        };
        Track {
            id: (tag, document.attribute(element, "Id")),
            facts: ProjectTrack { kind, name: name(document, element) },
        }
    };
    document.children(tracks).map(track).collect()
}

/// What the user called it, else what Live calls it.
fn name(document: &Document<'_>, track: usize) -> String {
    let name = document.child(track, "Name");
    let within = |tag: &str| document.attribute(document.child(name?, tag)?, "Value");
    let given = [
        within("UserName"),
        within("EffectiveName"),
        name.and_then(|name| document.attribute(name, "Value")),
    ];
    let given = given.into_iter().flatten().find(|name| !name.trim().is_empty());
    given.map_or_else(|| document.name_of(track).to_owned(), |name| plain::shown(&unescaped(name), SHORT))
}
