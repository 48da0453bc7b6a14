//! `stem object`: the store itself.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use stemvault::store_error;
use stemvault::{
    Dir, FileSource, IdPrefix, ObjectId, ObjectRead, ObjectStore, Phase, Progress as _, PutOptions, RelPath,
    Vault, Written,
};

use super::Place;
use crate::args::ObjectCommand;
use crate::failure::{Engine as _, Failure, Result, exit};
use crate::human;
use crate::json::Json;
use crate::operands::unreadable;
use crate::progress::Bars;
use crate::report::{BAD, GOOD, NAME, Report};
use crate::ui::Ui;

/// Fewest digits of an id that may stand for the whole.
const SHORTEST: usize = 4;
/// Bytes moved at a time.
const WINDOW: usize = 1 << 20;

pub(super) fn run(place: &Place, command: ObjectCommand, ui: &Ui) -> Result<Report> {
    let vault = place.open()?;
    match command {
        ObjectCommand::Put { files } => put(&vault, &files, ui),
        ObjectCommand::Get { id, output, force } => get(&vault, &id, output.as_deref(), force, ui),
        ObjectCommand::Has { ids } => has(&vault, &ids, ui),
        ObjectCommand::List { prefix } => list(&vault, &prefix, ui),
    }
}

fn store(vault: &Vault) -> &dyn ObjectStore {
    &**vault.store()
}

/// A file that became an object.
struct Stored {
    id: ObjectId,
    size: u64,
    written: Written,
    path: PathBuf,
}

fn put(vault: &Vault, files: &[PathBuf], ui: &Ui) -> Result<Report> {
    let bars = ui.bars();
    let mut stored: Vec<Stored> = Vec::new();
    let mut failed = Vec::new();
    // Nothing names these objects yet: a collection must not run meanwhile, and later count them as young.
    let lock = vault.stash().share_store(&bars).told()?;
    for path in files {
        match put_one(store(vault), path, &bars) {
            Ok(object) => stored.push(object),
            // The user's mistake in one name is no reason to leave the other files out.
            Err(failure) if failure.exit == exit::USER => failed.push(failure),
            Err(failure) => return Err(failure),
        }
    }
    let ids: Vec<ObjectId> = stored.iter().map(|object| object.id).collect();
    vault.reprieve(&lock, &ids, &bars).told()?;
    drop((lock, bars));
    if files.len() == 1
        && let Some(failure) = failed.pop()
    {
        return Err(failure);
    }
    let mut report = Report::new(
        ui,
        || put_json(&stored, &failed),
        |report| {
            for Stored { id, path, .. } in &stored {
                report.line(format_args!("{NAME}{id}{NAME:#}  {}", human::path(path)));
            }
        },
    );
    for failure in &failed {
        report.problem(&failure.message);
    }
    if !failed.is_empty() {
        report.exit = if stored.is_empty() { exit::USER } else { exit::PARTIAL };
    }
    Ok(report)
}

fn put_one(store: &dyn ObjectStore, path: &Path, bars: &Bars) -> Result<Stored> {
    let name = human::path(path);
    let stored = |digest: stemvault::Digest, written| Stored {
        id: digest.id,
        size: digest.len,
        written,
        path: path.to_path_buf(),
    };
    if path == Path::new("-") {
        bars.begin(Phase::Saving, 0, 0);
        let mut source = Watched { source: io::stdin().lock(), bars };
        let put = store
            .put(&mut source, &PutOptions::default())
            .map_err(|error| put_failure(error, &name, path))?;
        return Ok(stored(put.digest, put.written));
    }
    let no_file = || unreadable(&name, path, &io::Error::other("it is not a regular file"));
    // The user may name a link; the directory capability would not follow it.
    let real = std::fs::canonicalize(path).map_err(|error| unreadable(&name, path, &error))?;
    let (Some(parent), Some(last)) = (real.parent(), real.file_name()) else { return Err(no_file()) };
    let last = RelPath::from_path(Path::new(last))
        .map_err(|error| Failure::user("invalid_input", error.to_string()))?;
    let opened = Dir::open(parent).and_then(|dir| dir.open_file(&last));
    let file = opened.map_err(|error| unreadable(&name, path, &error.source))?.ok_or_else(no_file)?;
    let stat = file.stat().told()?;
    bars.begin(Phase::Saving, 1, stat.size);
    let step = |bytes| bars.step(bytes);
    let source = FileSource { progress: Some(&step), ..FileSource::new(&file, stat) };
    let put =
        store.put_file(&source, &PutOptions::default()).map_err(|error| put_failure(error, &name, path))?;
    Ok(stored(put.digest, put.written))
}

fn put_failure(error: store_error::Error, name: &str, path: &Path) -> Failure {
    match error.kind() {
        _ if crate::progress::signal_caught().is_some() => {
            Failure::interrupted(format!("interrupted; '{name}' was not stored"))
        }
        store_error::ErrorKind::Source => {
            let cause =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Failure::user("bad_input_file", format!("cannot read '{name}': {cause}")).at(path)
        }
        _ => stemvault::Error::from(error).into(),
    }
}

fn put_json(stored: &[Stored], failed: &[Failure]) -> Json {
    let objects = stored.iter().map(|object| {
        let written = match object.written {
            Written::New => "new",
            Written::Present => "present",
            Written::Replaced => "replaced",
        };
        Json::object([
            ("object_id", (&object.id).into()),
            ("size", object.size.into()),
            ("written", written.into()),
            ("path", Json::path(&object.path)),
        ])
    });
    let failed = failed.iter().map(|failure| {
        Json::object([
            ("kind", failure.kind.into()),
            ("message", failure.message.as_str().into()),
            ("path", failure.path.as_deref().map(Json::path).into()),
        ])
    });
    Json::object([("objects", Json::list(objects)), ("failed", Json::list(failed))])
}

/// Standard input whose progress is shown, and which ends when the user wants to stop.
struct Watched<'a, R> {
    source: R,
    bars: &'a Bars,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        match self.bars.step(count as u64) {
            ControlFlow::Continue(()) => Ok(count),
            ControlFlow::Break(()) => Err(io::Error::other("interrupted")),
        }
    }
}

fn get(vault: &Vault, id: &str, output: Option<&Path>, force: bool, ui: &Ui) -> Result<Report> {
    if output.is_none() && ui.json() {
        return Err(Failure::usage("the object itself is no JSON: with --json, give -o FILE"));
    }
    if output.is_none() && !force && io::stdout().is_terminal() {
        return Err(Failure::usage(
            "objects are binary: give -o FILE, send standard output elsewhere, or say --force",
        ));
    }
    let id = resolve(store(vault), id)?;
    let absent = || Failure::user("no_such_object", format!("the store has no object {id}"));
    let mut object = store(vault).open(&id).told()?.ok_or_else(absent)?;
    let bars = ui.bars();
    bars.phase("reading", 1, object.len());
    let Some(path) = output else {
        let mut result = Ok(());
        Ui::raw(|out| {
            result = copy(&mut *object, out, &bars, "")?;
            Ok(())
        })?;
        return result.map(|()| Report::nothing());
    };
    let size = object.len();
    write_file(&mut *object, path, &bars)?;
    drop(bars);
    Ok(Report::new(
        ui,
        || Json::object([("object_id", (&id).into()), ("size", size.into()), ("path", Json::path(path))]),
        |report| {
            report.line(format_args!("Wrote {} into '{}', verified.", human::size(size), human::path(path)));
        },
    ))
}

/// The bytes under another name first, so that `path` never holds what was not verified.
fn write_file(object: &mut dyn ObjectRead, path: &Path, bars: &Bars) -> Result<()> {
    let shown = human::path(path);
    let what = format!("cannot write '{shown}'");
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // Made as any new file, so that the umask decides who may read it.
    let create = |path: &Path| File::options().write(true).create_new(true).open(path);
    let mut temporary = tempfile::Builder::new()
        .prefix(".stem-")
        .make_in(parent, create)
        .map_err(|error| Failure::io(&what, path, &error))?;
    let copied = copy(object, temporary.as_file_mut(), bars, &format!("; '{shown}' was not written"));
    copied.map_err(|error| Failure::io(&what, path, &error))??;
    temporary.as_file().sync_all().map_err(|error| Failure::io(&what, path, &error))?;
    temporary.persist(path).map_err(|error| Failure::io(&what, path, &error.error))?;
    Ok(())
}

/// Copies an object to its end, where it is verified. The outer error is the target's, the inner one the object's.
fn copy(
    object: &mut dyn ObjectRead,
    out: &mut dyn io::Write,
    bars: &Bars,
    consequence: &str,
) -> io::Result<Result<()>> {
    let mut buffer = vec![0; WINDOW];
    loop {
        let count = match object.read(&mut buffer) {
            Ok(0) => return Ok(Ok(())),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Ok(Err(match store_error::Error::from_reader(error) {
                    Ok(error) => stemvault::Error::from(error).into(),
                    Err(error) => Failure::internal(format!("the object cannot be read: {error}")),
                }));
            }
        };
        out.write_all(buffer.get(..count).unwrap_or_default())?;
        if bars.step(count as u64).is_break() {
            return Ok(Err(Failure::interrupted(format!("interrupted{consequence}"))));
        }
    }
}

/// The object that an id, or enough of its beginning, names.
fn resolve(store: &dyn ObjectStore, text: &str) -> Result<ObjectId> {
    let prefix = prefix(text)?;
    if let Some(id) = prefix.full() {
        return Ok(id);
    }
    if prefix.digits() < SHORTEST {
        let message = format!("'{text}' is too little of an id: give at least {SHORTEST} digits");
        return Err(Failure::user("invalid_input", message));
    }
    let mut found = Vec::new();
    let two = &mut |id| {
        found.push(id);
        if found.len() > 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    store.list(&prefix, two).told()?;
    match found.as_slice() {
        [id] => Ok(*id),
        [] => Err(Failure::user(
            "no_such_object",
            format!("the store has no object whose id begins with {text}"),
        )),
        _ => Err(Failure::user(
            "ambiguous_object",
            format!("more than one object's id begins with {text}: give more of it"),
        )),
    }
}

fn prefix(text: &str) -> Result<IdPrefix> {
    IdPrefix::parse_bytes(text.as_bytes()).map_err(|error| {
        Failure::user("invalid_input", format!("'{}' is not an object id: {error}", text.escape_default()))
    })
}

fn has(vault: &Vault, ids: &[String], ui: &Ui) -> Result<Report> {
    let parse = |text: &String| {
        text.parse::<ObjectId>().map_err(|error| {
            Failure::user(
                "invalid_input",
                format!("'{}' is not an object id: {error}", text.escape_default()),
            )
        })
    };
    let ids: Vec<ObjectId> = ids.iter().map(parse).collect::<Result<_>>()?;
    let stats = store(vault).stat_many(&ids).told()?;
    let sizes: Vec<Option<u64>> = stats.iter().map(|stat| stat.as_ref().map(|stat| stat.size)).collect();
    let mut report = Report::new(
        ui,
        || {
            let objects = ids.iter().zip(&sizes).map(|(id, &size)| {
                Json::object([
                    ("object_id", id.into()),
                    ("present", size.is_some().into()),
                    ("size", size.into()),
                ])
            });
            Json::object([("objects", Json::list(objects))])
        },
        |report| {
            for (id, size) in ids.iter().zip(&sizes) {
                match size {
                    Some(size) => {
                        report.line(format_args!("{id}  {GOOD}present{GOOD:#}  {}", human::size(*size)));
                    }
                    None => report.line(format_args!("{id}  {BAD}absent{BAD:#}")),
                }
            }
        },
    );
    if sizes.contains(&None) {
        report.exit = exit::USER;
    }
    Ok(report)
}

fn list(vault: &Vault, text: &str, ui: &Ui) -> Result<Report> {
    let store = store(vault);
    let prefix = prefix(text)?;
    if ui.json() {
        let mut ids = Vec::new();
        collect(store, &prefix, &mut ids)?;
        ids.sort_unstable();
        return Ok(Report::new(ui, || Json::object([("objects", Json::list(&ids))]), |_| {}));
    }
    if ui.quiet() {
        return Ok(Report::nothing());
    }
    // By first byte, so that the output is sorted and memory holds a small part of a large store.
    let mut failure = Ok(());
    Ui::raw(|out| {
        for first in prefix.first_bytes() {
            let mut ids = Vec::new();
            failure = narrowed(&prefix, first).map_or(Ok(()), |narrow| collect(store, &narrow, &mut ids));
            if failure.is_err() {
                return Ok(());
            }
            ids.sort_unstable();
            for id in ids {
                let size =
                    if ui.verbose() { store.stat(&id).ok().flatten().map(|stat| stat.size) } else { None };
                match size {
                    Some(size) => writeln!(out, "{id}  {:>10}", human::size(size))?,
                    None => writeln!(out, "{id}")?,
                }
            }
        }
        Ok(())
    })?;
    failure.map(|()| Report::nothing())
}

fn collect(store: &dyn ObjectStore, prefix: &IdPrefix, ids: &mut Vec<ObjectId>) -> Result<()> {
    store
        .list(prefix, &mut |id| {
            ids.push(id);
            ControlFlow::Continue(())
        })
        .told()
}

/// `prefix`, or the two digits of `first` where it has fewer.
fn narrowed(prefix: &IdPrefix, first: u8) -> Option<IdPrefix> {
    if prefix.digits() >= 2 {
        return Some(*prefix);
    }
    IdPrefix::parse_bytes(format!("{first:02x}").as_bytes()).ok()
}
