//! What people read: transcripts of whole sessions, committed in `snapshots/`. Accept changes with `INSTA_UPDATE=always`.

use crate::sandbox::{Sandbox, check, record};

#[test]
fn a_working_day() {
    let sandbox = Sandbox::edited();
    let mut text = sandbox.transcript(&[
        &[],
        &["status"],
        &["stash", "-m", "chorus WIP"],
        &["status"],
        &["stash", "list"],
        &["stash", "show"],
        &["stash", "apply", "--verify"],
    ]);
    sandbox.write("tracks/drums/kick.wav", b"kick three");
    text += &sandbox.transcript(&[
        &["stash", "push", "--track", "drums", "--section", "chorus", "-v"],
        &["stash", "list"],
        &["stash", "show", "-v"],
        &["stash", "drop", "1"],
        &["stash", "pop"],
        &["stash", "pop"],
        &["snapshot", "-m", "today"],
        &["snapshot"],
        &["stash"],
        &["stash", "clear"],
        &["stash", "clear", "-y"],
        &["stash", "clear"],
        &["stash", "list"],
        &[],
    ]);
    check("a_working_day", &text);
}

#[test]
fn taking_it_back() {
    let sandbox = Sandbox::edited();
    let mut text = sandbox.transcript(&[
        &["stash", "undo"],
        &["stash", "-m", "chorus WIP"],
        &["stash", "drop"],
        &["stash", "undo"],
        &["stash", "list"],
    ]);
    sandbox.write("tracks/drums/kick.wav", b"kick three, in nothing but the working tree");
    text += &sandbox.transcript(&[
        &["stash", "apply", "--on-conflict", "fail"],
        &["stash", "apply", "-n"],
        &["stash", "apply"],
        &["stash", "undo", "--list"],
        &["stash", "undo", "-n"],
        &["stash", "undo", "--json"],
        &["stash", "undo", "--redo"],
        &["stash", "apply", "0", "tracks/drum/kick.wav"],
    ]);
    sandbox.write("tracks/drums/kick.wav", b"kick four");
    text += &sandbox.transcript(&[
        &["stash", "undo"],
        &["stash", "undo", "--redo"],
        &["stash", "undo", "--force"],
        &["stash", "undo", "--list", "--json"],
    ]);
    check("taking_it_back", &text);
}

#[test]
fn the_same_for_programs() {
    let sandbox = Sandbox::edited();
    let text = sandbox.transcript(&[
        &["--json"],
        &["status", "--json"],
        &["stash", "push", "--json", "-m", "chorus WIP"],
        &["--json", "stash", "list"],
        &["stash", "--json", "show", "0"],
        &["stash", "apply", "--json"],
        &["stash", "push", "--json", "--track", "drums"],
        &["stash", "drop", "1", "--json"],
        &["stash", "pop", "--json"],
        &["snapshot", "--json", "-m", "today"],
        &["stash", "clear", "--json"],
        &["stash", "push", "--json", "--track", "strings"],
    ]);
    check("the_same_for_programs", &text);
}

#[test]
fn without_a_repository_or_a_commit() {
    let sandbox = Sandbox::bare();
    let mut text = sandbox.transcript(&[
        &[],
        &["--json"],
        &["stash"],
        &["stash", "list", "--json"],
        &["status", "-C", "nowhere"],
        &["init"],
        &["init"],
        &["init", "--json", "../session/other"],
        &["status"],
        &["stash"],
        &["stash", "push", "--track", "drums", "midi", "a.wav"],
        &["stash", "pop"],
    ]);
    sandbox.write("tracks/drums/kick.wav", b"kick");
    sandbox.write("mix.wav", b"mix");
    text += &sandbox.transcript(&[
        &[],
        &["status"],
        &["stash", "push", "--track", "drums"],
        &["stash", "push", "muse-work/mix.wav"],
        &["stash", "push", "--keep"],
        &["stash", "list", "-v"],
        &["stash", "push", "-m", "everything"],
        &["stash", "pop", "-q"],
        &["snapshot"],
        &["stash", "push", "mix.wav", "--no-head"],
    ]);
    check("without_a_repository_or_a_commit", &text);
}

#[test]
fn what_cannot_be_done() {
    let sandbox = Sandbox::edited();
    let text = sandbox.transcript(&[
        &["stash", "lsit"],
        &["stash", "lsit", "--json"],
        &["stash", "push", "--kep"],
        &["stash", "-m", "x", "pop"],
        &["stash", "pop", "stash@{3}"],
        &["stash", "pop", "7", "--json"],
        &["stash", "show", "chorus"],
        &["stash", "push", "../outside"],
        &["stash", "push", "."],
        &["stash", "push", "/etc/passwd", "--json"],
        &["stash", "push", ".muse/HEAD"],
        &["stash", "push", "--head-manifest", "nowhere.json"],
        &["stash", "push", "--head-manifest", "x", "--no-head"],
        &["object", "get", "12"],
        &["object", "get", "0123456789"],
        &["object", "get", "XYZ"],
        &["object", "get", "x", "--json"],
        &["object", "has", "abc"],
        &["object", "put", "nowhere.wav"],
        &["demo", "--size", "1X"],
        &["demo", "--size", "10"],
        &["demo", "--size", "9000T"],
        &["status", "-q", "-v"],
    ]);
    // How much room there is depends on the machine.
    let text =
        text.lines().map(|line| line.split(" in '/").next().unwrap_or(line)).collect::<Vec<_>>().join("\n");
    check("what_cannot_be_done", &text);
}

#[test]
fn a_shelf_with_damage() {
    let sandbox = Sandbox::edited();
    sandbox.run(&["stash", "-m", "chorus WIP"]);
    sandbox.write("mix.wav", b"another mix");
    sandbox.run(&["stash", "-m", "mix"]);
    let objects = sandbox.root().join(".muse/objects");
    let id = |bytes: &[u8]| {
        sandbox.write("probe", bytes);
        let output = sandbox.run(&["object", "put", "muse-work/probe", "--json"]);
        let id = crate::sandbox::document(&output)["objects"][0]["object_id"].as_str().unwrap().to_owned();
        std::fs::remove_file(sandbox.tree().join("probe")).unwrap();
        id
    };
    let kick = id(b"kick two, louder");
    std::fs::remove_file(objects.join(&kick[..2]).join(&kick[2..])).unwrap();
    let idea = id(b"idea");
    std::fs::write(objects.join(&idea[..2]).join(&idea[2..]), b"rott").unwrap();
    let mut text = sandbox.transcript(&[
        &["stash", "show", "1"],
        &["stash", "pop", "1"],
        &["stash", "pop", "1", "--json"],
        &["object", "get", &idea],
        &["object", "get", &idea, "-o", "idea.mid"],
        &["object", "get", &kick, "--json", "-o", "kick.wav"],
        &["object", "has", &kick, &idea],
        &["object", "has", "--json", &kick],
    ]);
    assert!(!sandbox.root().join("idea.mid").exists());
    let newest = std::fs::read_dir(sandbox.root().join(".muse/stash"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max();
    std::fs::write(newest.unwrap(), b"{").unwrap();
    text += &sandbox.transcript(&[
        &[],
        &["stash", "list"],
        &["stash", "list", "--json"],
        &["stash", "apply"],
        &["stash", "drop"],
        &["stash", "pop", "--force"],
    ]);
    check("a_shelf_with_damage", &text);
}

#[test]
fn the_store_itself() {
    let sandbox = Sandbox::edited();
    std::fs::write(sandbox.root().join("solo.wav"), b"solo").unwrap();
    let kick = sandbox.run(&["object", "put", "muse-work/tracks/drums/kick.wav", "--json"]);
    let kick = crate::sandbox::document(&kick)["objects"][0]["object_id"].as_str().unwrap().to_owned();
    let mut text = sandbox.transcript(&[
        &["object", "put", "solo.wav", "muse-work/mix.wav", "nowhere"],
        &["object", "put", "solo.wav", "--json"],
        &["object", "list"],
        &["object", "list", "-v"],
        &["object", "list", "--json"],
        &["object", "list", "--prefix", "0"],
        &["object", "has", &kick],
        &["object", "get", &kick],
        &["object", "get", &kick[..10], "-o", "copy.wav"],
        &["object", "list", "-q"],
    ]);
    let mut put = sandbox.stem();
    let mut child = put
        .args(["object", "put", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"from a pipe").unwrap();
    record(&mut text, &["object", "put", "-"], &child.wait_with_output().unwrap());
    check("the_store_itself", &text);
}

#[test]
fn copying() {
    let (sandbox, other) = (Sandbox::edited(), Sandbox::bare());
    sandbox.run(&["stash", "-m", "chorus WIP"]);
    other.run(&["init", "."]);
    std::os::unix::fs::symlink(other.root(), sandbox.root().join("album")).unwrap();
    let text = sandbox.transcript(&[
        &["copy", "-n", ".", "sharded:copy"],
        &["copy", ".", "sharded:copy"],
        &["copy", ".", "sharded:copy", "--verify", "--json"],
        &["verify", "--store", "sharded:copy"],
        &["copy", ".", "album", "--stash", "0"],
        &["copy", ".", "album", "--all", "--json"],
        &["copy", ".", "mirror:?a=sharded:one&b=pack:two"],
        &["copy", "sharded:copy", "album", "--stash", "0"],
        &["copy", ".", "."],
        &["copy", "sharded:typo", "album"],
    ]);
    check("copying", &text);
}

#[test]
fn help() {
    let sandbox = Sandbox::bare();
    check("help", &sandbox.transcript(&[&["--help"], &["stash", "--help"], &["stash", "pop", "-h"]]));
}
