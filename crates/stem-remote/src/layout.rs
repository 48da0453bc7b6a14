//! The names of `docs/format/remote.md`, and nothing else that knows them.

use object_store::path::Path;
use stem_hash::ObjectId;
use stem_pack::format::PackId;

/// The marker.
pub(crate) const MARKER: &str = "stemvault";
/// Packs and their indices.
pub(crate) const PACKS: &str = "packs";
/// Objects, in the layout `sharded`.
pub(crate) const OBJECTS: &str = "objects";
/// What clients need.
pub(crate) const ROOTS: &str = "roots";
/// Packs that nobody may rely on.
pub(crate) const CONDEMNED: &str = "condemned";
/// Stash entries for other machines.
pub(crate) const ENTRIES: &str = "entries";
/// What a service is tried with.
pub(crate) const PROBE: &str = "probe";

const PACK_SUFFIX: &str = ".pack";
const INDEX_SUFFIX: &str = ".idx";

/// What a key below `packs/` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PackKey {
    Pack(PackId),
    Index(PackId),
}

/// The name of a pack, below the store's prefix.
pub(crate) fn pack_key(id: PackId) -> String {
    format!("{PACKS}/{id}{PACK_SUFFIX}")
}

/// The name of an index.
pub(crate) fn index_key(id: PackId) -> String {
    format!("{PACKS}/{id}{INDEX_SUFFIX}")
}

/// What the last part of a key below `packs/` says.
pub(crate) fn parse_pack_name(name: &str) -> Option<PackKey> {
    let id = |digits: &str| PackId::parse_bytes(digits.as_bytes()).ok();
    if let Some(digits) = name.strip_suffix(PACK_SUFFIX) {
        return id(digits).map(PackKey::Pack);
    }
    name.strip_suffix(INDEX_SUFFIX).and_then(id).map(PackKey::Index)
}

/// Whether this is how a client, a list or a try of the service is called: 32 hex digits, lower case.
pub(crate) fn is_hex_name(name: &str) -> bool {
    PackId::parse_bytes(name.as_bytes()).is_ok()
}

/// The name of an object.
pub(crate) fn object_key(id: &ObjectId) -> String {
    let digits = id.to_string();
    let (shard, rest) = digits.split_at(2);
    format!("{OBJECTS}/{shard}/{rest}")
}

/// The object that a key below `objects/` is: the last two parts of it.
pub(crate) fn parse_object_key(shard: &str, rest: &str) -> Option<ObjectId> {
    if shard.len() != 2 || rest.len() != 62 {
        return None;
    }
    ObjectId::parse_bytes(format!("{shard}{rest}").as_bytes()).ok()
}

/// A key below the prefix of the store's URL.
pub(crate) fn below(prefix: &Path, key: &str) -> Path {
    prefix.parts().chain(Path::from(key).parts()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DOCUMENT: &str = include_str!("../../../docs/format/remote.md");

    #[test]
    fn names_and_ids_belong_together_and_are_those_of_the_page() {
        let pack = PackId::from_bytes([0xa5; 16]);
        let hex = "a5".repeat(16);
        assert_eq!(pack_key(pack), format!("packs/{hex}.pack"));
        assert_eq!(index_key(pack), format!("packs/{hex}.idx"));
        assert_eq!(parse_pack_name(&format!("{hex}.pack")), Some(PackKey::Pack(pack)));
        assert_eq!(parse_pack_name(&format!("{hex}.idx")), Some(PackKey::Index(pack)));
        for foreign in ["", ".pack", &hex, &format!("{}.pack", hex.to_uppercase()), &format!("{hex}.pack#1")]
        {
            assert_eq!(parse_pack_name(foreign), None, "{foreign}");
        }
        let id = ObjectId::from_bytes([0x1f; 32]);
        let key = object_key(&id);
        let parts: Vec<&str> = key.split('/').collect();
        assert_eq!((parts[0], parse_object_key(parts[1], parts[2])), ("objects", Some(id)));
        assert_eq!(parse_object_key("1F", parts[2]), None);
        for row in [
            "| `stemvault` |",
            "| `packs/<32 hex>.pack` |",
            "| `packs/<32 hex>.idx` |",
            "| `objects/<2 hex>/<62 hex>` |",
            "| `roots/<client>/<32 hex>` |",
            "| `condemned/<32 hex>` |",
            "| `entries/<time>-<32 hex>` |",
            "| `probe/<32 hex>` |",
        ] {
            assert!(DOCUMENT.contains(row), "{row}");
        }
    }

    proptest! {
        /// Whatever a list says: only what this client would write itself is known, under that very name.
        #[test]
        fn no_name_is_known_but_our_own(
            name in prop_oneof![".{0,80}", "[0-9a-fA-F]{30,34}[.](pack|idx|PACK)", "[0-9a-f]{32}[.](pack|idx)"],
            shard in prop_oneof![".{0,3}", "[0-9a-f]{2}"],
            rest in prop_oneof![".{0,70}", "[0-9a-fA-F]{61,63}", "[0-9a-f]{62}"],
        ) {
            match parse_pack_name(&name) {
                Some(PackKey::Pack(id)) => assert_eq!(pack_key(id), format!("{PACKS}/{name}")),
                Some(PackKey::Index(id)) => assert_eq!(index_key(id), format!("{PACKS}/{name}")),
                None => {}
            }
            if let Some(id) = parse_object_key(&shard, &rest) {
                assert_eq!(object_key(&id), format!("{OBJECTS}/{shard}/{rest}"));
            }
        }
    }

    #[test]
    fn keys_lie_below_the_prefix() {
        assert_eq!(below(&Path::from("a/b"), "packs/x").as_ref(), "a/b/packs/x");
        assert_eq!(below(&Path::default(), MARKER).as_ref(), "stemvault");
    }
}
