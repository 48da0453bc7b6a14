//! What programs rely on: exit codes, streams, colours, signals, and names that are not UTF-8.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use crate::sandbox::{Sandbox, document};

/// `kick one` and `kick two, louder` of the seeded repository.
const KICK_ONE: &[u8] = b"kick one";
const KICK_TWO: &[u8] = b"kick two, louder";

#[test]
fn exit_codes_are_the_contract() {
    let sandbox = Sandbox::bare();
    let code = |args: &[&str]| sandbox.run(args).status.code();
    assert_eq!(code(&["stash", "list"]), Some(2), "no repository");
    assert_eq!(code(&["init"]), Some(0));
    assert_eq!(code(&["init"]), Some(1), "one is there already");
    assert_eq!(code(&["frobnicate"]), Some(1), "usage");
    assert_eq!(code(&["stash", "pop", "x", "y"]), Some(1), "usage");
    assert_eq!(code(&["stash", "pop"]), Some(1), "nothing to pop");
    assert_eq!(code(&["object", "has", &"0".repeat(64)]), Some(1), "absent");
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["--version"]), Some(0));
    assert_eq!(code(&["man", "--dir", "/dev/null/x"]), Some(3), "the system refuses");
}

#[test]
fn with_json_standard_output_is_one_document_whatever_happens() {
    let sandbox = Sandbox::edited();
    for args in [
        &["--json"][..],
        &["--json", "frobnicate"],
        &["stash", "lsit", "--json"],
        &["--help", "--json"],
        &["stash", "--json", "--help"],
        &["--version", "--json"],
        &["--json", "stash", "pop"],
        &["--json", "-q", "status"],
        &["--json", "completions", "zsh"],
        &["--json", "man"],
        &["--json", "object", "list"],
        &["--json", "-C", "/nowhere", "status"],
    ] {
        let output = sandbox.run(args);
        assert!(document(&output).is_object(), "{args:?}");
        if output.status.code() != Some(0) {
            let document = document(&output);
            let error = document["error"].as_object().unwrap_or_else(|| panic!("{args:?}"));
            assert!(error["kind"].is_string() && error["message"].is_string(), "{args:?}");
            assert_eq!(error.keys().map(String::as_str).collect::<Vec<_>>().len(), 3, "{args:?}");
        }
    }
}

#[test]
fn quiet_says_nothing_but_errors() {
    let sandbox = Sandbox::edited();
    for args in [&["-q", "status"][..], &["stash", "-q"], &["stash", "list", "-q"], &["stash", "pop", "-q"]] {
        let output = sandbox.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{args:?}");
    }
    let output = sandbox.run(&["stash", "pop", "-q"]);
    assert!(output.stdout.is_empty() && output.stderr.starts_with(b"error: stash@{0} does not exist"));
}

#[test]
fn colours_only_where_they_are_wanted() {
    let sandbox = Sandbox::edited();
    let colored = |args: &[&str], variables: &[(&str, &str)]| {
        let output = sandbox.stem().args(args).envs(variables.iter().copied()).output().unwrap();
        (output.stdout.contains(&0x1b), output.stderr.contains(&0x1b))
    };
    assert_eq!(colored(&["status"], &[]), (false, false), "not a terminal");
    assert_eq!(colored(&["status", "--color", "always"], &[]), (true, false));
    assert_eq!(colored(&["status"], &[("CLICOLOR_FORCE", "1")]), (true, false));
    assert_eq!(colored(&["status", "--color=never"], &[("CLICOLOR_FORCE", "1")]), (false, false));
    assert_eq!(colored(&["status"], &[("NO_COLOR", "1")]), (false, false));
    assert_eq!(colored(&["stash", "pop", "9"], &[]), (false, false));
    assert_eq!(colored(&["stash", "pop", "9", "--color=always"], &[]), (false, true));
    assert_eq!(colored(&["frobnicate", "--color=always"], &[]), (false, true));
    assert_eq!(colored(&["frobnicate"], &[]), (false, false));
    assert_eq!(colored(&["--help"], &[]), (false, false));
    assert_eq!(colored(&["status", "--json", "--color=always"], &[]), (false, false), "JSON never");
}

#[test]
fn head_is_read_from_standard_input_and_from_a_file() {
    let sandbox = Sandbox::edited();
    let kick = sandbox.run(&["object", "put", "--json", "muse-work/tracks/drums/kick.wav"]);
    let kick = document(&kick)["objects"][0]["object_id"].as_str().unwrap().to_owned();
    let manifest = format!("{{\"tracks/drums/old.wav\": \"{kick}\"}}");
    let mut child = sandbox
        .stem()
        .args(["stash", "push", "--json", "--head-manifest", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(manifest.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(document(&output)["head_restored"], true);
    assert_eq!(sandbox.read("tracks/drums/old.wav").as_deref(), Some(KICK_TWO));
    assert_eq!(sandbox.read("tracks/drums/kick.wav"), None);

    std::fs::write(sandbox.root().join("head.json"), "[]").unwrap();
    let output = sandbox.run(&["stash", "--head-manifest", "head.json", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(document(&output)["error"]["kind"], "bad_input_file");
    assert_eq!(sandbox.read("tracks/drums/old.wav").as_deref(), Some(KICK_TWO), "nothing was changed");
}

#[test]
fn the_repository_is_found_from_below_by_option_and_by_the_environment() {
    let sandbox = Sandbox::edited();
    let elsewhere = tempfile::tempdir().unwrap();
    let branch = |command: &mut std::process::Command| {
        let output = command.args(["status", "--json"]).output().unwrap();
        document(&output)["branch"].as_str().map(ToOwned::to_owned)
    };
    let main = Some("main".to_owned());
    assert_eq!(branch(sandbox.stem().current_dir(sandbox.tree().join("tracks/drums"))), main);
    assert_eq!(branch(sandbox.stem().current_dir(elsewhere.path())), None);
    assert_eq!(branch(sandbox.stem().current_dir(elsewhere.path()).arg("-C").arg(sandbox.tree())), main);
    assert_eq!(
        branch(sandbox.stem().current_dir(elsewhere.path()).env("MUSE_REPO_ROOT", sandbox.root())),
        main
    );
    let wrong = sandbox.stem().env("MUSE_REPO_ROOT", elsewhere.path()).args(["status"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2), "the variable is no hint but an order");
}

#[test]
fn paths_are_taken_as_shells_leave_them() {
    let sandbox = Sandbox::edited();
    let absolute = sandbox.tree().join("tracks/bass/di.wav");
    let output = sandbox.run(&["stash", "push", "--json", "./tracks//drums/", absolute.to_str().unwrap()]);
    assert_eq!(document(&output)["files_stashed"], 2);
    assert_eq!(sandbox.read("tracks/drums/kick.wav").as_deref(), Some(KICK_ONE));
    let shown = document(&sandbox.run(&["stash", "show", "--json"]));
    let paths: Vec<_> =
        shown["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["tracks/bass/di.wav", "tracks/drums/kick.wav"]);
    assert_eq!(sandbox.run(&["stash", "pop"]).status.code(), Some(0));
    assert_eq!(sandbox.read("tracks/drums/kick.wav").as_deref(), Some(KICK_TWO));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = Sandbox::edited();
    sandbox.run(&["stash", "push", "--keep"]);
    for args in [&["stash", "list", "--json"][..], &["object", "list"], &["--help"], &["completions", "bash"]]
    {
        let mut child =
            sandbox.stem().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return };
    let sandbox = Sandbox::edited();
    let output = sandbox.stem().args(["status"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));
}

#[test]
fn shells_and_manuals_know_every_command() {
    let sandbox = Sandbox::bare();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = String::from_utf8(sandbox.run(&["completions", shell]).stdout).unwrap();
        assert!(script.contains("__complete") || script.contains("head-manifest"), "{shell}");
    }
    let page = String::from_utf8(sandbox.run(&["man"]).stdout).unwrap();
    assert!(page.contains(".TH stem 1") && page.contains("stash"));
    assert_eq!(sandbox.run(&["man", "--dir", "pages"]).status.code(), Some(0));
    for page in ["stem.1", "stem-stash.1", "stem-stash-push.1", "stem-object-get.1"] {
        let page = std::fs::read_to_string(sandbox.root().join("pages").join(page)).unwrap();
        for part in ["EXIT STATUS", "ENVIRONMENT", "EXAMPLES"] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}

#[test]
fn the_demo_runs_and_leaves_nothing() {
    let sandbox = Sandbox::bare();
    let demo = |args: &[&str]| {
        sandbox
            .stem()
            .args(["demo", "--size", "8M"])
            .args(args)
            .env("TMPDIR", sandbox.root())
            .output()
            .unwrap()
    };
    let output = demo(&[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("Every byte came back:") && text.lines().all(|line| line.len() <= 80), "{text}");
    assert_eq!(std::fs::read_dir(sandbox.root()).unwrap().count(), 0);

    let document = document(&demo(&["--json", "--keep"]));
    assert_eq!(document["verified"], true);
    assert_eq!(document["bytes"].as_u64().unwrap() / (1 << 20), 8);
    assert!(document["steps"].as_array().unwrap().len() > 8);
    let kept = document["directory"].as_str().unwrap();
    let output = sandbox.stem().current_dir(kept).args(["status", "--json"]).output().unwrap();
    assert_eq!(crate::sandbox::document(&output)["stash"]["entries"], 0);
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn names_that_are_not_utf8_come_back_and_are_written_as_the_reference_does() {
        let sandbox = Sandbox::recorded();
        let name = OsStr::from_bytes(b"caf\xe9\n\x1b[31m.wav");
        std::fs::write(sandbox.tree().join(name), b"odd").unwrap();
        let escaped = r#""caf\udce9\n\u001b[31m.wav""#;
        let status = sandbox.run(&["status", "--json"]);
        assert!(String::from_utf8_lossy(&status.stdout).contains(&format!("\"path\": {escaped}")));
        let status = sandbox.run(&["status"]);
        assert!(status.stdout.is_ascii() || std::str::from_utf8(&status.stdout).is_ok());
        assert!(!status.stdout.contains(&0x1b), "a name cannot steer the terminal");
        let pushed = sandbox.stem().args(["stash", "push", "--json", "--"]).arg(name).output().unwrap();
        assert_eq!(document(&pushed)["files_stashed"], 1);
        assert!(!sandbox.tree().join(name).exists());
        let listed = sandbox.run(&["stash", "list", "--json"]);
        let text = String::from_utf8(listed.stdout).unwrap();
        assert!(text.contains(escaped), "{text}");
        assert!(sandbox.run(&["stash", "pop"]).status.success());
        assert_eq!(std::fs::read(sandbox.tree().join(name)).unwrap(), b"odd");
        let put =
            sandbox.stem().args(["object", "put", "--json"]).arg(sandbox.tree().join(name)).output().unwrap();
        assert!(String::from_utf8(put.stdout).unwrap().contains(escaped.trim_matches('"')));
    }

    #[test]
    fn links_and_special_files_are_left_alone_and_counted() {
        let sandbox = Sandbox::recorded();
        std::os::unix::fs::symlink("mix.wav", sandbox.tree().join("link.wav")).unwrap();
        let output = sandbox.run(&["stash", "push"]);
        assert_eq!(output.status.code(), Some(0));
        let notes = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(notes, "note: 1 link or special file left as they are; -v names them\n");
        let notes = sandbox.run(&["stash", "pop", "-v"]);
        assert!(notes.stderr.is_empty());
        let output = sandbox.run(&["stash", "push", "-v", "--keep"]);
        assert!(String::from_utf8_lossy(&output.stderr).contains("note: link.wav: a symbolic link"));
        assert!(sandbox.tree().join("link.wav").is_symlink());
    }

    #[test]
    fn the_first_interrupt_stops_the_demo_tidily() {
        let sandbox = Sandbox::bare();
        let mut child = sandbox
            .stem()
            .args(["demo", "--size", "300M"])
            .env("TMPDIR", sandbox.root())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The second line is there once the session has been made; the handlers are, too.
        assert!(lines.nth(1).unwrap().unwrap().starts_with("make a session"));
        let signalled =
            std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(signalled.success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), None);
        assert_eq!(output.status.code(), Some(130));
        assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"), "{output:?}");
        assert_eq!(std::fs::read_dir(sandbox.root()).unwrap().count(), 0);
    }
}
