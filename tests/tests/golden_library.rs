//! Every recorded case of the reference, replayed through the library.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use serde_json::{Value, json};
use stemvault::{ApplyOptions, HeadChoice, PushOptions, Silent, Vault};
use stemvault_tests::golden::{Fixture, fixtures};

fn run(vault: &Vault, fixture: &Fixture, step: &Value) -> Result<Value, String> {
    let text = |key: &str| step.get(key).and_then(Value::as_str).map(str::to_owned);
    let reference = step.get("index").and_then(Value::as_u64).unwrap_or(0).to_string();
    let stash = vault.stash();
    match step["op"].as_str().unwrap() {
        "push" => {
            let head = match fixture.head_manifest() {
                Some(json) => HeadChoice::Manifest { bytes: json.into_bytes(), name: "fixture".into() },
                None => HeadChoice::Repository,
            };
            let options = PushOptions {
                message: text("message"),
                track: text("track"),
                section: text("section"),
                head,
                ..PushOptions::default()
            };
            let result = stash.push(&options, &Silent).map_err(|e| e.to_string())?;
            let missing: Vec<String> = result.missing_head.iter().map(ToString::to_string).collect();
            Ok(json!({
                "stash_ref": result.stash_ref, "message": result.message, "branch": result.branch,
                "files_stashed": result.files_stashed, "head_restored": result.head_restored, "missing_head": missing,
            }))
        }
        op @ ("apply" | "pop") => {
            let options = ApplyOptions { drop: op == "pop", ..ApplyOptions::default() };
            let result = stash.apply(&reference, options, &Silent).map_err(|e| e.to_string())?;
            let missing: Vec<String> = result.missing.iter().map(ToString::to_string).collect();
            Ok(json!({
                "stash_ref": result.stash_ref, "message": result.message, "files_applied": result.files_applied,
                "missing": missing, "dropped": result.dropped,
            }))
        }
        "drop" => {
            let result = stash.drop_entry(&reference).map_err(|e| e.to_string())?;
            Ok(json!({ "index": result.index, "message": result.message }))
        }
        "clear" => Ok(json!({ "count": stash.clear().map_err(|e| e.to_string())?.count })),
        other => panic!("unknown step {other}"),
    }
}

#[test]
fn the_library_does_what_the_reference_did() {
    for fixture in fixtures() {
        let root = tempfile::tempdir().unwrap();
        let mut vault = None;
        fixture.replay(root.path(), |step| {
            let vault = vault.get_or_insert_with(|| Vault::open(root.path()).unwrap());
            run(vault, &fixture, step)
        });
    }
}

#[test]
fn what_the_reference_left_behind_is_listed_applied_and_dropped() {
    for fixture in fixtures() {
        let Some(step) =
            fixture.steps().iter().find(|step| !step["entry_files_after"].as_array().unwrap().is_empty())
        else {
            continue;
        };
        let root = tempfile::tempdir().unwrap();
        fixture.build(root.path());
        let muse = root.path().join(".muse");
        // The objects are those of the working tree before the push.
        for bytes in stemvault_tests::tree::bytes(&root.path().join("muse-work")).into_values() {
            let id = stemvault_tests::golden::hex(&bytes);
            std::fs::create_dir_all(muse.join("objects").join(&id[..2])).unwrap();
            std::fs::write(muse.join("objects").join(&id[..2]).join(&id[2..]), bytes).unwrap();
        }
        std::fs::create_dir_all(muse.join("stash")).unwrap();
        let files = step["entry_files_after"].as_array().unwrap();
        for file in files {
            std::fs::write(
                muse.join("stash").join(file["name"].as_str().unwrap()),
                file["text"].as_str().unwrap(),
            )
            .unwrap();
        }
        let saved = stemvault_tests::tree::bytes(&root.path().join("muse-work"));
        std::fs::remove_dir_all(root.path().join("muse-work")).unwrap();

        let vault = Vault::open(root.path()).unwrap();
        let listed = vault.stash().list().unwrap();
        assert_eq!(listed.len(), files.len(), "{}", fixture.name);
        let entry = listed[0].entry.as_ref().unwrap();
        assert!(entry.stem.is_none());
        let expected = entry.manifest.len();
        let pop = ApplyOptions { drop: true, ..ApplyOptions::default() };
        let result = vault.stash().apply("0", pop, &Silent).unwrap();
        assert_eq!((result.files_applied, result.dropped), (expected, true), "{}", fixture.name);
        for (path, bytes) in stemvault_tests::tree::bytes(&root.path().join("muse-work")) {
            assert_eq!(saved[&path], bytes, "{}", fixture.name);
        }
        assert_eq!(vault.stash().list().unwrap().len(), files.len() - 1);
    }
}
