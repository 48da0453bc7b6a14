//! `docs/guide.md`, as somebody would follow it: every command of its console blocks is run, in order, and what it says is
//! compared with the page. `STEM_WRITE_GUIDE=1` writes what was said into the page instead.
//!
//! What differs from run to run (ids, times) counts as equal; the directory is written as `/music`.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use stem_corpus::tree::write_tree;
use stem_corpus::{FileSpec, Session};
use stemvault_tests::binary;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide.md");
/// What the page calls the directory of the test.
const MUSIC: &str = "/music";

/// The recordings of the week.
fn takes(dir: &Path) {
    let stems = Session::stems(7, 2 << 20);
    let later = stems.edited();
    let pick = |session: &Session, from: &str, to: &str| -> FileSpec {
        let found = session.files().iter().find(|file| file.path == from).unwrap();
        let mut file = found.clone();
        to.clone_into(&mut file.path);
        file
    };
    let monday = ["drums/kick", "drums/snare", "bass/di", "keys/piano", "vocals/lead"]
        .map(|name| format!("tracks/{name}.wav"))
        .map(|path| pick(&stems, &path, &format!("monday/{path}")));
    let rest = [
        pick(&stems, "tracks/drums/overheads.wav", "tuesday/kick.wav"),
        pick(&stems, "tracks/drums/room.wav", "tuesday/shaker.wav"),
        pick(&later, "tracks/bass/di.wav", "tuesday/bass.wav"),
        pick(&stems, "tracks/bass/amp.wav", "wednesday/kick.wav"),
    ];
    let files: Vec<FileSpec> = monday.into_iter().chain(rest).collect();
    write_tree(dir, &files, &mut |_| {}).unwrap();
}

/// Runs the commands of a page, with the directory that `cd` has led to.
struct Shell {
    root: PathBuf,
    here: PathBuf,
    path: std::ffi::OsString,
}

impl Shell {
    fn run(&mut self, command: &str) -> String {
        if let Some(dir) = command.strip_prefix("cd ") {
            self.here.push(dir);
            return String::new();
        }
        let mut shell = Command::new("sh");
        // What goes wrong is said where it happens, as on a terminal.
        shell
            .args(["-c", &format!("{command} 2>&1")])
            .current_dir(&self.here)
            .env("PATH", &self.path)
            .stdin(Stdio::null());
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "MUSE_REPO_ROOT", "DATABASE_URL", "TERM", "COLUMNS"] {
            shell.env_remove(name);
        }
        let output =
            shell.env("LC_ALL", "C").env("XDG_CACHE_HOME", self.root.join("cache")).output().unwrap();
        let root = self.root.display().to_string();
        let mut said = String::from_utf8(output.stdout).unwrap().replace(&root, MUSIC);
        if !said.is_empty() && !said.ends_with('\n') {
            said.push('\n');
        }
        said
    }
}

/// The page with what its commands say now.
fn followed(page: &str, shell: &mut Shell) -> String {
    let mut out = String::new();
    let mut within = false;
    for line in page.lines() {
        if within && line != "```" {
            if let Some(command) = line.strip_prefix("$ ") {
                writeln!(out, "{line}").unwrap();
                out += &shell.run(command);
            }
            continue;
        }
        within = line == "```console";
        writeln!(out, "{line}").unwrap();
    }
    out
}

/// A text without what differs from run to run.
fn settled(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut line = ages(line);
        for word in ["commit ", "(stash ", "stash-", "undo-", "files as 2"] {
            line = cut_after(&line, word, |c| c.is_ascii_alphanumeric() || c == '-');
        }
        line = points_in_time(&line);
        // How much a file counts for that is there already depends on whether the disk lets it be adopted.
        if let (Some(from), Some(to)) = (line.find(" MiB, "), line.find(" of it new")) {
            line.replace_range(from..to, " MiB, […]");
        }
        // The columns of a table follow the width of what is in them.
        writeln!(out, "{}", line.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap();
    }
    out
}

/// `just now`, `12 seconds ago`.
fn ages(line: &str) -> String {
    let mut line = line.replace("just now", "AGE");
    while let Some(end) = line.find(" ago") {
        // A number and its unit stand before it.
        let words: Vec<usize> =
            line[..end].rmatch_indices([' ', '(']).map(|(at, _)| at + 1).take(2).collect();
        let from = words.last().copied().unwrap_or(0);
        line.replace_range(from..end + " ago".len(), "AGE");
    }
    line
}

fn cut_after(line: &str, word: &str, part: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(word) {
        let (before, behind) = rest.split_at(at + word.len());
        let end = behind.find(|c| !part(c)).unwrap_or(behind.len());
        let id = behind[..end].chars().any(|c| c.is_ascii_digit());
        out += before;
        out += if id { "[ID]" } else { &behind[..end] };
        rest = &behind[end..];
    }
    out + rest
}

/// `2026-11-22 10:00 UTC`.
fn points_in_time(line: &str) -> String {
    let mut line = line.to_owned();
    while let Some(at) = line.find(" UTC") {
        let from = at.saturating_sub("2026-11-22 10:00".len());
        if !line.is_char_boundary(from) {
            break;
        }
        line.replace_range(from..at + " UTC".len(), "[TIME]");
    }
    line
}

#[test]
fn the_guide_says_what_happens() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    takes(&root.join("takes"));
    let bin = root.join("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(binary::stem(), bin.join("stem")).unwrap();
    let mut path = bin.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());

    let page = fs::read_to_string(PAGE).unwrap();
    let now = followed(&page, &mut Shell { here: root.clone(), root, path });
    if std::env::var_os("STEM_WRITE_GUIDE").is_some() {
        fs::write(PAGE, now).unwrap();
        return;
    }
    let (page, now) = (settled(&page), settled(&now));
    for (number, (page, now)) in page.lines().zip(now.lines()).enumerate() {
        assert_eq!(page, now, "line {} of the page, or before it", number + 1);
    }
    assert_eq!(page.lines().count(), now.lines().count());
    assert!(page.matches("\n$ ").count() > 40, "the page has its commands");
}

#[test]
fn what_differs_from_run_to_run_counts_as_equal_and_nothing_else_does() {
    let once = "stash@{0}  just now  2 files  (2026-11-22 10:00 UTC) commit 0123abc on stash-2026-11-22T1Z-ab (3 hours ago)";
    let twice =
        "stash@{0}  2 seconds ago 2 files  (2027-01-01 11:11 UTC) commit fedc1 on stash-2027Z-00 (1 day ago)";
    assert_eq!(settled(once), settled(twice));
    assert_ne!(settled("2 files (1.0 MiB)"), settled("3 files (1.0 MiB)"));
    assert_ne!(settled("  modified  a.wav"), settled("  added  a.wav"));
}
