//! A small seeded repository, and transcripts of what the binary says in it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// What stands in place of whatever differs from run to run.
const REDACTED: [(&str, &str); 11] = [
    (r"undo-\d{4}-\d{2}-\d{2}T\d{12}Z0000-[0-9a-f]{8}", "[UNDO_ID]"),
    (r"stash-\d{4}-\d{2}-\d{2}T\d{12}Z0000-[0-9a-f]{8}", "[STASH_ID]"),
    (r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}\+00:00", "[CREATED_AT]"),
    (r"\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC", "[MINUTE]"),
    (r"just now|\d+ (second|minute)s? ago", "[AGE]"),
    (r"commit (\x1b\[\d+m)?[0-9a-f]{12}", "commit $1[COMMIT]"),
    (r#""(commit|commit_id)": "[0-9a-f]{64}""#, r#""$1": "[COMMIT]""#),
    (r"/[^ '\x22]*/session\b", "[ROOT]"),
    // How much a file that is there already counts for depends on whether the disk lets it be adopted.
    (r#""bytes_written": \d+"#, r#""bytes_written": [WRITTEN]"#),
    (r"[0-9.]+ \w+ (of it new|new in the store)", "[WRITTEN] $1"),
    (r"[ \t]+\n", "\n"),
];

/// A directory with a repository in it, gone when dropped.
pub(crate) struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    /// An empty directory.
    pub(crate) fn bare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("session")).unwrap();
        Self { dir }
    }

    /// A repository with a snapshot of four files as HEAD.
    pub(crate) fn recorded() -> Self {
        let sandbox = Self::bare();
        sandbox.run(&["init"]);
        sandbox.write("mix.wav", &[1; 3000]);
        sandbox.write("tracks/drums/kick.wav", b"kick one");
        sandbox.write("tracks/bass/di.wav", b"bass one");
        sandbox.write("midi/notes.mid", b"notes");
        assert!(sandbox.run(&["snapshot", "-m", "yesterday"]).status.success());
        sandbox
    }

    /// The same after a day: one file changed, one deleted, one new.
    pub(crate) fn edited() -> Self {
        let sandbox = Self::recorded();
        sandbox.write("tracks/drums/kick.wav", b"kick two, louder");
        sandbox.write("sections/chorus/idea.mid", b"idea");
        std::fs::remove_file(sandbox.tree().join("midi/notes.mid")).unwrap();
        sandbox
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("session")
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.root().join("muse-work")
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.tree().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // A new file each time, as programs save: the old inode may be an object by now.
        let _ = std::fs::remove_file(&path);
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        std::fs::read(self.tree().join(path)).ok()
    }

    /// `stem` with nothing of the environment that changes what it says.
    pub(crate) fn stem(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stem"));
        command.current_dir(self.root()).stdin(Stdio::null());
        for name in [
            "NO_COLOR",
            "CLICOLOR",
            "CLICOLOR_FORCE",
            "MUSE_REPO_ROOT",
            "DATABASE_URL",
            "TERM",
            "COLUMNS",
            "LC_ALL",
            "LC_CTYPE",
            "LANG",
        ] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.stem().args(args).output().unwrap()
    }

    /// Runs the commands one after the other and writes down what they say.
    pub(crate) fn transcript(&self, commands: &[&[&str]]) -> String {
        let mut out = String::new();
        for args in commands {
            record(&mut out, args, &self.run(args));
        }
        out
    }
}

/// One command of a transcript.
pub(crate) fn record(out: &mut String, args: &[&str], output: &Output) {
    let words: Vec<String> = args
        .iter()
        .map(|word| if word.contains(' ') { format!("{word:?}") } else { (*word).to_owned() })
        .collect();
    writeln!(out, "$ stem {}", words.join(" ")).unwrap();
    out.push_str(&String::from_utf8_lossy(&output.stdout));
    let errors = String::from_utf8_lossy(&output.stderr);
    for line in errors.lines() {
        writeln!(out, "! {line}").unwrap();
    }
    match output.status.code() {
        Some(0) => {}
        code => writeln!(out, "exit {code:?}").unwrap(),
    }
    out.push('\n');
}

/// Compares with the committed transcript of that name.
pub(crate) fn check(name: &str, transcript: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots"));
    for (pattern, stand_in) in REDACTED {
        settings.add_filter(pattern, stand_in);
    }
    settings.bind(|| insta::assert_snapshot!(name, transcript));
}

/// The one document on standard output.
pub(crate) fn document(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)))
}
