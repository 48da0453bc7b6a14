//! What differs in notes, keys, lines and projects, one line each.

use super::model::{Item, ItemKind, List};
use crate::midi::{MidiDifference, NoteChange, NoteDifference, NoteFacts, TrackChange, TrackDifference};
use crate::project::{ProjectDifference, ProjectTrack};
use crate::text::{Change, JsonDifference, LineSpan, TextDifference, ValueChange};
use crate::words::{clock, counted};
use crate::{Difference, plain::Plain};

/// The lists of a difference.
pub(super) fn lists(difference: &Difference) -> Vec<List> {
    let mut lists = match difference {
        Difference::Identical | Difference::Audio(_) | Difference::Other(_) => Vec::new(),
        Difference::Midi(midi) => notes(midi),
        Difference::Json(json) => keys(json),
        Difference::Text(text) => lines(text),
        Difference::Project(project) => elements(project),
    };
    lists.retain(|list| !list.items.is_empty() || list.more > 0);
    lists
}

fn became(place: &str, [before, after]: [String; 2]) -> Item {
    Item { kind: ItemKind::Changed, place: place.to_owned(), values: [Some(before), Some(after)] }
}

fn kind(change: Change) -> ItemKind {
    match change {
        Change::Added => ItemKind::Added,
        Change::Removed => ItemKind::Removed,
        Change::Changed => ItemKind::Changed,
    }
}

fn notes(midi: &MidiDifference) -> Vec<List> {
    let mut items = Vec::new();
    let from = |bar: Option<u64>| {
        bar.filter(|bar| *bar > 1).map_or_else(String::new, |bar| format!(" from bar {bar}"))
    };
    if let Some(tempo) = &midi.tempo {
        items.push(became(
            &format!("tempo{}", from(tempo.bar)),
            tempo.bpm.map(|bpm| format!("{} bpm", Plain(bpm))),
        ));
    }
    if let Some(change) = &midi.meter {
        let meters = change.meter.map(|[beats, unit]| format!("{beats}/{unit}"));
        items.push(became(&format!("meter{}", from(change.bar)), meters));
    }
    if let Some(seconds) = midi.seconds {
        items.push(became("length", seconds.map(clock)));
    }
    let mut lists = vec![List { title: "The whole".to_owned(), items, more: 0 }];
    lists.extend(midi.tracks.iter().map(track));
    if midi.more_tracks > 0 {
        lists.push(List { title: "Other tracks".to_owned(), items: Vec::new(), more: midi.more_tracks });
    }
    lists
}

fn track(track: &TrackDifference) -> List {
    let mut items = Vec::new();
    if let Some(before) = &track.renamed_from {
        items.push(became("name", [before.clone(), track.name.clone()]));
    }
    items.extend(track.changes.iter().map(note));
    if track.other_events > 0 {
        items.push(Item {
            place: counted(track.other_events, "other event"),
            values: [
                None,
                Some("controllers, programs and the like, in only one of the versions".to_owned()),
            ],
            ..Item::default()
        });
    }
    let whole = match track.change {
        TrackChange::Added => ", new",
        TrackChange::Removed => ", gone",
        TrackChange::Changed => "",
    };
    List { title: format!("Notes of {}{whole}", track.name), items, more: track.more }
}

fn note(note: &NoteDifference) -> Item {
    let kind = match note.change {
        NoteChange::Added => ItemKind::Added,
        NoteChange::Removed => ItemKind::Removed,
        NoteChange::Moved | NoteChange::Transposed | NoteChange::Velocity | NoteChange::Length => {
            ItemKind::Changed
        }
    };
    let place = note.after.or(note.before).map_or_else(String::new, |one| match one.bar {
        Some(bar) => format!("bar {bar}, {}", clock(one.start)),
        None => clock(one.start),
    });
    let words = |one: &NoteFacts| match note.change {
        NoteChange::Added | NoteChange::Removed | NoteChange::Transposed => pitch(one.key),
        NoteChange::Moved => format!("{} at {:.2} s", pitch(one.key), one.start),
        NoteChange::Velocity => format!("{} velocity {}", pitch(one.key), one.velocity),
        NoteChange::Length => format!("{} {:.2} s long", pitch(one.key), one.end - one.start),
    };
    Item { kind, place, values: [note.before.as_ref().map(words), note.after.as_ref().map(words)] }
}

/// The name of a note; 60 is C4.
fn pitch(key: u8) -> String {
    const NAMES: [&str; 12] = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
    format!("{}{}", NAMES[usize::from(key % 12)], i16::from(key / 12) - 1)
}

fn value(change: &ValueChange) -> Item {
    Item {
        kind: kind(change.change),
        place: change.path.clone(),
        values: [change.before.clone(), change.after.clone()],
    }
}

fn keys(json: &JsonDifference) -> Vec<List> {
    vec![List { title: "Keys".to_owned(), items: json.changes.iter().map(value).collect(), more: json.more }]
}

fn lines(text: &TextDifference) -> Vec<List> {
    let item = |span: &LineSpan| {
        let place = match span.after.or(span.before) {
            Some([first, last]) if first != last => format!("lines {first}–{last}"),
            Some([first, _]) => format!("line {first}"),
            None => String::new(),
        };
        Item { kind: kind(span.change), place, values: [span.text_before.clone(), span.text_after.clone()] }
    };
    vec![List { title: "Lines".to_owned(), items: text.spans.iter().map(item).collect(), more: text.more }]
}

fn elements(project: &ProjectDifference) -> Vec<List> {
    let mut items = Vec::new();
    let tempo = project.tempo.iter().map(|tempo| became("tempo", tempo.clone()));
    items.extend(tempo.chain(project.program.iter().map(|program| became("written by", program.clone()))));
    let track = |kind| {
        move |track: &ProjectTrack| {
            let name = Some(track.name.clone());
            let values = if kind == ItemKind::Added { [None, name] } else { [name, None] };
            Item { kind, place: "track".to_owned(), values }
        }
    };
    items.extend(project.tracks_added.iter().map(track(ItemKind::Added)));
    items.extend(project.tracks_removed.iter().map(track(ItemKind::Removed)));
    items.extend(project.tracks_renamed.iter().map(|names| became("track", names.clone())));
    vec![
        List { title: "Tempo and tracks".to_owned(), items, more: 0 },
        List {
            title: "Elements and values".to_owned(),
            items: project.changes.iter().map(value).collect(),
            more: project.more,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_notes() {
        assert_eq!([0, 60, 61, 69, 127].map(pitch), ["C-1", "C4", "C♯4", "A4", "G9"]);
    }
}
