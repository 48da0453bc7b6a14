//! Long answers on a terminal, by `script`, which makes one. Skipped, and named so, where it is not there.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::sandbox::Sandbox;

/// A pager that keeps what it is given, and what `LESS` says.
fn pager(sandbox: &Sandbox, name: &str, text: &str) -> PathBuf {
    let path = sandbox.root().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The program on a terminal; `None` where none can be made.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn on_a_terminal(sandbox: &Sandbox, args: &str, variables: &[(&str, &str)]) -> Option<Output> {
    let mut command = Command::new("script");
    command
        .args(["-q", "-e", "-c", &format!("{} {args}", env!("CARGO_BIN_EXE_stem")), "/dev/null"])
        .current_dir(sandbox.root())
        .stdin(Stdio::null());
    for name in
        ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "MUSE_REPO_ROOT", "PAGER", "STEM_PAGER", "LESS", "COLUMNS"]
    {
        command.env_remove(name);
    }
    let output = command.env("TERM", "xterm").envs(variables.iter().copied()).output();
    if output.is_err() {
        println!("skipped: there is no script(1)");
    }
    output.ok()
}

const KEEP: &str = "printf '%s\\n' \"LESS=$LESS\" > said; cat >> said; exit 9";

#[test]
fn a_long_answer_goes_to_the_pager_that_was_chosen() {
    let sandbox = Sandbox::edited();
    let chosen = pager(&sandbox, "chosen", KEEP).display().to_string();
    let other = pager(&sandbox, "other", "touch wrong; cat").display().to_string();
    let said = || {
        let text = std::fs::read_to_string(sandbox.root().join("said")).ok();
        let _ = std::fs::remove_file(sandbox.root().join("said"));
        text
    };
    let Some(output) = on_a_terminal(&sandbox, "status", &[("PAGER", &other), ("STEM_PAGER", &chosen)])
    else {
        return;
    };
    assert_eq!(output.status.code(), Some(0), "the pager's own exit code is not ours: {output:?}");
    let text = said().unwrap();
    assert!(text.starts_with("LESS=FRX\n") && text.contains("added"), "{text}");
    assert!(text.contains('\u{1b}'), "colours as on the terminal: {text}");
    assert!(!sandbox.root().join("wrong").exists());

    on_a_terminal(&sandbox, "status", &[("PAGER", &chosen), ("LESS", "S"), ("NO_COLOR", "1")]).unwrap();
    let text = said().unwrap();
    assert!(text.starts_with("LESS=S\n") && !text.contains('\u{1b}'), "{text}");
    for long in ["stash list", "--help", "stash push --help", "object list"] {
        on_a_terminal(&sandbox, long, &[("PAGER", &chosen)]).unwrap();
        assert!(said().is_some(), "{long}");
    }
    // Words of a shell.
    on_a_terminal(&sandbox, "status", &[("PAGER", "sed s/added/ADDED/ | cat > said")]).unwrap();
    assert!(said().unwrap().contains("ADDED"));

    for (args, variables) in [
        ("--no-pager status", &[("PAGER", chosen.as_str())][..]),
        ("status", &[("PAGER", chosen.as_str()), ("STEM_PAGER", "")]),
        ("status", &[("PAGER", "cat")]),
        ("status --json", &[("PAGER", chosen.as_str())]),
        ("status", &[("TERM", "dumb")]),
        ("status", &[("PAGER", "/nowhere/pager")]),
        ("status", &[("PAGER", "no-such-pager-at-all | cat >&2; exit 127")]),
        ("--no-pager --help", &[("PAGER", chosen.as_str())]),
        ("stash push --keep", &[("PAGER", chosen.as_str())]),
    ] {
        let output = on_a_terminal(&sandbox, args, variables).unwrap();
        assert_eq!(output.status.code(), Some(0), "{args}: {output:?}");
        assert!(!output.stdout.is_empty(), "{args}: {output:?}");
        assert_eq!(said(), None, "{args} {variables:?}");
    }
    // Not a terminal.
    let output = sandbox.stem().arg("status").env("PAGER", &chosen).env("TERM", "xterm").output().unwrap();
    assert!(!output.stdout.is_empty());
    assert_eq!(said(), None);
}

#[test]
fn a_pager_that_is_left_early_changes_nothing() {
    let sandbox = Sandbox::recorded();
    for n in 0..3000 {
        sandbox.write(&format!("takes/{n} with a name that is long enough to fill a pipe soon.wav"), b"x");
    }
    let early = pager(&sandbox, "early", "exit 0").display().to_string();
    let Some(output) = on_a_terminal(&sandbox, "status", &[("PAGER", &early)]) else { return };
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "",
        "nothing is said of it, and nothing is said twice"
    );
    // The code of the command is kept.
    assert!(sandbox.run(&["stash", "push", "--keep"]).status.success());
    let stack = sandbox.root().join(".muse/stash");
    let entry = std::fs::read_dir(stack).unwrap().next().unwrap().unwrap().path();
    std::fs::write(entry, b"{").unwrap();
    let output = on_a_terminal(&sandbox, "stash list", &[("PAGER", &early)]).unwrap();
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn ctrl_c_in_the_pager_is_the_pagers_business() {
    let sandbox = Sandbox::edited();
    // The whole group of the terminal gets the signal, as with Ctrl-C; this pager goes on.
    let patient =
        pager(&sandbox, "patient", "trap '' INT; kill -INT $PPID; sleep 0.2; cat > said; touch after");
    let Some(output) = on_a_terminal(&sandbox, "status", &[("PAGER", &patient.display().to_string())]) else {
        return;
    };
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(sandbox.root().join("after").exists());
}
