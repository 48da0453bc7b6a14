//! Who takes part. A group is a chain of contenders that need each other's results, such as a push and its pop.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use stemvault::Vault;

use crate::child;
use crate::measure::unclocked;
use crate::round::{Kind, Stage, check_empty};
use crate::stem::Verb;

/// Contenders that run together.
#[derive(Debug)]
pub(crate) struct Group {
    /// For `--only` and `--skip`.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) what: &'static str,
    /// Its version, or `None` when it is not installed.
    pub(crate) version: fn() -> Option<String>,
    /// Runs it once.
    pub(crate) run: fn(&mut Stage<'_>) -> Result<()>,
}

/// All of them.
pub(crate) static ALL: [Group; 16] = [
    Group {
        name: "cp",
        what: "cp -r, what everything is related to",
        version: || tool("cp", "--version"),
        run: cp,
    },
    Group {
        name: "hash",
        what: "SHA-256 + XXH3 of all files, all cores, nothing else",
        version: || Some("own".into()),
        run: hash,
    },
    Group {
        name: "sha2",
        what: "the sha2 crate over reads of 1 MiB, 2 threads",
        version: || Some("own".into()),
        run: sha2,
    },
    Group {
        name: "hash-write",
        what: "2 threads read, hash (fused) and write",
        version: || Some("own".into()),
        run: hash_write,
    },
    Group {
        name: "walk",
        what: "a parallel lstat of every file; fd and find if installed",
        version: || Some("own".into()),
        run: walk,
    },
    Group {
        name: "stem",
        what: "push (files move into the store) and pop (verified)",
        version: || Some("own".into()),
        run: stem,
    },
    Group {
        name: "stem-keep",
        what: "push --keep: the files are copied",
        version: || Some("own".into()),
        run: stem_keep,
    },
    Group { name: "stem-fast", what: "pop --no-verify", version: || Some("own".into()), run: stem_fast },
    Group {
        name: "stem-same",
        what: "status, and push with no and one file changed",
        version: || Some("own".into()),
        run: stem_same,
    },
    Group {
        name: "stem-pack",
        what: "pack --all, pop out of the packs (verified), unpack",
        version: || Some("own".into()),
        run: stem_pack,
    },
    Group { name: "python", what: "the reference algorithm in Python", version: python, run: reference },
    Group {
        name: "cacache",
        what: "cacache 13, one verified put and get per file",
        version: || Some("cacache 13.1".into()),
        run: cacached,
    },
    Group {
        name: "git",
        what: "git stash -u and pop, bigFileThreshold 1m, compression 0",
        version: || tool("git", "--version"),
        run: git,
    },
    Group {
        name: "git-add",
        what: "git add of everything, and checkout out of the index",
        version: || tool("git", "--version"),
        run: git_add,
    },
    Group { name: "restic", what: "backup and restore", version: || tool("restic", "version"), run: restic },
    Group {
        name: "borg",
        what: "create (lz4, no encryption) and extract",
        version: || tool("borg", "--version"),
        run: borg,
    },
];

/// What a program says of itself, shortened; `None` when it cannot be started.
fn tool(name: &str, question: &str) -> Option<String> {
    let told = Command::new(name).arg(question).output().ok().filter(|told| told.status.success())?;
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let line = text.lines().next()?;
    Some(line.split(" compiled").next().unwrap_or(line).to_owned())
}

/// The interpreter itself: the name may be a shell script that looks for it on every start.
fn interpreter() -> Option<PathBuf> {
    let ask = ["-c", "import sys; print(sys.executable)"];
    let told = Command::new("python3").args(ask).output().ok().filter(|told| told.status.success())?;
    Some(PathBuf::from(String::from_utf8_lossy(&told.stdout).trim()))
}

fn python() -> Option<String> {
    interpreter()?;
    tool("python3", "--version")
}

fn cp(stage: &mut Stage<'_>) -> Result<()> {
    let (from, to) = (stage.files("work")?, stage.path("copy"));
    let mut command = Command::new("cp");
    command.arg("-r").args([&from, &to]);
    stage.clock("cp", Kind::Writes, &from, command)?;
    stage.corpus().check(&to)
}

fn hash(stage: &mut Stage<'_>) -> Result<()> {
    let from = stage.files("work")?;
    let command = own_loop("hash", &[&from, &stage.corpus().list])?;
    let told = stage.clock("hash", Kind::Reads, &from, command)?;
    stage.check_proof(&told)
}

fn sha2(stage: &mut Stage<'_>) -> Result<()> {
    let from = stage.files("work")?;
    let command = own_loop("sha2", &[&from, &stage.corpus().list])?;
    let told = stage.clock("sha2", Kind::Reads, &from, command)?;
    stage.check_proof(&told)
}

fn hash_write(stage: &mut Stage<'_>) -> Result<()> {
    let (from, to) = (stage.files("work")?, stage.path("copy"));
    let command = own_loop("hash-write", &[&from, &stage.corpus().list, &to])?;
    let told = stage.clock("hash-write", Kind::Writes, &from, command)?;
    stage.check_proof(&told)?;
    stage.corpus().check(&to)
}

fn walk(stage: &mut Stage<'_>) -> Result<()> {
    let from = stage.files("work")?;
    let command = own_loop("walk", &[&from])?;
    let told = stage.clock("walk", Kind::Reads, &from, command)?;
    let expected = format!("{} {}", stage.corpus().files.len(), stage.corpus().bytes);
    if told.trim() != expected {
        bail!("the walk saw {told} files and bytes, not {expected}");
    }
    // Both must look at every file to know that none is so large.
    let others: [(&str, &str, &[&str]); 3] = [
        ("find", "find", &["-type", "f", "-size", "+999999999k"]),
        ("fd", "fd", &["-u", "--size", "+1t", "."]),
        ("fd", "fdfind", &["-u", "--size", "+1t", "."]),
    ];
    for (name, program, words) in others {
        if tool(program, "--version").is_some() {
            let mut command = Command::new(program);
            if name == "find" {
                command.arg(&from).args(words);
            } else {
                command.args(words).arg(&from);
            }
            stage.clock(name, Kind::Reads, &from, command)?;
        }
    }
    Ok(())
}

fn stem(stage: &mut Stage<'_>) -> Result<()> {
    let root = stage.repository("repository")?;
    let work = root.join("muse-work");
    stage.clock("stem-push", Kind::Writes, &work, stage.stem(&root, Verb::Push)?)?;
    check_empty(&work)?;
    stage.clock("stem-pop", Kind::Writes, &root.join(".muse/objects"), stage.stem(&root, Verb::Pop)?)?;
    check_entries(&root, 0)?;
    stage.corpus().check(&work)
}

fn stem_keep(stage: &mut Stage<'_>) -> Result<()> {
    let root = stage.repository("repository")?;
    let work = root.join("muse-work");
    stage.clock("stem-push-keep", Kind::Writes, &work, stage.stem(&root, Verb::PushKeep)?)?;
    check_newest(stage, &root)?;
    stage.corpus().check(&work)?;
    // What was copied is what comes back.
    std::fs::remove_dir_all(&work)?;
    unclocked(stage.stem(&root, Verb::Pop)?)?;
    stage.corpus().check(&work)
}

fn stem_fast(stage: &mut Stage<'_>) -> Result<()> {
    let root = stage.repository("repository")?;
    let work = root.join("muse-work");
    unclocked(stage.stem(&root, Verb::Push)?)?;
    let objects = root.join(".muse/objects");
    stage.clock("stem-pop-no-verify", Kind::Writes, &objects, stage.stem(&root, Verb::PopNoVerify)?)?;
    check_entries(&root, 0)?;
    stage.corpus().check(&work)
}

fn stem_same(stage: &mut Stage<'_>) -> Result<()> {
    let root = stage.repository("repository")?;
    let work = root.join("muse-work");
    unclocked(stage.stem(&root, Verb::Snapshot)?)?;
    stage.clock("stem-status", Kind::Reads, &work, stage.stem(&root, Verb::Status)?)?;

    stage.clock("stem-push-same", Kind::Writes, &work, stage.stem(&root, Verb::Push)?)?;
    check_newest(stage, &root)?;
    Vault::open(&root)?.stash().drop_entry("0")?;

    let files = &stage.corpus().files;
    let changed = work.join(&files[files.len() / 2].path);
    std::fs::OpenOptions::new().append(true).open(&changed)?.write_all(b"one more thought\n")?;
    stage.clock("stem-push-one", Kind::Writes, &work, stage.stem(&root, Verb::Push)?)?;
    check_newest(stage, &root)?;
    // HEAD is back.
    stage.corpus().check(&work)
}

fn stem_pack(stage: &mut Stage<'_>) -> Result<()> {
    let root = stage.repository("repository")?;
    let work = root.join("muse-work");
    unclocked(stage.stem(&root, Verb::Push)?)?;
    stage.clock("stem-pack", Kind::Writes, &root.join(".muse/objects"), stage.stem(&root, Verb::Pack)?)?;
    let packs = root.join(".muse/stem/packs");
    stage.clock("stem-pop-packed", Kind::Writes, &packs, stage.stem(&root, Verb::Pop)?)?;
    check_entries(&root, 0)?;
    stage.corpus().check(&work)?;
    stage.clock("stem-unpack", Kind::Writes, &packs, stage.stem(&root, Verb::Unpack)?)?;
    // What was made loose is what a put of the same files finds there.
    unclocked(stage.stem(&root, Verb::Push)?)?;
    unclocked(stage.stem(&root, Verb::Pop)?)?;
    stage.corpus().check(&work)
}

/// The newest entry names every file of the corpus.
fn check_newest(stage: &Stage<'_>, root: &Path) -> Result<()> {
    check_entries(root, 1)?;
    let named = Vault::open(root)?.stash().show("0")?.files.len();
    if named != stage.corpus().files.len() {
        bail!("the entry names {named} files of {}", stage.corpus().files.len());
    }
    Ok(())
}

fn check_entries(root: &Path, expected: usize) -> Result<()> {
    let entries = Vault::open(root)?.stash().list()?.len();
    if entries != expected {
        bail!("there are {entries} entries, not {expected}");
    }
    Ok(())
}

fn reference(stage: &mut Stage<'_>) -> Result<()> {
    let root = stage.dir("repository")?;
    std::fs::create_dir_all(root.join(".muse"))?;
    std::fs::write(root.join(".muse/HEAD"), "refs/heads/main")?;
    let work = stage.files("repository/muse-work")?;
    let python = interpreter().context("python3 is gone")?;
    let verb = |word: &str| {
        let mut command = Command::new(&python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/reference.py")).arg(word).arg(&root);
        command
    };
    stage.clock("python-push", Kind::Writes, &work, verb("push"))?;
    check_empty(&work)?;
    stage.clock("python-pop", Kind::Writes, &root.join(".muse/objects"), verb("pop"))?;
    stage.corpus().check(&work)
}

fn cacached(stage: &mut Stage<'_>) -> Result<()> {
    let (from, cache, to) = (stage.files("work")?, stage.path("cache"), stage.path("copy"));
    let list = stage.corpus().list.clone();
    stage.clock("cacache-put", Kind::Writes, &from, own_loop("cacache-put", &[&from, &list, &cache])?)?;
    stage.clock("cacache-get", Kind::Writes, &cache, own_loop("cacache-get", &[&list, &cache, &to])?)?;
    stage.corpus().check(&to)
}

/// `git` in `work` with settings of its own; the user's stay out.
fn git_command(work: &Path, settings: &[&str], words: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(work);
    let always = ["gc.auto=0", "user.name=Bench", "user.email=bench@localhost", "init.defaultBranch=main"];
    for setting in always.iter().chain(settings) {
        command.args(["-c", setting]);
    }
    command.args(words);
    command
}

/// With git's own settings: it compresses.
fn git_add(stage: &mut Stage<'_>) -> Result<()> {
    let work = stage.files("work")?;
    let git = |words: &[&str]| git_command(&work, &[], words);
    unclocked(git(&["init", "--quiet"]))?;
    stage.clock("git-add", Kind::Writes, &work, git(&["add", "--all"]))?;
    for entry in std::fs::read_dir(&work)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name != ".git") {
            if path.is_dir() { std::fs::remove_dir_all(&path)? } else { std::fs::remove_file(&path)? }
        }
    }
    let checkout = git(&["checkout-index", "--all", "--quiet"]);
    stage.clock("git-checkout", Kind::Writes, &work.join(".git/objects"), checkout)?;
    std::fs::remove_dir_all(work.join(".git"))?;
    stage.corpus().check(&work)
}

fn git(stage: &mut Stage<'_>) -> Result<()> {
    let work = stage.files("work")?;
    let git = |words: &[&str]| {
        git_command(&work, &["core.bigFileThreshold=1m", "core.compression=0"], words)
    };
    unclocked(git(&["init", "--quiet"]))?;
    unclocked(git(&["commit", "--quiet", "--allow-empty", "--message=empty"]))?;
    let push = git(&["stash", "push", "--quiet", "--include-untracked"]);
    stage.clock("git-push", Kind::Writes, &work, push)?;
    check_empty(&work)?;
    stage.clock("git-pop", Kind::Writes, &work.join(".git/objects"), git(&["stash", "pop", "--quiet"]))?;
    stage.corpus().check(&work)
}

fn restic(stage: &mut Stage<'_>) -> Result<()> {
    let (work, store, to) = (stage.files("work")?, stage.path("store"), stage.path("copy"));
    let cache = stage.path("cache");
    let restic = |words: &[&str]| {
        let mut command = Command::new("restic");
        command
            .env("RESTIC_PASSWORD", "bench")
            .env("RESTIC_REPOSITORY", &store)
            .env("RESTIC_CACHE_DIR", &cache);
        command.arg("--quiet").args(words).current_dir(&work);
        command
    };
    unclocked(restic(&["init"]))?;
    stage.clock("restic-backup", Kind::Writes, &work, restic(&["backup", "."]))?;
    let mut back = restic(&["restore", "latest", "--target"]);
    back.arg(&to);
    stage.clock("restic-restore", Kind::Writes, &store, back)?;
    stage.corpus().check(&to)
}

fn borg(stage: &mut Stage<'_>) -> Result<()> {
    let (work, store, to) = (stage.files("work")?, stage.path("store"), stage.dir("copy")?);
    let base = stage.path("base");
    let borg = |dir: &Path, words: &[&str]| {
        let mut command = Command::new("borg");
        command.env("BORG_REPO", &store).env("BORG_BASE_DIR", &base);
        command.env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes");
        command.args(words).current_dir(dir);
        command
    };
    unclocked(borg(&work, &["init", "--encryption=none"]))?;
    stage.clock(
        "borg-create",
        Kind::Writes,
        &work,
        borg(&work, &["create", "--compression=lz4", "::one", "."]),
    )?;
    stage.clock("borg-extract", Kind::Writes, &store, borg(&to, &["extract", "::one"]))?;
    stage.corpus().check(&to)
}

fn own_loop(name: &str, paths: &[&Path]) -> Result<Command> {
    let mut command = child::command(name)?;
    command.args(paths);
    Ok(command)
}
