//! Short sounds of what changed, shared out fairly among the files.
//!
//! First one span of each file, then a second of each, until the clips are used up; and each may be as long as would leave
//! the others as much. So one file with many edits does not take the sound from all others. Whatever was changed comes
//! before what is new, and that before what is gone.

use std::io;

use super::bounds::Bounds;
use super::model::{self, File, Status};
use crate::{Limits, ReadAt, clip};

/// Seconds before and after a span that are played with it, and around the place of what is not there.
const AROUND: f64 = 0.4;
const BESIDE: f64 = 1.2;

/// A version of a file that was opened for reading.
pub type Opened<'a> = Option<Box<dyn ReadAt + 'a>>;

/// Puts sounds into the files that have marks. `open` gives a version (0: before, 1: after) of the file with that number.
///
/// # Errors
///
/// Those of the medium; the question was cancelled.
pub fn embed<'a>(
    files: &mut [File],
    bounds: &Bounds,
    limits: &Limits,
    open: &mut dyn FnMut(usize, usize) -> io::Result<Opened<'a>>,
) -> io::Result<()> {
    let chosen = choose(files, bounds);
    let mut left = bounds.clip_bytes;
    for (number, &(index, which, side)) in chosen.iter().enumerate() {
        let Some(recording) = files.get_mut(index).and_then(|file| file.recording.as_mut()) else { continue };
        let rate = f64::from(recording.rates[side]);
        let length = recording.shapes[side].as_ref().map_or(0.0, |shape| shape.seconds);
        let Some(mark) = recording.marks.get_mut(which) else { continue };
        let Some(span) = mark.spans[side] else { continue };
        let most = left / (chosen.len() - number);
        let [from, to] = if mark.shaded {
            around(span, length, bounds)
        } else {
            middle(span, most, rate, recording.channels[side])
        };
        let Some(source) = open(index, side)? else { continue };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast of floats saturates"
        )]
        let frame = |seconds: f64| (seconds * rate).round() as u64;
        let Some(cut) = clip(&*source, frame(from)..frame(to), most, limits)? else { continue };
        if cut.frames.is_empty() || cut.wav.len() > most || cut.rate == 0 {
            continue;
        }
        left -= cut.wav.len();
        let seconds = |frame| crate::audio::change::seconds(frame, cut.rate);
        mark.clips[side] =
            Some(model::Clip { span: [seconds(cut.frames.start), seconds(cut.frames.end)], wav: cut.wav });
    }
    Ok(())
}

/// A span with what is around it, no longer than a clip may be.
fn around([from, to]: [f64; 2], length: f64, bounds: &Bounds) -> [f64; 2] {
    let margin = if to > from { AROUND } else { BESIDE };
    let from = (from - margin).max(0.0);
    [from, (to + margin).min(length).min(from + f64::from(bounds.clip_seconds))]
}

/// As much of the middle of a span as there is room for: what is to be heard is there.
#[expect(clippy::cast_precision_loss, reason = "megabytes")]
fn middle([from, to]: [f64; 2], most: usize, rate: f64, channels: usize) -> [f64; 2] {
    let room = most as f64 / (2.0 * rate * channels.clamp(1, 2) as f64);
    let cut = if room.is_finite() { (to - from - room).max(0.0) / 2.0 } else { 0.0 };
    [from + cut, to - cut]
}

/// Which sounds are embedded: file, mark, version.
fn choose(files: &[File], bounds: &Bounds) -> Vec<(usize, usize, usize)> {
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|&index| match files[index].status {
        Status::Changed => 0,
        Status::Added | Status::Unknown => 1,
        Status::Removed => 2,
        Status::Same => 3,
    });
    let mut chosen = Vec::new();
    for which in 0..bounds.marks.max(1) {
        for &index in &order {
            let Some(mark) = files[index].recording.as_ref().and_then(|recording| recording.marks.get(which))
            else {
                continue;
            };
            let sides: Vec<usize> = (0..2).filter(|&side| mark.spans[side].is_some()).collect();
            if chosen.len() + sides.len() > bounds.clips {
                return chosen;
            }
            chosen.extend(sides.into_iter().map(|side| (index, which, side)));
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::super::model::{Mark, Recording};
    use super::*;

    fn file(status: Status, marks: usize) -> File {
        let spans = [
            (status != Status::Added).then_some([0.0, 1.0]),
            (status != Status::Removed).then_some([0.0, 1.0]),
        ];
        let marks = vec![Mark { spans, ..Mark::default() }; marks];
        File { status, recording: Some(Recording { marks, ..Recording::default() }), ..File::default() }
    }

    #[test]
    fn every_file_is_heard_before_one_is_heard_twice() {
        let files =
            [file(Status::Added, 1), file(Status::Changed, 3), file(Status::Changed, 1), File::default()];
        let bounds = Bounds { clips: 8, ..Bounds::default() };
        let chosen = choose(&files, &bounds);
        assert_eq!(chosen, [(1, 0, 0), (1, 0, 1), (2, 0, 0), (2, 0, 1), (0, 0, 1), (1, 1, 0), (1, 1, 1)]);
        assert!(choose(&files, &Bounds { clips: 0, ..bounds }).is_empty());
    }

    #[test]
    fn spans_are_played_with_what_is_around_them() {
        let bounds = Bounds::default();
        assert_eq!(format!("{:.1?}", around([5.0, 6.0], 60.0, &bounds)), "[4.6, 6.4]");
        assert_eq!(format!("{:.1?}", around([0.0, 60.0], 60.0, &bounds)), "[0.0, 10.0]");
        assert_eq!(format!("{:.1?}", around([5.0, 5.0], 5.5, &bounds)), "[3.8, 5.5]");
        assert_eq!(format!("{:.1?}", middle([10.0, 20.0], 800_000, 50_000.0, 2)), "[13.0, 17.0]");
        assert_eq!(format!("{:.1?}", middle([10.0, 20.0], 8_000_000, 50_000.0, 6)), "[10.0, 20.0]");
    }
}
