//! What can be typed.
//!
//! `stem stash` alone is `stem stash push`, and its options may stand without that word; only PATHs need it (or `--`),
//! so that a mistyped `stem stash lsit` is an error and not a push of nothing. Options that belong to no command may
//! stand anywhere. The parser's own exit code for usage errors, 2, is "no repository" in this contract and is replaced.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{
    ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum, ValueHint,
};

use stemvault::format::text::PyStr;
use stemvault::{SecretText, StoreUrl};

use crate::failure::Failure;
use crate::human;
use crate::json::Json;
use crate::report::Report;
use crate::ui::Ui;

mod copy;
mod examples;

pub(crate) use copy::CopyArgs;

/// Shelve and restore work in progress in audio repositories.
///
/// `stem stash` puts gigabytes of unfinished work on a shelf and brings the working tree back to its last snapshot;
/// `stem stash pop` brings the work back, byte for byte. Repositories of Muse are read and written as they are.
#[derive(Debug, Parser)]
#[command(name = "stem", version, after_help = examples::STEM, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Use the repository that DIR lies in
    #[arg(short = 'C', long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) repo: Option<PathBuf>,
    /// Answer with one JSON document
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Show no progress bars
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set; `CLICOLOR_FORCE` asks for them elsewhere.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "a process makes one")]
pub(crate) enum Command {
    /// Make a repository
    #[command(after_help = examples::INIT)]
    Init {
        /// Where; made when missing
        #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// Show what changed since HEAD, the stack, and the size of the store
    #[command(after_help = examples::STATUS)]
    Status(DatabaseArgs),
    /// Record the working tree as HEAD of the branch
    #[command(after_help = examples::SNAPSHOT)]
    Snapshot(SnapshotArgs),
    /// Put work in progress on the shelf and bring it back
    #[command(after_help = examples::STASH)]
    Stash(StashArgs),
    /// Look into the object store, or put something there
    #[command(subcommand, after_help = examples::OBJECT)]
    Object(ObjectCommand),
    /// Check every object, and what entries and commits need
    ///
    /// Reads every byte of the store and compares what entries, snapshots and records need with what is there. The exit
    /// code is 4 when something is damaged or missing; the paths affected are listed. Nothing is ever deleted.
    #[command(after_help = examples::VERIFY)]
    Verify(VerifyArgs),
    /// Copy what another store or repository lacks, and stash entries with it
    ///
    /// FROM and TO are directories of repositories or URLs of stores. What is there already is not sent, so a copy that was
    /// stopped goes on when it is started again. Every object is verified on its way; an entry is added when everything that
    /// it names is there. The exit code is 4 when something could not be copied.
    #[command(after_help = examples::COPY)]
    Copy(CopyArgs),
    /// Remove objects that nothing needs any more
    ///
    /// An object is needed by entries, snapshots and commits, by what `stem stash undo` can bring back, and by stashes of
    /// Muse. What is not needed is noted, and removed by a later run when it has been so for 14 days.
    #[command(after_help = examples::GC)]
    Gc(GcArgs),
    /// Move objects into packs: audio at the size of FLAC, edits at the size of the edit
    ///
    /// Objects that stash entries and branch heads name stay loose, because Muse reads no packs; --all moves them too.
    /// `stem` itself reads both, whatever lies where. What is packed is decoded and compared before the loose file goes.
    #[command(after_help = examples::PACK)]
    Pack(PackArgs),
    /// Make packed objects loose again, as Muse stores them
    #[command(after_help = examples::UNPACK)]
    Unpack {
        /// Only objects whose ids begin so
        #[arg(value_name = "ID")]
        ids: Vec<String>,
    },
    /// Compare ways of storing on your own files
    ///
    /// Takes a sample of the files below DIR, lets each strategy store it and give it back several times over, in turns,
    /// and shows what each costs in time and in space. DIR is only read; the work is done in a scratch directory on the
    /// same file system, which needs about three times the sample's room and is gone afterwards.
    #[command(after_help = examples::BENCH)]
    Bench(BenchArgs),
    /// Run the main job on a generated session, start to end
    ///
    /// Makes a session of stems in a temporary directory, records it, edits it as a working day does, shelves the work,
    /// brings it back, and checks every byte. Needs nothing but room on the disk: about three times SIZE.
    #[command(after_help = examples::DEMO)]
    Demo(DemoArgs),
    /// Print the completions of a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write a page for each command
    #[command(after_help = examples::MAN)]
    Man {
        /// Write the pages of all commands into DIR
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

/// For commands that need HEAD or the history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(crate) struct DatabaseArgs {
    /// Look for commits that are not in .muse/commits in Muse's database, `sqlite:///FILE` or
    /// `postgresql://HOST/NAME`. Else `DATABASE_URL` or the configuration says where
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<SecretText>,
}

#[derive(Debug, Args)]
pub(crate) struct SnapshotArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    /// What this state is
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) message: Option<String>,
    /// Who made it
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
}

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
    List,
    /// Show the files of an entry
    #[command(after_help = examples::SHOW)]
    Show {
        /// stash@{N}, N, or the beginning of an entry's id
        #[arg(value_name = "REF", default_value = "0")]
        reference: String,
    },
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
    Drop {
        /// stash@{N}, N, or the beginning of an entry's id
        #[arg(value_name = "REF", default_value = "0")]
        reference: String,
    },
    /// Drop all entries; `stem stash undo` takes it back
    #[command(after_help = examples::CLEAR)]
    Clear {
        /// Do not ask
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

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed by itself")]
pub(crate) struct BenchArgs {
    /// The directories with the files
    #[arg(required_unless_present = "list_strategies", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dirs: Vec<PathBuf>,
    /// What to compare: names from --list-strategies, separated by commas; `all`, `default`, or `pack-*`
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) strategies: Vec<String>,
    /// Compare this store too, in a new part of it that is removed afterwards
    #[arg(long, value_name = "URL")]
    pub(crate) store: Vec<StoreUrl>,
    /// How much to work on: a number with K, M, G or T [default: 512M; with --predict, what a minute allows]
    #[arg(long, value_name = "SIZE", value_parser = human::parse_size, conflicts_with = "all")]
    pub(crate) sample: Option<u64>,
    /// Work on everything
    #[arg(long)]
    pub(crate) all: bool,
    /// How often each strategy has its turn
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Write all figures into FILE
    #[arg(long, value_name = "FILE.json", value_hint = ValueHint::FilePath)]
    pub(crate) save: Option<PathBuf>,
    /// Write a report with plots into FILE
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
    /// A later version of the same files: what does it add?
    #[arg(long, value_name = "DAY2_DIR", value_hint = ValueHint::DirPath, conflicts_with = "predict")]
    pub(crate) against: Option<PathBuf>,
    /// Within a minute, only say what each strategy would take for everything
    #[arg(long)]
    pub(crate) predict: bool,
    /// Go on with a comparison that was interrupted
    #[arg(long, conflicts_with = "predict")]
    pub(crate) resume: bool,
    /// Where the work is done; decides which disk is measured
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) scratch: Option<PathBuf>,
    /// Which sample is taken
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// List the strategies
    #[arg(long)]
    pub(crate) list_strategies: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// How large the session is: a number with K, M, G or T
    #[arg(long, default_value = "1G", value_parser = human::parse_size)]
    pub(crate) size: u64,
    /// Keep the directory and say where it is
    #[arg(long)]
    pub(crate) keep: bool,
    /// Where objects are kept: sharded:.muse/objects (the default) or pack:
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<StoreUrl>,
}

/// Arguments that led to no command.
pub(crate) enum Unread {
    /// Help or the version was asked for.
    Told(Report),
    /// They make no sense.
    Usage(Failure),
}

impl Cli {
    /// Reads the arguments of the process.
    pub(crate) fn read(args: &[OsString], ui: &Ui) -> Result<Self, Unread> {
        let mut command = Self::command().color(ui.clap_color());
        command
            .try_get_matches_from_mut(args)
            .and_then(|matches| Self::from_arg_matches(&matches))
            .map_err(|error| unread(&error.format(&mut command), ui))
    }
}

fn unread(error: &clap::Error, ui: &Ui) -> Unread {
    // The parser quotes what it does not understand, also a URL with a password that has no place there.
    let rendered = error.render();
    let plain = stemvault::hide_passwords(&rendered.to_string());
    let key = match error.kind() {
        ErrorKind::DisplayHelp => "help",
        ErrorKind::DisplayVersion => "version",
        ErrorKind::UnknownArgument if let Some(message) = unknown_stash_command(error) => {
            return Unread::Usage(Failure::usage(stemvault::hide_passwords(&message)));
        }
        _ => {
            let message = plain.strip_prefix("error: ").unwrap_or(&plain);
            let message = message.split("\n\nUsage:").next().unwrap_or(message).trim();
            let styled = Some(stemvault::hide_passwords(&rendered.ansi().to_string()));
            return Unread::Usage(Failure { styled, ..Failure::usage(message) });
        }
    };
    Unread::Told(Report::new(
        ui,
        || Json::object([(key, plain.trim_end().into())]),
        |report| report.out = rendered.ansi().to_string(),
    ))
}

/// The parser takes a mistyped command of `stem stash` for a PATH in the wrong place, and has no suggestion for that.
fn unknown_stash_command(error: &clap::Error) -> Option<String> {
    let usage = error.get(ContextKind::Usage)?.to_string();
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return None };
    if !usage.contains("stem stash [") || word.starts_with('-') {
        return None;
    }
    let likeness = |name: &str| strsim::damerau_levenshtein(name, word);
    let mut command = Cli::command();
    let names = command.find_subcommand_mut("stash")?.get_subcommands().map(|sub| sub.get_name().to_owned());
    let closest = names.min_by_key(|name| likeness(name)).filter(|name| likeness(name) <= 2);
    let word = PyStr::from(word.as_str());
    let meant = closest.map(|name| format!("did you mean `stem stash {name}`? ")).unwrap_or_default();
    Some(format!("`stem stash {word}` is unknown: {meant}To save a PATH, write `stem stash push {word}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Cli, String> {
        let args: Vec<OsString> = std::iter::once(&"stem").chain(words).map(OsString::from).collect();
        match Cli::read(&args, &Ui::scan(&args)) {
            Ok(cli) => Ok(cli),
            Err(Unread::Usage(failure)) => Err(failure.message),
            Err(Unread::Told(report)) => Err(report.out),
        }
    }

    fn stash(words: &[&str]) -> StashArgs {
        match read(words).unwrap().command {
            Some(Command::Stash(args)) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_parser_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_of_every_command_stand_anywhere() {
        for words in [
            ["--json", "-C", "x", "stash", "list"],
            ["stash", "--json", "-C", "x", "list"],
            ["stash", "list", "--json", "--repo", "x"],
            ["stash", "list", "-Cx", "--json", "--no-progress"],
        ] {
            let cli = read(&words).unwrap();
            assert!(cli.global.json, "{words:?}");
            assert_eq!(cli.global.repo, Some(PathBuf::from("x")), "{words:?}");
            let Some(Command::Stash(args)) = cli.command else { panic!("{words:?}") };
            assert!(matches!(args.command, Some(StashCommand::List)), "{words:?}");
        }
    }

    #[test]
    fn stash_alone_is_push() {
        let args = stash(&["stash", "-m", "-6 dB", "--keep", "--", "a.wav", "list"]);
        assert!(args.command.is_none() && args.options.keep);
        assert_eq!(args.options.message.as_deref(), Some("-6 dB"));
        assert_eq!(args.paths, ["a.wav", "list"]);
        let args = stash(&["stash", "push", "a.wav", "-m", "x", "--", "--keep"]);
        let Some(StashCommand::Push(push)) = args.command else { panic!() };
        assert_eq!(push.paths, ["a.wav", "--keep"]);
        assert!(!push.options.keep);
    }

    #[test]
    fn no_mistake_tells_a_password() {
        let url = "postgresql://muse:hunter2@h/db?password=hunter2";
        let cli = read(&["stash", "push", "--database-url", url]).unwrap();
        assert!(!format!("{cli:?}").contains("hunter2"));
        for words in [
            ["gc", url].as_slice(),
            &["stash", url],
            &["stash", "lsit", url],
            &[url],
            &["gc", "--grace", url],
            &["demo", "--size", url],
            &["stash", "list", "--database-url", url],
            &["gc", &format!("--databse-url={url}")],
            &["gc", "--database-url", url, "--database-url", url],
            &["verify", "--from", url],
        ] {
            let args: Vec<OsString> = std::iter::once(&"stem").chain(words).map(OsString::from).collect();
            let Err(Unread::Usage(failure)) = Cli::read(&args, &Ui::scan(&args)) else { panic!("{words:?}") };
            assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        }
    }

    #[test]
    fn what_is_mistyped_gets_a_suggestion() {
        let error = read(&["stash", "lsit"]).unwrap_err();
        assert!(error.contains("`stem stash list`"), "{error}");
        let error = read(&["stsh"]).unwrap_err();
        assert!(error.contains("'stash'"), "{error}");
        let error = read(&["demo", "--size", "1X"]).unwrap_err();
        assert!(error.contains("such as 64M"), "{error}");
    }

    #[test]
    fn every_help_ends_with_two_examples() {
        fn visit(command: &mut clap::Command, path: &str) {
            let help = command.render_help().to_string();
            let (_, examples) =
                help.rsplit_once("Examples:\n").unwrap_or_else(|| panic!("{path} has no examples"));
            let lines = examples.lines().filter(|line| line.starts_with("  stem")).count();
            assert!(lines >= 2, "{path} has {lines} examples");
            assert!(help.ends_with(examples));
            for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
                let path = format!("{path} {}", sub.get_name());
                visit(sub, &path);
            }
        }
        visit(&mut Cli::command(), "stem");
    }
}
