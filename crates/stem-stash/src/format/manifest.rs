//! Manifests: which paths hold which objects.
//!
//! A [`Manifest`] is safe by construction. Whoever has one may write its paths below a working tree: none is absolute or
//! climbs, none enters `.muse` or `.git`, none is given twice, and none is both a file and a directory. It is one sorted
//! vector rather than a map, because a million entries are ordinary, it is built once, and it is mostly read in order.

use std::cmp::Ordering;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use stem_fs::RelPath;
use stem_hash::ObjectId;
use thiserror::Error;

use super::error::{Document, FormatError, FormatErrorKind};
use super::json::{self, UnsafePaths, WithText};
use super::text::{fs_bytes, fs_order, write_fs_json};

/// Most entries of a manifest that are read or written.
pub const MAX_MANIFEST_ENTRIES: usize = 5_000_000;

/// Largest document with a manifest that is read or written, in bytes.
pub const MAX_MANIFEST_BYTES: usize = 512 << 20;

/// Paths and their objects, sorted by the code points of the paths' text, as Python sorts them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Manifest(Vec<(RelPath, ObjectId)>);

/// Why paths cannot be a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ManifestProblem {
    /// The path lies in a directory that no verb may touch.
    #[error("'{0}' lies inside .muse or .git, which are never written")]
    Protected(RelPath),
    /// The path is there twice.
    #[error("'{0}' is there twice")]
    Duplicate(RelPath),
    /// One path is a directory on the way to the other.
    #[error("'{file}' is a file, and '{below}' needs it to be a directory")]
    FileAndDirectory {
        /// The shorter path.
        file: RelPath,
        /// The path below it.
        below: RelPath,
    },
    /// More than [`MAX_MANIFEST_ENTRIES`] paths.
    #[error("it has more than {MAX_MANIFEST_ENTRIES} paths")]
    TooMany,
}

impl ManifestProblem {
    pub(super) fn into_error(self, document: Document) -> FormatError {
        let kind = match self {
            Self::TooMany => FormatErrorKind::TooLarge,
            _ => FormatErrorKind::Unsafe,
        };
        FormatError::new(document, kind, self.to_string())
    }
}

/// Whether a component of the path is `.muse` or `.git` in any case: such paths are never walked, written or removed.
pub fn is_protected(path: &RelPath) -> bool {
    path.components().any(|c| c.eq_ignore_ascii_case(b".muse") || c.eq_ignore_ascii_case(b".git"))
}

impl Manifest {
    /// Sorts and checks the paths.
    ///
    /// # Errors
    ///
    /// A [`ManifestProblem`] when the paths cannot all be files of one working tree.
    pub fn new(entries: Vec<(RelPath, ObjectId)>) -> Result<Self, ManifestProblem> {
        Self::with_companions(entries, Vec::<()>::new()).map(|(manifest, _)| manifest)
    }

    /// As [`Manifest::new`], with one companion for each path (or none at all), brought into the same order.
    pub(super) fn with_companions<T>(
        mut entries: Vec<(RelPath, ObjectId)>,
        mut companions: Vec<T>,
    ) -> Result<(Self, Vec<T>), ManifestProblem> {
        if entries.len() > MAX_MANIFEST_ENTRIES {
            return Err(ManifestProblem::TooMany);
        }
        if !entries.is_sorted_by(|a, b| text_order(&a.0, &b.0).is_le()) {
            if companions.len() == entries.len() {
                let mut rows: Vec<_> = entries.into_iter().zip(companions).collect();
                rows.sort_unstable_by(|a, b| text_order(&a.0.0, &b.0.0));
                (entries, companions) = rows.into_iter().unzip();
            } else {
                entries.sort_unstable_by(|a, b| text_order(&a.0, &b.0));
            }
        }
        check(entries.iter().map(|(path, _)| path))?;
        Ok((Self(entries), companions))
    }

    /// The number of paths.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no paths.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where the path stands, from 0.
    pub fn index_of(&self, path: &RelPath) -> Option<usize> {
        self.0.binary_search_by(|(other, _)| text_order(other, path)).ok()
    }

    /// The object of a path.
    pub fn get(&self, path: &RelPath) -> Option<&ObjectId> {
        self.0.get(self.index_of(path)?).map(|(_, id)| id)
    }

    /// Whether the path is there.
    pub fn contains(&self, path: &RelPath) -> bool {
        self.index_of(path).is_some()
    }

    /// Paths and objects in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&RelPath, &ObjectId)> + DoubleEndedIterator {
        self.0.iter().map(|(path, id)| (path, id))
    }

    /// Paths and objects in order.
    pub fn as_slice(&self) -> &[(RelPath, ObjectId)] {
        &self.0
    }

    /// Paths and objects in order, taken out.
    pub fn into_entries(self) -> Vec<(RelPath, ObjectId)> {
        self.0
    }

    /// Appends the JSON object; its lines after the first are indented by `indent` and, within it, by two more.
    pub(super) fn write_json(&self, out: &mut Vec<u8>, indent: &str) {
        if self.is_empty() {
            out.extend_from_slice(b"{}");
            return;
        }
        out.push(b'{');
        let mut separator = "\n";
        for (path, id) in &self.0 {
            out.extend_from_slice(separator.as_bytes());
            out.extend_from_slice(indent.as_bytes());
            out.extend_from_slice(b"  ");
            write_fs_json(out, path.as_bytes());
            out.extend_from_slice(b": \"");
            out.extend_from_slice(id.hex().as_str().as_bytes());
            out.push(b'"');
            separator = ",\n";
        }
        out.push(b'\n');
        out.extend_from_slice(indent.as_bytes());
        out.push(b'}');
    }
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &'a Manifest {
    type Item = &'a (RelPath, ObjectId);
    type IntoIter = std::slice::Iter<'a, (RelPath, ObjectId)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// The order of a manifest's paths: by the code points of their text.
pub(super) fn text_order(a: &RelPath, b: &RelPath) -> Ordering {
    fs_order(a.as_bytes(), b.as_bytes())
}

/// Checks paths that come in [`text_order`].
pub(super) fn check<'a>(sorted: impl Iterator<Item = &'a RelPath> + Clone) -> Result<(), ManifestProblem> {
    for (path, next) in sorted.clone().zip(sorted.clone().skip(1)) {
        if path == next {
            return Err(ManifestProblem::Duplicate(path.clone()));
        }
    }
    if let Some(path) = sorted.clone().find(|path| is_protected(path)) {
        return Err(ManifestProblem::Protected(path.clone()));
    }
    // Compared by components, a directory stands directly before everything below it; compared by text it does not
    // ("a", "a-b", "a/c"). Sorting again is bounded by the number of paths, a set of all directories is not.
    let mut by_components: Vec<&RelPath> = sorted.collect();
    by_components.sort_unstable_by(|a, b| a.components().cmp(b.components()));
    for pair in by_components.windows(2) {
        if let [file, below] = pair
            && below.is_below(file)
        {
            return Err(ManifestProblem::FileAndDirectory { file: (*file).clone(), below: (*below).clone() });
        }
    }
    Ok(())
}

/// Reads the document that a user hands over as HEAD's manifest: one JSON object `{path: object id}`.
///
/// # Errors
///
/// Anything that is not such an object, or names paths that must not be written.
pub fn decode_head_manifest(bytes: &[u8]) -> Result<Manifest, FormatError> {
    let document = Document::HeadManifest;
    let unsafe_paths = UnsafePaths::default();
    let entries = json::parse(document, bytes, MAX_MANIFEST_BYTES, &unsafe_paths, Entries(&unsafe_paths))?;
    Manifest::new(entries).map_err(|problem| problem.into_error(document))
}

/// Reads the pairs of a manifest in the order in which they stand; [`Manifest::new`] checks them as a whole.
#[derive(Clone, Copy)]
pub(super) struct Entries<'c>(pub(super) &'c UnsafePaths);

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = Vec<(RelPath, ObjectId)>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = Vec<(RelPath, ObjectId)>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest, an object of paths and object ids")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(path) = map.next_key_seed(path_seed(self.0))? {
            if entries.len() == MAX_MANIFEST_ENTRIES {
                return Err(A::Error::custom(ManifestProblem::TooMany));
            }
            let id = map
                .next_value_seed(WithText { expected: "an object id", read: read_id })
                .map_err(|e| A::Error::custom(format_args!("object of '{path}': {e}")))?;
            entries.push((path, id));
        }
        Ok(entries)
    }
}

pub(super) fn read_id(wtf8: &[u8]) -> Result<ObjectId, String> {
    ObjectId::parse_bytes(wtf8).map_err(|e| format!("not an object id: {e}"))
}

/// Reads a string as a path that stays inside the working tree and out of `.muse` and `.git`.
pub(super) fn path_seed(
    unsafe_paths: &UnsafePaths,
) -> WithText<impl FnOnce(&[u8]) -> Result<RelPath, String>> {
    WithText {
        expected: "a path",
        read: move |wtf8: &[u8]| {
            let refused = |why: String| {
                unsafe_paths.note();
                why
            };
            let bytes = fs_bytes(wtf8).map_err(|e| refused(format!("a path names no file: {e}")))?;
            let path = RelPath::new(bytes).map_err(|e| refused(e.to_string()))?;
            if is_protected(&path) {
                return Err(refused(ManifestProblem::Protected(path).to_string()));
            }
            Ok(path)
        },
    }
}
