//! The `stem` that is measured: the binary where there is one, else the library in a process of this program.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// What does the work.
#[derive(Debug)]
pub(crate) enum Stem {
    /// The command-line program, as users have it.
    Binary { path: PathBuf, version: String },
    /// The facade crate, linked into this program.
    Library,
}

/// What a contender asks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Make a repository.
    Init,
    /// Record the working tree as HEAD.
    Snapshot,
    /// Push, and bring HEAD back.
    Push,
    /// Push, and leave the working tree.
    PushKeep,
    /// Pop, verified.
    Pop,
    /// Pop without verifying.
    PopNoVerify,
    /// What changed.
    Status,
    /// Everything from loose objects into packs.
    Pack,
    /// And back.
    Unpack,
}

impl Verb {
    /// The words of the command line.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Init => &["init", "."],
            Self::Snapshot => &["snapshot"],
            Self::Push => &["stash", "push"],
            Self::PushKeep => &["stash", "push", "--keep"],
            Self::Pop => &["stash", "pop"],
            Self::PopNoVerify => &["stash", "pop", "--no-verify"],
            Self::Status => &["status"],
            Self::Pack => &["pack", "--all"],
            Self::Unpack => &["unpack"],
        }
    }

    /// The verb with these words.
    pub(crate) fn parse(words: &[String]) -> Option<Self> {
        let all = [
            Self::Init,
            Self::Snapshot,
            Self::Push,
            Self::PushKeep,
            Self::Pop,
            Self::PopNoVerify,
            Self::Status,
            Self::Pack,
            Self::Unpack,
        ];
        all.into_iter().find(|verb| verb.words() == words)
    }
}

impl Stem {
    /// The one that was named, or the release binary beside this program's sources, or the library.
    pub(crate) fn find(named: Option<&Path>, library: bool) -> Result<Self> {
        let built = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/release/stem"));
        let path = match named {
            Some(path) => path,
            None if library || !built.is_file() => return Ok(Self::Library),
            None => built,
        };
        let path = path.canonicalize().with_context(|| format!("there is no {}", path.display()))?;
        let told =
            Command::new(&path).arg("--version").output().with_context(|| format!("{}", path.display()))?;
        if !told.status.success() {
            bail!("{} --version ended with {}", path.display(), told.status);
        }
        let version = String::from_utf8_lossy(&told.stdout).trim().to_owned();
        Ok(Self::Binary { path, version })
    }

    /// A word on what is measured.
    pub(crate) fn version(&self) -> String {
        match self {
            Self::Binary { version, .. } => format!("{version} (binary)"),
            Self::Library => format!("stemvault {} (library)", env!("CARGO_PKG_VERSION")),
        }
    }

    /// The command that does `verb` in the repository `root`.
    pub(crate) fn command(&self, root: &Path, verb: Verb) -> Result<Command> {
        let mut command = match self {
            Self::Binary { path, .. } => {
                let mut command = Command::new(path);
                command.args(["--quiet", "--no-progress"]);
                command
            }
            Self::Library => crate::child::command("stem")?,
        };
        command.args(verb.words()).current_dir(root);
        Ok(command)
    }
}
