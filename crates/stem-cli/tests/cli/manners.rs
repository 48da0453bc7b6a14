//! What `stem` alone says, what was meant, and what is asked.

use crate::sandbox::{Sandbox, document};

fn said(sandbox: &Sandbox, args: &[&str]) -> String {
    let output = sandbox.run(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_reference_that_is_nearly_right_gets_a_suggestion() {
    let sandbox = Sandbox::edited();
    for message in ["WIP chorus", "bass take 2", "louder drums"] {
        assert!(sandbox.run(&["stash", "push", "--keep", "-m", message]).status.success());
    }
    for (typed, meant) in [
        ("chours", "did you mean stash@{2} (WIP chorus)?"),
        ("wip chorus", "did you mean stash@{2} (WIP chorus)?"),
        ("bass", "did you mean stash@{1} (bass take 2)?"),
        ("stash@1", "did you mean stash@{1} (bass take 2)?"),
        ("stash{0}", "did you mean stash@{0} (louder drums)?"),
        ("violins", "there are stash@{0} (louder drums), stash@{1} (bass take 2) and stash@{2} (WIP chorus)"),
        (
            "stash@{7}",
            "there are stash@{0} (louder drums), stash@{1} (bass take 2) and stash@{2} (WIP chorus)",
        ),
    ] {
        for command in ["pop", "show", "drop", "apply"] {
            let told = said(&sandbox, &["stash", command, typed]);
            assert!(told.contains(meant), "{command} {typed}: {told}");
        }
    }
    let error = document(&sandbox.run(&["stash", "pop", "7", "--json"]));
    assert_eq!(error["error"]["kind"], "no_such_entry");
    for n in 0..3 {
        assert!(
            sandbox.run(&["stash", "push", "--keep", "-m", &format!("more {n}\u{1b}[31m")]).status.success()
        );
    }
    let told = said(&sandbox, &["stash", "pop", "9"]);
    assert!(told.contains("and 3 more: `stem stash list`") && !told.contains('\u{1b}'), "{told}");
}

#[test]
fn a_command_of_the_stash_is_found_where_it_was_looked_for() {
    let sandbox = Sandbox::bare();
    assert!(said(&sandbox, &["pop"]).contains("did you mean `stem stash pop`?"));
    assert!(said(&sandbox, &["list"]).contains("`stem stash list` or `stem object list`"));
    assert!(said(&sandbox, &["stauts"]).contains("'status'"));
}

#[test]
fn stem_alone_says_what_can_be_done_now() {
    let commands = |sandbox: &Sandbox| -> Vec<String> {
        let document = document(&sandbox.run(&["--json"]));
        let next = document["next"].as_array().unwrap().clone();
        next.iter().map(|hint| hint["command"].as_str().unwrap().to_owned()).collect()
    };
    let sandbox = Sandbox::bare();
    assert!(commands(&sandbox).contains(&"stem init".to_owned()));
    let sandbox = Sandbox::recorded();
    assert_eq!(commands(&sandbox), ["stem --help"], "nothing changed, nothing on the shelf");
    sandbox.write("mix.wav", b"new");
    assert!(commands(&sandbox).contains(&"stem stash -m TEXT".to_owned()));
    assert!(sandbox.run(&["stash"]).status.success());
    let now = commands(&sandbox);
    assert!(
        now.contains(&"stem stash pop".to_owned()) && now.contains(&"stem stash undo".to_owned()),
        "{now:?}"
    );
    // What a killed command leaves; the next one that writes takes it away.
    let journal = sandbox.root().join(".muse/stem/journal");
    std::fs::create_dir_all(&journal).unwrap();
    std::fs::write(journal.join("push-0123abcd-0.json"), b"{").unwrap();
    let output = sandbox.run(&[]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("a command was interrupted"), "{output:?}");
}

#[test]
fn only_what_cannot_come_back_is_asked_for() {
    let sandbox = Sandbox::edited();
    assert!(sandbox.run(&["stash", "push", "--keep"]).status.success());
    // Undo brings it back: nothing to ask.
    assert!(sandbox.run(&["stash", "clear"]).status.success());
    assert!(sandbox.run(&["stash", "undo"]).status.success());
    let told = said(&sandbox, &["gc", "--expire-undo", "0s"]);
    assert!(told.contains("could take back until now: say so with --yes"), "{told}");
    assert!(sandbox.run(&["gc", "--expire-undo", "0s", "--dry-run"]).status.success());
    assert!(sandbox.run(&["gc", "--expire-undo", "30d"]).status.success(), "nothing is that old");
    assert!(sandbox.run(&["gc", "--expire-undo", "0s", "--yes"]).status.success());

    std::fs::write(sandbox.root().join(".muse/stem/config.toml"), "[undo]\nexpire = \"0s\"\n").unwrap();
    let told = said(&sandbox, &["stash", "clear"]);
    assert!(told.contains("for good") && told.contains("--yes"), "{told}");
    assert!(sandbox.run(&["stash", "clear", "--yes"]).status.success());
}
