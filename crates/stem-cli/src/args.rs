//! What can be typed.
//!
//! `stem stash` alone is `stem stash push`, and its options may stand without that word; only PATHs need it (or `--`),
//! so that a mistyped `stem stash lsit` is an error and not a push of nothing. Options that belong to no command may
//! stand anywhere. The parser's own exit code for usage errors, 2, is "no repository" in this contract and is replaced.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use stemvault::SecretText;

mod bench;
mod copy;
mod examples;
mod inspect;
mod stash;
mod store;
mod unread;

pub(crate) use bench::{BenchArgs, DemoArgs};
pub(crate) use copy::CopyArgs;
pub(crate) use inspect::{DiffArgs, PageArgs, ShowArgs, StatusArgs, ViewArgs};
pub(crate) use stash::{
    ApplyArgs, Compression, ExportArgs, FetchArgs, ImportArgs, OnConflict, PushOptions, StashArgs,
    StashCommand, UndoArgs,
};
pub(crate) use store::{GcArgs, ObjectCommand, PackArgs, VerifyArgs};
pub(crate) use unread::Unread;

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
    /// Whether the answer may be long enough for a pager.
    #[arg(skip)]
    pub(crate) long: bool,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed by itself")]
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
    /// Show long answers without a pager; `STEM_PAGER`, else `PAGER`, chooses one
    #[arg(long, global = true)]
    pub(crate) no_pager: bool,
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
    Status(StatusArgs),
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
    ///
    /// With --store URL a store in a bucket is collected, for all who use it: what no client and no entry there needs is
    /// condemned, and removed by a run a week later. Anybody may do that at any time.
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

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::CommandFactory as _;

    use super::*;
    use crate::ui::Ui;

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
            assert!(matches!(args.command, Some(StashCommand::List(_))), "{words:?}");
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
    fn a_remote_need_not_be_named() {
        let args = stash(&["stash", "push", "--to", "-m", "x"]);
        let Some(StashCommand::Push(push)) = args.command else { panic!() };
        assert_eq!((push.options.to.as_deref(), push.options.message.as_deref()), (Some(""), Some("x")));
        let args = stash(&["stash", "--to", "studio"]);
        assert_eq!((args.options.to.as_deref(), args.command.is_none()), (Some("studio"), true));
        let Some(StashCommand::Drop(drop)) = stash(&["stash", "drop", "3", "--remote"]).command else {
            panic!()
        };
        assert_eq!((drop.reference.as_deref(), drop.remote.as_deref()), (Some("3"), Some("")));
        let Some(StashCommand::List(list)) = stash(&["stash", "list"]).command else { panic!() };
        assert_eq!(list.remote, None);
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

    /// The commands of an example: between pipes, without what is said of them and without redirections.
    fn commands_of(example: &str) -> Vec<Vec<String>> {
        let (command, _) = example.trim().split_once("  ").unwrap_or((example.trim(), ""));
        let parts = command.split(" | ").map(|part| {
            let part = part.split(['<', '>']).next().unwrap();
            let mut words = Vec::new();
            for (turn, part) in part.split('"').enumerate() {
                match turn % 2 {
                    0 => words.extend(part.split_whitespace().map(ToOwned::to_owned)),
                    _ => words.push(part.to_owned()),
                }
            }
            words
        });
        parts.filter(|words| words.first().is_some_and(|word| word == "stem")).collect()
    }

    #[test]
    fn every_help_ends_with_two_examples_that_can_be_typed() {
        fn visit(command: &mut clap::Command, path: &str) {
            for help in [command.render_help(), command.render_long_help()] {
                let help = help.to_string();
                let (_, examples) =
                    help.rsplit_once("Examples:\n").unwrap_or_else(|| panic!("{path} has no examples"));
                let lines: Vec<&str> = examples.lines().filter(|line| !line.is_empty()).collect();
                assert_eq!(lines.len(), 2, "{path}: {lines:?}");
                assert!(lines.iter().all(|line| line.starts_with("  stem")), "{path}: {lines:?}");
                assert!(lines.iter().all(|line| line.len() <= 80), "{path}: {lines:?}");
                for words in lines.iter().flat_map(|line| commands_of(line)) {
                    let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
                    read(&words).unwrap_or_else(|error| panic!("{path}: {words:?}: {error}"));
                }
            }
            for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
                let path = format!("{path} {}", sub.get_name());
                visit(sub, &path);
            }
        }
        visit(&mut Cli::command(), "stem");
    }
}
