//! Entries in buckets, for other machines: `push --to`, `list --remote`, `fetch`, `drop --remote`.

use std::path::Path;

use stemvault::format::summary::EntrySummary;
use stemvault::format::text::PyStr;
use stemvault::{
    CopyOptions, CopyPlace, CopyResult, Shelf, ShelfEntry, StoreUrl, Vault, hide_passwords, is_remote,
};

use super::scope_words;
use crate::args::FetchArgs;
use crate::commands::Place;
use crate::failure::{Engine as _, Failure, Result, exit};
use crate::human;
use crate::json::Json;
use crate::report::{BAD, DIM, NAME, Report};
use crate::ui::Ui;

/// What stands before `@{N}` where the remote has no name.
const UNNAMED: &str = "remote";
/// How to configure one.
const HOW: &str = "give a URL such as s3://BUCKET/PREFIX, or a name from [remotes] in .muse/stem/config.toml";

/// A remote that was chosen.
pub(super) struct Remote {
    /// Its name in the configuration.
    name: Option<String>,
    url: StoreUrl,
}

impl Remote {
    /// What a user typed: a URL, a name, or nothing for the one that is configured. A URL needs no repository.
    pub(super) fn choose(text: &str, vault: impl FnOnce() -> Result<Vault>) -> Result<Self> {
        if text.contains(':') { Self::of_url(text) } else { Self::named(text, &vault()?) }
    }

    fn of_url(text: &str) -> Result<Self> {
        Self { name: None, url: text.parse::<StoreUrl>().told()? }.checked()
    }

    /// That it is a store in a bucket.
    fn checked(self) -> Result<Self> {
        if is_remote(&self.url) {
            return Ok(self);
        }
        let message = format!(
            "'{}' has no entries: stores in buckets have them (s3:, gs:, az:, file:). Where a cache or another layer stands \
             before one, name the bucket itself",
            self.shown()
        );
        Err(Failure::user("invalid_url", message))
    }

    /// The same with a repository that is open already.
    pub(super) fn named(text: &str, vault: &Vault) -> Result<Self> {
        if text.contains(':') {
            return Self::of_url(text);
        }
        let remotes = vault.remotes();
        if let Some((name, url)) = remotes.get(Some(text).filter(|text| !text.is_empty())) {
            return Self { name: Some(name.to_owned()), url: url.clone() }.checked();
        }
        let names: Vec<&str> = remotes.iter().map(|(name, _)| name).collect();
        let message = match (text, &names[..]) {
            ("", []) => format!("which remote is not said, and none is configured: {HOW}"),
            ("", names) => format!(
                "which remote is not said: name one of {}, or call one of them default",
                human::and(names)
            ),
            (text, []) => format!("there is no remote '{}', none is configured: {HOW}", safe(text)),
            (text, names) => {
                let near = names.iter().min_by_key(|name| strsim::damerau_levenshtein(text, name));
                let near = near.filter(|name| strsim::damerau_levenshtein(text, name) <= 2);
                near.map_or_else(
                    || format!("there is no remote '{}': there is {}", safe(text), human::and(names)),
                    |near| format!("there is no remote '{}': did you mean '{near}'?", safe(text)),
                )
            }
        };
        Err(Failure::user("no_such_remote", message))
    }

    /// For people.
    fn shown(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.address())
    }

    fn address(&self) -> String {
        hide_passwords(&self.url.to_string())
    }

    /// How an entry is called.
    fn reference(&self, index: usize) -> String {
        format!("{}@{{{index}}}", self.name.as_deref().unwrap_or(UNNAMED))
    }

    fn json(&self) -> [(&'static str, Json); 2] {
        [("remote", self.name.as_deref().into()), ("url", self.address().into())]
    }
}

/// Text of somebody's that cannot steer a terminal.
fn safe(text: &str) -> String {
    PyStr::from(text).to_string()
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// `3 files  1.0 MiB` in a word or two; an entry of which nothing is known has none.
fn contents(summary: &EntrySummary) -> [String; 2] {
    let bytes = if summary.bytes == 0 { String::new() } else { human::size(summary.bytes) };
    [human::count(summary.files, "file", "files"), bytes]
}

pub(super) fn list(remote: &Remote, ui: &Ui) -> Result<Report> {
    let bars = ui.bars();
    let entries = Shelf::open(&remote.url).told()?.list(&bars).told()?;
    drop(bars);
    let mut report = Report::new(
        ui,
        || {
            let rows = Json::list(entries.iter().map(|entry| entry_json(remote, entry)));
            Json::object(remote.json().into_iter().chain([("entries", rows)]))
        },
        |report| list_text(remote, &entries, ui, report),
    );
    if entries.iter().any(|entry| entry.summary.is_err()) {
        report.exit = exit::PARTIAL;
    }
    Ok(report)
}

fn list_text(remote: &Remote, entries: &[ShelfEntry], ui: &Ui, report: &mut Report) {
    if entries.is_empty() {
        report.line(format_args!(
            "'{}' has no entries. `stem stash push --to {}` puts one there.",
            remote.shown(),
            quoted(&remote.shown())
        ));
        return;
    }
    // Everything that is padded is ASCII; names in the user's own script come last.
    let rows = entries.iter().map(|entry| {
        let name = remote.reference(entry.index);
        let [files, bytes] = entry.summary.as_ref().map(contents).unwrap_or_default();
        let age =
            entry.summary.as_ref().map_or_else(|_| String::new(), |summary| human::age(summary.created()));
        [name, age, files, bytes]
    });
    let rows: Vec<[String; 4]> = rows.collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let [w0, w1, w2, w3] = [width(0), width(1), width(2), width(3)];
    for ([name, age, files, bytes], entry) in rows.iter().zip(entries) {
        match &entry.summary {
            Ok(summary) => {
                let scope = scope_words(summary.track.as_ref(), summary.section.as_ref());
                let scope = if scope.is_empty() { scope } else { format!(", {scope}") };
                report.line(format_args!(
                    "{NAME}{name:<w0$}{NAME:#}  {DIM}{age:<w1$}  {files:>w2$}  {bytes:>w3$}{DIM:#}  {}  {DIM}({}{scope}){DIM:#}",
                    summary.message, summary.branch
                ));
                if ui.verbose() {
                    let (id, there) = (&summary.stash_id, &entry.name);
                    report.line(format_args!("{:w0$}  {DIM}{id}  {there}{DIM:#}", ""));
                }
            }
            Err(reason) => report.line(format_args!(
                "{NAME}{name:<w0$}{NAME:#}  {BAD}unreadable:{BAD:#} {} ({})",
                safe(reason),
                entry.name
            )),
        }
    }
}

fn entry_json(remote: &Remote, entry: &ShelfEntry) -> Json {
    let mut fields = vec![
        ("index", Json::from(entry.index)),
        ("ref", remote.reference(entry.index).into()),
        ("name", (&entry.name).into()),
    ];
    match &entry.summary {
        Ok(summary) => fields.extend([
            ("stash_id", summary.stash_id.as_str().into()),
            ("origin", summary.origin.as_str().into()),
            ("branch", (&summary.branch).into()),
            ("message", (&summary.message).into()),
            ("created_at", (&summary.created_at).into()),
            ("track", summary.track.as_ref().into()),
            ("section", summary.section.as_ref().into()),
            ("files", summary.files.into()),
            ("bytes", summary.bytes.into()),
            ("deleted", summary.deleted.into()),
        ]),
        Err(reason) => fields.push(("unreadable", reason.into())),
    }
    Json::object(fields)
}

/// The remote and the reference that were meant: `studio@{0}` names both.
fn place_of<'a>(reference: &'a str, from: Option<&'a str>) -> Result<(&'a str, &'a str)> {
    let named = reference.split_once("@{").map(|(name, _)| name).filter(|name| *name != UNNAMED);
    match (named, from) {
        (Some("stash"), _) => Err(Failure::usage(format!(
            "'{}' is an entry of your own stack: `stem stash list --remote` numbers those of a remote",
            safe(reference)
        ))),
        (Some(name), Some(from)) if !from.is_empty() && from != name => Err(Failure::usage(format!(
            "'{}' is an entry of '{}', and '{}' was named too: leave one of them out",
            safe(reference),
            safe(name),
            hide_passwords(&safe(from))
        ))),
        (Some(name), _) => Ok((name, reference)),
        (None, from) => Ok((from.unwrap_or_default(), reference)),
    }
}

pub(super) fn fetch(vault: &Vault, args: &FetchArgs, ui: &Ui) -> Result<Report> {
    let FetchArgs { remote_reference, from, dry_run, store: _ } = args;
    let (text, reference) = place_of(remote_reference, from.as_deref())?;
    let remote = Remote::named(text, vault)?;
    let bars = ui.bars();
    let found = Shelf::open(&remote.url).told()?.find(reference, &bars).told()?;
    let place = CopyPlace::source_store(&remote.url, Path::new(".")).told()?;
    let options =
        CopyOptions { entries: vec![found.name.clone()], dry_run: *dry_run, ..CopyOptions::default() };
    let copied = vault.copy_from(&place, &options, &bars).told()?;
    drop(bars);
    let mut report = Report::new(
        ui,
        || fetch_json(&remote, &found, &copied, *dry_run),
        |report| fetch_text(&copied, *dry_run, report),
    );
    problems(&copied, &remote.shown(), ui, &mut report);
    Ok(report)
}

fn fetch_text(copied: &CopyResult, dry_run: bool, report: &mut Report) {
    for entry in copied.entries.iter().filter(|entry| entry.lacking.is_empty()) {
        let message = safe(&entry.message);
        let files = human::count(entry.files, "file", "files");
        let there = entry.stash_ref.as_deref().unwrap_or_default();
        match (entry.added, dry_run) {
            (true, true) => report.line(format_args!("Would fetch {files}: {message}")),
            (true, false) => {
                report.line(format_args!("Fetched {files} as {NAME}{there}{NAME:#}: {message}"));
            }
            (false, _) => {
                report.line(format_args!("It is there already as {NAME}{there}{NAME:#}: {message}"));
            }
        }
    }
    let objects = human::count(copied.objects, "object", "objects");
    let verb = if dry_run { "would be downloaded" } else { "downloaded" };
    let present = human::count(copied.present, "was", "were");
    report.line(format_args!("{objects} of {} {verb}; {present} there.", human::size(copied.bytes)));
    if !dry_run && copied.entries.iter().any(|entry| entry.added) {
        report.line(format_args!(
            "`stem stash pop` brings it into the working tree, `stem stash undo` removes it."
        ));
    }
}

fn fetch_json(remote: &Remote, found: &ShelfEntry, copied: &CopyResult, dry_run: bool) -> Json {
    let entry = copied.entries.first();
    Json::object(remote.json().into_iter().chain([
        ("entry", (&found.name).into()),
        ("stash_ref", entry.and_then(|entry| entry.stash_ref.as_deref()).into()),
        ("origin", found.summary.as_ref().ok().map(|summary| summary.origin.as_str()).into()),
        ("message", entry.map(|entry| entry.message.as_str()).into()),
        ("files", entry.map(|entry| entry.files).into()),
        ("added", entry.is_some_and(|entry| entry.added).into()),
        ("dry_run", dry_run.into()),
        ("objects", copied.objects.into()),
        ("bytes", copied.bytes.into()),
        ("objects_present", copied.present.into()),
        ("lacking", Json::list(entry.iter().flat_map(|entry| &entry.lacking))),
    ]))
}

/// What keeps an entry back.
fn problems(copied: &CopyResult, from: &str, ui: &Ui, report: &mut Report) {
    let shown = if ui.verbose() { usize::MAX } else { 10 };
    for bad in copied.bad.iter().take(shown) {
        report.problem(format!("object {} was not copied: {}", bad.id, bad.reason));
    }
    for entry in copied.entries.iter().filter(|entry| !entry.lacking.is_empty()) {
        let paths: Vec<String> = entry.lacking.iter().take(shown).map(|path| format!("'{path}'")).collect();
        let more = match entry.lacking.len().saturating_sub(shown) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        report.problem(format!(
            "{} was not added: '{from}' cannot give the objects of {}{more}",
            entry.stash_id,
            paths.join(", ")
        ));
    }
}

/// What became of an entry that was to be sent.
pub(super) struct Sent {
    remote: Remote,
    result: Result<CopyResult>,
    /// How to go on.
    command: String,
}

/// Sends an entry that stands on the stack already.
pub(super) fn send(vault: &Vault, remote: Remote, stash_id: &str, ui: &Ui) -> Sent {
    let work = || {
        let place = CopyPlace::target_store(&remote.url, Path::new(".")).told()?;
        let options = CopyOptions { entries: vec![stash_id.to_owned()], ..CopyOptions::default() };
        vault.copy_to(&place, &options, &ui.bars()).told()
    };
    let result = work();
    let root = vault.repository().root();
    let here = std::path::absolute(".").is_ok_and(|here| here == root);
    let root = if here { ".".to_owned() } else { root.to_string_lossy().into_owned() };
    let command = format!("stem copy {} {} --stash {stash_id}", quoted(&root), quoted(&remote.address()));
    Sent { remote, result, command }
}

impl Sent {
    pub(super) fn text(&self, ui: &Ui, report: &mut Report) {
        let Ok(copied) = &self.result else { return };
        for entry in copied.entries.iter().filter(|entry| entry.lacking.is_empty()) {
            let objects = human::count(copied.objects, "object", "objects");
            let present = human::count(copied.present, "was", "were");
            let verb = if entry.added { "Sent to" } else { "There already, in" };
            report.line(format_args!(
                "{verb} '{}': {objects} of {}; {present} there. `stem stash fetch` brings it to another machine.",
                self.remote.shown(),
                human::size(copied.bytes),
            ));
            if ui.verbose() {
                let name = entry.stash_ref.as_deref().unwrap_or_default();
                report.line(format_args!("Its name there is {name}."));
            }
        }
    }

    /// Says what went wrong, if something did: the entry is on the stack in any case.
    pub(super) fn problems(&self, stash_ref: &str, ui: &Ui, report: &mut Report) {
        let (shown, command) = (self.remote.shown(), &self.command);
        match &self.result {
            Ok(copied) => {
                problems(copied, stash_ref, ui, report);
                if !copied.is_complete() {
                    report.note(format!(
                        "{stash_ref} stays on the stack; `{command}` goes on, once what is lacking is back"
                    ));
                }
            }
            Err(failure) => {
                report.problem(format!(
                    "it was not sent to '{shown}': {}. It is safe on the stack as {stash_ref}; `{command}` goes on",
                    failure.message
                ));
                if failure.exit > exit::SIGNAL {
                    report.exit = failure.exit;
                }
            }
        }
    }

    pub(super) fn json(&self) -> Json {
        let copied = self.result.as_ref().ok();
        let entry = copied.and_then(|copied| copied.entries.first());
        let failure = self.result.as_ref().err();
        let failure = failure.map(|failure| {
            Json::object([("kind", failure.kind.into()), ("message", failure.message.as_str().into())])
        });
        let complete = copied.is_some_and(CopyResult::is_complete);
        Json::object(self.remote.json().into_iter().chain([
            ("entry", entry.and_then(|entry| entry.stash_ref.as_deref()).into()),
            ("complete", complete.into()),
            ("added", entry.is_some_and(|entry| entry.added).into()),
            ("objects", copied.map(|copied| copied.objects).into()),
            ("bytes", copied.map(|copied| copied.bytes).into()),
            ("objects_present", copied.map(|copied| copied.present).into()),
            ("lacking", Json::list(entry.iter().flat_map(|entry| &entry.lacking))),
            ("error", failure.into()),
            ("hint", (!complete).then_some(self.command.as_str()).into()),
        ]))
    }
}

pub(super) fn drop_entry(
    place: &Place,
    text: &str,
    reference: Option<&str>,
    yes: bool,
    ui: &Ui,
) -> Result<Report> {
    let Some(reference) = reference else {
        return Err(Failure::usage(
            "which entry is not said: `stem stash drop N --remote`; `stem stash list --remote` has the numbers",
        ));
    };
    let (text, reference) = place_of(reference, Some(text))?;
    let remote = Remote::choose(text, || place.open())?;
    let bars = ui.bars();
    let shelf = Shelf::open(&remote.url).told()?;
    let found = shelf.find(reference, &bars).told()?;
    drop(bars);
    let what = match &found.summary {
        Ok(summary) => {
            let [files, _] = contents(summary);
            format!("'{}' ({files}, {})", summary.message, human::age(summary.created()))
        }
        Err(_) => format!("{}, which cannot be read,", found.name),
    };
    if !yes {
        let shown = remote.shown();
        match ui.confirm(&format!("Remove {what} from '{shown}', for everybody and for good?")) {
            Some(true) => {}
            Some(false) => return Err(Failure::user("refused", "nothing was removed")),
            None => {
                let message = format!(
                    "this would remove {what} from '{shown}' for everybody, and nothing takes that back: say so with --yes"
                );
                return Err(Failure::user("refused", message));
            }
        }
    }
    let there = shelf.remove(&found.name).told()?;
    Ok(Report::new(
        ui,
        || {
            let id = found.summary.as_ref().ok().map(|summary| summary.stash_id.as_str());
            Json::object(remote.json().into_iter().chain([
                ("index", Json::from(found.index)),
                ("entry", (&found.name).into()),
                ("stash_id", id.into()),
                ("removed", there.into()),
            ]))
        },
        |report| {
            let verb = if there { "Removed" } else { "Gone already:" };
            report.line(format_args!("{verb} {what} from '{}'.", remote.shown()));
        },
    ))
}
