//! What can be typed after the commands that look after the store.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use super::{DatabaseArgs, examples};

#[derive(Debug, Subcommand)]
pub(crate) enum ObjectCommand {
    /// Store files and print their ids
    #[command(after_help = examples::OBJECT_PUT)]
    Put {
        /// The files; - is standard input
        #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
        files: Vec<PathBuf>,
    },
    /// Write an object to standard output or into a file, verified
    #[command(after_help = examples::OBJECT_GET)]
    Get {
        /// The object's id, or enough of its beginning
        id: String,
        /// Write here; an existing file is replaced once the object has been verified
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
        /// Write to standard output though it is a terminal
        #[arg(long)]
        force: bool,
    },
    /// Say which objects the store has; the exit code is 1 when one is absent
    #[command(after_help = examples::OBJECT_HAS)]
    Has {
        /// Ids of objects
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// List the ids of all objects; -v adds their sizes
    #[command(after_help = examples::OBJECT_LIST)]
    List {
        /// Only ids that begin so
        #[arg(long, value_name = "HEX", default_value = "", hide_default_value = true)]
        prefix: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    /// Put damaged objects aside, and bring them back from other copies where there are any
    #[arg(long)]
    pub(crate) repair: bool,
    /// Compare the working tree with HEAD too, every byte
    #[arg(long)]
    pub(crate) worktree: bool,
    /// Leave out what a run before found sound before it was stopped
    #[arg(long)]
    pub(crate) resume: bool,
    /// Verify this store, instead of the repository's; needs no repository
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// With --repair: bring objects back from this store too
    #[arg(long, value_name = "URL", requires = "repair")]
    pub(crate) from: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    /// Say what would be removed, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How long an object has to be known as unneeded, such as 14d or 12h; shorter times are for those who know that
    /// nothing else uses the repository
    #[arg(long, value_name = "AGE", value_parser = stemvault::parse_age)]
    pub(crate) grace: Option<Duration>,
    /// Give up what `stem stash undo` could bring back, if it is older than this
    #[arg(long, value_name = "AGE", value_parser = stemvault::parse_age)]
    pub(crate) expire_undo: Option<Duration>,
    /// Collect this store in a bucket, instead of the repository; needs no repository
    #[arg(long, value_name = "URL", conflicts_with_all = ["grace", "expire_undo"])]
    pub(crate) store: Option<String>,
    /// With --store: what this client alone needs is not needed any more; its id, or the beginning of it (-v lists them)
    #[arg(long, value_name = "CLIENT", requires = "store")]
    pub(crate) forget: Option<String>,
    /// Do not ask, with --expire-undo, with --forget, and where nobody says that they need anything of a store
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    /// Also what stash entries and branch heads name; Muse cannot read that then
    #[arg(long)]
    pub(crate) all: bool,
    /// Only what has been in the store for so long, such as 14d or 12h
    #[arg(long, value_name = "AGE", value_parser = stemvault::parse_age)]
    pub(crate) older_than: Option<Duration>,
}
