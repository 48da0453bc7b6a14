//! The recorded behaviour of the reference: `golden/muse-stash/*.json`.
//!
//! Each fixture has a working tree, perhaps a HEAD, and steps with what the reference returned and left behind. The
//! replays (through the library, through the binary) differ only in how a step is carried out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// One recorded case.
#[derive(Debug)]
pub struct Fixture {
    /// Its name.
    pub name: String,
    /// The whole document.
    pub value: Value,
}

/// All recorded cases.
pub fn fixtures() -> Vec<Fixture> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/muse-stash");
    let mut paths: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
    paths.sort();
    assert_eq!(paths.len(), 14, "a recorded case is missing");
    let load = |path: PathBuf| {
        let value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        Fixture { name: value["name"].as_str().unwrap().to_owned(), value }
    };
    paths.into_iter().map(load).collect()
}

impl Fixture {
    /// Makes the repository as it was before the first step.
    pub fn build(&self, root: &Path) {
        let muse = root.join(".muse");
        fs::create_dir_all(muse.join("refs/heads")).unwrap();
        fs::create_dir_all(root.join("muse-work")).unwrap();
        let head = self.value["head_ref"].as_str().unwrap_or("refs/heads/main");
        fs::write(muse.join("HEAD"), head).unwrap();
        write_files(&root.join("muse-work"), &self.value["workdir"]);
        for (path, file) in self.value["head"].as_object().into_iter().flatten() {
            let bytes = content(file);
            let id = hex(&bytes);
            assert_eq!(self.value["head_manifest"][path], id, "{path}");
            if file["absent"] != json!(true) {
                let object = muse.join("objects").join(&id[..2]).join(&id[2..]);
                fs::create_dir_all(object.parent().unwrap()).unwrap();
                fs::write(object, bytes).unwrap();
            }
        }
    }

    /// HEAD's manifest as JSON, or `None` on a branch without commits.
    pub fn head_manifest(&self) -> Option<String> {
        self.value.get("head_manifest").map(Value::to_string)
    }

    /// The steps.
    pub fn steps(&self) -> &[Value] {
        self.value["steps"].as_array().unwrap()
    }

    /// Carries out every step by `run`, which returns the result's fields or the error's text, and compares all that is
    /// recorded.
    pub fn replay(&self, root: &Path, mut run: impl FnMut(&Value) -> Result<Value, String>) {
        self.build(root);
        for (number, step) in self.steps().iter().enumerate() {
            let at = format!("{} step {number} ({})", self.name, step["op"]);
            if step["op"] == "write" {
                write_files(&root.join("muse-work"), &step["files"]);
            } else {
                match (run(step), step.get("error")) {
                    (Err(text), Some(error)) => assert_eq!(text, error["text"].as_str().unwrap(), "{at}"),
                    (Ok(result), None) => compare_fields(&at, &result, &step["result"]),
                    (got, _) => panic!("{at}: got {got:?}"),
                }
            }
            check_after(&at, root, step);
        }
    }
}

/// Every field that the reference returned, with its value; more fields are welcome.
fn compare_fields(at: &str, got: &Value, expected: &Value) {
    for (key, value) in expected.as_object().into_iter().flatten() {
        assert_eq!(&got[key], value, "{at}: field {key}");
    }
}

fn check_after(at: &str, root: &Path, step: &Value) {
    let found = |dir: &Path| -> BTreeMap<String, Vec<u8>> {
        let files = crate::tree::bytes(dir).into_iter();
        files.map(|(path, bytes)| (String::from_utf8(path).unwrap(), bytes)).collect()
    };
    if let Some(expected) = step.get("workdir_after").and_then(Value::as_object) {
        let tree: Map<String, Value> = found(&root.join("muse-work"))
            .into_iter()
            .map(|(path, bytes)| (path, json!({ "size": bytes.len(), "sha256": hex(&bytes) })))
            .collect();
        assert_eq!(&tree, expected, "{at}: working tree");
    }
    if let Some(expected) = step.get("objects_after").and_then(Value::as_object) {
        let mut objects = Map::new();
        for (path, bytes) in found(&root.join(".muse/objects")) {
            let id = path.replace('/', "");
            assert_eq!(id, hex(&bytes), "{at}: object under a wrong name");
            objects.insert(id, json!(bytes.len()));
        }
        assert_eq!(&objects, expected, "{at}: objects");
    }
    if let Some(expected) = step.get("entry_files_after").and_then(Value::as_array) {
        let mut files: Vec<(String, Vec<u8>)> = found(&root.join(".muse/stash")).into_iter().collect();
        files.sort();
        assert_eq!(files.len(), expected.len(), "{at}: number of entry files");
        let mut expected: Vec<&Value> = expected.iter().collect();
        expected.sort_by_key(|file| file["name"].as_str().unwrap().to_owned());
        for ((name, text), expected) in files.iter().zip(expected) {
            let text = std::str::from_utf8(text).unwrap();
            let theirs = expected["text"].as_str().unwrap();
            assert_eq!(
                neutral(text, name),
                neutral(theirs, expected["name"].as_str().unwrap()),
                "{at}: entry text"
            );
        }
    }
}

/// The text of an entry without what must differ: its id and time, and the last key `stem` of this engine.
fn neutral(text: &str, file_name: &str) -> String {
    let entry: Value = serde_json::from_str(text).unwrap();
    let id = entry["stash_id"].as_str().unwrap();
    assert_eq!(format!("{id}.json"), file_name);
    let created = entry["created_at"].as_str().unwrap();
    assert_eq!(created.len(), "2026-11-22T08:34:13.597654+00:00".len());
    let text = text.replace(id, "<id>").replace(created, "<time>");
    match text.find(",\n  \"stem\": ") {
        Some(at) => format!("{}\n}}", &text[..at]),
        None => text,
    }
}

fn write_files(root: &Path, files: &Value) {
    for (path, file) in files.as_object().into_iter().flatten() {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content(file)).unwrap();
    }
}

/// `{"text": …}` or `{"b64": …}`.
fn content(file: &Value) -> Vec<u8> {
    match (&file["text"], &file["b64"]) {
        (Value::String(text), _) => text.clone().into_bytes(),
        (_, Value::String(text)) => base64(text),
        _ => panic!("no content in {file}"),
    }
}

/// RFC 4648 with padding; the fixtures hold one such string.
fn base64(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in text.bytes().filter(|&b| b != b'=') {
        let digit = alphabet.iter().position(|&a| a == byte).unwrap();
        bits = bits << 6 | u32::try_from(digit).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    out
}

/// SHA-256 as 64 hex digits.
pub fn hex(bytes: &[u8]) -> String {
    hex_digits(&Sha256::digest(bytes))
}

/// Bytes as lower-case hex digits.
pub fn hex_digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let digit = |n: u8| char::from(b"0123456789abcdef"[usize::from(n)]);
        text.extend([digit(byte >> 4), digit(byte & 15)]);
        text
    })
}
