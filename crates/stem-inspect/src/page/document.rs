//! The page from top to bottom: which entry, what is in it, file by file.

use std::fmt::Write as _;

use stem_page::{Shell, escape, name, units};

use super::article::{article, badge, clean, id, path};
use super::bounds::Bounds;
use super::model::{File, Page, Status};
use super::style;

/// The page as HTML. The same page gives the same text, byte for byte.
pub fn html(page: &Page, bounds: &Bounds) -> String {
    let mut out = String::with_capacity(64 << 10);
    let message = clean(page.entry.message.trim(), 300);
    let reference = clean(&page.entry.reference, 100);
    let title = if message.is_empty() { reference.clone() } else { format!("{message} – {reference}") };
    let sheet = style::sheet();
    Shell { title: &title, skip: ("files", "To the files"), sheet: &sheet, sounds: true }.begin(&mut out);
    head(&mut out, page, &message, &reference);
    out.push_str("<main>\n");
    let (same, shown): (Vec<_>, Vec<_>) =
        page.files.iter().enumerate().partition(|(_, file)| file.status == Status::Same);
    overview(&mut out, page, &shown, bounds);
    let left_out = articles(&mut out, page, &shown, bounds);
    unchanged(&mut out, &same, bounds);
    about(&mut out, page, left_out, bounds);
    out.push_str("</main>\n");
    stem_page::end(&mut out, &format!("Made by {}.", clean(&page.tool, 100)));
    out
}

fn head(out: &mut String, page: &Page, message: &str, reference: &str) {
    let [before, after] = page.versions.each_ref().map(|version| clean(version, 100));
    out.push_str("<header>\n<p class=\"eyebrow\">");
    let parts: Vec<String> = [reference, &clean(&page.entry.branch, 100), &clean(&page.entry.time, 60)]
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(name)
        .collect();
    out.push_str(&parts.join("<span aria-hidden=\"true\"> · </span><span class=\"hidden\">, </span>"));
    let _ = write!(
        out,
        "</p>\n<h1>{}</h1>\n<p class=\"lead\">{} Before is {}, after is {}.</p>\n</header>\n",
        if message.is_empty() { "Stash entry without a message".to_owned() } else { name(message) },
        escape(&counts(page)),
        name(&before),
        name(&after)
    );
}

/// `14 files: 6 changed, 3 new, 1 gone, 4 as they were.`
fn counts(page: &Page) -> String {
    let of = |status| page.files.iter().filter(|file| file.status == status).count();
    let total = u64::try_from(page.files.len()).unwrap_or(u64::MAX).saturating_add(page.more_files);
    if total == 0 {
        return "There is no file to compare.".to_owned();
    }
    let parts: Vec<String> = [
        (Status::Changed, "changed"),
        (Status::Added, "new"),
        (Status::Removed, "gone"),
        (Status::Unknown, "that cannot be compared"),
        (Status::Same, "as they were"),
    ]
    .into_iter()
    .filter(|(status, _)| of(*status) > 0)
    .map(|(status, word)| format!("{} {word}", units::digits(of(status))))
    .collect();
    let more = if page.more_files > 0 {
        format!(", {} not shown", units::digits(page.more_files))
    } else {
        String::new()
    };
    format!("{}: {}{more}.", units::count(total, "file", "files"), parts.join(", "))
}

/// The groups of consecutive files, with their names.
fn groups<'a, 'b>(
    files: &'b [(usize, &'a File)],
) -> impl Iterator<Item = (&'a str, &'b [(usize, &'a File)])> {
    files
        .chunk_by(|(_, a), (_, b)| a.group == b.group)
        .filter_map(|files| files.first().map(|(_, first)| (first.group.as_str(), files)))
}

fn group_name(group: &str) -> String {
    let group = clean(group, 120);
    if group.is_empty() { "Other files".to_owned() } else { group }
}

fn overview(out: &mut String, page: &Page, shown: &[(usize, &File)], bounds: &Bounds) {
    out.push_str("<h2 id=\"files\" tabindex=\"-1\">What differs</h2>\n");
    for note in &page.notes {
        let _ = writeln!(out, "<p class=\"callout\">{}</p>", escape(&clean(note, 500)));
    }
    if shown.is_empty() {
        out.push_str("<p>Nothing: every file is the same in both.</p>\n");
        return;
    }
    out.push_str("<nav aria-label=\"Files that differ\">\n");
    for (group, files) in groups(&shown[..shown.len().min(bounds.files)]) {
        let _ =
            write!(out, "<h3 class=\"group\">{}</h3>\n<ul class=\"contents\">\n", name(&group_name(group)));
        for (index, file) in files {
            let _ = writeln!(
                out,
                "<li>{}<a href=\"#{}\">{}</a><span class=\"what\">{}</span><span class=\"bytes\">{}</span></li>",
                badge(file.status),
                id(*index),
                name(&within(&file.path, group)),
                escape(&clean(&file.headline, 160)),
                escape(&sizes(file))
            );
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</nav>\n");
    let hidden = shown.len().saturating_sub(bounds.files);
    if hidden > 0 {
        let _ = writeln!(out, "<p class=\"small\">{} more are not listed.</p>", units::digits(hidden));
    }
}

/// A path without the directory that the group stands for: its last part, where that is all that differs.
fn within(full: &str, group: &str) -> String {
    let path = path(full);
    if group.is_empty() { path } else { path.rsplit('/').next().map_or(path.clone(), str::to_owned) }
}

/// The size of a file, and by how much it grew.
fn sizes(file: &File) -> String {
    let size = |bytes: u64| units::size(super::article::float(bytes));
    match file.bytes {
        [Some(before), Some(after)] if before != after => {
            let sign = if after > before { '+' } else { '−' };
            format!("{} ({sign}{})", size(after), size(after.abs_diff(before)))
        }
        [_, Some(bytes)] | [Some(bytes), None] => size(bytes),
        [None, None] => String::new(),
    }
}

/// The articles; how many files are only named because the page would be too long.
fn articles(out: &mut String, page: &Page, shown: &[(usize, &File)], bounds: &Bounds) -> usize {
    let (begin, mut sounds, mut left_out) = (out.len(), 0, 0);
    for (group, files) in groups(shown) {
        let mut titled = false;
        for (index, file) in files {
            if out.len() - begin - sounds > bounds.text || *index >= bounds.files {
                left_out += 1;
                // The overview leads here.
                let _ = writeln!(
                    out,
                    "<p id=\"{}\" class=\"small\">{}: not shown.</p>",
                    id(*index),
                    name(&path(&file.path))
                );
                continue;
            }
            if !titled {
                let _ = writeln!(out, "<h2>{}</h2>", name(&group_name(group)));
                titled = true;
            }
            sounds += article(out, *index, file, &page.versions, bounds);
        }
    }
    left_out
}

fn unchanged(out: &mut String, same: &[(usize, &File)], bounds: &Bounds) {
    if same.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<h2>As they were</h2>\n<details class=\"fold\"><summary>{} the same in both</summary>\n<ul class=\"plain\">\n",
        if same.len() == 1 {
            "1 file is".to_owned()
        } else {
            format!("{} files are", units::digits(same.len()))
        }
    );
    for (_, file) in same.iter().take(bounds.files) {
        let _ = writeln!(
            out,
            "<li>{} <span class=\"bytes\">{}</span></li>",
            name(&path(&file.path)),
            escape(&sizes(file))
        );
    }
    out.push_str("</ul>\n");
    if same.len() > bounds.files {
        let _ = writeln!(
            out,
            "<p class=\"small\">{} more are not listed.</p>",
            units::digits(same.len() - bounds.files)
        );
    }
    out.push_str("</details>\n");
}

/// How to read the page, and what is not in it.
fn about(out: &mut String, page: &Page, left_out: usize, bounds: &Bounds) {
    let recordings = page.files.iter().filter(|file| file.recording.is_some()).count();
    let clips =
        page.files.iter().filter_map(|file| file.recording.as_ref()).flat_map(|recording| &recording.marks);
    let (clips, bytes) = clips
        .flat_map(|mark| mark.clips.iter().flatten())
        .fold((0_usize, 0_usize), |(number, bytes), clip| (number + 1, bytes + clip.wav.len()));
    out.push_str("<h2>About this page</h2>\n<ul class=\"plain about\">\n");
    if recordings > 0 {
        out.push_str(
            "<li>Shaded is what changed; the numbers are those of the list below each waveform. What is not shaded is the same, \
             sample by sample, unless all of it was processed.</li>\n\
             <li>“Difference” is the null test: the first version subtracted from the second, where they belong together. \
             Where nothing is left, nothing can be heard to differ.</li>\n\
             <li>Loudness is integrated loudness by EBU R 128, in LUFS; peaks are those of the samples.</li>\n",
        );
    }
    if clips > 0 {
        let _ = writeln!(
            out,
            "<li>{} with 16 bits can be played, {} altogether. A page holds at most {}, each of at most {} seconds, and {} \
             of them; whole recordings are in the stash.</li>",
            units::count(clips as u64, "clip", "clips"),
            units::size(super::article::float(bytes as u64)),
            units::count(bounds.clips as u64, "clip", "clips"),
            bounds.clip_seconds,
            units::size(super::article::float(bounds.clip_bytes as u64)),
        );
    }
    if left_out > 0 {
        let _ = writeln!(
            out,
            "<li>{} only named: the page would be too large.</li>",
            if left_out == 1 {
                "1 file is".to_owned()
            } else {
                format!("{} files are", units::digits(left_out))
            }
        );
    }
    if page.more_files > 0 {
        let _ = writeln!(
            out,
            "<li>{} left out: a page names at most {}.</li>",
            if page.more_files == 1 {
                "1 file is".to_owned()
            } else {
                format!("{} files are", units::digits(page.more_files))
            },
            units::digits(bounds.files)
        );
    }
    out.push_str("</ul>\n");
}
