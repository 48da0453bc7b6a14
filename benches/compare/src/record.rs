//! The record: one CSV file per day and corpus, one row per measurement, appended round by round.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::corpus::Corpus;
use crate::machine::Machine;
use crate::round::{Kind, Row};
use crate::stem::Stem;

/// The columns. New ones go to the end, so that old files can be read with them.
const COLUMNS: [&str; 18] = [
    "date",
    "machine",
    "corpus",
    "bytes",
    "files",
    "contender",
    "round",
    "seconds",
    "seconds_with_sync",
    "ratio_to_cp_with_sync",
    "cpu_seconds",
    "kind",
    "state",
    "rss_bytes",
    "rss_anon_bytes",
    "new_disk_bytes",
    "version",
    "stem",
];

/// Where rows are written.
#[derive(Debug)]
pub(crate) struct Record {
    path: PathBuf,
    date: String,
}

impl Record {
    /// The file of today and of this corpus; its first line is written if it is new.
    pub(crate) fn new(dir: &Path, corpus: &Corpus) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let now = jiff::Timestamp::now();
        let day = now.to_string().split('T').next().unwrap_or_default().to_owned();
        let path = dir.canonicalize()?.join(format!("{day}-{}.csv", corpus.name.replace(' ', "")));
        if !path.exists() {
            fs::write(&path, format!("{}\n", COLUMNS.join(",")))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(Self { path, date: format!("{now:.0}") })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a round.
    pub(crate) fn append(
        &self,
        rows: &[Row],
        machine: &Machine,
        corpus: &Corpus,
        unsynced: bool,
        stem: &Stem,
    ) -> Result<()> {
        let mut text = String::new();
        for row in rows {
            let sample = &row.sample;
            let fields: [String; COLUMNS.len()] = [
                self.date.clone(),
                machine.to_string(),
                corpus.name.clone(),
                corpus.bytes.to_string(),
                corpus.files.len().to_string(),
                row.contender.to_owned(),
                row.round.to_string(),
                format!("{:.6}", sample.seconds),
                format!("{:.6}", sample.seconds_with_sync),
                row.ratio.map(|ratio| format!("{ratio:.4}")).unwrap_or_default(),
                format!("{:.3}", sample.cpu_seconds),
                match row.kind {
                    Kind::Reads => "reads".into(),
                    Kind::Writes => "writes".into(),
                },
                if unsynced { "unsynced" } else { "synced" }.into(),
                sample.rss.to_string(),
                sample.rss_anon.to_string(),
                sample.new_disk.to_string(),
                row.version.clone(),
                stem.version(),
            ];
            text.push_str(&fields.map(|field| quoted(&field)).join(","));
            text.push('\n');
        }
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// A field as RFC 4180 has it.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_commas_and_quotes_are_quoted() {
        assert_eq!(quoted("plain text"), "plain text");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("a \"b\""), "\"a \"\"b\"\"\"");
    }
}
