//! What shells are told, and what real shells make of it. Names of tracks come from anybody; none of them may be run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Instant, SystemTime};

use crate::sandbox::Sandbox;

/// What a track may be called. `touch canary` leaves a trace if it is run.
const HOSTILE: [&str; 12] = [
    "$(touch canary)",
    "`touch canary`",
    "a; touch canary",
    "it's \"quoted\"",
    "spaces  and\ttab",
    "new\nline",
    "back\\slash",
    "star*?[a]{b,c}",
    "~root",
    "#!bang & | < >",
    "équalisé",
    "colon:equals=at@",
];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::recorded();
    for name in HOSTILE {
        sandbox.write(&format!("tracks/{name}/a b.wav"), b"x");
    }
    assert!(sandbox.run(&["stash", "push", "--keep", "-m", "WIP chorus"]).status.success());
    assert!(
        sandbox.run(&["stash", "push", "--keep", "-m", "bass $(touch canary)\u{1b}[31m"]).status.success()
    );
    sandbox
}

fn ask(sandbox: &Sandbox, words: &[&str]) -> Output {
    sandbox.stem().arg("__complete").args(words).output().unwrap()
}

/// What zsh is told: values with what is shown.
fn offered(sandbox: &Sandbox, words: &[&str]) -> Vec<(String, String)> {
    let output = ask(sandbox, &[&["zsh"], words].concat());
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let parts: Vec<&str> = text.split('\0').collect();
    assert_eq!(parts[0], "offer", "{text}");
    parts[1..].chunks_exact(3).map(|row| (row[0].to_owned(), row[1].to_owned())).collect()
}

fn values(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    offered(sandbox, words).into_iter().map(|(value, _)| value).collect()
}

#[test]
fn references_come_with_messages_and_names_from_the_tree() {
    let sandbox = sandbox();
    let rows = offered(&sandbox, &["stash", "pop", ""]);
    assert_eq!(rows[1], ("1".to_owned(), "1  WIP chorus, just now".to_owned()));
    assert!(!rows[0].1.contains('\u{1b}'), "a message cannot steer the terminal");
    assert_eq!(values(&sandbox, &["stash", "drop", "stash@"]), ["stash@{0}", "stash@{1}"]);
    assert_eq!(values(&sandbox, &["stash", "show", "stash-2"]).len(), 2);
    assert_eq!(values(&sandbox, &["stash", "push", "--track", "dr"]), ["drums"]);
    assert_eq!(values(&sandbox, &["stash", "push", "--track=dr"]), ["--track=drums"]);
    assert_eq!(values(&sandbox, &["stash", "--track", "b"]), ["back\\slash", "bass"]);
    assert_eq!(values(&sandbox, &["stash", "push", "tracks/dr"]), ["tracks/drums/"]);
    assert_eq!(values(&sandbox, &["stash", "push", "--", "mi"]), ["midi/", "mix.wav"]);
    assert_eq!(values(&sandbox, &["stash", "apply", "0", "tracks/drums/"]), ["tracks/drums/kick.wav"]);
    assert_eq!(values(&sandbox, &["stash", "apply", "stash@{1}", "mi"]), ["midi/", "mix.wav"]);
    assert_eq!(values(&sandbox, &["stash", "apply", "7", ""]), [""; 0]);
    assert_eq!(values(&sandbox, &["stash", "push", "../"]), [""; 0], "nothing outside is looked at");
    assert!(values(&sandbox, &["verify", "--store", ""]).contains(&"pack:".to_owned()));
    // Remotes by their names; nobody is asked, least of all one that never answers.
    let nobody = "s3://bucket/x?endpoint=http://192.0.2.1:9&anonymous=true";
    std::fs::write(
        sandbox.root().join(".muse/stem/config.toml"),
        format!("[remotes]\nstudio = \"{nobody}\"\n"),
    )
    .unwrap();
    assert_eq!(values(&sandbox, &["stash", "list", "--remote", ""]), ["studio"]);
    assert_eq!(values(&sandbox, &["stash", "push", "--to=s"]), ["--to=studio"]);
    assert_eq!(values(&sandbox, &["stash", "fetch", ""]), ["studio@{0}"]);
    assert_eq!(values(&sandbox, &["stash", "fetch", "--from", "st"]), ["studio"]);
    assert_eq!(values(&sandbox, &["stash", "drop", "--remote", "studio", ""]), [""; 0]);
    // From elsewhere, as `-C` says.
    let root = sandbox.root();
    let elsewhere = sandbox
        .stem()
        .current_dir("/")
        .args(["__complete", "zsh", "-C"])
        .arg(&root)
        .args(["stash", "push", "--track", "dr"])
        .output()
        .unwrap();
    assert!(String::from_utf8(elsewhere.stdout).unwrap().contains("drums"));
}

/// Every file and directory with its time of change.
fn state(dir: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    let mut left = vec![dir.to_path_buf()];
    while let Some(dir) = left.pop() {
        found.insert(dir.clone(), dir.metadata().unwrap().modified().unwrap());
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                found.insert(path.clone(), path.metadata().unwrap().modified().unwrap());
            }
        }
    }
    found
}

#[test]
fn asking_writes_nothing_waits_for_nobody_and_never_complains() {
    let sandbox = sandbox();
    let stack: Vec<_> =
        std::fs::read_dir(sandbox.root().join(".muse/stash")).unwrap().map(|e| e.unwrap().path()).collect();
    std::fs::write(&stack[0], b"{").unwrap();
    let before = state(&sandbox.root());
    // Whoever holds every lock keeps nobody from completing.
    let locks: Vec<_> = ["worktree.lock", "store.lock", "stack.lock"]
        .into_iter()
        .filter_map(|name| std::fs::File::open(sandbox.root().join(".muse/stem").join(name)).ok())
        .inspect(|file| file.lock().unwrap())
        .collect();
    assert!(!locks.is_empty());
    for words in [
        &["zsh", "stash", "pop", ""][..],
        &["fish", "stash", "push", "--track", ""],
        &["bash", "9", "stem stash apply 0 ", ""],
        &["powershell", "3", "stash", "apply", "0"],
        &["zsh", "-C", "/nowhere", "stash", "pop", ""],
        &["zsh", "stash", "apply", "x", "y", ""],
        &["zsh"],
        &["bash", "9"],
        &["tcsh", "x"],
        &[],
    ] {
        let output = ask(&sandbox, words);
        assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
    }
    let outside =
        sandbox.stem().current_dir("/").args(["__complete", "zsh", "stash", "pop", ""]).output().unwrap();
    assert!(outside.status.success() && outside.stderr.is_empty());
    assert_eq!(state(&sandbox.root()), before);
}

/// A directory in front of `PATH` in which the program is called `stem`.
#[cfg(unix)]
fn path_with_stem(sandbox: &Sandbox) -> std::ffi::OsString {
    let bin = sandbox.root().join("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_stem"), bin.join("stem")).unwrap();
    }
    let mut path = bin.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

/// Runs a script in a shell, or says that there is none.
#[cfg(unix)]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn shell(sandbox: &Sandbox, program: &str, args: &[&str], script: &str) -> Option<String> {
    let file = sandbox.root().join("script");
    std::fs::write(&file, script).unwrap();
    let ran = Command::new(program)
        .args(args)
        .arg(&file)
        .current_dir(sandbox.root())
        .env("PATH", path_with_stem(sandbox))
        .env("HOME", sandbox.root())
        .env_remove("MUSE_REPO_ROOT")
        .output();
    let Ok(output) = ran else {
        println!("skipped: there is no {program}");
        return None;
    };
    assert!(
        !sandbox.root().join("canary").exists() && !sandbox.tree().join("canary").exists(),
        "{program} ran a name"
    );
    assert!(output.stderr.is_empty(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[cfg(unix)]
#[test]
fn bash_takes_every_name_as_the_name_that_it_is() {
    let sandbox = sandbox();
    let script = r#"
source <(stem completions bash)
complete -p stem >/dev/null || exit 1
ask() { COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=$2; _stem stem "$3" ''; }
for quote in '' '"' "'"; do
    ask "stem stash push --track $quote" 9 ''
    for typed in "${COMPREPLY[@]}"; do
        eval "name=$quote$typed$quote"
        printf '%s\0' "$name"
    done
    printf '\0'
done
ask 'stem stash pop ' 63 ''
printf '%s\0' "${COMPREPLY[@]}"
"#;
    let Some(out) = shell(&sandbox, "bash", &["--norc"], script) else { return };
    let mut rounds = out.split("\0\0");
    let expected: BTreeSet<&str> = HOSTILE.into_iter().chain(["bass", "drums"]).collect();
    for quote in ["none", "double", "single"] {
        let names: BTreeSet<&str> = rounds.next().unwrap().trim_start_matches('\0').split('\0').collect();
        assert_eq!(names, expected, "{quote}");
    }
    assert!(rounds.next().unwrap().contains("1  WIP chorus, just now"), "{out}");
}

#[cfg(unix)]
#[test]
fn fish_takes_every_name_as_the_name_that_it_is() {
    let sandbox = sandbox();
    let script = "stem completions fish | source\ncomplete -C 'stem stash push --track '\ncomplete -C 'stem stash pop '\n";
    let Some(out) = shell(&sandbox, "fish", &["--no-config"], script) else { return };
    for name in HOSTILE.iter().filter(|name| !name.contains(['\t', '\n'])) {
        assert!(out.lines().any(|line| line == *name), "{name}: {out}");
    }
    assert!(out.contains("\n1\tWIP chorus, just now"), "{out}");
}

/// Types into an interactive zsh, and looks at what it then calls `stem` with.
#[cfg(unix)]
#[test]
fn zsh_takes_every_name_as_the_name_that_it_is() {
    let sandbox = sandbox();
    let script = r#"
zmodload zsh/zpty || exit 0
zpty z 'TERM=dumb zsh -f -i'
zpty -w z 'autoload -U compinit; compinit -D -u; source <(stem completions zsh); stem() { printf "%s\0" "$@" > got; mv got called }; : > ready'
for n in {1..200}; do [[ -e ready ]] && break; sleep 0.1; done
sleep 0.3
for begun in '\$' '\`' 'a' 'it' 'spaces' 'new' 'back' 'star' '\~' '\#' 'colon' '"it' "'new"; do
    rm -f called
    zpty -w z "stem stash push --track $begun"$'\t'
    for n in {1..50}; do [[ -e called ]] && break; sleep 0.1; done
    [[ -e called ]] && cat called
    printf '\0'
done
zpty -d z
"#;
    let Some(out) = shell(&sandbox, "zsh", &["-f"], script) else { return };
    let called: BTreeSet<Vec<&str>> =
        out.split("\0\0").map(|call| call.trim_start_matches('\0').split('\0').collect()).collect();
    for name in HOSTILE {
        if name == "équalisé" {
            // Half a letter on the line is no name.
            continue;
        }
        let call = vec!["stash", "push", "--track", name];
        assert!(called.contains(&call), "{name}: {called:?}");
    }
}

#[test]
fn a_large_entry_is_offered_while_one_types() {
    let sandbox = Sandbox::recorded();
    let text: Vec<String> =
        (0..20_000).map(|n| format!("\"takes/{}/{n}.wav\": \"{:064x}\"", n % 50, n)).collect();
    let entry = format!(
        "{{\"stash_id\": \"{0}\", \"branch\": \"main\", \"message\": \"large\", \"created_at\": \"2026-11-22T10:00:00.000000+00:00\", \"track\": null, \"section\": null, \"manifest\": {{{1}}}}}",
        "stash-2026-11-22T100000000000Z0000-00000000",
        text.join(", ")
    );
    std::fs::write(
        sandbox.root().join(".muse/stash/stash-2026-11-22T100000000000Z0000-00000000.json"),
        entry,
    )
    .unwrap();
    let begun = Instant::now();
    let rows = values(&sandbox, &["stash", "apply", "0", "takes/"]);
    println!("{} directories of an entry with 20,000 files after {:?}", rows.len(), begun.elapsed());
    assert_eq!(rows.len(), 50);
    assert_eq!(rows[0], "takes/0/");
}
