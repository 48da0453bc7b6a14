//! Entries as somebody else may have written them.

/// The id of an entry that is planted.
pub const STASH_ID: &str = "stash-2026-11-22T083413597654Z0000-e7650088";

/// The text of an entry with this manifest, a JSON value.
pub fn entry_text(stash_id: &str, manifest: &str) -> String {
    format!(
        r#"{{
  "stash_id": "{stash_id}",
  "branch": "main",
  "message": "planted",
  "created_at": "2026-11-22T08:34:13.597654+00:00",
  "track": null,
  "section": null,
  "manifest": {manifest}
}}"#
    )
}

/// The text of a manifest with one path, given as a JSON string without its quotes.
pub fn manifest_text(path: &str, id: &str) -> String {
    format!("{{\n    \"{path}\": \"{id}\"\n  }}")
}
