//! One group of contenders in one round: a scene of its own, the set-up between the clocks, the checks after them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::contenders::Group;
use crate::corpus::{self, Corpus};
use crate::measure::{self, Sample};
use crate::stem::{Stem, Verb};
use crate::{child, machine};

/// What all rounds share.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    /// The files.
    pub(crate) corpus: &'a Corpus,
    /// The `stem` that is measured.
    pub(crate) stem: &'a Stem,
    /// Whether the clock starts on dirty pages.
    pub(crate) unsynced: bool,
    /// Where contenders work; it goes after each group.
    pub(crate) scene: PathBuf,
}

/// One measurement.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Who.
    pub(crate) contender: &'static str,
    /// Its version.
    pub(crate) version: String,
    /// From 1.
    pub(crate) round: usize,
    /// Whether it writes, so that the flush after it belongs to it.
    pub(crate) kind: Kind,
    /// What it took.
    pub(crate) sample: Sample,
    /// Its time to that of `cp -r` and a flush in the same round.
    pub(crate) ratio: Option<f64>,
}

/// What a contender does to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing.
    Reads,
    /// Something, which is done when it is flushed.
    Writes,
}

impl Row {
    /// The time that is compared: with the flush for whoever writes.
    pub(crate) fn time(&self) -> f64 {
        match self.kind {
            Kind::Reads => self.sample.seconds,
            Kind::Writes => self.sample.seconds_with_sync,
        }
    }
}

/// Relates the rows of one round to its `cp`.
pub(crate) fn relate(rows: &mut [Row]) {
    let Some(cp) = rows.iter().find(|row| row.contender == "cp").map(Row::time) else { return };
    for row in rows {
        row.ratio = Some(row.time() / cp);
    }
}

impl Bench<'_> {
    /// Runs a group once.
    pub(crate) fn run(&self, group: &Group, number: usize) -> Result<Vec<Row>> {
        corpus::remove(&self.scene)?;
        std::fs::create_dir_all(&self.scene)?;
        let version = match group.name {
            name if name.starts_with("stem") => self.stem.version(),
            _ => (group.version)().unwrap_or_default(),
        };
        let mut stage = Stage { bench: self, version, round: number + 1, rows: Vec::new() };
        (group.run)(&mut stage).with_context(|| format!("{}, round {}", group.name, number + 1))?;
        let rows = stage.rows;
        corpus::remove(&self.scene)?;
        Ok(rows)
    }
}

/// What a group works with.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    bench: &'a Bench<'a>,
    version: String,
    round: usize,
    rows: Vec<Row>,
}

impl Stage<'_> {
    /// The corpus.
    pub(crate) fn corpus(&self) -> &Corpus {
        self.bench.corpus
    }

    /// A path in the scene.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.bench.scene.join(name)
    }

    /// A directory in the scene.
    pub(crate) fn dir(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// A copy of the corpus in the scene.
    pub(crate) fn files(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        self.corpus().place(&path)?;
        Ok(path)
    }

    /// A directory in the scene that nothing is in but a repository of `stem` with the corpus in its working tree.
    pub(crate) fn repository(&self, name: &str) -> Result<PathBuf> {
        let root = self.dir(name)?;
        measure::unclocked(self.stem(&root, Verb::Init)?)?;
        self.files(&format!("{name}/muse-work"))?;
        Ok(root)
    }

    /// The command that does `verb` in `root`.
    pub(crate) fn stem(&self, root: &Path, verb: Verb) -> Result<Command> {
        self.bench.stem.command(root, verb)
    }

    /// Times `command`, which will read what is below `warm`; returns what it printed.
    pub(crate) fn clock(
        &mut self,
        contender: &'static str,
        kind: Kind,
        warm: &Path,
        command: Command,
    ) -> Result<String> {
        if !self.bench.unsynced {
            measure::flush(&self.bench.scene)?;
        }
        let most = machine::available_memory() / 2;
        let bytes = (self.corpus().bytes + self.corpus().bytes / 4 + (64 << 20)).min(most);
        let mut touch = child::command("touch")?;
        touch.arg(bytes.to_string());
        measure::unclocked(touch)?;
        corpus::warm(warm)?;
        let (sample, told) = measure::clock(command, &self.bench.scene).context(contender)?;
        let version = self.version.clone();
        self.rows.push(Row { contender, version, round: self.round, kind, sample, ratio: None });
        Ok(told)
    }

    /// Fails unless a contender that hashes printed what shows that it did.
    pub(crate) fn check_proof(&self, told: &str) -> Result<()> {
        if told.trim() != self.corpus().proof {
            bail!("the digests are not those of the corpus");
        }
        Ok(())
    }
}

/// Fails if there is a file in `dir`.
pub(crate) fn check_empty(dir: &Path) -> Result<()> {
    if dir.exists()
        && let Some(file) = corpus::list(dir)?.first()
    {
        bail!("{} was left in {}", file.path.display(), dir.display());
    }
    Ok(())
}
