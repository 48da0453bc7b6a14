//! One file: what was done, how it looks and sounds, what it is like, what differs.

use std::fmt::Write as _;

use stem_page::{escape, name, units};

use super::bounds::Bounds;
use super::model::{Fact, File, Item, ItemKind, List, Mark, Recording, Share, Status};
use super::{players, wave};

/// Lists of more items than this are folded.
const OPEN: usize = 12;

/// Writes a file. Says how many bytes of it are sounds.
pub(super) fn article(
    out: &mut String,
    index: usize,
    file: &File,
    versions: &[String; 2],
    bounds: &Bounds,
) -> usize {
    let id = id(index);
    let path = path(&file.path);
    let _ = write!(
        out,
        "<article id=\"{id}\" aria-labelledby=\"{id}-h\">\n<h3 id=\"{id}-h\">{}{}</h3>\n",
        badge(file.status),
        parted(&path),
    );
    if !file.headline.is_empty() {
        let _ = writeln!(out, "<p class=\"headline\">{}</p>", escape(&clean(&file.headline, 300)));
    }
    for note in file.notes.iter().take(8) {
        let _ = writeln!(out, "<p class=\"callout\">{}</p>", escape(&clean(note, 300)));
    }
    let mut sounds = 0;
    if let Some(recording) = &file.recording {
        let figures = [0, 1].map(|side| figures(&file.facts, side));
        let shown = [0, 1].map(|side| clean(&versions[side], 100));
        wave::waves(out, &id, &path, recording, &shown, &figures);
        let before = out.len();
        marks(out, &path, recording, &shown);
        sounds = recording
            .marks
            .iter()
            .flat_map(|mark| mark.clips.iter().flatten())
            .map(|clip| clip.wav.len().div_ceil(3) * 4)
            .sum::<usize>()
            .min(out.len() - before);
    }
    if let Some(share) = &file.share {
        common(out, share);
    }
    for list in &file.lists {
        differences(out, list, bounds);
    }
    facts(out, &path, file);
    out.push_str("</article>\n");
    sounds
}

/// The name by which the page refers to a file.
pub(super) fn id(index: usize) -> String {
    format!("f{}", index + 1)
}

/// What became of a file, as a label.
pub(super) fn badge(status: Status) -> String {
    let (class, word) = match status {
        Status::Same => ("same", "same"),
        Status::Changed => ("changed", "changed"),
        Status::Added => ("added", "new"),
        Status::Removed => ("removed", "gone"),
        Status::Unknown => ("same", "file"),
    };
    format!("<span class=\"badge {class}\">{word}</span> ")
}

/// Text of which at most so much is shown.
pub(super) fn clean(text: &str, most: usize) -> String {
    // What lies behind cannot be shown, and cleaning it would take time.
    let end = text.char_indices().nth(most + 1).map_or(text.len(), |(at, _)| at);
    units::clean(&text[..end], most)
}

/// A path of which at most 200 characters are shown: its beginning, and its end, where the name is.
pub(super) fn path(path: &str) -> String {
    let count = path.chars().count();
    if count <= 200 {
        return clean(path, 200);
    }
    let place = |number: usize| path.char_indices().nth(number).map_or(path.len(), |(at, _)| at);
    format!("{}…{}", clean(&path[..place(80)], 80), clean(&path[place(count - 119)..], 119))
}

/// A number of bytes, for showing it.
#[expect(clippy::cast_precision_loss, reason = "three digits of it are shown")]
pub(super) fn float(bytes: u64) -> f64 {
    bytes as f64
}

/// A level with one digit, and a minus sign as long as a digit.
pub(super) fn signed(value: f64) -> String {
    let text = format!("{value:.1}");
    if text == "-0.0" { "0.0".to_owned() } else { text.replace('-', "−") }
}

/// A path whose directories step back behind the name.
fn parted(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((directory, file)) => format!(
            "<bdi><span class=\"directory\">{}/</span><wbr>{}</bdi>",
            escape(directory).replace('/', "/<wbr>"),
            escape(file)
        ),
        None => name(path),
    }
}

/// What stands beside the name of a waveform: the length and levels of its facts.
fn figures(facts: &[Fact], side: usize) -> String {
    let mut parts = Vec::new();
    for (fact, word) in [("Peak", "peak "), ("Loudness", "")] {
        let value = facts.iter().find(|one| one.name == fact).and_then(|one| one.values[side].as_ref());
        parts.extend(value.map(|value| format!("{word}{}", clean(value, 60))));
    }
    parts.join(", ")
}

/// The list of what changed, with its players.
fn marks(out: &mut String, path: &str, recording: &Recording, versions: &[String; 2]) {
    if recording.marks.is_empty() {
        return;
    }
    out.push_str("<ol class=\"marks\">\n");
    for mark in &recording.marks {
        let class = if mark.shaded { "" } else { " class=\"whole\"" };
        let _ = write!(out, "<li{class}><p class=\"words\">{}</p>", escape(&clean(&mark.words, 200)));
        players::players(out, path, mark, versions);
        out.push_str("</li>\n");
    }
    out.push_str("</ol>\n");
    let silent = recording.marks.iter().filter(|mark| lacks_sound(mark)).count();
    if silent > 0 && silent < recording.marks.len() {
        let _ = writeln!(
            out,
            "<p class=\"small\">{} not embedded.</p>",
            if silent == 1 {
                "The sound of 1 of these spans is".to_owned()
            } else {
                format!("The sound of {} of these spans is", units::digits(silent))
            }
        );
    } else if silent > 0 {
        out.push_str(
            "<p class=\"small\">The sound of these spans is not embedded: the page has a limit.</p>\n",
        );
    }
    if recording.more_marks > 0 {
        let _ = writeln!(
            out,
            "<p class=\"small\">{} not listed.</p>",
            if recording.more_marks == 1 {
                "1 more span is".to_owned()
            } else {
                format!("{} more spans are", units::digits(recording.more_marks))
            }
        );
    }
}

fn lacks_sound(mark: &Mark) -> bool {
    mark.clips.iter().all(Option::is_none)
}

/// How much two files have in common, as a bar and in words.
fn common(out: &mut String, share: &Share) {
    let part = if share.of == 0 { 0.0 } else { (float(share.common) / float(share.of)).clamp(0.0, 1.0) };
    let _ = writeln!(
        out,
        "<p class=\"share\"><svg class=\"bar\" width=\"100%\" height=\"10\" aria-hidden=\"true\"><rect class=\"rest\" width=\"100%\" \
         height=\"10\"/><rect class=\"part\" width=\"{:.1}%\" height=\"10\"/></svg>\
         <span>{} of {} ({}) was there before, found in pieces cut by content.</span></p>",
        part * 100.0,
        units::size(float(share.common)),
        units::size(float(share.of)),
        units::percent(part)
    );
}

fn differences(out: &mut String, list: &List, bounds: &Bounds) {
    let shown = list.items.len().min(bounds.items);
    let more = list.more.saturating_add((list.items.len() - shown) as u64);
    if shown == 0 && more == 0 {
        return;
    }
    let open = if shown <= OPEN { " open" } else { "" };
    let _ = write!(
        out,
        "<details class=\"fold\"{open}><summary>{} <span class=\"count\">({})</span></summary>\n<ul class=\"diff\">\n",
        escape(&clean(&list.title, 160)),
        units::digits(more.saturating_add(shown as u64))
    );
    for item in &list.items[..shown] {
        one(out, item);
    }
    out.push_str("</ul>\n");
    if more > 0 {
        let _ = writeln!(
            out,
            "<p class=\"small\">{} more {} not listed.</p>",
            units::digits(more),
            if more == 1 { "is" } else { "are" }
        );
    }
    out.push_str("</details>\n");
}

fn one(out: &mut String, item: &Item) {
    let (class, sign, word) = match item.kind {
        ItemKind::Added => ("added", "+", "new: "),
        ItemKind::Removed => ("removed", "−", "gone: "),
        ItemKind::Changed => ("changed", "~", "changed: "),
    };
    let _ = write!(
        out,
        "<li class=\"{class}\"><span class=\"sign\" aria-hidden=\"true\">{sign}</span><span class=\"hidden\">{word}</span>\
         <span class=\"item\">"
    );
    if !item.place.is_empty() {
        let _ = write!(out, "<code class=\"place\">{}</code> ", escape(&clean(&item.place, 200)));
    }
    let value = |text: &String| escape(&clean(text, 200));
    match &item.values {
        [Some(before), Some(after)] => {
            let _ = write!(
                out,
                "<del>{}</del> <span class=\"arrow\" aria-hidden=\"true\">→</span><span class=\"hidden\">became</span> <ins>{}</ins>",
                value(before),
                value(after)
            );
        }
        [Some(before), None] => {
            let _ = write!(out, "<del>{}</del>", value(before));
        }
        [None, Some(after)] => {
            let _ = write!(out, "<ins>{}</ins>", value(after));
        }
        [None, None] => {}
    }
    out.push_str("</span></li>\n");
}

/// The table of what a file is like.
fn facts(out: &mut String, path: &str, file: &File) {
    let columns: Vec<usize> =
        (0..2).filter(|&side| file.facts.iter().any(|fact| fact.values[side].is_some())).collect();
    if columns.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<table class=\"facts\"><caption class=\"hidden\">What {} is like</caption>\n<thead><tr><th scope=\"col\">\
         <span class=\"hidden\">Property</span></th>",
        escape(path)
    );
    for side in &columns {
        let _ = write!(out, "<th scope=\"col\">{}</th>", if *side == 0 { "Before" } else { "After" });
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for fact in &file.facts {
        let differs = columns.len() > 1 && fact.values[0] != fact.values[1];
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", fact.name);
        for &side in &columns {
            let value =
                fact.values[side].as_deref().map_or_else(|| "–".to_owned(), |value| clean(value, 160));
            let class = if differs && side == 1 { " class=\"differs\"" } else { "" };
            let _ = write!(out, "<td{class}>{}</td>", escape(&value));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_paths_keep_their_end() {
        let long = format!("tracks/{}/kïck.wav", "é".repeat(4000));
        let shown = path(&long);
        assert_eq!(shown.chars().count(), 200);
        assert!(
            shown.starts_with("tracks/é") && shown.contains("é…é") && shown.ends_with("/kïck.wav"),
            "{shown}"
        );
        assert_eq!(path("tracks/a.wav"), "tracks/a.wav");
    }

    #[test]
    fn signs_are_as_long_as_digits() {
        assert_eq!([-3.04, 0.0, -0.01, 12.0].map(signed), ["−3.0", "0.0", "0.0", "12.0"]);
    }
}
