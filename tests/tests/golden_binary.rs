//! Every recorded case of the reference, replayed through the binary: arguments in, JSON out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use stemvault_tests::binary;
use stemvault_tests::golden::{Fixture, fixtures};

/// The command line of a step, and what goes to its standard input.
fn command_line(fixture: &Fixture, step: &Value) -> (Vec<String>, String) {
    let op = step["op"].as_str().unwrap();
    let mut args = vec!["stash".to_owned(), op.to_owned()];
    let mut input = String::new();
    match op {
        "push" => {
            for option in ["message", "track", "section"] {
                if let Some(value) = step.get(option).and_then(Value::as_str) {
                    args.push(format!("--{option}={value}"));
                }
            }
            if let Some(manifest) = fixture.head_manifest() {
                args.extend(["--head-manifest".to_owned(), "-".to_owned()]);
                input = manifest;
            }
        }
        "clear" => args.push("-y".to_owned()),
        _ => args.extend(step.get("index").and_then(Value::as_u64).map(|index| index.to_string())),
    }
    (args, input)
}

fn run(root: &Path, args: &[String], input: &str) -> (Option<i32>, Value) {
    let mut child = Command::new(binary::stem())
        .arg("--json")
        .args(args)
        .current_dir(root)
        .env_remove("MUSE_REPO_ROOT")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A command that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{args:?}: {error}: {}", String::from_utf8_lossy(&output.stdout)));
    (output.status.code(), document)
}

#[test]
fn the_binary_does_what_the_reference_did() {
    for fixture in fixtures() {
        let root = tempfile::tempdir().unwrap();
        fixture.replay(root.path(), |step| {
            let (args, input) = command_line(&fixture, step);
            let (code, document) = run(root.path(), &args, &input);
            if let Some(error) = document.get("error") {
                assert_eq!(code, Some(1), "{args:?}");
                return Err(error["message"].as_str().unwrap().to_owned());
            }
            // What HEAD has and the store lacks makes a push incomplete; nothing else in the fixtures does.
            let whole = document["missing_head"].as_array().is_none_or(Vec::is_empty);
            assert_eq!(code, Some(if whole { 0 } else { 4 }), "{args:?}");
            check_list(root.path(), step);
            Ok(document)
        });
    }
}

/// `list` and `show` say of the stack what the reference said.
fn check_list(root: &Path, step: &Value) {
    let (code, listed) = run(root, &["stash".to_owned(), "list".to_owned()], "");
    assert_eq!(code, Some(0));
    let entries = listed["entries"].as_array().unwrap();
    let expected = step["entries_after"].as_array().unwrap();
    assert_eq!(entries.len(), expected.len());
    for (entry, expected) in entries.iter().zip(expected) {
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&entry[key], value, "{key}");
        }
        let id = entry["stash_id"].as_str().unwrap().to_owned();
        let (code, shown) = run(root, &["stash".to_owned(), "show".to_owned(), id], "");
        assert_eq!(code, Some(0));
        assert_eq!(shown["manifest"], entry["manifest"]);
    }
}
