//! The plots of the page, by plotters.
//!
//! plotters computes scales and ticks and draws axes, grids and shapes. It writes colours as attributes; the style sheet
//! maps the few that there are ([`frame::PALETTE`]) to those of the dark theme by attribute selectors, which win over
//! attributes. So an SVG is right by itself, and rewriting its text is not needed. Names and figures beside rows and points
//! are placed here, because only we know which of them would collide.
//!
//! Every plot is drawn twice, for a wide page and for a phone, and the style sheet shows one of them: text in a plot that
//! is merely scaled down cannot be read.

mod bars;
mod frame;
mod labels;
mod latency;
mod speed;

use std::fmt::Write as _;

pub(super) use bars::{Bars, Row, Segment};
#[cfg(test)]
pub(super) use frame::ON_FILL;
pub(super) use frame::{CLASS_FILLS, KEPT, PALETTE, REST, SAVED_BY_CODEC, SAVED_BY_DEDUP, hex};
pub(super) use latency::{Box as LatencyBox, Latency};
pub(super) use speed::{Point, Speed};

use super::escape;
use frame::Size;

/// Why a plot could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("a plot of the report cannot be drawn: {0}")]
pub struct PlotError(String);

/// Something that can be drawn at two sizes.
pub(super) trait Plot {
    /// The size for a wide page, and that for a phone.
    fn sizes(&self) -> [Size; 2];

    /// The SVG as plotters makes it.
    fn draw(&self, size: Size) -> Result<String, PlotError>;
}

/// A plot at both sizes, with what a screen reader says in its place.
pub(super) fn render(plot: &dyn Plot, id: &str, title: &str, description: &str) -> Result<String, PlotError> {
    let mut out = String::new();
    for (size, kind) in plot.sizes().into_iter().zip(["wide", "narrow"]) {
        let svg = plot.draw(size)?;
        // The opening tag becomes ours; plotters writes no `>` into it.
        let body = svg.split_once('>').map_or("", |(_, body)| body);
        let _ = write!(
            out,
            "<svg class=\"plot {kind}\" role=\"img\" aria-labelledby=\"{id}-{kind}-t {id}-{kind}-d\" \
             width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" xmlns=\"http://www.w3.org/2000/svg\">\
             <title id=\"{id}-{kind}-t\">{title}</title><desc id=\"{id}-{kind}-d\">{description}</desc>{body}",
            w = size.width,
            h = size.height,
            title = escape(title),
            description = escape(description),
        );
    }
    Ok(out)
}
