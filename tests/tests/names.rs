//! Names: whatever the file system takes comes back byte for byte.

use std::fs;

use stemvault_tests::golden::hex_digits;
use stemvault_tests::repo::Repo;
use stemvault_tests::tree::{self, Node, Tree};

/// Names that have broken somebody's program.
fn names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        // Not UTF-8: Latin-1, a lone continuation byte, a cut sequence, an encoded surrogate, an overlong slash, 0xff.
        &b"caf\xe9.wav"[..],
        b"\x80",
        b"a\xe2\x82",
        b"\xed\xb2\x80",
        b"\xc0\xaf",
        b"\xff\xfe",
        // Characters that JSON, shells, terminals and Windows read as something else.
        b"new\nline",
        b"carriage\rreturn",
        b"back\\slash",
        b"\"double\" 'single' `back`",
        b"tab\tbell\x07escape\x1b[2Jdelete\x7f",
        b"\x01",
        b"\\udc80",
        b"\\u0041",
        b"%2e%2e",
        b"a:b|c?d*e<f>g",
        b"-rf",
        b"--keep",
        b"~",
        b"$HOME",
        b"#hash",
        b"a ",
        b" a",
        b" ",
        b"trailing.",
        b"...",
        b"..a",
        b"CON",
        b"nul.wav",
        // Differing by case or by composition only.
        b"Kick.wav",
        b"kick.wav",
        b"KICK.WAV",
        "caf\u{e9}".as_bytes(),
        "cafe\u{301}".as_bytes(),
        "\u{212b}".as_bytes(),
        "\u{c5}".as_bytes(),
        "e\u{feff}".as_bytes(),
        "\u{202e}gnp.exe".as_bytes(),
        // Around the surrogates, where Python's order and the order of bytes differ; and beyond the basic plane.
        "\u{d7ff}".as_bytes(),
        "\u{e000}".as_bytes(),
        "\u{ffff}".as_bytes(),
        "\u{10000}".as_bytes(),
        "🎹.mid".as_bytes(),
        // Names that mean something to the engine itself.
        b"stash-2026-11-22T083413597654Z0000-e7650088.json",
        b"stash-x.json",
        b"muse",
        b".musette",
        b"HEAD",
        b"objects",
        b"x.kept-1",
        b"null",
        b"undefined",
        b"__proto__",
        b"manifest",
        b"ab",
        b"cc962289af2873dd6dad32931554372a7d2d2de5bd5859c8265eb58b5197a88e",
    ]
    .iter()
    .map(|name| name.to_vec())
    .collect();
    // As long as a name can be.
    names.push(vec![b'x'; 255]);
    names.push([&vec![b'y'; 251][..], b".wav"].concat());
    names.push(vec![0xff; 255]);
    names.push("é".repeat(127).into_bytes());
    names
}

fn tree_of(paths: impl IntoIterator<Item = Vec<u8>>) -> Tree {
    let paths = paths.into_iter().enumerate();
    let node = |n: usize| {
        Node::file(format!("content {n}").as_bytes(), 0o644, 1_700_000_000_000_000_007 + n as i128)
    };
    paths.map(|(n, path)| (path, node(n))).collect()
}

/// Pushes and pops the tree; it must come back, and the stack must be readable in between.
fn assert_round_trip(tree: &Tree) {
    let repo = Repo::new();
    tree::build(&repo.work(), tree);
    assert_eq!(&repo.tree(), tree, "the file system itself changes these names");
    let pushed = repo.push();
    assert_eq!(pushed.files_stashed, tree.len());
    assert!(pushed.left_alone.is_empty(), "{:?}", pushed.left_alone);
    assert!(repo.tree().is_empty());
    let entry = repo.entry(0);
    assert!(
        entry.manifest.iter().map(|(path, _)| path.as_bytes()).collect::<std::collections::BTreeSet<_>>()
            == tree.keys().map(Vec::as_slice).collect()
    );
    repo.assert_sound();
    let popped = repo.pop("0");
    assert!(popped.dropped, "{popped:?}");
    assert_eq!(&repo.tree(), tree);
    repo.assert_sound();
}

#[test]
fn every_name_comes_back_as_a_file() {
    assert_round_trip(&tree_of(names().into_iter().filter(|name| !name.starts_with(b"."))));
}

#[test]
fn every_name_comes_back_as_a_directory() {
    let deep = names().into_iter().flat_map(|name| {
        [[&name[..], b"/file.wav"].concat(), [b"tracks/", &name[..], b"/", &name[..], b"-/x"].concat()]
    });
    let short = deep.filter(|path| path.split(|&b| b == b'/').all(|component| component.len() <= 255));
    assert_round_trip(&tree_of(short));
}

#[test]
fn a_path_as_long_as_the_system_takes_comes_back() {
    let repo = Repo::new();
    let room = 4095 - repo.work().as_os_str().len() - 1;
    // Deep at first, then in components of the greatest length.
    let mut path = b"d/".repeat(100);
    while path.len() + 256 < room {
        path.extend_from_slice(&[b'e'; 255]);
        path.push(b'/');
    }
    path.resize(room, b'f');
    assert_eq!(repo.path(&path).as_os_str().len(), 4095);
    let file = repo.write(&path, "deep");
    assert_eq!(repo.push().files_stashed, 1);
    assert!(!file.exists());
    assert!(repo.pop("0").dropped);
    assert_eq!(fs::read(&file).unwrap(), b"deep");
}

#[test]
fn a_path_too_long_to_name_is_left_alone_and_told() {
    let repo = Repo::new();
    repo.write("ok.wav", "ok");
    // Deeper than any path can say; made step by step.
    let mut dir = repo.work();
    let deep = "d".repeat(250);
    let script = format!(
        "cd '{}' && for i in $(seq 20); do mkdir {deep} && cd -P {deep} 2>/dev/null || exit 1; done && echo lost > f",
        dir.display()
    );
    dir.push(&deep);
    let made = std::process::Command::new("/bin/sh").args(["-c", &script]).status().unwrap();
    if !made.success() || !dir.exists() {
        eprintln!("skipped: this shell cannot make such a deep directory");
        return;
    }
    let pushed = repo.push();
    assert_eq!(pushed.files_stashed, 1);
    assert!(pushed.is_partial(), "the file that cannot be named must be told: {pushed:?}");
    // Nothing of it is gone.
    let count = std::process::Command::new("/bin/sh")
        .args([
            "-c",
            &format!(
                "cd '{}' && for i in $(seq 19); do cd -P {deep} || exit 1; done && cat f",
                dir.display()
            ),
        ])
        .output()
        .unwrap();
    assert_eq!(count.stdout, b"lost\n");
    // `remove_dir_all` of a temporary directory copes with the depth by itself.
}

#[test]
fn names_that_are_not_utf8_are_written_as_python_writes_them() {
    let repo = Repo::new();
    for (n, name) in [&b"caf\xe9"[..], b"\xff/\x80", "\u{e000}".as_bytes(), "🎹".as_bytes(), b"q\"\\\n\x7f"]
        .iter()
        .enumerate()
    {
        repo.write(name, format!("{n}"));
    }
    repo.push();
    let text = repo.entry_text(0);
    assert!(text.is_ascii());
    let manifest: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("  \"manifest\""))
        .skip(1)
        .take_while(|line| line.starts_with("    \""))
        .map(|line| line.trim().rsplit_once(": ").unwrap().0)
        .collect();
    // Sorted by code points, lone surrogates included: U+DCFF comes before U+E000 and before U+1F3B9.
    let expected =
        [r#""caf\udce9""#, r#""q\"\\\n\u007f""#, r#""\udcff/\udc80""#, r#""\ue000""#, r#""\ud83c\udfb9""#];
    assert_eq!(manifest, expected);
}

#[test]
fn python_reads_our_names_back_to_the_same_bytes() {
    let repo = Repo::new();
    let names: Vec<Vec<u8>> = names().into_iter().filter(|name| !name.starts_with(b".")).collect();
    tree::build(&repo.work(), &tree_of(names.clone()));
    repo.push();
    let script = "import json,os,sys\nfor p in json.load(open(sys.argv[1]))['manifest']:\n print(os.fsencode(p).hex())";
    let python = std::process::Command::new("python3")
        .args(["-X", "utf8", "-c", script])
        .arg(&repo.list()[0].file)
        .output();
    let Ok(output) = python else {
        eprintln!("skipped: there is no python3");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    let mut sorted = read.clone();
    sorted.sort();
    let mut expected: Vec<String> = names.iter().map(|name| hex_digits(name)).collect();
    expected.sort();
    assert_eq!(sorted, expected);
    let python_order =
        "import json,sys\nm=list(json.load(open(sys.argv[1]))['manifest'])\nassert m==sorted(m)";
    let sorted =
        std::process::Command::new("python3").args(["-c", python_order]).arg(&repo.list()[0].file).status();
    assert!(sorted.unwrap().success(), "Python would sort the manifest otherwise");
}

#[test]
fn an_entry_of_the_reference_with_such_names_is_applied() {
    let repo = Repo::new();
    let id = repo.plant_object(b"bytes");
    let manifest = format!(r#"{{"caf\udce9/\udcff": "{id}", "\ud83c\udfb9": "{id}", "a\\b\n": "{id}"}}"#);
    let stash_id = stemvault_tests::hostile::STASH_ID;
    repo.plant_entry(stash_id, stemvault_tests::hostile::entry_text(stash_id, &manifest));
    assert!(repo.pop("0").dropped);
    let tree = repo.tree();
    let paths: Vec<&[u8]> = tree.keys().map(Vec::as_slice).collect();
    assert_eq!(paths, [&b"a\\b\n"[..], b"caf\xe9/\xff", "🎹".as_bytes()]);
}

#[test]
fn files_that_look_like_the_engines_own_are_ordinary_files() {
    let repo = Repo::new();
    for name in ["stash-x.json", "stash-2026-11-22T083413597654Z0000-e7650088.json", "a/stash-x.json"] {
        repo.write(name, name);
    }
    // Hidden by its own name: neither saved nor removed.
    repo.write(".stem-tmp-1-abc", "mine");
    repo.write(".stem-tmp-1-abc.d/x", "seen");
    let before = repo.tree();
    assert_eq!(repo.push().files_stashed, 4);
    assert_eq!(
        repo.texts().into_iter().collect::<Vec<_>>(),
        [(".stem-tmp-1-abc".to_owned(), "mine".to_owned())]
    );
    assert_eq!(repo.list().len(), 1);
    repo.pop("0");
    assert_eq!(repo.tree(), before);
}

#[test]
fn messages_branches_and_scopes_of_any_text_come_back() {
    let repo = Repo::new();
    let text = "„Größe“ 🎹 \\ \" \n \u{7f} \u{1b}[2J \u{e000}";
    fs::write(repo.muse().join("HEAD"), "refs/heads/größe/🎹 take 2\n").unwrap();
    repo.write(format!("tracks/{}/x", "a\"b\n"), "x");
    let options = stemvault::PushOptions {
        message: Some(text.into()),
        track: Some("a\"b\n".into()),
        head: stemvault::HeadChoice::None,
        ..Default::default()
    };
    let pushed = repo.push_with(&options);
    assert_eq!((pushed.message.as_str(), pushed.branch.as_str()), (text, "größe/🎹 take 2"));
    let json = repo.entry_json(0);
    assert_eq!((json["message"].as_str(), json["track"].as_str()), (Some(text), Some("a\"b\n")));
    assert_eq!(json["branch"], "größe/🎹 take 2");
}
