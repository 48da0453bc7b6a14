//! The ids of commits and snapshots, and how the two generations of Muse derive them.
//!
//! They are types of their own, although all are 32 bytes: an id of a snapshot handed to the object store would look like
//! an object that is missing. Which generation a repository follows is the caller's to know.

use std::fmt;
use std::str::FromStr;

use stem_fs::RelPath;
use stem_hash::{Algorithm, Hasher, IdError, ObjectId};

use super::json::WithText;
use super::manifest::Manifest;
use super::text::{PyStr, fs_code_points};

macro_rules! history_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// Written as 64 lower-case hexadecimal digits.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(ObjectId);

        impl $name {
            /// The id of these 32 bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(ObjectId::from_bytes(bytes))
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                self.0.as_bytes()
            }

            /// Parses exactly 64 lower-case hexadecimal digits.
            pub fn parse_bytes(text: &[u8]) -> Result<Self, IdError> {
                ObjectId::parse_bytes(text).map(Self)
            }

            /// The first 8 digits, for messages.
            pub fn short(&self) -> String {
                self.0.short()
            }

            /// The name of its file.
            pub fn file_name(&self) -> String {
                format!("{}.json", self.0)
            }

            pub(super) fn seed() -> WithText<fn(&[u8]) -> Result<Self, String>> {
                WithText {
                    expected: concat!("a ", $what, " id"),
                    read: |wtf8| {
                        Self::parse_bytes(wtf8).map_err(|e| format!(concat!("not a ", $what, " id: {}"), e))
                    },
                }
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse_bytes(text.as_bytes())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

history_id! {
    /// The id of a commit.
    CommitId, "commit"
}
history_id! {
    /// The id of a snapshot.
    SnapshotId, "snapshot"
}

/// How a repository derives the ids of commits and snapshots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Generation {
    /// The reference: `:` between path and object, `|` between everything else.
    #[default]
    Reference,
    /// Newer Muse: a NUL byte everywhere.
    Newer,
}

impl Generation {
    /// Both, the reference first.
    pub const ALL: [Self; 2] = [Self::Reference, Self::Newer];

    const fn separator(self) -> &'static [u8] {
        match self {
            Self::Reference => b"|",
            Self::Newer => b"\0",
        }
    }

    const fn path_separator(self) -> u8 {
        match self {
            Self::Reference => b':',
            Self::Newer => 0,
        }
    }

    /// The id of the snapshot with this manifest: SHA-256 of its `path:object` texts, sorted and joined.
    ///
    /// Names that are not UTF-8 enter as their bytes. (Muse cannot take snapshots of such names at all.)
    pub fn snapshot_id(self, manifest: &Manifest) -> SnapshotId {
        let colon = self.path_separator();
        let mut rows: Vec<&(RelPath, ObjectId)> = manifest.into_iter().collect();
        // Whole texts are sorted, not paths: "a.wav:…" comes before "a:…", because '.' does before ':'. The order of
        // the manifest is nearly that, and a stable sort is quick on what is nearly sorted.
        rows.sort_by(|(path_a, id_a), (path_b, id_b)| {
            let (id_a, id_b) = (id_a.hex(), id_b.hex());
            let a =
                fs_code_points(path_a.as_bytes()).chain([colon.into()]).chain(id_a.bytes().map(u32::from));
            let b =
                fs_code_points(path_b.as_bytes()).chain([colon.into()]).chain(id_b.bytes().map(u32::from));
            a.cmp(b)
        });
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for (i, (path, id)) in rows.into_iter().enumerate() {
            if i > 0 {
                hasher.update(self.separator());
            }
            hasher.update(path.as_bytes());
            hasher.update(&[colon]);
            hasher.update(id.hex().as_str().as_bytes());
        }
        SnapshotId(hasher.finish().id)
    }

    /// The id of a commit: SHA-256 of its sorted parents, snapshot, message and time, joined.
    ///
    /// `committed_at` is the text that the commit's file holds.
    pub fn commit_id(
        self,
        parents: &[CommitId],
        snapshot: &SnapshotId,
        message: &PyStr,
        committed_at: &PyStr,
    ) -> CommitId {
        let mut parents = parents.to_vec();
        parents.sort_unstable();
        let parents: Vec<String> = parents.iter().map(ToString::to_string).collect();
        let separator = self.separator();
        let parents: Vec<&[u8]> = parents.iter().map(String::as_bytes).collect();
        let snapshot = snapshot.to_string();
        // Lone surrogates enter as the bytes they stand for; where they stand for none, as WTF-8.
        let bytes = |text: &PyStr| text.to_fs_bytes().unwrap_or_else(|_| text.as_wtf8().to_vec());
        let parts = [parents.join(separator), snapshot.into_bytes(), bytes(message), bytes(committed_at)];
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(&parts.join(separator));
        CommitId(hasher.finish().id)
    }
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

    /// The definition, word for word, for names in UTF-8.
    fn naive_snapshot_id(manifest: &Manifest, colon: &str, bar: &str) -> String {
        let mut rows: Vec<String> = manifest
            .iter()
            .map(|(path, id)| format!("{}{colon}{id}", str::from_utf8(path.as_bytes()).unwrap()))
            .collect();
        rows.sort();
        sha256(rows.join(bar).as_bytes())
    }

    fn sha256(bytes: &[u8]) -> String {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish().id.to_string()
    }

    #[test]
    fn snapshot_ids_of_both_generations() {
        let rows: [(&[u8], &str); 4] = [(b"a", A), (b"a.wav", B), (b"a:b", A), ("ä/太鼓".as_bytes(), B)];
        let manifest = manifest(&rows);
        let [reference, newer] = Generation::ALL.map(|g| g.snapshot_id(&manifest).to_string());
        assert_eq!(reference, naive_snapshot_id(&manifest, ":", "|"));
        assert_eq!(newer, naive_snapshot_id(&manifest, "\0", "\0"));
        // sha256 of nothing
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Generation::Reference.snapshot_id(&Manifest::default()).to_string(), empty);
    }

    #[test]
    fn commit_ids_of_both_generations() {
        let snapshot: SnapshotId = A.parse().unwrap();
        let (a, b): (CommitId, CommitId) = (A.parse().unwrap(), B.parse().unwrap());
        let (message, at) = (PyStr::from("naïve"), PyStr::from("2026-03-16T12:00:00+00:00"));
        let id =
            |g: Generation, parents: &[CommitId]| g.commit_id(parents, &snapshot, &message, &at).to_string();
        assert_eq!(
            id(Generation::Reference, &[]),
            sha256(format!("|{A}|naïve|2026-03-16T12:00:00+00:00").as_bytes())
        );
        // The parents are sorted.
        assert_eq!(
            id(Generation::Newer, &[a, b]),
            sha256(format!("{B}\0{A}\0{A}\0naïve\x002026-03-16T12:00:00+00:00").as_bytes())
        );
        assert_eq!(id(Generation::Newer, &[a, b]), id(Generation::Newer, &[b, a]));
    }

    proptest! {
        #[test]
        fn snapshot_ids_follow_the_definition(paths in proptest::collection::btree_set("[a:.|ä🎹/-]{1,5}", 0..8)) {
            let paths = paths.into_iter().filter_map(|path| RelPath::new(path).ok());
            if let Ok(manifest) = Manifest::new(paths.map(|path| (path, A.parse().unwrap())).collect()) {
                let [reference, newer] = Generation::ALL.map(|g| g.snapshot_id(&manifest).to_string());
                prop_assert_eq!(reference, naive_snapshot_id(&manifest, ":", "|"));
                prop_assert_eq!(newer, naive_snapshot_id(&manifest, "\0", "\0"));
            }
        }
    }
}
