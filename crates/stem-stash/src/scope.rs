//! Which paths a push takes: tracks, sections and paths, as a union.

use stem_fs::RelPath;

/// The part of the working tree that a verb is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    prefixes: Vec<Vec<u8>>,
    paths: Vec<RelPath>,
}

impl Scope {
    /// The union of a track, a section and further paths; empty names are no scope, as in the reference.
    pub(crate) fn new(track: Option<&str>, section: Option<&str>, paths: &[RelPath]) -> Self {
        let prefix = |folder: &str, name: Option<&str>| {
            name.filter(|name| !name.is_empty()).map(|name| format!("{folder}/{name}/").into_bytes())
        };
        let prefixes = [prefix("tracks", track), prefix("sections", section)];
        Self { prefixes: prefixes.into_iter().flatten().collect(), paths: paths.to_vec() }
    }

    /// Whether everything is in scope.
    pub(crate) fn is_full(&self) -> bool {
        self.prefixes.is_empty() && self.paths.is_empty()
    }

    /// Whether `path` is in scope.
    pub(crate) fn contains(&self, path: &RelPath) -> bool {
        self.is_full()
            || self.prefixes.iter().any(|prefix| path.as_bytes().starts_with(prefix))
            || self.paths.iter().any(|scope| path == scope || path.is_below(scope))
    }

    /// Whether something below the directory `path` can be in scope; other directories need not be read.
    pub(crate) fn reaches(&self, path: &RelPath) -> bool {
        let below = |scope: &[u8]| {
            let directory = path.as_bytes();
            scope.starts_with(directory) && scope.get(directory.len()) == Some(&b'/')
        };
        self.contains(path)
            || self
                .prefixes
                .iter()
                .any(|prefix| below(prefix) || path.as_bytes() == &prefix[..prefix.len() - 1])
            || self.paths.iter().any(|scope| below(scope.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    #[test]
    fn a_scope_is_a_union_of_prefixes_at_component_boundaries() {
        let scope = Scope::new(Some("drums"), Some("chorus"), &[path("mix/notes.txt"), path("midi")]);
        for inside in ["tracks/drums/kick.wav", "sections/chorus/a/b.mid", "mix/notes.txt", "midi/a/b"] {
            assert!(scope.contains(&path(inside)), "{inside}");
        }
        for outside in
            ["tracks/drums2/kick.wav", "tracks/drums", "sections/verse/a", "mix/notes.txt2", "midi2"]
        {
            assert!(!scope.contains(&path(outside)), "{outside}");
        }
        for reached in ["tracks", "tracks/drums", "tracks/drums/a", "sections", "mix", "midi/a"] {
            assert!(scope.reaches(&path(reached)), "{reached}");
        }
        for unreached in ["track", "tracks/bass", "mi", "other"] {
            assert!(!scope.reaches(&path(unreached)), "{unreached}");
        }
    }

    #[test]
    fn empty_names_are_no_scope() {
        let scope = Scope::new(Some(""), Some(""), &[]);
        assert!(scope.is_full());
        assert!(scope.contains(&path("anything")));
        assert!(scope.reaches(&path("anything")));
    }
}
