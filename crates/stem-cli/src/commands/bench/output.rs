//! What was found, as text and as files.

use std::path::Path;

use stem_bench::model::Comparison;
use stem_bench::report::{self, TableStyle};

use crate::failure::{Failure, Result, chain};
use crate::human;
use crate::target::write;

/// All figures, as they are saved.
pub(super) fn document(comparison: &Comparison) -> Result<String> {
    let mut bytes = Vec::new();
    report::save(comparison, &mut bytes).map_err(|error| Failure::internal(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| Failure::internal(error.to_string()))
}

/// Writes all figures.
pub(super) fn save(comparison: &Comparison, file: &Path) -> Result<()> {
    write(file, document(comparison)?.as_bytes())
}

/// Writes a report.
pub(super) fn html(comparison: &Comparison, file: &Path) -> Result<()> {
    let page = report::html(comparison).map_err(|error| Failure::internal(chain(&error)))?;
    write(file, page.as_bytes())
}

/// For people, with styles: what suits which goal, then the figures.
pub(super) fn text(comparison: &Comparison) -> String {
    let style = TableStyle { width: human::columns(), color: true };
    let sentences = report::sentences(comparison, style);
    let gap = if sentences.is_empty() { "" } else { "\n" };
    format!("{sentences}{gap}{}", report::table(comparison, style))
}
