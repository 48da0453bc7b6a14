//! Waveforms of a few lines: dots of braille, two columns and four rows to a character, or ASCII by loudness.
//!
//! Braille shows the shape of a drum loop in sixty columns where blocks show a bar chart; every font that has box drawing
//! has it. What changed is marked below the wave, because colour alone says nothing to a pipe or to whoever sees none.

#![expect(clippy::cast_precision_loss, reason = "columns of a terminal, at most some hundreds")]

use super::canvas::Canvas;

/// Rows of braille; each has four rows of dots.
const ROWS: usize = 2;
const DOTS: usize = 4 * ROWS;
/// ASCII by the highest sample, quiet to loud.
const LEVELS: &[u8; 8] = b" .:-=+*#";

/// What is drawn of a recording.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wave {
    /// The lowest and the highest sample of each column.
    pub(crate) columns: Vec<[f32; 2]>,
    /// Spans that changed, as parts of the whole, 0 to 1; an empty one is a place where something is gone.
    pub(crate) spans: Vec<[f64; 2]>,
}

/// Columns of samples that are needed to fill so many columns of the terminal.
pub(crate) fn samples(canvas: Canvas, room: usize) -> usize {
    if canvas.unicode() { 2 * room } else { room }
}

/// The lines of a wave.
pub(crate) fn draw(wave: &Wave, canvas: Canvas) -> Vec<String> {
    if wave.columns.is_empty() {
        return Vec::new();
    }
    let mut lines = if canvas.unicode() { braille(&wave.columns) } else { vec![levels(&wave.columns)] };
    let cells = if canvas.unicode() { wave.columns.len().div_ceil(2) } else { wave.columns.len() };
    if !wave.spans.is_empty() {
        let mark = if canvas.unicode() { '━' } else { '^' };
        lines.push(marks(&wave.spans, cells, mark).trim_end().to_owned());
    }
    lines
}

/// Dots from the lowest to the highest sample of each column; silence is a line in the middle.
fn braille(columns: &[[f32; 2]]) -> Vec<String> {
    // The bits of the dots of a character, by column and row; Unicode, "Braille Patterns".
    const BITS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
    let filled: Vec<(usize, usize)> = columns.iter().map(|&[low, high]| (row(high), row(low))).collect();
    let cell = |line: usize, pair: &[(usize, usize)]| {
        let mut bits = 0;
        for (&(top, bottom), column) in pair.iter().zip(BITS) {
            for (at, bit) in column.iter().enumerate() {
                if (top..=bottom).contains(&(4 * line + at)) {
                    bits |= bit;
                }
            }
        }
        char::from_u32(0x2800 + bits).unwrap_or(' ')
    };
    (0..ROWS).map(|line| filled.chunks(2).map(|pair| cell(line, pair)).collect()).collect()
}

/// The row of dots of a sample, the topmost first.
fn row(sample: f32) -> usize {
    // Eight rows show little of what most recordings are, quiet parts between loud ones: they are drawn by the root.
    let tall = sample.clamp(-1.0, 1.0);
    let scaled = (1.0 - tall.abs().sqrt().copysign(tall)) / 2.0 * (DOTS as f32 - 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in 0..DOTS")]
    let row = if scaled.is_finite() { scaled.round() as usize } else { DOTS / 2 };
    row.min(DOTS - 1)
}

fn levels(columns: &[[f32; 2]]) -> String {
    let level = |&[low, high]: &[f32; 2]| {
        let peak = low.abs().max(high.abs()).clamp(0.0, 1.0).sqrt();
        let scaled = if peak < 0.03 { 0.0 } else { 1.0 + peak * (LEVELS.len() as f32 - 2.0) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in 0..8")]
        let level = if scaled.is_finite() { scaled.round() as usize } else { 0 };
        char::from(LEVELS.get(level).copied().unwrap_or(b'#'))
    };
    columns.iter().map(level).collect::<String>().trim_end().to_owned()
}

fn marks(spans: &[[f64; 2]], cells: usize, mark: char) -> String {
    let mut line = vec![' '; cells];
    for &[from, to] in spans {
        let at = |part: f64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in 0..=cells")]
            let at = (part.clamp(0.0, 1.0) * cells as f64).floor() as usize;
            at.min(cells.saturating_sub(1))
        };
        let (first, last) = (at(from), at(to));
        // The end of a span at the edge of a cell does not touch that cell.
        let exact = (to * cells as f64 - last as f64).abs() < 1e-9 && to < 1.0;
        let last = if exact && last > first { last - 1 } else { last };
        for cell in line.iter_mut().take(last + 1).skip(first) {
            *cell = mark;
        }
    }
    line.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_fills_from_its_lowest_to_its_highest_sample_and_changes_are_marked() {
        let mut columns = vec![[0.0, 0.0]; 8];
        columns[2..4].fill([-1.0, 1.0]);
        let wave = Wave { columns, spans: vec![[0.25, 0.5], [1.0, 1.0]] };
        let drawn = draw(&wave, Canvas::new(Some(80), true));
        assert_eq!(drawn, ["⠀⣿⠀⠀", "⠉⣿⠉⠉", " ━ ━"]);
        let plain = draw(&wave, Canvas::new(Some(80), false));
        assert_eq!(plain, ["  ##", "  ^^   ^"]);
    }

    #[test]
    fn hostile_samples_are_drawn_somewhere() {
        let columns = vec![[f32::NAN, f32::NAN], [f32::NEG_INFINITY, f32::INFINITY], [9.0, -9.0]];
        let wave = Wave { columns, spans: vec![[f64::NAN, 2.0], [0.9, 0.1], [-1.0, -1.0]] };
        for unicode in [true, false] {
            assert!(!draw(&wave, Canvas::new(Some(40), unicode)).is_empty());
        }
        assert!(draw(&Wave { columns: Vec::new(), spans: Vec::new() }, Canvas::new(None, true)).is_empty());
    }
}
