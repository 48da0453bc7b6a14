//! What can be typed after `stem stash`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use stemvault::StoreUrl;

use super::inspect::{DiffArgs, ShowArgs};
use super::{DatabaseArgs, examples};

/// `stem stash`, with the options of `push` in case that no command follows.
#[derive(Debug, Args)]
pub(crate) struct StashArgs {
    #[command(subcommand)]
    pub(crate) command: Option<StashCommand>,
    #[command(flatten)]
    pub(crate) options: PushOptions,
    /// With no command: save these files and directories only, relative to the working tree
    #[arg(last = true, value_name = "PATH")]
    pub(crate) paths: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StashCommand {
    /// Save the working tree as a new entry and bring back HEAD
    ///
    /// Every file in scope is saved; then the working tree is made what HEAD says, or empty when there is no commit.
    /// Files that hold what HEAD has are not touched. With a scope, nothing outside of it is saved or touched.
    #[command(after_help = examples::PUSH)]
    Push(PushArgs),
    /// List the entries, newest first; -v adds their ids
    #[command(after_help = examples::LIST)]
    List(ListArgs),
    /// Show the files of an entry, and what became of each
    ///
    /// By track and section, against the snapshot that HEAD was when the entry was made. Lengths in time are read from the headers of the files of entries of up to 200 files; --long
    /// and --waveform read the files themselves.
    #[command(after_help = examples::SHOW)]
    Show(ShowArgs),
    /// Show how the working tree differs from an entry
    ///
    /// For each file of the entry that lies otherwise in the working tree now: what was done to it, from the entry to the
    /// working tree. Files that the entry says nothing of are left out, as bringing it back would leave them alone. The exit
    /// code is 0 whether or not something differs, unless --exit-code is given.
    #[command(after_help = examples::DIFF)]
    Diff(DiffArgs),
    /// Bring the files of an entry back and keep the entry
    #[command(after_help = examples::APPLY)]
    Apply(ApplyPathsArgs),
    /// Bring the files of an entry back and drop the entry
    ///
    /// The entry goes only when every file is in place; an entry that could not be brought back whole stays. `stem stash
    /// undo` takes it back.
    #[command(after_help = examples::POP)]
    Pop(ApplyArgs),
    /// Drop an entry without bringing it back; `stem stash undo` takes it back
    #[command(after_help = examples::DROP)]
    Drop(DropArgs),
    /// Drop all entries; `stem stash undo` takes it back
    #[command(after_help = examples::CLEAR)]
    Clear {
        /// Do not ask; there is a question only where nothing can be undone (undo.expire = "0s")
        #[arg(short, long)]
        yes: bool,
    },
    /// Write an entry and its objects into one file, for somebody else
    ///
    /// Audio is coded losslessly. The file appears when it is whole; until then it is FILE.partial, which the same command
    /// goes on with after a kill or a full disk. Every byte is verified on its way.
    #[command(after_help = examples::EXPORT)]
    Export(ExportArgs),
    /// Add an entry from a file of `stem stash export` to the stack
    ///
    /// Everything is checked before the entry appears: a file that was damaged, cut short or made with bad intent adds none.
    /// The working tree is not touched. `stem stash undo` removes the entry again.
    #[command(after_help = examples::IMPORT)]
    Import(ImportArgs),
    /// Add an entry that another machine sent to a remote to the stack
    ///
    /// What is missing is downloaded and verified; the entry appears when all of it is here. The working tree is not
    /// touched, and the entry stays in the remote. `stem stash undo` removes it from the stack again.
    #[command(after_help = examples::FETCH)]
    Fetch(FetchArgs),
    /// Revert the last push, apply, pop, drop, clear or import; again goes further back
    ///
    /// Files come back byte for byte, also newer work that was written over. What has changed since stays as it is and is
    /// reported. Each step can be undone for 30 days, unless configured otherwise.
    #[command(after_help = examples::UNDO)]
    Undo(UndoArgs),
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed by itself")]
pub(crate) struct UndoArgs {
    /// Go forward again: do what was undone last once more
    #[arg(long, conflicts_with = "list")]
    pub(crate) redo: bool,
    /// List what can be undone and done again
    #[arg(long)]
    pub(crate) list: bool,
    /// Only say what would be done
    #[arg(short = 'n', long, conflicts_with = "list")]
    pub(crate) dry_run: bool,
    /// Also replace what has changed since; it is saved first
    #[arg(long, conflicts_with = "list")]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// List what machines sent to a remote: its URL, a name from the configuration, or nothing for the configured one
    #[arg(long, value_name = "REMOTE", num_args = 0..=1, default_missing_value = "")]
    pub(crate) remote: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DropArgs {
    /// stash@{N}, N, or the beginning of an entry's id; the newest if none is named
    #[arg(value_name = "REF")]
    pub(crate) reference: Option<String>,
    /// Remove an entry from a remote instead, for everybody and for good; REF is as `list --remote` has it
    #[arg(long, value_name = "REMOTE", num_args = 0..=1, default_missing_value = "")]
    pub(crate) remote: Option<String>,
    /// With --remote: do not ask
    #[arg(short, long, requires = "remote")]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// REMOTE@{N}, N, or the beginning of an entry's name or id, as `list --remote -v` has them
    #[arg(value_name = "REF", default_value = "0")]
    pub(crate) remote_reference: String,
    /// The remote: its URL, or a name from the configuration; the configured one if none is named
    #[arg(long, value_name = "REMOTE")]
    pub(crate) from: Option<String>,
    /// Only say what would be done
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Write objects here instead of where the configuration says: pack: or sharded:.muse/objects
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<StoreUrl>,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// stash@{N}, N, or the beginning of an entry's id
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    /// The file to make; - is standard output
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Leave out what the receiver has: LIST (- is standard input) is what `stem object list` prints there
    #[arg(long, value_name = "LIST", value_hint = ValueHint::FilePath)]
    pub(crate) have: Option<PathBuf>,
    /// How to make objects smaller
    #[arg(long, value_name = "HOW", default_value = "audio")]
    pub(crate) compression: Compression,
    /// Replace FILE if it exists; with -, write to a terminal too
    #[arg(long)]
    pub(crate) force: bool,
}

/// How the objects of a bundle are made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compression {
    /// Audio by audio codecs, everything else by zstd.
    Audio,
    /// Not at all.
    None,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file; - is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Only check the file, and say what would be done
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Add the entry although it was imported before
    #[arg(long)]
    pub(crate) force: bool,
    /// Write objects here instead of where the configuration says: pack: or sharded:.muse/objects
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<StoreUrl>,
}

/// What to do where newer work stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnConflict {
    /// Replace it; `stem stash undo` brings it back.
    Overwrite,
    /// Leave it, and write the stashed file beside it: `kick (stash 1a2b3c4d).wav`.
    KeepBoth,
    /// Change nothing at all, and say where it stands.
    Fail,
}

/// `apply` can be told to bring back a part.
#[derive(Debug, Args)]
pub(crate) struct ApplyPathsArgs {
    #[command(flatten)]
    pub(crate) args: ApplyArgs,
    /// Bring back these files and directories only, relative to the working tree
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    #[command(flatten)]
    pub(crate) options: PushOptions,
    /// Save these files and directories only, relative to the working tree
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<OsString>,
}

/// What `push` can be told beside PATHs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(crate) struct PushOptions {
    /// What this work is
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) message: Option<String>,
    /// Save tracks/T/ only; joins other scopes
    #[arg(long, value_name = "T")]
    pub(crate) track: Option<String>,
    /// Save sections/S/ only; joins other scopes
    #[arg(long, value_name = "S")]
    pub(crate) section: Option<String>,
    /// Save, but leave the working tree as it is
    #[arg(long)]
    pub(crate) keep: bool,
    /// Read what HEAD has from FILE (- is standard input), a JSON object of paths and object ids
    #[arg(long, value_name = "FILE", conflicts_with = "no_head", value_hint = ValueHint::FilePath)]
    pub(crate) head_manifest: Option<PathBuf>,
    /// Do as if the branch had no commit
    #[arg(long)]
    pub(crate) no_head: bool,
    /// Store a second copy of what is saved in packs, where Muse's garbage collection does not look
    #[arg(long)]
    pub(crate) keep_safe: bool,
    /// Write objects here instead of where the configuration says: pack: or sharded:.muse/objects
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<StoreUrl>,
    /// Then send the entry to a remote, for other machines: its URL, a name from the configuration, or nothing for the
    /// configured one
    #[arg(long, value_name = "REMOTE", num_args = 0..=1, default_missing_value = "")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed by itself")]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    /// stash@{N}, N, or the beginning of an entry's id
    #[arg(value_name = "REF", default_value = "0")]
    pub(crate) reference: String,
    /// Check every byte that is brought back (pop does so unless told otherwise)
    #[arg(long, overrides_with = "no_verify")]
    pub(crate) verify: bool,
    /// Do not check the bytes that are brought back
    #[arg(long, overrides_with = "verify")]
    pub(crate) no_verify: bool,
    /// Go on without what is missing or damaged; pop then drops the entry nevertheless
    #[arg(long)]
    pub(crate) force: bool,
    /// What to do where the working tree has newer work: a file that is neither HEAD's nor the entry's
    #[arg(long, value_name = "HOW", default_value = "overwrite")]
    pub(crate) on_conflict: OnConflict,
    /// Also delete what HEAD had and the entry had not
    #[arg(long)]
    pub(crate) exact: bool,
    /// Only say what would be done
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}
