//! `stem gc` and `stem verify`: what people and programs are told, and the exit codes.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::sandbox::{Sandbox, check, document};

/// Where the object of these bytes lies, by the id that `stem object put` prints.
fn planted(sandbox: &Sandbox, bytes: &[u8]) -> (String, PathBuf) {
    let file = sandbox.root().join("planted");
    fs::write(&file, bytes).unwrap();
    let stored = document(&sandbox.run(&["--json", "object", "put", "planted"]));
    fs::remove_file(file).unwrap();
    let id = stored["objects"][0]["object_id"].as_str().unwrap().to_owned();
    let path = sandbox.root().join(".muse/objects").join(&id[..2]).join(&id[2..]);
    assert!(path.is_file());
    (id, path)
}

#[test]
fn what_people_are_told() {
    let sandbox = Sandbox::recorded();
    sandbox.run(&["object", "put", "muse-work/mix.wav"]);
    let (_, garbage) = planted(&sandbox, b"nobody needs this");
    let mut text = sandbox.transcript(&[
        &["verify"],
        &["verify", "--worktree"],
        &["gc", "--dry-run"],
        &["gc"],
        &["gc", "--grace", "0"],
        &["gc", "--grace", "0"],
    ]);
    assert!(!garbage.exists());
    fs::write(sandbox.root().join(".muse/refs/heads/other"), "1".repeat(64)).unwrap();
    text += &sandbox.transcript(&[&["gc"], &["verify"], &["gc", "--grace", "soon"]]);
    check("maintenance", &text);
}

#[test]
fn damage_is_told_with_all_that_it_costs_and_repaired() {
    let sandbox = Sandbox::recorded();
    assert!(sandbox.run(&["stash", "push", "--keep", "-m", "kept"]).status.success());
    let (id, path) = planted(&sandbox, b"kick one");
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"kick ONE").unwrap();

    let found = sandbox.run(&["verify"]);
    assert_eq!(found.status.code(), Some(4));
    let told = String::from_utf8_lossy(&found.stderr).into_owned();
    for word in [id.as_str(), "tracks/drums/kick.wav", "stash@{0}", "snapshot"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    let found = sandbox.run(&["verify", "--json"]);
    assert_eq!(found.status.code(), Some(4));
    let found = document(&found);
    assert_eq!(found["damaged"], json!(true));
    let object = &found["damaged_objects"][0];
    assert_eq!((&object["object_id"], &object["problem"]), (&json!(id), &json!("damaged")));
    let affected = object["affected"].as_array().unwrap();
    assert!(
        affected.iter().any(|place| place["kind"] == "entry" && place["path"] == "tracks/drums/kick.wav")
    );

    let repaired = sandbox.run(&["verify", "--repair", "--json"]);
    assert_eq!(repaired.status.code(), Some(0), "{repaired:?}");
    let repaired = document(&repaired);
    let object = &repaired["damaged_objects"][0];
    assert!(object["healed_from"].as_str().unwrap().contains("kick.wav"));
    assert_eq!(fs::read(object["quarantined"].as_str().unwrap()).unwrap(), b"kick ONE");
    assert_eq!(fs::read(&path).unwrap(), b"kick one");
    assert_eq!(sandbox.run(&["verify", "-q"]).status.code(), Some(0));
}

#[test]
fn what_cannot_be_healed_is_put_aside_and_missing_from_then_on() {
    let sandbox = Sandbox::recorded();
    let (id, path) = planted(&sandbox, b"kick one");
    fs::remove_file(sandbox.tree().join("tracks/drums/kick.wav")).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"torn").unwrap();
    let tried = sandbox.run(&["verify", "--repair"]);
    assert_eq!(tried.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&tried.stderr).contains("quarantine"), "{tried:?}");
    assert!(!path.exists());
    let now = document(&sandbox.run(&["verify", "--json"]));
    assert_eq!(now["damaged_objects"][0]["problem"], "missing");
    // From another store.
    let backup = sandbox.root().join("backup");
    fs::create_dir_all(backup.join(&id[..2])).unwrap();
    fs::write(backup.join(&id[..2]).join(&id[2..]), b"kick one").unwrap();
    let healed = sandbox.run(&["verify", "--repair", "--from", "sharded:backup"]);
    assert_eq!(healed.status.code(), Some(0), "{healed:?}");
    assert_eq!(fs::read(&path).unwrap(), b"kick one");
    let other = document(&sandbox.run(&["verify", "--json", "--store", "sharded:backup"]));
    assert_eq!((&other["objects"], &other["damaged"]), (&json!(1), &json!(false)));
    assert_eq!(sandbox.run(&["verify", "--from", "sharded:backup"]).status.code(), Some(1), "only to repair");
    assert_eq!(sandbox.run(&["verify", "--store", "ftp:x"]).status.code(), Some(1));
}

#[test]
fn a_collection_for_programs() {
    let sandbox = Sandbox::recorded();
    let (id, path) = planted(&sandbox, b"garbage");
    let before = document(&sandbox.run(&["gc", "--json", "--dry-run", "--grace", "0"]));
    assert_eq!((&before["dry_run"], &before["removed"][0]["object_id"]), (&json!(true), &json!(id)));
    assert!(path.exists() && !sandbox.root().join(".muse/stem/gc").exists());
    let first = document(&sandbox.run(&["gc", "--json"]));
    assert_eq!((&first["removed"], &first["waiting"][0]["object_id"]), (&json!([]), &json!(id)));
    assert!(first["next"].is_string() && first["postponed"].is_null());
    // What is stored again is young, whatever was noted.
    planted(&sandbox, b"garbage");
    let again = document(&sandbox.run(&["gc", "--json", "--grace", "1h"]));
    assert_eq!(again["removed"], json!([]));
    assert!(again["waiting"][0]["since"].as_str() > first["waiting"][0]["since"].as_str());
    let removed = document(&sandbox.run(&["gc", "--json", "--grace", "0"]));
    assert_eq!((&removed["removed"][0]["size"], &removed["removed_bytes"]), (&json!(7), &json!(7)));
    assert!(!path.exists());

    let head = sandbox.root().join(".muse/HEAD");
    fs::write(&head, "what").unwrap();
    let refused = sandbox.run(&["gc", "--json"]);
    assert_eq!(refused.status.code(), Some(1));
    let error = &document(&refused)["error"];
    assert_eq!(error["kind"], "root_unreadable");
    assert!(error["path"].as_str().unwrap().ends_with(".muse/HEAD"));
}
