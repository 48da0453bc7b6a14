//! Waveforms.
//!
//! Lanes below each other on one scale of time, the longest version as wide as the page. Shapes stretch, text does not.

use std::fmt::Write as _;

use stem_page::escape;

use super::model::{Mark, Recording, Shape};
use crate::words::{clock, span};

/// Units of height that a shape has.
const TALL: f32 = 200.0;
/// Lines of time on a wide page, at most; on a narrow one every so many that no more than [`FEW`] are left.
const MANY: f64 = 10.0;
const FEW: usize = 4;
/// Steps of a scale of time, in seconds.
const STEPS: [f64; 20] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0,
    7200.0, 18_000.0, 36_000.0,
];

/// One line of the drawing.
struct Lane<'a> {
    /// What it shows, and of what.
    name: &'a str,
    of: String,
    class: &'static str,
    shape: &'a Shape,
    /// Which of the two spans of a mark is shaded in it.
    side: usize,
    /// How much taller than life it is drawn.
    times: f32,
    height: u32,
    figures: String,
}

/// The lanes of a recording, with the scale below. `figures` are the peaks and loudnesses that stand beside the names.
pub(super) fn waves(
    out: &mut String,
    id: &str,
    path: &str,
    recording: &Recording,
    versions: &[String; 2],
    figures: &[String; 2],
) {
    let mut lanes = Vec::new();
    // Both versions alike, so that they can be compared.
    let times = magnify(recording.shapes.iter().flatten());
    let with = |mut figures: String, times: f32| {
        if times > 1.0 {
            let _ = write!(figures, "{}drawn ×{times:.0}", if figures.is_empty() { "" } else { ", " });
        }
        figures
    };
    for (side, (name, class)) in [("Before", "before"), ("After", "after")].into_iter().enumerate() {
        let Some(shape) = &recording.shapes[side] else { continue };
        let alone = recording.shapes.iter().flatten().count() < 2;
        lanes.push(Lane {
            name: if alone { "Waveform" } else { name },
            of: versions[side].clone(),
            class,
            shape,
            side,
            times,
            height: 88,
            figures: with(figures[side].clone(), times),
        });
    }
    if let Some(rest) = &recording.rest {
        let times = magnify([&rest.shape]);
        lanes.push(Lane {
            name: "Difference",
            of: rest.words.clone(),
            class: "rest",
            shape: &rest.shape,
            side: 1,
            times,
            height: 64,
            figures: with(level(&rest.shape), times),
        });
    }
    let whole = lanes.iter().map(|lane| lane.shape.seconds).filter(|s| s.is_finite()).fold(0.0, f64::max);
    if whole <= 0.0 {
        return;
    }
    let ticks = ticks(whole);
    out.push_str("<div class=\"waves\">\n");
    for lane in &lanes {
        draw(out, &format!("{id}-{}", lane.class), path, lane, &recording.marks, &ticks, whole);
    }
    out.push_str("<svg class=\"scale\" width=\"100%\" height=\"18\" aria-hidden=\"true\">");
    for (at, class) in &ticks {
        let anchor = if *at <= 0.0 { "start" } else { "middle" };
        // The last one would stick out.
        if at / whole < 0.955 {
            let _ = write!(
                out,
                "<text{class} x=\"{}\" y=\"13\" text-anchor=\"{anchor}\">{}</text>",
                percent(at / whole),
                clock(*at)
            );
        }
    }
    out.push_str("</svg>\n</div>\n");
}

fn draw(
    out: &mut String,
    id: &str,
    path: &str,
    lane: &Lane<'_>,
    marks: &[Mark],
    ticks: &[(f64, &str)],
    whole: f64,
) {
    let height = lane.height;
    let of = if lane.of.is_empty() { String::new() } else { format!(" <bdi>{}</bdi>", escape(&lane.of)) };
    let _ = write!(
        out,
        "<div class=\"lane\"><p class=\"lane-name\"><span><strong>{}</strong>{of}</span><span class=\"time\">{}</span></p>\
         <svg class=\"wave {}\" width=\"100%\" height=\"{height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
         <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc><rect class=\"ground\" width=\"100%\" height=\"100%\"/>",
        lane.name,
        escape(&lane.figures),
        lane.class,
        escape(&format!(
            "{}: {path}{}",
            lane.name,
            if lane.of.is_empty() { String::new() } else { format!(", {}", lane.of) }
        )),
        escape(&described(lane, marks)),
    );
    for (at, class) in ticks.iter().filter(|(at, _)| *at > 0.0) {
        let x = percent(at / whole);
        let _ = write!(out, "<line{class} x1=\"{x}\" x2=\"{x}\" y1=\"0\" y2=\"{height}\"/>");
    }
    for mark in marks.iter().filter(|mark| mark.shaded) {
        shade(out, mark, lane, whole);
    }
    let _ = write!(
        out,
        "<svg width=\"{}\" height=\"{height}\" viewBox=\"0 0 {} {TALL}\" preserveAspectRatio=\"none\" overflow=\"visible\">\
         <path class=\"shape\" d=\"",
        percent((lane.shape.seconds / whole).clamp(0.0, 1.0)),
        lane.shape.columns.len().max(2) - 1,
    );
    outline(out, &lane.shape.columns, lane.times);
    let _ = write!(
        out,
        "\"/></svg><line class=\"zero\" x1=\"0\" x2=\"100%\" y1=\"{0}\" y2=\"{0}\"/>",
        height / 2
    );
    numbers(out, marks, lane, whole);
    out.push_str("</svg></div>\n");
}

/// The number of each mark at its beginning, as far as they do not stand on each other on a phone.
fn numbers(out: &mut String, marks: &[Mark], lane: &Lane<'_>, whole: f64) {
    let mut free = f64::NEG_INFINITY;
    for (number, mark) in marks.iter().enumerate().filter(|(_, mark)| mark.shaded) {
        let Some([from, _]) = mark.spans[lane.side] else { continue };
        let at = (from / whole).clamp(0.0, 1.0);
        if at < free {
            continue;
        }
        free = at + 0.06;
        // Near the right end it stands on the left of its place.
        let (anchor, dx) = if at > 0.95 { ("end", -4) } else { ("start", 4) };
        let _ = write!(
            out,
            "<text class=\"number\" x=\"{}\" dx=\"{dx}\" y=\"13\" text-anchor=\"{anchor}\">{}</text>",
            percent(at),
            number + 1
        );
    }
}

fn shade(out: &mut String, mark: &Mark, lane: &Lane<'_>, whole: f64) {
    let Some([from, to]) = mark.spans[lane.side] else { return };
    let (from, to) = ((from / whole).clamp(0.0, 1.0), (to / whole).clamp(0.0, 1.0));
    let (x, end) = (percent(from), percent(to));
    if to > from {
        let _ = write!(
            out,
            "<rect class=\"mark\" x=\"{x}\" width=\"{}\" height=\"100%\"/><line class=\"edge\" x1=\"{end}\" x2=\"{end}\" y1=\"0\" \
             y2=\"100%\"/>",
            percent(to - from)
        );
    }
    // A span too short to be seen, or one that is not in this version, is still a line.
    let class = if to > from { "edge" } else { "edge none" };
    let _ = write!(out, "<line class=\"{class}\" x1=\"{x}\" x2=\"{x}\" y1=\"0\" y2=\"100%\"/>");
}

/// What is seen, for whoever does not see it.
fn described(lane: &Lane<'_>, marks: &[Mark]) -> String {
    let mut text = format!("{} long", clock(lane.shape.seconds));
    if !lane.figures.is_empty() {
        let _ = write!(text, ", {}", lane.figures);
    }
    text.push('.');
    for (number, mark) in marks.iter().enumerate().filter(|(_, mark)| mark.shaded) {
        if let Some([from, to]) = mark.spans[lane.side] {
            let place = if to > from { span(from, to) } else { clock(from) };
            let place = if mark.words.contains(&place) { String::new() } else { format!(" at {place}") };
            let _ =
                write!(text, " Change {}{place}: {}.", number + 1, super::article::clean(&mark.words, 200));
        }
    }
    text
}

/// The outline of a shape: along the highest samples, and back along the lowest.
fn outline(out: &mut String, columns: &[[f32; 2]], times: f32) {
    let height = |value: f32| {
        let value = if value.is_finite() { (value * times).clamp(-1.0, 1.0) } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, reason = "within the height")]
        let y = ((1.0 - value) * TALL / 2.0).round() as i32;
        y
    };
    // Silence is a thin line, and no hole.
    let edges: Vec<[i32; 2]> = columns
        .iter()
        .map(|&[low, high]| {
            let (top, bottom) = (height(high.max(low)), height(low.min(high)));
            let middle = i32::midpoint(top, bottom);
            if bottom - top < 2 { [middle - 1, middle + 1] } else { [top, bottom] }
        })
        .collect();
    let (Some(first), Some(last)) = (edges.first(), edges.last()) else { return };
    let _ = write!(out, "M0 {}", first[0]);
    for pair in edges.windows(2) {
        let _ = write!(out, "l1 {}", pair[1][0] - pair[0][0]);
    }
    let _ = write!(out, "v{}", last[1] - last[0]);
    for pair in edges.windows(2).rev() {
        let _ = write!(out, "l-1 {}", pair[0][1] - pair[1][1]);
    }
    out.push('Z');
}

/// How much taller what is quiet is drawn, so that there is something to see.
fn magnify<'a>(shapes: impl IntoIterator<Item = &'a Shape>) -> f32 {
    let peak = shapes.into_iter().map(peak).fold(0.0, f32::max);
    let fits = |times: &f32| peak > 0.0 && peak * times <= 1.0;
    [2.0, 4.0, 10.0, 20.0, 40.0, 100.0, 200.0, 400.0, 1000.0].into_iter().rev().find(fits).unwrap_or(1.0)
}

fn peak(shape: &Shape) -> f32 {
    shape
        .columns
        .iter()
        .flatten()
        .filter(|value| value.is_finite())
        .fold(0.0, |peak, value| peak.max(value.abs()))
}

/// The highest sample of a shape in words.
fn level(shape: &Shape) -> String {
    let peak = peak(shape);
    if peak > 0.0 {
        format!("peak {} dBFS", super::article::signed(20.0 * f64::from(peak).log10()))
    } else {
        "nothing".to_owned()
    }
}

/// A place or a length as a share of the width.
fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The times at which lines stand, and the class of those that only a wide page has room for.
fn ticks(whole: f64) -> Vec<(f64, &'static str)> {
    let step = STEPS.into_iter().find(|step| whole / step <= MANY).unwrap_or(whole / MANY);
    let mut all = Vec::new();
    let mut at = 0.0;
    while at < whole && all.len() <= 12 {
        all.push(at);
        #[expect(clippy::cast_precision_loss, reason = "a dozen")]
        let next = all.len() as f64 * step;
        at = next;
    }
    let every = all.len().div_ceil(FEW).max(1);
    all.into_iter()
        .enumerate()
        .map(|(number, at)| (at, if number % every == 0 { "" } else { " class=\"minor\"" }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(columns: &[[f32; 2]]) -> Shape {
        Shape { seconds: 20.0, columns: columns.to_vec() }
    }

    #[test]
    fn outlines_are_closed_and_within_their_height() {
        let draw = |columns: &[[f32; 2]], times| {
            let mut out = String::new();
            outline(&mut out, columns, times);
            out
        };
        assert_eq!(draw(&[], 1.0), "");
        assert_eq!(
            draw(&[[-1.0, 1.0], [0.0, 0.5], [-9.0, f32::NAN]], 1.0),
            "M0 0l1 50l1 149v2l-1 -101l-1 100Z"
        );
        assert_eq!(draw(&[[0.0, 0.0], [0.0, 0.0]], 1.0), "M0 99l1 0v2l-1 0Z");
        assert_eq!(draw(&[[-0.1, 0.1]], 10.0), "M0 0v200Z");
    }

    #[test]
    fn quiet_differences_are_magnified() {
        let times = |columns: &[[f32; 2]]| magnify([&shape(columns)]).to_string();
        assert_eq!(times(&[[-0.6, 0.2]]), "1");
        assert_eq!(times(&[[-0.5, 0.2]]), "2");
        assert_eq!(times(&[[-0.05, 0.02]]), "20");
        assert_eq!(times(&[[-0.09, 0.02]]), "10");
        assert_eq!(times(&[[0.0, 0.000_01]]), "1000");
        assert_eq!(times(&[[0.0, 0.0]]), "1");
        assert_eq!(magnify([&shape(&[[-0.05, 0.02]]), &shape(&[[-0.9, 0.0]])]).to_string(), "1");
        assert_eq!(level(&shape(&[[0.0, 0.0]])), "nothing");
        assert_eq!(level(&shape(&[[-0.5, 0.2]])), "peak −6.0 dBFS");
    }

    #[test]
    fn scales_of_time() {
        let times = |whole| ticks(whole).into_iter().map(|(at, _)| clock(at)).collect::<Vec<_>>();
        assert_eq!(times(6.0), ["0:00.0", "0:01.0", "0:02.0", "0:03.0", "0:04.0", "0:05.0"]);
        assert_eq!(times(215.0).last().map(String::as_str), Some("3:30.0"));
        for whole in [1e-9, 0.01, 0.3, 5.0, 59.0, 61.0, 600.0, 5000.0, 90_000.0, 1e12] {
            let ticks = ticks(whole);
            assert!((1..=13).contains(&ticks.len()), "{whole}: {}", ticks.len());
            assert!(ticks.iter().filter(|(_, class)| class.is_empty()).count() <= FEW, "{whole}");
        }
    }
}
