//! `stem demo`: the main job on a generated session, start to end.
//!
//! It is the story that the tool exists for: the chorus is half done when the client calls about the intro. Every step
//! goes through the same engine as the commands that its line names, and the bytes that come back are compared with
//! what the generator makes anew, so that nothing which the engine itself computed is believed.

mod space;
mod steps;

use std::path::{Path, PathBuf};

use stem_corpus::signal::Gain;
use stem_corpus::tree::{self, TreeError};
use stem_corpus::{FileSpec, Kind, Session};
use stemvault::{ApplyOptions, Progress as _, PushOptions, SnapshotOptions, StatusResult, Vault};
use tempfile::TempDir;

use self::steps::{Amount, Steps};
use crate::args::DemoArgs;
use crate::failure::{Engine as _, Failure, Result, chain, exit};
use crate::human;
use crate::json::Json;
use crate::progress::Bars;
use crate::report::{BAD, GOOD, NAME, Report};
use crate::ui::Ui;

/// The session is the same every time.
const SEED: u64 = 2026;
/// Less does not hold the headers of the session's files.
const SMALLEST: u64 = 1 << 20;
/// Between two looks at whether the user wants to stop, the generator handles about so many bytes.
const PART: u64 = 256 << 20;
/// The idea that is saved on its own.
const TRACK: &str = "bass";

pub(super) fn run(args: &DemoArgs, ui: &Ui) -> Result<Report> {
    if args.size < SMALLEST {
        let message = format!(
            "a session of {} is too small to show anything: give at least 1M",
            human::size(args.size)
        );
        return Err(Failure::usage(message));
    }
    let parent = std::env::temp_dir();
    space::check(&parent, args.size)?;
    let directory = tempfile::Builder::new().prefix("stem-demo-").tempdir_in(&parent).map_err(|error| {
        Failure::io(&format!("cannot make a directory in '{}'", human::path(&parent)), &parent, &error)
    })?;
    let played = Play::new(directory.path(), args).and_then(|play| play.run(ui));
    if args.keep {
        let kept = directory.keep();
        return played.map(|ending| ending.report(Some(&kept), ui)).map_err(|failure| {
            let message = format!("{}; what there is so far is in '{}'", failure.message, human::path(&kept));
            Failure { message, ..failure }
        });
    }
    let mut report = played.map(|ending| ending.report(None, ui));
    // The verdict first: removing gigabytes takes its time on some disks.
    if let Ok(report) = &mut report {
        ui.live(format_args!("{}", std::mem::take(&mut report.out).trim_end()))?;
    }
    remove(directory, ui)?;
    report
}

fn remove(directory: TempDir, ui: &Ui) -> Result<()> {
    let bars = ui.bars();
    bars.phase("removing the demo's files", 0, 0);
    let path = directory.path().to_path_buf();
    let what = format!("cannot remove '{}'", human::path(&path));
    directory.close().map_err(|error| Failure::io(&what, &path, &error))
}

/// The characters of the story.
struct Play {
    vault: Vault,
    tree: PathBuf,
    /// What HEAD has.
    head: Session,
    /// What lies in the working tree when the client calls.
    work: Session,
    /// What the client wants.
    fix: FileSpec,
}

/// How it ended.
struct Ending {
    files: usize,
    bytes: u64,
    steps: Json,
    status: StatusResult,
    /// What was not as it must be.
    wrong: Vec<String>,
}

impl Play {
    fn new(root: &Path, args: &DemoArgs) -> Result<Self> {
        let mut vault = Vault::init(root).told()?;
        if let Some(store) = &args.store {
            vault = Vault::open_writing_to(root, store).told()?;
        }
        let tree = vault.repository().working_tree().to_path_buf();
        let head = Session::demo(SEED, args.size);
        let work = head.edited();
        // The last bounce: the first is edited in the same way today, and would be no news to the store.
        let bounce = head
            .files()
            .iter()
            .filter(|file| file.path.starts_with("sections/"))
            .filter_map(FileSpec::stem)
            .next_back();
        let bounce = bounce.ok_or_else(|| Failure::internal("the generated session has no sections"))?;
        let fix =
            FileSpec::new("sections/intro/client-fix.wav", Kind::Stem(bounce.clone().at(Gain::DOWN_1_5_DB)));
        Ok(Self { vault, tree, head, work, fix })
    }

    fn run(self, ui: &Ui) -> Result<Ending> {
        let mut steps = Steps::new(ui)?;
        let mut wrong = Vec::new();
        self.record(&mut steps)?;
        self.shelve(&mut steps, &mut wrong)?;
        self.look(&mut steps, &mut wrong)?;
        self.please_the_client(&mut steps)?;
        self.bring_back(&mut steps, &mut wrong)?;
        let status = self.vault.stash().status(&ui.bars()).told()?;
        Ok(Ending {
            files: self.work.files().len(),
            bytes: self.work.total_len(),
            steps: steps.to_json(),
            status,
            wrong,
        })
    }

    /// Yesterday: the session as HEAD; and today's edits on top.
    fn record(&self, steps: &mut Steps<'_>) -> Result<()> {
        let files = human::count(self.head.files().len(), "file", "files");
        steps.run(format!("make a session of {files}"), |bars| {
            bars.phase("generating", self.head.files().len() as u64, self.head.total_len());
            in_parts(self.head.files(), bars, |part, told| tree::write_tree(&self.tree, part, told))?;
            Ok(((), Amount { bytes: self.head.total_len(), stored: None }))
        })?;
        self.snapshot(steps, "stem snapshot", "yesterday's session")?;
        steps.run("edit it as a working day does", |bars| {
            bars.phase("editing", 0, changed_bytes(&self.head, &self.work));
            let told = &mut |bytes| bars.advance(0, bytes);
            let changes = tree::write_changes(&self.tree, self.head.files(), self.work.files(), told)
                .map_err(|error| io(&error))?;
            stop_if_asked(bars)?;
            Ok(((), Amount { bytes: changes.written, stored: None }))
        })
    }

    fn snapshot(&self, steps: &mut Steps<'_>, what: &str, message: &str) -> Result<()> {
        steps.run(what, |bars| {
            let options = SnapshotOptions { message: Some(message.to_owned()), author: None };
            let result = self.vault.stash().snapshot(&options, bars).told()?;
            Ok(((), Amount { bytes: result.bytes, stored: Some(result.bytes_written) }))
        })
    }

    /// The client calls: the bass idea goes on the shelf by itself, then everything else.
    fn shelve(&self, steps: &mut Steps<'_>, wrong: &mut Vec<String>) -> Result<()> {
        let track = PushOptions {
            message: Some("bass: another take".to_owned()),
            track: Some(TRACK.to_owned()),
            ..PushOptions::default()
        };
        let all = PushOptions { message: Some("chorus WIP".to_owned()), ..PushOptions::default() };
        for (what, options) in [
            (format!("stem stash push --track {TRACK}"), track),
            ("stem stash -m 'chorus WIP'".to_owned(), all),
        ] {
            let result = steps.run(what, |bars| {
                let result = self.vault.stash().push(&options, bars).told()?;
                let amount = Amount { bytes: result.bytes_stashed, stored: Some(result.bytes_written) };
                Ok((result, amount))
            })?;
            if result.is_partial() || !result.head_restored {
                wrong.push(format!("'{}' was not saved whole", result.message));
            }
        }
        self.compare(steps, "is every byte HEAD's?", self.head.files(), wrong)
    }

    /// Compares the working tree with what the generator makes.
    fn compare(
        &self,
        steps: &mut Steps<'_>,
        what: &str,
        files: &[FileSpec],
        wrong: &mut Vec<String>,
    ) -> Result<()> {
        let bytes = files.iter().map(|file| file.len).sum();
        let differing = steps.run(what, |bars| {
            let mut differing = Vec::new();
            bars.phase("comparing", files.len() as u64, bytes);
            in_parts(files, bars, |part, told| {
                differing.extend(tree::verify_tree(&self.tree, part, told)?);
                Ok(())
            })?;
            Ok((differing, Amount { bytes, stored: None }))
        })?;
        wrong.extend(differing.into_iter().map(|path| format!("'{path}' differs")));
        Ok(())
    }

    /// What lies on the shelf?
    fn look(&self, steps: &mut Steps<'_>, wrong: &mut Vec<String>) -> Result<()> {
        let (listed, shown) = steps.run("stem stash list; stem stash show 1", |_| {
            let stash = self.vault.stash();
            Ok(((stash.list().told()?, stash.show("1").told()?), Amount::default()))
        })?;
        let prefix = format!("tracks/{TRACK}/");
        let expected = self.work.files().iter().filter(|file| file.path.starts_with(&prefix)).count();
        if listed.len() != 2 || shown.files.len() != expected {
            wrong.push(format!(
                "the stash shows {} entries and {} files, not 2 and {expected}",
                listed.len(),
                shown.files.len()
            ));
        }
        Ok(())
    }

    fn please_the_client(&self, steps: &mut Steps<'_>) -> Result<()> {
        steps.run("fix the intro for the client", |bars| {
            let told = &mut |bytes| bars.advance(0, bytes);
            tree::write_tree(&self.tree, std::slice::from_ref(&self.fix), told)
                .map_err(|error| io(&error))?;
            stop_if_asked(bars)?;
            Ok(((), Amount { bytes: self.fix.len, stored: None }))
        })?;
        self.snapshot(steps, "stem snapshot", "softer intro for the client")
    }

    fn bring_back(&self, steps: &mut Steps<'_>, wrong: &mut Vec<String>) -> Result<()> {
        for _ in 0..2 {
            let result = steps.run("stem stash pop", |bars| {
                let options = ApplyOptions { drop: true, ..ApplyOptions::default() };
                let result = self.vault.stash().apply("0", options, bars).told()?;
                let bytes = result.bytes_applied;
                Ok((result, Amount { bytes, stored: None }))
            })?;
            if result.is_partial() || !result.dropped {
                wrong.push(format!("'{}' did not come back whole", result.message));
            }
        }
        let mut expected = self.work.files().to_vec();
        expected.push(self.fix.clone());
        self.compare(steps, "is every byte the work's?", &expected, wrong)
    }
}

/// Calls `work` with parts of `files`, and stops between them when the user wants to.
fn in_parts(
    files: &[FileSpec],
    bars: &Bars,
    mut work: impl FnMut(&[FileSpec], &mut dyn FnMut(u64)) -> std::result::Result<(), TreeError>,
) -> Result<()> {
    let mut rest = files;
    while !rest.is_empty() {
        let mut bytes = 0_u64;
        let whole = rest.iter().take_while(|file| {
            let fits = bytes < PART;
            bytes = bytes.saturating_add(file.len);
            fits
        });
        let (part, later) = rest.split_at(whole.count());
        work(part, &mut |bytes| bars.advance(0, bytes)).map_err(|error| io(&error))?;
        bars.advance(part.len() as u64, 0);
        stop_if_asked(bars)?;
        rest = later;
    }
    Ok(())
}

fn stop_if_asked(bars: &Bars) -> Result<()> {
    if bars.cancelled() {
        Err(Failure::interrupted("interrupted; the demo touched nothing but its own directory"))
    } else {
        Ok(())
    }
}

/// Bytes of the files that are in `after` and were not so before.
fn changed_bytes(before: &Session, after: &Session) -> u64 {
    let kinds: std::collections::HashSet<&Kind> = before.files().iter().map(|file| &file.kind).collect();
    after.files().iter().filter(|file| !kinds.contains(&file.kind)).map(|file| file.len).sum()
}

fn io(error: &TreeError) -> Failure {
    let path = match error {
        TreeError::Io { path, .. } => Some(path.clone()),
        _ => None,
    };
    Failure { exit: exit::INTERNAL, path, ..Failure::user("io", chain(error)) }
}

impl Ending {
    fn report(self, kept: Option<&Path>, ui: &Ui) -> Report {
        let Self { files, bytes, steps, status, wrong } = self;
        let mut report = Report::new(
            ui,
            || {
                Json::object([
                    ("verified", wrong.is_empty().into()),
                    ("files", files.into()),
                    ("bytes", bytes.into()),
                    ("steps", steps),
                    ("objects", status.objects.into()),
                    ("object_bytes", status.object_bytes.into()),
                    ("wrong", Json::list(&wrong)),
                    ("directory", kept.map(Json::path).into()),
                ])
            },
            |report| {
                let objects = human::count(status.objects, "object", "objects");
                report.line(format_args!(
                    "\nThe store holds {objects} ({}).",
                    human::size(status.object_bytes)
                ));
                if let Some(dir) = kept {
                    report
                        .line(format_args!("The repository is kept in {NAME}{}{NAME:#}.", human::path(dir)));
                }
                if wrong.is_empty() {
                    let files = human::files(files, bytes);
                    report.line(format_args!(
                        "{GOOD}Every byte came back:{GOOD:#} {files} compared with their source."
                    ));
                } else {
                    let number = human::count(wrong.len(), "thing is", "things are");
                    report.line(format_args!("{BAD}Not everything came back:{BAD:#} {number} wrong."));
                }
            },
        );
        for wrong in wrong {
            report.problem(wrong);
        }
        report
    }
}
