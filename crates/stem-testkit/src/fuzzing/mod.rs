//! What must hold for any bytes: the checks behind the fuzz targets.
//!
//! They are ordinary functions so that seeds and findings are replayed by an ordinary test
//! (`tests/tests/fuzz_replay.rs`) on every machine; the targets in `fuzz/` only call them. Each takes bytes as they
//! might stand on disk and panics when an invariant does not hold. That a reader refuses the bytes is
//! fine; that it accepts something which is unsafe, or which it would read differently after writing it, is not.
//!
//! Formats that are protected by checksums are entered by two doors: with the bytes as they are, and with every check
//! *sealed*, that is computed anew over whatever the bytes say, as somebody would who wants to be believed. Without that
//! a fuzzer only ever learns that the checksum is wrong.

mod audio;
mod bundle;
mod config;
mod feed;
mod hash;
mod inspect;
mod pack;
mod records;
mod seeds;
mod shelved;
mod stash;
mod store_ops;

use std::fmt::Display;

pub use audio::{check_audio_probe, check_chunker, check_flac, check_sample_codec};
pub use bundle::check_bundle;
pub use config::check_config;
pub use hash::check_hash_many;
pub use inspect::{check_inspect_audio, check_inspect_midi, check_inspect_project, check_inspect_text};
pub use pack::{check_pack_index, check_pack_scan, check_pack_store, check_pack_structures};
pub use records::{check_id_lists, check_muse_stash, check_museignore, check_undo_record};
pub use seeds::{Seed, seeds};
pub use shelved::check_shelved_entry;
pub use stash::{check_commit_json, check_head_refs, check_ids_paths, check_own_records, check_stash_entry};
pub use store_ops::check_store_ops;

/// A check, by the name of its fuzz target.
pub type Check = fn(&[u8]);

/// All checks; seeds and findings lie in folders of these names.
pub const CHECKS: &[(&str, Check)] = &[
    ("stash_entry", check_stash_entry),
    ("commit_json", check_commit_json),
    ("head_refs", check_head_refs),
    ("ids_paths", check_ids_paths),
    ("own_records", check_own_records),
    ("hash_many", check_hash_many),
    ("undo_record", check_undo_record),
    ("id_lists", check_id_lists),
    ("muse_stash", check_muse_stash),
    ("museignore", check_museignore),
    ("config", check_config),
    ("audio_probe", check_audio_probe),
    ("chunker", check_chunker),
    ("sample_codec", check_sample_codec),
    ("flac", check_flac),
    ("pack_structures", check_pack_structures),
    ("pack_index", check_pack_index),
    ("pack_scan", check_pack_scan),
    ("pack_store", check_pack_store),
    ("store_ops", check_store_ops),
    ("bundle", check_bundle),
    ("shelved_entry", check_shelved_entry),
    ("inspect_audio", check_inspect_audio),
    ("inspect_midi", check_inspect_midi),
    ("inspect_text", check_inspect_text),
    ("inspect_project", check_inspect_project),
];

/// Text for a terminal holds nothing that steers it.
fn check_shown(shown: &dyn Display) {
    assert!(!shown.to_string().chars().any(char::is_control), "{shown} holds a control character");
}

/// What the reader accepted, the writer must write and the reader accept again.
fn accepted<T, E: Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("accepted once, then refused: {error}"),
    }
}
