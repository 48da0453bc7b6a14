//! `stem stash export` and `stem stash import`: one entry in one file, for somebody else.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read};
use std::path::Path;

use stemvault::format::text::PyStr;
use stemvault::{
    BundleCompression, Dir, ExportOptions, ExportResult, ImportOptions, ImportResult, ObjectId,
    PARTIAL_SUFFIX, RelPath, Vault,
};

use crate::args::{Compression, ExportArgs, ImportArgs};
use crate::failure::{Engine as _, Failure, Result};
use crate::human;
use crate::json::Json;
use crate::operands::unreadable;
use crate::report::{NAME, Report};
use crate::ui::Ui;

/// The longest list of ids that is read: twenty million of them.
const MAX_LIST: u64 = 2 << 30;

pub(super) fn export(vault: &Vault, args: &ExportArgs, ui: &Ui) -> Result<Report> {
    let ExportArgs { reference, file, have, compression, force } = args;
    let to_stdout = file.as_path() == Path::new("-");
    if to_stdout && ui.json() {
        return Err(Failure::usage("the bundle itself is no JSON: with --json, name a FILE"));
    }
    if to_stdout && !force && io::stdout().is_terminal() {
        return Err(Failure::usage(
            "bundles are binary: name a FILE, send standard output elsewhere, or say --force",
        ));
    }
    let options = ExportOptions {
        have: have.as_deref().map(read_list).transpose()?.unwrap_or_default(),
        compression: match compression {
            Compression::Audio => BundleCompression::Audio,
            Compression::None => BundleCompression::None,
        },
        replace: *force,
    };
    if to_stdout {
        let bars = ui.bars();
        let mut exported = None;
        Ui::raw(|out| {
            exported = Some(vault.export_to(reference, out, &options, &bars));
            Ok(())
        })?;
        drop(bars);
        return match exported {
            Some(Err(error)) => Err(error.into()),
            _ => Ok(Report::nothing()),
        };
    }
    let (dir, name) = place(file)?;
    let exported = vault.export(reference, &dir, &name, &options, &ui.bars()).told()?;
    Ok(Report::new(ui, || export_json(&exported, file), |report| export_text(&exported, file, report)))
}

/// The directory and the name of a file that is to be made.
fn place(file: &Path) -> Result<(Dir, RelPath)> {
    let shown = human::path(file);
    let Some(name) = file.file_name() else {
        return Err(Failure::usage(format!("'{shown}' names no file to write")));
    };
    let unusable = |error: &dyn std::error::Error| {
        Failure::user("invalid_input", format!("'{shown}' cannot be written: {error}")).at(file)
    };
    let name = RelPath::from_path(Path::new(name)).map_err(|error| unusable(&error))?;
    let parent = file.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let dir = Dir::open(parent).map_err(|error| {
        let error = error.source;
        unusable(&error)
    })?;
    Ok((dir, name))
}

fn export_text(exported: &ExportResult, file: &Path, report: &mut Report) {
    let message = PyStr::from(exported.message.as_str());
    report.line(format_args!(
        "Exported {NAME}{}{NAME:#} into '{}': {message}",
        exported.stash_ref,
        human::path(file)
    ));
    let objects = human::count(exported.objects, "object", "objects");
    report.line(format_args!(
        "{objects} of {} in a bundle of {}.",
        human::size(exported.object_bytes),
        human::size(exported.bytes)
    ));
    if exported.left_out > 0 {
        let left_out = human::count(exported.left_out, "object is", "objects are");
        report.line(format_args!("{left_out} left out, which the receiver has."));
    }
    if exported.resumed_bytes > 0 {
        let there = human::size(exported.resumed_bytes);
        report.line(format_args!(
            "{there} of it were there from an export that was stopped, and are verified."
        ));
    }
}

fn export_json(exported: &ExportResult, file: &Path) -> Json {
    Json::object([
        ("stash_ref", (&exported.stash_ref).into()),
        ("stash_id", (&exported.stash_id).into()),
        ("message", (&exported.message).into()),
        ("file", Json::path(file)),
        ("bytes", exported.bytes.into()),
        ("files", exported.files.into()),
        ("objects", exported.objects.into()),
        ("object_bytes", exported.object_bytes.into()),
        ("left_out", exported.left_out.into()),
        ("resumed_bytes", exported.resumed_bytes.into()),
    ])
}

pub(super) fn import(vault: &Vault, args: &ImportArgs, ui: &Ui) -> Result<Report> {
    let ImportArgs { file, dry_run, force, store: _ } = args;
    let options = ImportOptions { dry_run: *dry_run, again: *force };
    let imported = if file.as_path() == Path::new("-") {
        if io::stdin().is_terminal() {
            return Err(Failure::usage("import - reads standard input, which is a terminal: give it a file"));
        }
        vault.import(io::stdin(), options, &ui.bars()).told()
    } else {
        let name = human::path(file);
        if file.as_os_str().to_string_lossy().ends_with(PARTIAL_SUFFIX) && !file.exists() {
            return Err(unreadable(&name, file, &io::ErrorKind::NotFound.into()));
        }
        let source = File::open(file).map_err(|error| unreadable(&name, file, &error))?;
        if source.metadata().is_ok_and(|meta| meta.is_dir()) {
            return Err(unreadable(&name, file, &io::ErrorKind::IsADirectory.into()));
        }
        vault.import(source, options, &ui.bars()).told().map_err(|failure| match failure.path {
            None => failure.at(file),
            Some(_) => failure,
        })
    }?;
    Ok(Report::new(
        ui,
        || import_json(&imported, *dry_run),
        |report| import_text(&imported, *dry_run, report),
    ))
}

fn import_text(imported: &ImportResult, dry_run: bool, report: &mut Report) {
    let message = PyStr::from(imported.message.as_str());
    let files = human::count(imported.files, "file", "files");
    match (imported.added, dry_run) {
        (true, true) => {
            report.line(format_args!("The bundle is sound. It would be a new entry of {files}: {message}"));
        }
        (true, false) => {
            report.line(format_args!("Imported {files} as {NAME}{}{NAME:#}: {message}", imported.stash_ref));
        }
        (false, _) => report.line(format_args!(
            "It is there already as {NAME}{}{NAME:#}: {message}. --force adds it once more.",
            imported.stash_ref
        )),
    }
    let new = human::count(imported.objects_new, "object", "objects");
    let present = human::count(imported.objects_present, "was", "were");
    let verb = if dry_run { "would be stored" } else { "stored" };
    report.line(format_args!("{new} of {} {verb}; {present} there.", human::size(imported.bytes_new)));
    if imported.added && !dry_run {
        report.line(format_args!(
            "`stem stash pop` brings it into the working tree, `stem stash undo` removes it."
        ));
    }
}

fn import_json(imported: &ImportResult, dry_run: bool) -> Json {
    Json::object([
        ("stash_ref", (&imported.stash_ref).into()),
        ("stash_id", imported.stash_id.as_deref().map(Json::from).into()),
        ("origin", (&imported.origin).into()),
        ("message", (&imported.message).into()),
        ("branch", (&imported.branch).into()),
        ("files", imported.files.into()),
        ("added", imported.added.into()),
        ("dry_run", dry_run.into()),
        ("objects_new", imported.objects_new.into()),
        ("bytes_new", imported.bytes_new.into()),
        ("objects_present", imported.objects_present.into()),
        ("bytes", imported.bundle_bytes.into()),
    ])
}

/// The ids of a list, as `stem object list` prints it, with or without `-v` or `--json`.
fn read_list(path: &Path) -> Result<Vec<ObjectId>> {
    if path == Path::new("-") {
        if io::stdin().is_terminal() {
            return Err(Failure::usage("--have - reads standard input, which is a terminal: give it a file"));
        }
        return parse_list(&mut io::stdin().lock(), path, "standard input");
    }
    let name = human::path(path);
    let file = File::open(path).map_err(|error| unreadable(&name, path, &error))?;
    parse_list(&mut BufReader::new(file), path, &name)
}

fn parse_list(source: &mut dyn BufRead, path: &Path, name: &str) -> Result<Vec<ObjectId>> {
    let failed = |error: &io::Error| unreadable(name, path, error);
    let mut source = source.take(MAX_LIST);
    let is_json = loop {
        let there = source.fill_buf().map_err(|error| failed(&error))?;
        let blank = there.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        match there.get(blank) {
            Some(first) => break matches!(first, b'{' | b'['),
            None if blank == 0 => return Ok(Vec::new()),
            None => source.consume(blank),
        }
    };
    let mut ids = Vec::new();
    // In JSON the ids are strings, and nothing else there looks like one.
    let separator = if is_json { b'"' } else { b'\n' };
    for (at, piece) in source.split(separator).enumerate() {
        let piece = piece.map_err(|error| failed(&error))?;
        if is_json {
            ids.extend(ObjectId::parse_bytes(&piece));
            continue;
        }
        let mut words = piece.split(u8::is_ascii_whitespace);
        let Some(word) = words.find(|word| !word.is_empty()) else { continue };
        ids.push(ObjectId::parse_bytes(word).map_err(|error| {
            let line = at + 1;
            let message = format!(
                "line {line} of '{name}' begins with no object id: {error}. Make it with `stem object list`"
            );
            Failure::user("bad_input_file", message).at(path)
        })?);
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<ObjectId>> {
        parse_list(&mut text.as_bytes(), Path::new("list"), "list")
    }

    #[test]
    fn lists_are_read_in_every_form_that_object_list_prints() {
        let [a, b] = [[0x11; 32], [0xab; 32]].map(ObjectId::from_bytes);
        for text in [
            format!("{a}\n{b}\n"),
            format!("\r\n{a}  1.0 MiB\r\n\n{b}  10 B"),
            format!("{{\n  \"objects\": [\n    \"{a}\",\n    \"{b}\"\n  ]\n}}\n"),
            format!("{{\"objects\":[\"{a}\",\"{b}\"]}}"),
        ] {
            assert_eq!(parse(&text).unwrap(), [a, b], "{text}");
        }
        assert_eq!(parse(" \n").unwrap(), []);
        assert_eq!(parse("{}").unwrap(), []);
    }

    #[test]
    fn a_line_that_is_no_id_is_named() {
        let failure = parse(&format!("{}\nkick.wav\n", ObjectId::from_bytes([1; 32]))).unwrap_err();
        assert!(failure.message.starts_with("line 2 of 'list'"), "{}", failure.message);
    }
}
