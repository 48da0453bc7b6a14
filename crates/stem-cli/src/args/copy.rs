//! `stem copy`.

use clap::Args;

/// What can be typed after `stem copy`.
#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// Where from: a repository's directory, or the URL of a store
    #[arg(value_name = "FROM")]
    pub(crate) from: String,
    /// Where to: the same
    #[arg(value_name = "TO")]
    pub(crate) to: String,
    /// Copy this entry and the objects that it names, instead of all objects; may be given several times. REF is
    /// stash@{N}, N, or the beginning of an entry's id; in a bucket remote@{N}, N, or the beginning of a name or id
    #[arg(long, value_name = "REF", conflicts_with = "all")]
    pub(crate) stash: Vec<String>,
    /// Copy all objects and all entries
    #[arg(long)]
    pub(crate) all: bool,
    /// Read what TO has already, and replace what is damaged there
    #[arg(long)]
    pub(crate) verify: bool,
    /// Only say what would be copied
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}
