//! From two versions of a file to what the page shows of it, all but its sounds.

use std::io;

use super::bounds::Bounds;
use super::facts::{level, rows};
use super::lists;
use super::model::{File, Mark, Recording, Rest, Shape, Share, Status};
use crate::audio::{AudioChange, AudioDifference, AudioFacts, ChangedSpan, Treatment};
use crate::{Description, Difference, Facts, Limits, ReadAt, compare, describe, residual_waveform, waveform};

/// Looks at a file: what it is like in the two versions, how these differ, how it is drawn. `draw` says whether there is
/// room for one more drawing; without it, the page says that the recording is not drawn.
///
/// # Errors
///
/// Those of the medium; the question was cancelled.
pub fn examine(
    path: &[u8],
    group: &str,
    versions: [Option<&dyn ReadAt>; 2],
    draw: bool,
    bounds: &Bounds,
    limits: &Limits,
) -> io::Result<File> {
    let describe =
        |source: Option<&dyn ReadAt>| source.map(|source| describe(path, source, limits)).transpose();
    let described = [describe(versions[0])?, describe(versions[1])?];
    let difference = match versions {
        [Some(before), Some(after)] => Some(compare(path, before, after, limits)?),
        _ => None,
    };
    let [before, after] = described.each_ref().map(Option::as_ref);
    let mut file = File {
        path: stem_page::readable(path),
        group: group.to_owned(),
        status: match (versions, &difference) {
            ([None, _], _) => Status::Added,
            ([_, None], _) => Status::Removed,
            (_, Some(Difference::Identical)) => Status::Same,
            _ => Status::Changed,
        },
        bytes: [before, after].map(|one| one.map(|one| one.bytes)),
        headline: headline(difference.as_ref(), before, after),
        facts: rows([before, after]),
        lists: difference.as_ref().map(lists::lists).unwrap_or_default(),
        ..File::default()
    };
    for (one, when) in [(before, "Before"), (after, "After")] {
        file.notes.extend(one.and_then(|one| one.note.as_ref()).map(|note| format!("{when}: {note}")));
    }
    match &difference {
        Some(Difference::Other(share)) => {
            file.share = Some(Share { common: share.equal, of: share.after });
            file.notes.extend(share.note.clone());
        }
        Some(Difference::Audio(audio)) => file.notes.extend(audio.note.clone()),
        _ => {}
    }
    // The same may be said of a version and of the difference.
    file.notes.dedup();
    let facts = [before, after].map(|one| match one.map(|one| &one.facts) {
        Some(Facts::Audio(facts)) => Some(facts),
        _ => None,
    });
    if file.status == Status::Same || facts.iter().all(Option::is_none) {
        return Ok(file);
    }
    if !draw {
        file.notes.push(format!("Not drawn: a page draws at most {} recordings.", bounds.drawn));
        return Ok(file);
    }
    let audio = if let Some(Difference::Audio(audio)) = &difference { Some(audio) } else { None };
    file.recording = Some(recording(versions, facts, audio, bounds, limits)?);
    Ok(file)
}

fn headline(
    difference: Option<&Difference>,
    before: Option<&Description>,
    after: Option<&Description>,
) -> String {
    let words = match (difference, before.or(after)) {
        (Some(difference), _) => difference.summary(),
        (None, Some(one)) => one.summary(),
        (None, None) => String::new(),
    };
    minus(&words)
}

/// With a sign before a number that is as long as a digit.
fn minus(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    let mut previous = ' ';
    for (at, c) in words.char_indices() {
        let number =
            c == '-' && previous == ' ' && words[at + 1..].starts_with(|next: char| next.is_ascii_digit());
        out.push(if number { '−' } else { c });
        previous = c;
    }
    out
}

fn recording(
    versions: [Option<&dyn ReadAt>; 2],
    facts: [Option<&AudioFacts>; 2],
    difference: Option<&AudioDifference>,
    bounds: &Bounds,
    limits: &Limits,
) -> io::Result<Recording> {
    let mut found = Recording::default();
    for side in [0, 1] {
        let (Some(source), Some(facts)) = (versions[side], facts[side]) else { continue };
        found.rates[side] = facts.rate;
        found.channels[side] = facts.channels;
        let columns = waveform(source, 0..facts.frames, bounds.columns, limits)?;
        found.shapes[side] = columns.map(|columns| Shape { seconds: facts.seconds, columns });
    }
    if let ([Some(before), Some(after)], [Some(_), Some(facts)], Some(difference)) =
        (versions, facts, difference)
        && let Some(words) = rest_words(difference)
    {
        let columns = residual_waveform(before, after, difference, 0..facts.frames, bounds.columns, limits)?;
        found.rest = columns.map(|columns| Rest { shape: Shape { seconds: facts.seconds, columns }, words });
    }
    let spans = difference.map(AudioDifference::spans).unwrap_or_default();
    found.more_marks = spans.len().saturating_sub(bounds.marks) as u64;
    found.marks = if spans.is_empty() {
        vec![heard(&found, bounds)]
    } else {
        spans.iter().take(bounds.marks).map(|span| mark(span, &found, difference, bounds)).collect()
    };
    // The header alone cannot be heard.
    if let Some(AudioChange::HeaderOnly | AudioChange::Reencoded) = difference.map(|one| &one.change) {
        found.marks.clear();
    }
    Ok(found)
}

/// What stands beside the drawing of the difference; `None` where there is nothing to subtract.
fn rest_words(difference: &AudioDifference) -> Option<String> {
    match &difference.change {
        AudioChange::Edited { .. } | AudioChange::Shifted { .. } => Some("after minus before".to_owned()),
        AudioChange::Processed { treatment: Treatment::Gain { residual, .. } } => Some(format!(
            "after minus before; with the gain undone, {}",
            if residual.peak.0.is_finite() {
                format!("{} at most", level(residual.peak))
            } else {
                "nothing is left".to_owned()
            }
        )),
        AudioChange::Processed { .. } if difference.rates[0] == difference.rates[1] => {
            Some("after minus before".to_owned())
        }
        _ => None,
    }
}

fn mark(
    span: &ChangedSpan,
    recording: &Recording,
    difference: Option<&AudioDifference>,
    bounds: &Bounds,
) -> Mark {
    let everywhere = !matches!(difference.map(|one| &one.change), Some(AudioChange::Edited { .. }));
    if everywhere {
        return heard(recording, bounds);
    }
    Mark {
        spans: [Some(span.before_seconds), Some(span.after_seconds)],
        words: minus(&span.words),
        shaded: true,
        ..Mark::default()
    }
}

/// Where a recording is heard best: around its loudest moment, at the same time in both versions.
fn heard(recording: &Recording, bounds: &Bounds) -> Mark {
    let shapes = &recording.shapes;
    let Some(shape) = shapes[1].as_ref().or(shapes[0].as_ref()) else { return Mark::default() };
    let tall = |column: &[f32; 2]| column[1].max(-column[0]);
    let loudest = shape.columns.iter().enumerate().fold((0, 0.0), |best, (number, column)| {
        if tall(column) > best.1 { (number, tall(column)) } else { best }
    });
    #[expect(clippy::cast_precision_loss, reason = "hundreds of columns")]
    let at = loudest.0 as f64 / shape.columns.len().max(1) as f64 * shape.seconds;
    let length = f64::from(bounds.clip_seconds).min(shape.seconds);
    let from = (at - length / 2.0).clamp(0.0, (shape.seconds - length).max(0.0));
    let spans = shapes.each_ref().map(|shape| {
        let seconds = shape.as_ref()?.seconds;
        let from = from.min(seconds);
        Some([from, (from + length).min(seconds)])
    });
    Mark { spans, words: "The loudest passage".to_owned(), ..Mark::default() }
}

#[cfg(test)]
mod tests {
    use super::minus;

    #[test]
    fn signs_of_numbers() {
        assert_eq!(minus("-3.0 dB, peak -6 dB, take-3 -x-"), "−3.0 dB, peak −6 dB, take-3 -x-");
        assert_eq!(minus("-"), "-");
    }
}
