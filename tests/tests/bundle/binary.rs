//! The commands.

use super::*;

fn run(root: &Path, args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(stem());
    command.arg("-C").arg(root).args(args).env_remove("MUSE_REPO_ROOT");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The program may end without reading it.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

#[test]
fn the_binary_goes_through_files_and_pipes() {
    let (from, to) = (Repo::new(), Repo::new());
    write_session(&from);
    let tree = from.tree();
    from.push_with(&message("chorus WIP"));
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("a.stem");
    let file = file.to_str().unwrap();
    let output = run(from.root(), &["--json", "stash", "export", "0", file], b"");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = json(&output);
    assert_eq!((&told["objects"], &told["left_out"], &told["files"]), (&5.into(), &0.into(), &6.into()));
    let whole = fs::read(file).unwrap();
    assert_eq!(told["bytes"], whole.len());
    assert_eq!(run(from.root(), &["stash", "export", "0", file], b"").status.code(), Some(1));
    let piped = run(from.root(), &["stash", "export", "stash@{0}", "-"], b"");
    assert_eq!((piped.status.code(), &piped.stdout), (Some(0), &whole));
    assert_eq!(run(from.root(), &["--json", "stash", "export", "0", "-"], b"").status.code(), Some(1));

    // The receiver says what it has, as text and as JSON.
    to.plant_object(&wav(30_000, 1));
    for args in [&["object", "list"][..], &["object", "list", "-v"], &["object", "list", "--json"]] {
        let list = run(to.root(), args, b"").stdout;
        let output =
            run(from.root(), &["stash", "export", "0", file, "--force", "--json", "--have", "-"], &list);
        assert_eq!(json(&output)["left_out"], 1, "{args:?}");
    }
    let part = fs::read(file).unwrap();
    let refused = run(Repo::new().root(), &["--json", "stash", "import", "-"], &part);
    assert_eq!(
        (refused.status.code(), &json(&refused)["error"]["kind"]),
        (Some(4), &"missing_objects".into())
    );
    let checked = run(to.root(), &["--json", "stash", "import", "-n", file], b"");
    assert_eq!((checked.status.code(), to.list().len()), (Some(0), 0));
    assert_eq!(json(&checked)["added"], true);
    let imported = run(to.root(), &["--json", "stash", "import", "-"], &part);
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    let told = json(&imported);
    assert_eq!((&told["stash_ref"], &told["objects_new"]), (&"stash@{0}".into(), &4.into()));
    let again = run(to.root(), &["stash", "import", file], b"");
    assert_eq!(again.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&again.stdout).contains("there already as stash@{0}"), "{again:?}");
    assert_eq!(run(to.root(), &["stash", "pop"], b"").status.code(), Some(0));
    assert_eq!(to.tree(), tree);

    let cut = run(to.root(), &["--json", "stash", "import", "-"], &whole[..whole.len() / 2]);
    assert_eq!((cut.status.code(), &json(&cut)["error"]["kind"]), (Some(4), &"truncated_bundle".into()));
    let absent = run(to.root(), &["stash", "import", "no-such-file"], b"");
    assert_eq!(absent.status.code(), Some(1));
    let other = run(to.root(), &["stash", "import", "-"], b"not a bundle at all");
    assert_eq!(other.status.code(), Some(1));
    let bad_list = run(from.root(), &["stash", "export", "0", file, "--force", "--have", "-"], b"kick.wav\n");
    assert_eq!(bad_list.status.code(), Some(1));
}

#[test]
fn a_killed_export_is_continued() {
    let repo = Repo::new();
    for n in 0..12 {
        repo.write(format!("noise-{n}.bin"), noise(6 << 20, n));
    }
    repo.push();
    let out = tempfile::tempdir().unwrap();
    let (file, partial) = (out.path().join("a.stem"), out.path().join("a.stem.partial"));
    let mut child = Command::new(stem())
        .arg("-C")
        .arg(repo.root())
        .args(["stash", "export", "0"])
        .arg(&file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Killed when about a third is there; a process that is through before leaves nothing to continue.
    while fs::metadata(&partial).map_or(0, |meta| meta.len()) < 24 << 20
        && child.try_wait().unwrap().is_none()
    {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    if file.exists() {
        println!("it was through before it could be killed");
        return;
    }
    let output = run(repo.root(), &["--json", "stash", "export", "0", file.to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(json(&output)["resumed_bytes"].as_u64().unwrap() > 16 << 20, "{output:?}");
    assert_eq!(fs::read(&file).unwrap(), bundle(&repo));
    assert!(!partial.exists());
}
