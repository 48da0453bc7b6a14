//! What is shown of the files of an entry: `stash show`, `stash diff`, `status -v`.

use std::path::PathBuf;

use crate::sandbox::{Sandbox, check, document, record};

/// Samples per second; few, so that the tests are quick.
const RATE: u32 = 8000;

/// A tone that dies away every quarter of a second, as a WAV file of 16 bits; `punch` has other notes.
fn wav(seconds: u32, pitch: u32, gain: i32, punch: Option<(u32, u32)>) -> Vec<u8> {
    let frames = seconds * RATE;
    let mut noise = 1_u32;
    let mut data = Vec::new();
    for frame in 0..frames {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let new = punch.is_some_and(|(from, to)| (from * RATE / 2..to * RATE / 2).contains(&frame));
        let pitch = if new { pitch * 3 + 7 } else { pitch };
        // A triangle and a little noise, falling over 2000 frames.
        let phase = i32::try_from(frame * pitch % RATE).unwrap();
        let tone = (phase - 4000).abs() * 6 - 12_000;
        let fall = 2000 - i32::try_from(frame % 2000).unwrap();
        let sample = (tone + i32::try_from(noise >> 20).unwrap() - 2048) * fall / 2000 * gain / 100;
        data.extend_from_slice(&i16::try_from(sample).unwrap().to_le_bytes());
    }
    let len = u32::try_from(data.len()).unwrap();
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + len).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&RATE.to_le_bytes());
    file.extend_from_slice(&(RATE * 2).to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&len.to_le_bytes());
    file.extend_from_slice(&data);
    file
}

const LONG: &str = "tracks/drums/overheads/second session of tuesday/left take 12.wav";

/// A session of a few recordings, recorded.
fn session() -> Sandbox {
    let sandbox = Sandbox::bare();
    sandbox.run(&["init"]);
    sandbox.write("tracks/drums/kick.wav", &wav(4, 60, 100, None));
    sandbox.write(LONG, &wav(2, 900, 80, None));
    sandbox.write("tracks/bass/di.wav", &wav(3, 110, 100, None));
    sandbox.write("sections/chorus/pad.wav", &wav(2, 440, 60, None));
    sandbox.write("presets/lead.json", br#"{"cutoff": 0.5, "name": "lead", "res": 0.1}"#);
    sandbox.write("notes.txt", b"one\ntwo\nthree\n");
    assert!(sandbox.run(&["snapshot", "-m", "monday"]).status.success());
    sandbox
}

/// The same after a day.
fn edited() -> Sandbox {
    let sandbox = session();
    sandbox.write("tracks/drums/kick.wav", &wav(4, 60, 100, Some((3, 5))));
    sandbox.write("tracks/bass/di.wav", &wav(3, 110, 50, None));
    sandbox.write("tracks/drums/shaker.wav", &wav(1, 2000, 30, None));
    sandbox.write("presets/lead.json", br#"{"cutoff": 0.7, "lfo": 1, "name": "lead", "res": 0.1}"#);
    sandbox.write("notes.txt", b"one\ntwo!\nthree\nfour\n");
    std::fs::remove_file(sandbox.tree().join("sections/chorus/pad.wav")).unwrap();
    sandbox
}

fn shelved() -> Sandbox {
    let sandbox = edited();
    assert!(sandbox.run(&["stash", "-m", "harder drums"]).status.success());
    sandbox
}

/// What the commands say with these variables.
fn transcript(sandbox: &Sandbox, variables: &[(&str, &str)], commands: &[&[&str]]) -> String {
    let mut out = String::new();
    for args in commands {
        let mut command = sandbox.stem();
        command.envs(variables.iter().copied());
        record(&mut out, args, &command.args(*args).output().unwrap());
    }
    out
}

fn told(name: &str, variables: &[(&str, &str)]) {
    let sandbox = edited();
    let mut text = transcript(&sandbox, variables, &[&["status", "-v"], &["status", "--stat"]]);
    assert!(sandbox.run(&["stash", "-m", "harder drums"]).status.success());
    text += &transcript(
        &sandbox,
        variables,
        &[
            &["stash", "show"],
            &["stash", "show", "--waveform"],
            &["stash", "diff"],
            &["stash", "diff", "--head", "--waveform", "0", "tracks"],
            &["stash", "diff", "--head", "--stat"],
        ],
    );
    check(name, &text);
}

#[test]
fn on_a_wide_terminal() {
    told("inspect_160_columns", &[("COLUMNS", "160"), ("LANG", "C.UTF-8")]);
}

#[test]
fn on_a_terminal() {
    told("inspect_80_columns", &[("COLUMNS", "80"), ("LANG", "C.UTF-8")]);
}

#[test]
fn on_a_narrow_terminal() {
    told("inspect_40_columns", &[("COLUMNS", "40"), ("LANG", "C.UTF-8")]);
}

#[test]
fn in_a_pipe() {
    told("inspect_piped", &[("LANG", "C.UTF-8")]);
}

#[test]
fn on_a_dumb_terminal() {
    told("inspect_dumb", &[("TERM", "dumb"), ("COLUMNS", "80"), ("LANG", "C.UTF-8")]);
    let sandbox = shelved();
    let plain = |variables: &[(&str, &str)]| {
        let args: &[&[&str]] = &[&["stash", "diff", "--head", "--waveform"], &["stash", "show", "--long"]];
        transcript(&sandbox, variables, args)
    };
    for locale in [("LC_ALL", "C"), ("LANG", "POSIX"), ("TERM", "dumb")] {
        let text = plain(&[("COLUMNS", "60"), locale]);
        assert!(text.is_ascii(), "{locale:?}: {text}");
    }
    assert!(!plain(&[("LC_ALL", "de_DE.UTF-8"), ("LANG", "C")]).is_ascii());
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    let sandbox = shelved();
    let commands: [&[&str]; 4] = [
        &["stash", "show"],
        &["stash", "diff", "--head", "--waveform"],
        &["stash", "diff", "--stat"],
        &["stash", "diff"],
    ];
    for columns in [40, 60, 72, 80, 100, 160] {
        for args in commands {
            let output = sandbox
                .stem()
                .env("COLUMNS", columns.to_string())
                .env("LANG", "C.UTF-8")
                .args(args)
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            for line in text.lines() {
                assert!(line.chars().count() <= columns, "{args:?} at {columns}: {line}");
            }
        }
    }
}

#[test]
fn colours_come_where_they_are_asked_for() {
    let sandbox = shelved();
    let coloured = |variables: &[(&str, &str)], args: &[&str]| {
        let output = sandbox.stem().envs(variables.iter().copied()).args(args).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(!coloured(&[], &["stash", "diff"]));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")], &["stash", "diff"]));
    assert!(!coloured(&[("NO_COLOR", "1")], &["stash", "diff"]));
    assert!(coloured(&[], &["stash", "diff", "--color", "always"]));
}

#[cfg(unix)]
#[test]
fn names_cannot_speak_to_the_terminal() {
    let sandbox = session();
    sandbox.write("tracks/a\x1b[31mb/c\n.txt", b"x");
    let status = sandbox.run(&["status", "-v"]);
    assert!(sandbox.run(&["stash"]).status.success());
    for output in [status, sandbox.run(&["stash", "show"]), sandbox.run(&["stash", "diff"])] {
        assert!(output.status.success(), "{output:?}");
        assert!(!output.stdout.contains(&0x1b), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(r"c\n.txt"), "{output:?}");
    }
}

#[test]
fn the_exit_code_of_diff_is_0_unless_another_is_asked_for() {
    let sandbox = shelved();
    assert_eq!(sandbox.run(&["stash", "diff"]).status.code(), Some(0));
    assert_eq!(sandbox.run(&["stash", "diff", "--exit-code"]).status.code(), Some(1));
    assert_eq!(sandbox.run(&["stash", "diff", "--exit-code", "0", LONG]).status.code(), Some(0));
    assert!(sandbox.run(&["stash", "apply", "--exact"]).status.success());
    let same = sandbox.run(&["stash", "diff", "--exit-code"]);
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    assert!(String::from_utf8(same.stdout).unwrap().contains("Nothing differs: 6 files are the same."));
}

#[test]
fn paths_choose_and_a_wrong_one_is_an_error() {
    let sandbox = shelved();
    let paths = |args: &[&str]| -> Vec<String> {
        let found = document(&sandbox.run(args));
        let changes = found["changes"].as_array().unwrap();
        changes.iter().map(|change| change["path"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        paths(&["stash", "diff", "--json", "0", "tracks/bass", "notes.txt"]),
        ["tracks/bass/di.wav", "notes.txt"]
    );
    assert_eq!(paths(&["stash", "diff", "--json", "--head", "0", "sections"]), ["sections/chorus/pad.wav"]);
    for head in [&[][..], &["--head"]] {
        let output = sandbox.run(&[&["stash", "diff", "0", "tracks/bas"], head].concat());
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("'tracks/bas' is not in stash@{0}"), "{said}");
    }
    assert_eq!(sandbox.run(&["stash", "diff", "--stat", "--waveform"]).status.code(), Some(1));
    assert_eq!(sandbox.run(&["stash", "diff", "7"]).status.code(), Some(1));
}

#[test]
fn programs_are_told_what_people_are_told() {
    let sandbox = edited();
    let status = document(&sandbox.run(&["status", "-v", "--json"]));
    let kick = |found: &serde_json::Value| -> serde_json::Value {
        let changes = found["changes"].as_array().unwrap().clone();
        changes.into_iter().find(|change| change["path"] == "tracks/drums/kick.wav").unwrap()
    };
    assert_eq!(kick(&status)["kind"], "modified");
    assert_eq!(kick(&status)["difference"]["type"], "audio");
    assert!(document(&sandbox.run(&["status", "--json"]))["changes"][0]["summary"].is_null());
    assert!(sandbox.run(&["stash", "-m", "harder drums"]).status.success());

    let found = document(&sandbox.run(&["stash", "diff", "--head", "--json", "--waveform"]));
    assert_eq!(found["inspect_version"], 1);
    assert_eq!(found["same"], 1);
    let change = kick(&found);
    assert_eq!(change["change"], "modified");
    assert_eq!((&change["track"], &change["section"]), (&"drums".into(), &serde_json::Value::Null));
    assert!(change["before"]["object_id"].is_string() && change["after"]["object_id"].is_string());
    let span = &change["spans"][0]["after_seconds"];
    assert!((span[0].as_f64().unwrap() - 1.5).abs() < 0.01 && (span[1].as_f64().unwrap() - 2.5).abs() < 0.01);
    assert!(change["waveform"].as_array().unwrap().len() > 10);
    assert_eq!(change["seconds"], 4.0);

    let shown = document(&sandbox.run(&["stash", "show", "--json", "--long"]));
    assert_eq!(shown["deleted"], serde_json::json!(["sections/chorus/pad.wav"]));
    assert_eq!(shown["head_known"], true);
    let files = shown["files"].as_array().unwrap();
    let paths: Vec<&str> = files.iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert!(paths.is_sorted(), "the order of the manifest: {paths:?}");
    assert!(files.iter().all(|file| file["description"]["bytes"] == file["size"]));
}

/// The file of an object.
fn object(sandbox: &Sandbox, id: &str) -> PathBuf {
    sandbox.root().join(".muse/objects").join(&id[..2]).join(&id[2..])
}

#[test]
fn missing_and_damaged_objects_are_named_and_the_rest_is_told() {
    let sandbox = shelved();
    let found = document(&sandbox.run(&["stash", "diff", "--head", "--json"]));
    let id = |path: &str, side: &str| -> String {
        let changes = found["changes"].as_array().unwrap();
        let change = changes.iter().find(|change| change["path"] == path).unwrap();
        change[side]["object_id"].as_str().unwrap().to_owned()
    };
    std::fs::remove_file(object(&sandbox, &id("tracks/bass/di.wav", "before"))).unwrap();
    let damaged = object(&sandbox, &id("tracks/drums/kick.wav", "after"));
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[5000] ^= 1;
    std::fs::remove_file(&damaged).unwrap();
    std::fs::write(&damaged, bytes).unwrap();
    std::fs::remove_file(object(&sandbox, &id("tracks/drums/shaker.wav", "after"))).unwrap();

    let output = sandbox.run(&["stash", "diff", "--head", "--waveform"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    for part in [
        "tracks/bass/di.wav: its earlier version cannot be looked at: its object is not in the store",
        "tracks/drums/kick.wav: it cannot be looked at: its object is damaged; `stem verify` says more",
        "tracks/drums/shaker.wav: it cannot be looked at: its object is not in the store",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("notes.txt"), "{told}");
    let shown = sandbox.run(&["stash", "show"]);
    assert_eq!(shown.status.code(), Some(4));
    assert!(String::from_utf8(shown.stdout).unwrap().contains("missing"));
    // Damage is nothing that a list of sizes could see.
    assert!(!String::from_utf8(shown.stderr).unwrap().contains("kick"));
}

#[cfg(unix)]
#[test]
fn links_and_directories_in_place_of_files_are_named() {
    let sandbox = shelved();
    let tree = sandbox.tree();
    std::fs::remove_file(tree.join("notes.txt")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", tree.join("notes.txt")).unwrap();
    std::fs::remove_file(tree.join("tracks/bass/di.wav")).unwrap();
    std::fs::create_dir(tree.join("tracks/bass/di.wav")).unwrap();
    std::fs::remove_file(tree.join("presets/lead.json")).unwrap();
    std::fs::remove_dir(tree.join("presets")).unwrap();
    std::fs::write(tree.join("presets"), "no directory").unwrap();
    let output = sandbox.run(&["stash", "diff"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("notes.txt: a symbolic link stands there"), "{said}");
    assert!(said.contains("tracks/bass/di.wav: a directory stands there"), "{said}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("presets/lead.json") && !told.contains("root:"), "{told}");
}

#[test]
fn an_entry_that_does_not_say_what_head_was_is_shown_without_it() {
    let sandbox = shelved();
    let folder = sandbox.root().join(".muse/stash");
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let mut entry: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    entry.as_object_mut().unwrap().remove("stem");
    std::fs::write(&file, serde_json::to_vec(&entry).unwrap()).unwrap();
    let shown = sandbox.run(&["stash", "show"]);
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    let told = String::from_utf8(shown.stdout).unwrap();
    assert!(told.contains("what HEAD had then is not recorded"), "{told}");
    let found = document(&sandbox.run(&["stash", "show", "--json"]));
    assert!(found["files"][0]["change"].is_null() && found["head_known"] == false);
    let diff = sandbox.run(&["stash", "diff", "--head"]);
    assert_eq!(diff.status.code(), Some(4));
    assert!(String::from_utf8(diff.stderr).unwrap().contains("nothing can be compared with it"));
    assert_eq!(sandbox.run(&["stash", "diff"]).status.code(), Some(0));
}

#[test]
fn the_files_of_a_large_entry_are_not_opened_unless_asked() {
    let sandbox = Sandbox::bare();
    sandbox.run(&["init"]);
    for number in 0..201_u32 {
        sandbox
            .write(&format!("tracks/t{}/{number}.wav", number % 7), &wav(1, 100 + number, 50, None)[..2000]);
    }
    assert!(sandbox.run(&["stash", "--no-head"]).status.success());
    let seconds = |args: &[&str]| {
        let shown = document(&sandbox.run(args));
        let files = shown["files"].as_array().unwrap().clone();
        assert_eq!(files.len(), 201);
        files.iter().filter(|file| file["seconds"].is_f64()).count()
    };
    assert_eq!(seconds(&["stash", "show", "--json"]), 0);
    assert_eq!(seconds(&["stash", "show", "--json", "--long"]), 201);
}
