//! `stem bench` through the program: what it leaves behind when it ends, is stopped, is killed or finds no room; and that the
//! files which it compares are only read.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use stem_corpus::{Session, tree as corpus};
use stem_testkit::mount::{Mount, alone, skip};
use stemvault_tests::{binary, tree};
use tempfile::TempDir;

struct Ground {
    _root: TempDir,
    files: PathBuf,
    scratch: PathBuf,
    save: PathBuf,
    home: PathBuf,
}

impl Ground {
    fn new(bytes: u64) -> Self {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        corpus::write_tree(&at("files"), Session::demo(9, bytes).files(), &mut |_| {}).unwrap();
        fs::create_dir(at("scratch")).unwrap();
        fs::create_dir(at("home")).unwrap();
        Self {
            files: at("files"),
            scratch: at("scratch"),
            save: at("found.json"),
            home: at("home"),
            _root: root,
        }
    }

    fn bench(&self, words: &[&str]) -> Command {
        let mut stem = Command::new(binary::stem());
        stem.arg("bench").arg(&self.files).arg("--scratch").arg(&self.scratch).args(words);
        stem.env("HOME", &self.home).env_remove("XDG_STATE_HOME");
        stem.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        stem
    }

    fn left(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.scratch).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn partial(&self) -> PathBuf {
        self.save.with_file_name("found.json.partial")
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(output)))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits until something is so; a minute is more than it ever takes.
fn until(what: &str, child: &mut Child, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before {what}");
        assert!(begun.elapsed() < Duration::from_mins(1), "{what} never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
}

/// What tells whether somebody wrote below a directory: also the times of directories.
fn untouched(dir: &Path) -> Vec<(PathBuf, i64, i64, i64, i64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        found.push((entry.path(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()));
        if meta.is_dir() {
            found.extend(untouched(&entry.path()));
        }
    }
    found.sort();
    found
}

#[test]
fn figures_are_printed_and_saved_and_the_files_are_only_read() {
    let ground = Ground::new(3 << 20);
    tree::write(&ground.files, "broken.wav", "RIFF");
    fs::create_dir(ground.files.join("hollow")).unwrap();
    std::os::unix::fs::symlink("nowhere", ground.files.join("dangling")).unwrap();
    let fifo = Command::new("mkfifo").arg(ground.files.join("fifo")).status().unwrap();
    assert!(fifo.success());
    let (before, times) = (tree::everything(&ground.files), untouched(&ground.files));
    let save = ground.save.to_string_lossy().into_owned();
    let html = ground.save.with_extension("html");
    let words =
        ["--strategies", "sharded,sharded-adopt,pack-audio,memory", "--rounds", "2", "--json", "--all"];
    let output = ground.bench(&words).args(["--save", &save, "--html"]).arg(&html).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(untouched(&ground.files), times);
    assert_eq!(tree::everything(&ground.files), before);
    assert!(ground.left().is_empty() && !ground.partial().exists());
    assert!(fs::read_to_string(&html).unwrap().contains("pack-audio"));

    let found = json(&output);
    let saved: Value = serde_json::from_slice(&fs::read(&ground.save).unwrap()).unwrap();
    assert_eq!(found, saved);
    assert_eq!(found["interrupted"], false);
    let raw: u64 = before
        .values()
        .map(|node| if let tree::Node::File { bytes, .. } = node { bytes.len() as u64 } else { 0 })
        .sum();
    for strategy in found["strategies"].as_array().unwrap() {
        assert_eq!(strategy["rounds"].as_array().unwrap().len(), 2);
        assert_eq!(strategy["stored"]["raw"], raw);
        for round in strategy["rounds"].as_array().unwrap() {
            assert!(round["put"]["seconds"].as_f64().unwrap() > 0.0);
            assert!(round["put"]["cpu_seconds"].as_f64().unwrap() > 0.0);
            // A process of its own: what it holds is what the operation needs. Shorter ones may end between two looks.
            let memory = round["put"]["peak_memory"].as_u64().unwrap();
            assert!(strategy["name"] != "pack-audio" || memory > 1 << 20, "{}", round["put"]);
        }
    }
    // `sharded` keeps every distinct content as it is: what du says of the files, twins apart.
    assert_eq!(found["strategies"][0]["stored"]["bytes"], found["strategies"][0]["stored"]["unique"]);
    let kinds: Vec<&str> =
        found["notes"].as_array().unwrap().iter().map(|note| note["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"link") && kinds.contains(&"empty"), "{kinds:?}");
}

#[test]
fn mistakes_are_told_before_anything_is_done() {
    let ground = Ground::new(1 << 20);
    for (words, word) in [
        (&["--strategies", "pack-adio"][..], "did you mean 'pack-audio'?"),
        (&["--save", "/absent/x.json"], "a directory that exists"),
        (&["--resume"], "nothing to go on with"),
        (&["--rounds", "0"], "0"),
        (&["--sample", "much"], "is not a size"),
        (&["--store", "ftp:x"], "is no kind of store"),
        (&["--against", "/absent"], "is no directory"),
    ] {
        let output = ground.bench(words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", said(&output));
        assert!(said(&output).contains(word), "{words:?}: {}", said(&output));
        assert!(ground.left().is_empty(), "{words:?}");
    }
    let within = ground.files.join("found.json");
    let output = ground.bench(&["--save"]).arg(&within).output().unwrap();
    assert!(said(&output).contains("never written to") && !within.exists(), "{}", said(&output));
    let output = Command::new(binary::stem()).args(["bench", "--list-strategies"]).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    assert!(listed.contains("sharded-adopt") && listed.contains("pack-zstd-19"), "{listed}");
}

#[test]
fn an_interrupt_cleans_up_and_resume_goes_on() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let ground = Ground::new(6 << 20);
        let save = ground.save.to_string_lossy().into_owned();
        let words = ["--strategies", "sharded,pack-raw,pack-audio", "--rounds", "40", "--save", &save];
        let mut child = ground.bench(&words).spawn().unwrap();
        until("a finished round", &mut child, || ground.partial().exists());
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains("--resume"), "{}", said(&output));
        assert!(ground.left().is_empty());
        let saved: Value = serde_json::from_slice(&fs::read(&ground.save).unwrap()).unwrap();
        assert_eq!(saved["interrupted"], true);
        let first = saved["strategies"][0]["rounds"][0].clone();
        assert!(first.is_object());

        // With another number of rounds it is another comparison.
        let words =
            ["--strategies", "sharded,pack-raw,pack-audio", "--rounds", "2", "--save", &save, "--resume"];
        let output = ground.bench(&words).output().unwrap();
        assert!(said(&output).contains("rounds"), "{}", said(&output));
        fs::remove_file(ground.partial()).unwrap();
    }
    let ground = Ground::new(6 << 20);
    let save = ground.save.to_string_lossy().into_owned();
    let words = ["--strategies", "sharded,pack-raw,pack-audio", "--rounds", "3", "--save", &save, "--json"];
    let mut child = ground.bench(&words).spawn().unwrap();
    until("a finished round", &mut child, || ground.partial().exists());
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    if output.status.code() == Some(0) {
        return skip(
            "an_interrupt_cleans_up_and_resume_goes_on",
            "the comparison ended before the signal came",
        );
    }
    assert_eq!(json(&output)["error"]["kind"], "interrupted");
    let stopped: Value = serde_json::from_slice(&fs::read(&ground.save).unwrap()).unwrap();
    let output = ground.bench(&words).arg("--resume").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let whole = json(&output);
    assert_eq!(whole["interrupted"], false);
    assert_eq!(whole["started"], stopped["started"]);
    assert_eq!(whole["strategies"][0]["rounds"][0], stopped["strategies"][0]["rounds"][0]);
    for strategy in whole["strategies"].as_array().unwrap() {
        assert_eq!(strategy["rounds"].as_array().unwrap().len(), 3);
    }
    assert!(!ground.partial().exists() && ground.left().is_empty());
}

#[test]
fn what_a_killed_run_leaves_goes_with_the_next() {
    let ground = Ground::new(6 << 20);
    let words = ["--strategies", "sharded,pack-audio", "--rounds", "40"];
    let mut child = ground.bench(&words).spawn().unwrap();
    until("a store", &mut child, || ground.left().iter().any(|dir| dir.join("place/store").exists()));
    // A run that is alive is left alone.
    let beside = ground.bench(&["--strategies", "sharded", "--rounds", "1"]).output().unwrap();
    assert_eq!(beside.status.code(), Some(0), "{}", said(&beside));
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ground.left().len(), 1);
    // The process that measured ends with the one that started it.
    let directory = ground.left()[0].clone();
    let begun = Instant::now();
    while works_in(&directory) {
        assert!(begun.elapsed() < Duration::from_mins(1), "somebody still works in {}", directory.display());
        std::thread::sleep(Duration::from_millis(20));
    }
    let next = ground.bench(&["--strategies", "sharded", "--rounds", "1"]).output().unwrap();
    assert_eq!(next.status.code(), Some(0), "{}", said(&next));
    assert!(ground.left().is_empty(), "{:?}", ground.left());
}

/// Whether some process has this as its current directory.
fn works_in(directory: &Path) -> bool {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .any(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == directory))
}

#[test]
fn a_full_scratch_disk_is_told_and_cleaned_up() {
    let _alone = alone();
    let mut ground = Ground::new(6 << 20);
    let home = tempfile::tempdir().unwrap();
    let mount = match Mount::tmpfs(&home.path().join("mount"), "380m") {
        Ok(mount) => mount,
        Err(reason) => return skip("a_full_scratch_disk_is_told_and_cleaned_up", &reason),
    };
    ground.scratch = mount.path().join("scratch");
    fs::create_dir(&ground.scratch).unwrap();
    let filler = mount.path().join("filler");
    let fill = |leave: u64| {
        let mut file = File::create(&filler).unwrap();
        let piece = vec![0_u8; 64 << 10];
        while stemvault::available_space(mount.path()).unwrap() > leave && file.write_all(&piece).is_ok() {}
    };
    fill(20 << 20);
    let output = ground.bench(&["--strategies", "sharded"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("needs about") && said(&output).contains("--sample"), "{}", said(&output));
    assert!(ground.left().is_empty());
    fs::remove_file(&filler).unwrap();

    // Enough room at first, and then somebody else takes it.
    let words = ["--strategies", "sharded,pack-raw", "--rounds", "40", "--json"];
    let mut child = ground.bench(&words).spawn().unwrap();
    until("the copies", &mut child, || !ground.left().is_empty());
    fill(0);
    let output = child.wait_with_output().unwrap();
    let told = json(&output);
    assert_eq!(told["error"]["kind"], "no_space", "{told}");
    assert!(told["error"]["message"].as_str().unwrap().contains("ran full"), "{told}");
    assert_ne!(output.status.code(), Some(0));
    assert!(ground.left().is_empty());
}

#[test]
fn a_forecast_reads_a_part_and_stores_nothing() {
    let ground = Ground::new(12 << 20);
    let words = ["--predict", "--sample", "6M", "--strategies", "sharded,pack-audio", "--json"];
    let output = ground.bench(&words).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let found = json(&output);
    let forecast = &found["forecast"];
    assert!(forecast["read"]["bytes"].as_u64().unwrap() <= 7 << 20, "{forecast}");
    let whole = forecast["whole"]["bytes"].as_u64().unwrap();
    assert_eq!(forecast["strategies"]["sharded"]["bytes"].as_u64().unwrap(), whole);
    assert!(forecast["strategies"]["pack-audio"]["bytes"].as_u64().unwrap() < whole * 7 / 10);
    assert!(ground.left().is_empty());
}
