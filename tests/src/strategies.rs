//! Trees of every kind, for property tests.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use crate::tree::{Node, Tree};

/// How many cases to try, unless `PROPTEST_CASES` says otherwise. What fails is kept beside the test's source, in a file
/// that is to be committed, and tried first ever after.
pub fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(cases),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

/// One component of a path: likely names, and any bytes that a file system takes.
pub fn component() -> impl Strategy<Value = Vec<u8>> {
    let plain = "[a-c]{1,2}(\\.wav)?".prop_map(String::into_bytes);
    let dotted = "\\.[a-c]{1,3}".prop_map(String::into_bytes);
    let unicode = "[a-zA-Zäßé太🎹\u{301}\u{e000} .'\"\\\\-]{1,12}".prop_map(String::into_bytes);
    let any_bytes = vec(any::<u8>().prop_filter("no file name", |&b| b != 0 && b != b'/'), 1..20);
    let long = any::<u8>()
        .prop_filter("no file name", |&b| b != 0 && b != b'/' && b != b'.')
        .prop_map(|b| vec![b; 255]);
    let usable = |name: &Vec<u8>| {
        let low = name.to_ascii_lowercase();
        low != b"." && low != b".." && low != b".muse" && low != b".git"
    };
    prop_oneof![8 => plain, 1 => dotted, 2 => unicode, 3 => any_bytes, 1 => long]
        .prop_filter("reserved", usable)
}

/// A relative path of one to four components.
pub fn path() -> impl Strategy<Value = Vec<u8>> {
    vec(component(), 1..=4).prop_map(|components| components.join(&b'/'))
}

/// Bytes of a file: small ones that meet each other, empty ones, and large ones without a pattern.
pub fn content() -> impl Strategy<Value = Vec<u8>> {
    let random = |(len, seed): (usize, u64)| {
        let mut state = seed | 1;
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            bytes.extend_from_slice(&(state >> 16).to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    };
    prop_oneof![
        1 => Just(Vec::new()),
        4 => (0u8..4).prop_map(|n| vec![n; 100 * usize::from(n) + 1]),
        4 => (0usize..3000, any::<u64>()).prop_map(random),
        1 => (0usize..200 * 1024, any::<u64>()).prop_map(random),
    ]
}

/// Permission bits that let the owner read.
pub fn mode() -> impl Strategy<Value = u32> {
    proptest::sample::select(vec![0o644, 0o600, 0o400, 0o755, 0o444, 0o664, 0o777])
}

/// A time between 1970 and 2100 with nanoseconds.
pub fn mtime() -> impl Strategy<Value = i128> {
    prop_oneof![0i64..4_102_444_800_000_000_000, 1_700_000_000_000_000_000i64..1_700_000_000_000_000_100]
        .prop_map(i128::from)
}

/// A file.
pub fn file() -> impl Strategy<Value = Node> {
    (content(), mode(), mtime()).prop_map(|(bytes, mode, mtime)| Node::File { bytes, mode, mtime })
}

/// A tree of up to `max` files, none of which stands where another needs a directory.
pub fn tree(max: usize) -> impl Strategy<Value = Tree> {
    vec((path(), file()), 0..=max).prop_map(without_conflicts)
}

/// Takes the files that can stand together, first come first served.
pub fn without_conflicts(files: impl IntoIterator<Item = (Vec<u8>, Node)>) -> Tree {
    let mut tree = BTreeMap::new();
    for (path, node) in files {
        if !conflicts(&tree, &path) {
            tree.insert(path, node);
        }
    }
    tree
}

/// Whether the path is a directory of the tree, or lies below one of its files.
pub fn conflicts(tree: &Tree, path: &[u8]) -> bool {
    let below = |a: &[u8], b: &[u8]| a.len() > b.len() && a.starts_with(b) && a[b.len()] == b'/';
    tree.keys().any(|other| below(other, path) || below(path, other))
}
