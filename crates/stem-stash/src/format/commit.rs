//! Commits and snapshots: `.muse/commits/<id>.json` and `.muse/snapshots/<id>.json`.
//!
//! Keys that this engine does not use are kept as they stand, because newer Muse stores provenance in them.
//!
//! The formats are described in `docs/format/commits.md`.

use serde::de::{Error as _, MapAccess};
use serde_json::value::RawValue;
use stem_fs::RelPath;
use stem_hash::ObjectId;

use super::error::{Document, FormatError};
use super::json::{self, Fields, Nullable, Object, OrNull, Text, UnsafePaths, optional, required, take};
use super::manifest::{Entries, MAX_MANIFEST_BYTES, Manifest};
use super::text::PyStr;

pub use super::ids::{CommitId, Generation, SnapshotId};

/// Largest commit that is read or written, in bytes. Newer Muse keeps a description of the change in it.
pub const MAX_COMMIT_BYTES: usize = 64 << 20;

/// Largest snapshot that is read or written, in bytes.
pub const MAX_SNAPSHOT_BYTES: usize = MAX_MANIFEST_BYTES;

/// Most keys of newer Muse in one file that are kept: a key of a few bytes takes a hundred in memory.
pub const MAX_EXTRA_KEYS: usize = 4096;

/// A value of JSON that is kept as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawJson(String);

impl RawJson {
    /// The empty object.
    pub fn empty_object() -> Self {
        Self("{}".to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key that this engine does not know, with its value.
pub type ExtraKey = (PyStr, RawJson);

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id, as the file says; [`Commit::generation`] tells whether it is true.
    pub commit_id: CommitId,
    /// The repository's UUID.
    pub repo_id: PyStr,
    /// The branch it was made on.
    pub branch: PyStr,
    /// The commit before it.
    pub parent: Option<CommitId>,
    /// The other parent of a merge.
    pub parent2: Option<CommitId>,
    /// The snapshot it records.
    pub snapshot_id: SnapshotId,
    /// The user's message.
    pub message: PyStr,
    /// Who made it; may be empty.
    pub author: PyStr,
    /// When, as ISO-8601 text, which is part of the id.
    pub committed_at: PyStr,
    /// Further facts, a JSON object.
    pub metadata: RawJson,
    /// Keys of newer Muse, in the order of the file.
    pub extra: Vec<ExtraKey>,
}

impl Commit {
    /// The generation by whose rule the id is the hash of the commit, or `None` when it is damaged or made otherwise.
    pub fn generation(&self) -> Option<Generation> {
        let parents: Vec<CommitId> = self.parent.into_iter().chain(self.parent2).collect();
        Generation::ALL.into_iter().find(|generation| {
            let id = generation.commit_id(&parents, &self.snapshot_id, &self.message, &self.committed_at);
            id == self.commit_id
        })
    }
}

/// One snapshot: the manifest of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id, as the file says; [`Snapshot::generation`] tells whether it is true.
    pub snapshot_id: SnapshotId,
    /// Paths and objects.
    pub manifest: Manifest,
    /// When it was made, as ISO-8601 text.
    pub created_at: PyStr,
    /// Keys of newer Muse, in the order of the file.
    pub extra: Vec<ExtraKey>,
}

impl Snapshot {
    /// The generation by whose rule the id is the hash of the manifest, or `None` when it is damaged or made otherwise.
    pub fn generation(&self) -> Option<Generation> {
        Generation::ALL
            .into_iter()
            .find(|generation| generation.snapshot_id(&self.manifest) == self.snapshot_id)
    }
}

/// The bytes of a commit's file, indented by two, with a newline at the end.
///
/// # Errors
///
/// A commit that would be larger than [`MAX_COMMIT_BYTES`].
pub fn encode_commit(commit: &Commit) -> Result<Vec<u8>, FormatError> {
    let id = |id: Option<CommitId>| id.map_or_else(|| "null".to_owned(), |id| format!("\"{id}\""));
    let mut out = Writer::new();
    out.raw("commit_id", format!("\"{}\"", commit.commit_id).as_bytes());
    out.text("repo_id", &commit.repo_id);
    out.text("branch", &commit.branch);
    out.raw("parent_commit_id", id(commit.parent).as_bytes());
    out.raw("parent2_commit_id", id(commit.parent2).as_bytes());
    out.raw("snapshot_id", format!("\"{}\"", commit.snapshot_id).as_bytes());
    out.text("message", &commit.message);
    out.text("author", &commit.author);
    out.text("committed_at", &commit.committed_at);
    out.raw("metadata", commit.metadata.0.as_bytes());
    out.finish(Document::Commit, &commit.extra, MAX_COMMIT_BYTES)
}

/// The bytes of a snapshot's file, indented by two, with a newline at the end.
///
/// # Errors
///
/// A snapshot that would be larger than [`MAX_SNAPSHOT_BYTES`].
pub fn encode_snapshot(snapshot: &Snapshot) -> Result<Vec<u8>, FormatError> {
    let mut out = Writer::new();
    out.raw("snapshot_id", format!("\"{}\"", snapshot.snapshot_id).as_bytes());
    out.key("manifest");
    snapshot.manifest.write_json(&mut out.0, "  ");
    out.text("created_at", &snapshot.created_at);
    out.finish(Document::Snapshot, &snapshot.extra, MAX_SNAPSHOT_BYTES)
}

/// Reads the bytes of a commit's file.
///
/// # Errors
///
/// What is wrong with it, and where. `commit_id`, `snapshot_id`, `message` and `committed_at` are required.
pub fn decode_commit(bytes: &[u8]) -> Result<Commit, FormatError> {
    let document = Document::Commit;
    let raw = json::parse(
        document,
        bytes,
        MAX_COMMIT_BYTES,
        &UnsafePaths::default(),
        Object(RawCommit::default()),
    )?;
    let metadata = raw.metadata.map_or("null", RawValue::get);
    if metadata != "null" && !metadata.starts_with('{') {
        return Err(FormatError::malformed(document, "the key \"metadata\" is not an object"));
    }
    Ok(Commit {
        commit_id: required(raw.commit_id, document, "commit_id")?,
        repo_id: raw.repo_id.unwrap_or_default(),
        branch: raw.branch.unwrap_or_default(),
        parent: optional(raw.parent),
        parent2: optional(raw.parent2),
        snapshot_id: required(raw.snapshot_id, document, "snapshot_id")?,
        message: required(raw.message, document, "message")?,
        author: optional(raw.author).unwrap_or_default(),
        committed_at: required(raw.committed_at, document, "committed_at")?,
        metadata: if metadata == "null" { RawJson::empty_object() } else { RawJson(metadata.to_owned()) },
        extra: unique(document, raw.extra)?,
    })
}

/// Reads the bytes of a snapshot's file.
///
/// # Errors
///
/// What is wrong with it, and where. `snapshot_id` and `manifest` are required.
pub fn decode_snapshot(bytes: &[u8]) -> Result<Snapshot, FormatError> {
    let document = Document::Snapshot;
    let unsafe_paths = UnsafePaths::default();
    let raw = RawSnapshot {
        unsafe_paths: &unsafe_paths,
        snapshot_id: None,
        manifest: None,
        created_at: None,
        extra: Vec::new(),
    };
    let raw = json::parse(document, bytes, MAX_SNAPSHOT_BYTES, &unsafe_paths, Object(raw))?;
    let manifest = required(raw.manifest, document, "manifest")?;
    Ok(Snapshot {
        snapshot_id: required(raw.snapshot_id, document, "snapshot_id")?,
        manifest: Manifest::new(manifest).map_err(|problem| problem.into_error(document))?,
        created_at: raw.created_at.unwrap_or_default(),
        extra: unique(document, raw.extra)?,
    })
}

/// Kept keys would be written back, so two of the same name would make a file that this reader refuses.
fn unique(document: Document, extra: Vec<ExtraKey>) -> Result<Vec<ExtraKey>, FormatError> {
    let mut keys: Vec<&PyStr> = extra.iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    if let Some([key, _]) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(FormatError::malformed(document, format!("duplicate key {key:?}")));
    }
    Ok(extra)
}

/// Writes an object line by line, indented by two.
struct Writer(Vec<u8>);

impl Writer {
    fn new() -> Self {
        Self(b"{".to_vec())
    }

    fn key(&mut self, key: &str) {
        self.raw_key(&PyStr::from(key));
    }

    fn raw_key(&mut self, key: &PyStr) {
        self.0.extend_from_slice(if self.0.len() == 1 { b"\n  " } else { b",\n  " });
        key.write_json(&mut self.0);
        self.0.extend_from_slice(b": ");
    }

    fn raw(&mut self, key: &str, json: &[u8]) {
        self.key(key);
        self.0.extend_from_slice(json);
    }

    fn text(&mut self, key: &str, text: &PyStr) {
        self.key(key);
        text.write_json(&mut self.0);
    }

    fn finish(
        mut self,
        document: Document,
        extra: &[ExtraKey],
        limit: usize,
    ) -> Result<Vec<u8>, FormatError> {
        for (key, RawJson(json)) in extra {
            self.raw_key(key);
            self.0.extend_from_slice(json.as_bytes());
        }
        self.0.extend_from_slice(b"\n}\n");
        if self.0.len() > limit {
            return Err(FormatError::too_large(document, self.0.len(), limit));
        }
        Ok(self.0)
    }
}

#[derive(Default)]
struct RawCommit<'de> {
    commit_id: Option<CommitId>,
    repo_id: Option<PyStr>,
    branch: Option<PyStr>,
    parent: Option<OrNull<CommitId>>,
    parent2: Option<OrNull<CommitId>>,
    snapshot_id: Option<SnapshotId>,
    message: Option<PyStr>,
    author: Option<OrNull<PyStr>>,
    committed_at: Option<PyStr>,
    metadata: Option<&'de RawValue>,
    extra: Vec<ExtraKey>,
}

impl<'de> Fields<'de> for RawCommit<'de> {
    const EXPECTED: &'static str = "a commit, an object";

    fn field<A: MapAccess<'de>>(&mut self, key: &PyStr, map: &mut A) -> Result<(), A::Error> {
        match key.as_wtf8() {
            b"commit_id" => take(&mut self.commit_id, key, map, CommitId::seed()),
            b"repo_id" => take(&mut self.repo_id, key, map, Text),
            b"branch" => take(&mut self.branch, key, map, Text),
            b"parent_commit_id" => take(&mut self.parent, key, map, Nullable(CommitId::seed())),
            b"parent2_commit_id" => take(&mut self.parent2, key, map, Nullable(CommitId::seed())),
            b"snapshot_id" => take(&mut self.snapshot_id, key, map, SnapshotId::seed()),
            b"message" => take(&mut self.message, key, map, Text),
            b"author" => take(&mut self.author, key, map, Nullable(Text)),
            b"committed_at" => take(&mut self.committed_at, key, map, Text),
            b"metadata" => take(&mut self.metadata, key, map, std::marker::PhantomData),
            _ => keep(&mut self.extra, key, map),
        }
    }
}

struct RawSnapshot<'c> {
    unsafe_paths: &'c UnsafePaths,
    snapshot_id: Option<SnapshotId>,
    manifest: Option<Vec<(RelPath, ObjectId)>>,
    created_at: Option<PyStr>,
    extra: Vec<ExtraKey>,
}

impl<'de> Fields<'de> for RawSnapshot<'_> {
    const EXPECTED: &'static str = "a snapshot, an object";

    fn field<A: MapAccess<'de>>(&mut self, key: &PyStr, map: &mut A) -> Result<(), A::Error> {
        match key.as_wtf8() {
            b"snapshot_id" => take(&mut self.snapshot_id, key, map, SnapshotId::seed()),
            b"manifest" => take(&mut self.manifest, key, map, Entries(self.unsafe_paths)),
            b"created_at" => take(&mut self.created_at, key, map, Text),
            _ => keep(&mut self.extra, key, map),
        }
    }
}

fn keep<'de, A: MapAccess<'de>>(extra: &mut Vec<ExtraKey>, key: &PyStr, map: &mut A) -> Result<(), A::Error> {
    if extra.len() == MAX_EXTRA_KEYS {
        return Err(A::Error::custom(format_args!(
            "more than {MAX_EXTRA_KEYS} keys that are not known here"
        )));
    }
    let value: &RawValue = map.next_value()?;
    extra.push((key.clone(), RawJson(value.get().to_owned())));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = "cc962289af2873dd6dad32931554372a7d2d2de5bd5859c8265eb58b5197a88e";
    const B: &str = "695b4b7f40cec82a7fad823964188426cd4d6efdd7fb1849248a5b6eacb09f2e";

    fn manifest(rows: &[(&[u8], &str)]) -> Manifest {
        let rows = rows.iter().map(|(path, id)| (RelPath::new(*path).unwrap(), id.parse().unwrap()));
        Manifest::new(rows.collect()).unwrap()
    }

    fn sample() -> Commit {
        let mut commit = Commit {
            commit_id: CommitId::from_bytes([0; 32]),
            repo_id: "0b5c".into(),
            branch: "take/2".into(),
            parent: Some(A.parse().unwrap()),
            parent2: None,
            snapshot_id: B.parse().unwrap(),
            message: "Add \"verse\" 🎹".into(),
            author: "".into(),
            committed_at: "2026-03-16T12:00:00+00:00".into(),
            metadata: RawJson::empty_object(),
            extra: Vec::new(),
        };
        commit.commit_id = Generation::Newer.commit_id(
            &[A.parse().unwrap()],
            &commit.snapshot_id,
            &commit.message,
            &commit.committed_at,
        );
        commit
    }

    #[test]
    fn a_commit_is_written_as_muse_writes_it() {
        let commit = sample();
        let text = String::from_utf8(encode_commit(&commit).unwrap()).unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{
  "commit_id": "{}",
  "repo_id": "0b5c",
  "branch": "take/2",
  "parent_commit_id": "{A}",
  "parent2_commit_id": null,
  "snapshot_id": "{B}",
  "message": "Add \"verse\" \ud83c\udfb9",
  "author": "",
  "committed_at": "2026-03-16T12:00:00+00:00",
  "metadata": {{}}
}}
"#,
                commit.commit_id
            )
        );
        assert_eq!(decode_commit(text.as_bytes()).unwrap(), commit);
        assert_eq!(commit.generation(), Some(Generation::Newer));
        assert_eq!(Commit { message: "other".into(), ..commit }.generation(), None);
    }

    #[test]
    fn keys_of_newer_muse_survive_a_rewrite() {
        let text = format!(
            r#"{{
  "commit_id": "{A}",
  "repo_id": "r",
  "branch": "main",
  "parent_commit_id": null,
  "parent2_commit_id": null,
  "snapshot_id": "{B}",
  "message": "m",
  "author": "a",
  "committed_at": "2026-03-16T12:00:00+00:00",
  "metadata": {{
    "tempo": "120"
  }},
  "structured_delta": {{
    "ops": [
      1e400, 18446744073709551616, "\ud800"
    ]
  }},
  "format_version": 4
}}
"#
        );
        let commit = decode_commit(text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(encode_commit(&commit).unwrap()).unwrap(), text);
        let twice = text.replace("\"format_version\"", "\"structured_delta\"");
        assert!(decode_commit(twice.as_bytes()).unwrap_err().to_string().contains("duplicate"));
    }

    #[test]
    fn only_what_matters_is_required() {
        let text = format!(
            r#"{{"commit_id": "{A}", "snapshot_id": "{B}", "message": "", "committed_at": "", "author": null, "metadata": null}}"#
        );
        let commit = decode_commit(text.as_bytes()).unwrap();
        assert_eq!(commit.metadata.as_str(), "{}");
        assert!(commit.repo_id.is_empty() && commit.author.is_empty());
        for (from, to) in
            [("null}", "[]}"), (A, "abc"), (B, &B.to_uppercase()), ("\"message\"", "\"massage\"")]
        {
            assert!(decode_commit(text.replace(from, to).as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn a_snapshot_is_written_as_muse_writes_it() {
        let manifest = manifest(&[(b"a\xff.wav", A), (b"b", B)]);
        let snapshot_id = Generation::Reference.snapshot_id(&manifest);
        let snapshot = Snapshot { snapshot_id, manifest, created_at: "now".into(), extra: Vec::new() };
        let text = String::from_utf8(encode_snapshot(&snapshot).unwrap()).unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{
  "snapshot_id": "{snapshot_id}",
  "manifest": {{
    "a\udcff.wav": "{A}",
    "b": "{B}"
  }},
  "created_at": "now"
}}
"#
            )
        );
        assert_eq!(decode_snapshot(text.as_bytes()).unwrap(), snapshot);
        assert_eq!(snapshot.generation(), Some(Generation::Reference));
        assert_eq!(Snapshot { snapshot_id: A.parse().unwrap(), ..snapshot }.generation(), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_commit(&bytes);
            let _ = decode_snapshot(&bytes);
        }
    }
}
