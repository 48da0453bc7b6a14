//! What the plots share: colours, sizes, text.

use std::ops::Range;

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::Text;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};

use super::PlotError;

/// Text and outlines.
pub(super) const INK: RGBColor = RGBColor(0x1c, 0x20, 0x26);
/// Axes and their text.
pub(super) const MUTED: RGBColor = RGBColor(0x55, 0x5c, 0x67);
/// Lines of the grid.
pub(super) const GRID: RGBColor = RGBColor(0xdf, 0xe3, 0xe8);
/// Text on a coloured area; the same in both themes, as the areas are.
pub(in super::super) const ON_FILL: RGBColor = RGBColor(0x10, 0x13, 0x18);
/// A line to compare with.
pub(super) const REFERENCE: RGBColor = RGBColor(0xa8, 0x32, 0x4b);

/// Points and boxes of the strategies; 4.5 to 1 or more against the page.
pub(super) const SERIES: [RGBColor; 8] = [
    RGBColor(0x1f, 0x5f, 0xbf),
    RGBColor(0xb3, 0x41, 0x0e),
    RGBColor(0x1b, 0x75, 0x3b),
    RGBColor(0x8a, 0x3e, 0xa8),
    RGBColor(0xa8, 0x32, 0x4a),
    RGBColor(0x0f, 0x6e, 0x7c),
    RGBColor(0x6b, 0x5a, 0x00),
    RGBColor(0x4a, 0x4f, 0x58),
];

/// Areas of the classes of files, in the order of `words::CLASSES`. Light enough for dark text; they have an outline, and
/// their names stand on them where there is room.
pub(in super::super) const CLASS_FILLS: [RGBColor; 7] = [
    RGBColor(0x8e, 0xc5, 0xff),
    RGBColor(0xff, 0xc2, 0x7a),
    RGBColor(0x9f, 0xe0, 0xa8),
    RGBColor(0xe3, 0xb5, 0xf2),
    RGBColor(0xff, 0xb3, 0xbf),
    RGBColor(0xf2, 0xdc, 0x72),
    RGBColor(0xb9, 0xe3, 0xe6),
];
/// What is kept, and what has no class.
pub(in super::super) const KEPT: RGBColor = RGBColor(0x8e, 0xc5, 0xfe);
pub(in super::super) const REST: RGBColor = RGBColor(0xc4, 0xc9, 0xd1);
pub(in super::super) const SAVED_BY_CODEC: RGBColor = RGBColor(0x9f, 0xe0, 0xa9);
pub(in super::super) const SAVED_BY_DEDUP: RGBColor = RGBColor(0xf2, 0xdc, 0x73);

/// Each colour that differs in the dark theme, with its name in the style sheet.
pub(in super::super) const PALETTE: [(RGBColor, &str); 12] = [
    (INK, "--ink"),
    (MUTED, "--muted"),
    (GRID, "--grid"),
    (REFERENCE, "--reference"),
    (SERIES[0], "--series-1"),
    (SERIES[1], "--series-2"),
    (SERIES[2], "--series-3"),
    (SERIES[3], "--series-4"),
    (SERIES[4], "--series-5"),
    (SERIES[5], "--series-6"),
    (SERIES[6], "--series-7"),
    (SERIES[7], "--series-8"),
];

/// Pixels of a plot.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Whether it is for a phone.
    pub(super) narrow: bool,
}

/// Where something is drawn.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What drawing ends with.
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Pixels of the letters.
pub(super) const LETTERS: i32 = 13;

/// A colour as plotters writes it.
pub(in super::super) fn hex(color: RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2)
}

/// Draws on a fresh SVG.
pub(super) fn svg(size: Size, draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String, PlotError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (size.width, size.height)).into_drawing_area();
        draw(&area).and_then(|()| area.present()).map_err(|error| PlotError(error.to_string()))?;
    }
    Ok(text)
}

/// A style of text; plotters makes letters smaller than it is told by this factor.
pub(super) fn text<'a>(color: RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'a> {
    ("sans-serif", f64::from(LETTERS) * 1.24)
        .into_font()
        .color(&color.to_rgba())
        .pos(Pos::new(horizontal, vertical))
}

/// How wide a text will be at most, about: nobody knows the reader's font.
pub(super) fn text_width(text: &str) -> i32 {
    let tenths: i32 = text
        .chars()
        .map(|c| {
            if c.is_ascii() {
                6
            } else if u32::from(c) < 0x1100 {
                7
            } else {
                11
            }
        })
        .sum();
    (tenths * LETTERS).div_euclid(10) + 2
}

/// Where the name of a row stands, and its figure: beside the row on a wide page, above it on a phone.
#[derive(Debug)]
pub(super) struct Lane {
    /// Pixels of the plot from side to side.
    pub(super) across: Range<i32>,
    /// Pixels on the left for the name.
    pub(super) left: i32,
    pub(super) narrow: bool,
}

impl Lane {
    /// Writes both for a row with these pixels at its top and in its middle.
    pub(super) fn write(&self, area: &Area<'_>, name: &str, figure: &str, top: i32, middle: i32) -> Drawn {
        let put = |words: String, x: i32, y: i32, color, side| {
            area.draw(&Text::new(words, (x, y), text(color, side, VPos::Center)))
        };
        if self.narrow {
            let y = top - LETTERS / 2 - 3;
            let room = self.across.end - self.across.start - text_width(figure) - 8;
            put(fit(name, room), self.across.start, y, INK, HPos::Left)?;
            put(figure.to_owned(), self.across.end, y, MUTED, HPos::Right)
        } else {
            put(fit(name, self.left - 20), self.across.start - 10, middle, INK, HPos::Right)?;
            put(figure.to_owned(), self.across.end + 10, middle, MUTED, HPos::Left)
        }
    }
}

/// A text that takes at most `width` pixels, about.
pub(super) fn fit(text: &str, width: i32) -> String {
    if text_width(text) <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        out.push(c);
        if text_width(&out) + LETTERS > width {
            break;
        }
    }
    out.push('…');
    out
}

/// The same as a number of pixels; no plot has more than a few thousand.
pub(super) fn pixels(value: usize) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX / 1024)
}

/// The end of an axis that holds `largest` and does not vanish.
pub(super) fn end(largest: f64) -> f64 {
    if largest.is_finite() && largest > 0.0 { largest * 1.04 } else { 1.0 }
}
