//! Ids to names and back. Pure; the source of the layout is `docs/format/sharded.md`.

use stem_fs::RelPath;
use stem_hash::{HEX_LEN, HexId, ObjectId};

/// Digits in the name of a shard directory.
pub const SHARD_LEN: usize = 2;
/// Digits in the name of an object file.
pub const NAME_LEN: usize = HEX_LEN - SHARD_LEN;

/// The path of an object below the store's directory.
pub fn object_path(id: &ObjectId) -> RelPath {
    let hex = id.hex();
    let (shard, name) = hex.shard();
    plain(format!("{shard}/{name}"))
}

/// The object that a file in a shard directory is, or `None` for a foreign name.
pub fn object_id(shard: &[u8], name: &[u8]) -> Option<ObjectId> {
    if shard.len() != SHARD_LEN || name.len() != NAME_LEN {
        return None;
    }
    let mut digits = [0; HEX_LEN];
    digits[..SHARD_LEN].copy_from_slice(shard);
    digits[SHARD_LEN..].copy_from_slice(name);
    ObjectId::parse_bytes(&digits).ok()
}

/// The name of the shard directory for ids that begin with this byte.
pub(crate) fn shard_dir(first: u8) -> RelPath {
    plain(format!("{first:02x}"))
}

/// The name of an object file within its shard directory.
pub(crate) fn file_name(hex: &HexId) -> RelPath {
    plain(hex.shard().1.to_owned())
}

#[expect(
    clippy::expect_used,
    reason = "hexadecimal digits with at most one slash between them are a plain path"
)]
fn plain(text: String) -> RelPath {
    RelPath::new(text).expect("a plain path")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ObjectId {
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".parse().unwrap()
    }

    #[test]
    fn an_object_lies_in_the_directory_of_its_first_two_digits() {
        let path = object_path(&id());
        assert_eq!(path.as_bytes(), b"ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let mut parts = path.components();
        assert_eq!(object_id(parts.next().unwrap(), parts.next().unwrap()), Some(id()));
        assert_eq!(shard_dir(0xba).as_bytes(), b"ba");
        assert_eq!(file_name(&id().hex()).as_bytes(), path.file_name());
    }

    #[test]
    fn foreign_names_are_no_objects() {
        let name = *b"7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let mut upper = name;
        upper[3] = b'B';
        assert_eq!(object_id(b"ba", &name), Some(id()));
        assert_eq!(object_id(b"BA", &name), None);
        assert_eq!(object_id(b"ba", &upper), None);
        assert_eq!(object_id(b"ba", &name[1..]), None);
        assert_eq!(object_id(b"b", &name), None);
        assert_eq!(object_id(b"ba7", &name[1..]), None);
        assert_eq!(object_id(b"ba", b".obj-tmp-x7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff"), None);
    }
}
