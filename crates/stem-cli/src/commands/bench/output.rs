//! What was found, as text and as files.

use std::path::Path;

use stem_bench::model::Comparison;
use stem_bench::report::{self, TableStyle};
use stemvault::{Dir, Publish, RelPath};

use super::parent;
use crate::failure::{Failure, Result, chain};
use crate::human;

/// Refuses a file that cannot be written, before an hour is spent on what is to be in it.
pub(super) fn check(file: &Path) -> Result<()> {
    let dir = parent(file);
    let usable = dir.is_dir() && file.file_name().is_some() && !file.is_dir();
    if !usable {
        let message =
            format!("'{}' cannot be written: name a file in a directory that exists", human::path(file));
        return Err(Failure::user("invalid_input", message).at(file));
    }
    let dir = Dir::open(&dir).map_err(|error| Failure::io("cannot open its directory", file, &error))?;
    dir.temp_file(0o600).map(drop).map_err(|error| Failure::io("cannot write", file, &error))
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::io("cannot write", file, error);
    let dir = Dir::open(&parent(file)).map_err(|error| failed(&error))?;
    let name = Path::new(file.file_name().unwrap_or_default());
    let name = RelPath::from_path(name).map_err(|error| failed(&error))?;
    dir.write_durable(&name, bytes, &dir, Publish::Replace).map_err(|error| failed(&error))
}

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
