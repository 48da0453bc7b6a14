//! The page, on the shell that all pages of the program share (`stem-page`).

mod page;
mod plots;
mod style;
mod tables;

use stem_page::{escape, name};

use crate::model::Comparison;

pub use plots::PlotError;

/// The comparison as a page. The same comparison gives the same page, byte for byte.
///
/// # Errors
///
/// [`PlotError`] when a plot cannot be drawn; no figures are known that lead there.
pub fn html(comparison: &Comparison) -> Result<String, PlotError> {
    page::page(comparison)
}
