//! What can be typed to look into files: `stem stash show`, `stem stash diff`, `stem status`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::DatabaseArgs;

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// stash@{N}, N, or the beginning of an entry's id
    #[arg(value_name = "REF", default_value = "0")]
    pub(crate) reference: String,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    /// Say what each file is like: its format, its loudness, its notes; reads every byte
    #[arg(short, long, conflicts_with = "stat")]
    pub(crate) long: bool,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// stash@{N}, N, or the beginning of an entry's id
    #[arg(value_name = "REF", default_value = "0")]
    pub(crate) reference: String,
    /// Only these files and directories, relative to the working tree
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<OsString>,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    /// Compare the entry with what HEAD had when it was made, instead of the working tree with the entry
    #[arg(long)]
    pub(crate) head: bool,
    /// End with exit code 1 when something differs
    #[arg(long)]
    pub(crate) exit_code: bool,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// What is written beside the answer.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PageArgs {
    /// Also write one self-contained page with waveforms and sounds of what changed; reads every file that differs
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
}

/// How changes are shown.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct ViewArgs {
    /// Draw the waveforms of audio files, with what changed marked
    #[arg(long)]
    pub(crate) waveform: bool,
    /// Only sum up what changed, in bytes; reads no file
    #[arg(long, conflicts_with = "waveform")]
    pub(crate) stat: bool,
}
