//! Relative paths that cannot leave the directory they are used in.
//!
//! A path is kept as bytes with `/` between components, as it stands on disk and in manifests (after their own
//! decoding), because file names need not be UTF-8. `std::path::Path` was rejected as the currency of the engine: it
//! joins absolute paths and `..` silently, and each caller would have to check again.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use thiserror::Error;

/// Longest component in bytes; the limit of ext4, XFS, btrfs, APFS and NTFS (there in UTF-16 units).
pub const MAX_COMPONENT: usize = 255;
/// Longest whole path in bytes: Linux's `PATH_MAX` less the terminating NUL.
pub const MAX_PATH: usize = 4095;

/// A non-empty relative path of named components: no `.` or `..`, no empty component, no NUL, never absolute.
///
/// Ordered by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Box<[u8]>);

/// Why bytes are not a [`RelPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PathProblem {
    /// No bytes at all.
    #[error("it is empty")]
    Empty,
    /// It starts with `/`.
    #[error("it is absolute")]
    Absolute,
    /// It has a component `.` or `..`.
    #[error("it has a component '.' or '..'")]
    Dots,
    /// It has an empty component (`//`, or a `/` at the end).
    #[error("it has an empty component")]
    EmptyComponent,
    /// It contains a NUL byte, which no file system can store.
    #[error("it contains a NUL byte")]
    Nul,
    /// A component is longer than [`MAX_COMPONENT`].
    #[error("a component is longer than {MAX_COMPONENT} bytes")]
    LongComponent,
    /// The whole is longer than [`MAX_PATH`].
    #[error("it is longer than {MAX_PATH} bytes")]
    TooLong,
    /// A component is a name that this system cannot store, or takes for something else.
    #[error("a component is no name that this system can store")]
    Unstorable,
}

/// Bytes that are not a [`RelPath`], with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unsafe path '{path}': {problem}")]
pub struct PathError {
    /// The path for people: lossy, control characters escaped, shortened when very long.
    pub path: String,
    /// What is wrong with it.
    pub problem: PathProblem,
}

impl RelPath {
    /// Checks `bytes` and takes them over.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, PathError> {
        let bytes = bytes.into();
        match check(&bytes) {
            Ok(()) => Ok(Self(bytes.into_boxed_slice())),
            Err(problem) => {
                let shown = &bytes[..bytes.len().min(200)];
                Err(PathError { path: show_bytes(shown), problem })
            }
        }
    }

    /// A name that is made of ASCII letters, digits, `.` and `-` by construction.
    pub(crate) fn plain(name: String) -> Self {
        debug_assert!(check(name.as_bytes()).is_ok(), "{name}");
        Self(name.into_bytes().into_boxed_slice())
    }

    /// The path of an operating-system path, when that is relative and made of plain names.
    pub fn from_path(path: &Path) -> Result<Self, PathError> {
        Self::new(crate::platform::path_bytes(path))
    }

    /// The bytes, `/` between components.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The components, first to last; there is at least one.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/')
    }

    /// The last component.
    pub fn file_name(&self) -> &[u8] {
        match self.0.iter().rposition(|&b| b == b'/') {
            Some(at) => &self.0[at + 1..],
            None => &self.0,
        }
    }

    /// The last component as a path of its own.
    pub(crate) fn name(&self) -> Self {
        Self(self.file_name().into())
    }

    /// The last component as a path of its own.
    #[must_use]
    pub fn last(&self) -> Self {
        Self(self.file_name().into())
    }

    /// The path without its last component, or `None` when there is only one.
    pub fn parent(&self) -> Option<Self> {
        let at = self.0.iter().rposition(|&b| b == b'/')?;
        Some(Self(self.0[..at].into()))
    }

    /// This path with one more component.
    pub fn join(&self, name: &[u8]) -> Result<Self, PathError> {
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + name.len());
        bytes.extend_from_slice(&self.0);
        bytes.push(b'/');
        bytes.extend_from_slice(name);
        Self::new(bytes)
    }

    /// Whether this path lies below `directory` (a path does not lie below itself).
    pub fn is_below(&self, directory: &Self) -> bool {
        self.0.len() > directory.0.len()
            && self.0.starts_with(&directory.0)
            && self.0[directory.0.len()] == b'/'
    }

    /// The path as the operating system takes it, relative.
    pub fn to_path(&self) -> Cow<'_, Path> {
        crate::platform::bytes_path(&self.0)
    }
}

/// Text for people: invalid UTF-8 replaced, control characters and those that reorder or break lines escaped, so that a
/// hostile name can neither steer a terminal nor pass for another.
pub fn show_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for ch in String::from_utf8_lossy(bytes).chars() {
        if ch.is_control() || is_invisible_control(ch) {
            out.extend(ch.escape_default());
        } else {
            out.push(ch);
        }
    }
    out
}

/// Line and paragraph separators, and the marks of the Unicode bidirectional algorithm (UAX #9).
fn is_invisible_control(ch: char) -> bool {
    matches!(ch, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&show_bytes(&self.0))
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&show_bytes(&self.0), f)
    }
}

impl TryFrom<&str> for RelPath {
    type Error = PathError;
    fn try_from(text: &str) -> Result<Self, PathError> {
        Self::new(text)
    }
}

fn check(bytes: &[u8]) -> Result<(), PathProblem> {
    if bytes.is_empty() {
        return Err(PathProblem::Empty);
    }
    if bytes.len() > MAX_PATH {
        return Err(PathProblem::TooLong);
    }
    if bytes[0] == b'/' {
        return Err(PathProblem::Absolute);
    }
    if bytes.contains(&0) {
        return Err(PathProblem::Nul);
    }
    for component in bytes.split(|&b| b == b'/') {
        match component {
            b"" => return Err(PathProblem::EmptyComponent),
            b"." | b".." => return Err(PathProblem::Dots),
            long if long.len() > MAX_COMPONENT => return Err(PathProblem::LongComponent),
            _ => crate::platform::check_component(component)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn problem(bytes: &[u8]) -> Option<PathProblem> {
        RelPath::new(bytes).err().map(|e| e.problem)
    }

    #[test]
    fn hostile_paths_are_refused_with_their_reason() {
        assert_eq!(problem(b""), Some(PathProblem::Empty));
        assert_eq!(problem(b"/etc/passwd"), Some(PathProblem::Absolute));
        assert_eq!(problem(b"../x"), Some(PathProblem::Dots));
        assert_eq!(problem(b"a/../../x"), Some(PathProblem::Dots));
        assert_eq!(problem(b"./a"), Some(PathProblem::Dots));
        assert_eq!(problem(b"a//b"), Some(PathProblem::EmptyComponent));
        assert_eq!(problem(b"a/"), Some(PathProblem::EmptyComponent));
        assert_eq!(problem(b"a\0b"), Some(PathProblem::Nul));
        assert_eq!(problem(&[b'x'; 256]), Some(PathProblem::LongComponent));
        assert_eq!(problem(&[b'/'; 1]), Some(PathProblem::Absolute));
        assert_eq!(problem("a/".repeat(3000).as_bytes()), Some(PathProblem::TooLong));
        assert_eq!(problem(&[b'x'; 255]), None);
        assert_eq!(problem(b"..."), None);
        assert_eq!(problem(b"a\nb\\c\"\xff"), None);
    }

    #[test]
    fn parts() {
        let p = RelPath::new(*b"tracks/drums/kick.wav").unwrap();
        assert_eq!(p.file_name(), b"kick.wav");
        assert_eq!(p.parent().unwrap().as_bytes(), b"tracks/drums");
        assert!(p.is_below(&RelPath::new(*b"tracks").unwrap()));
        assert!(!p.is_below(&RelPath::new(*b"track").unwrap()));
        assert!(!p.is_below(&p));
        assert_eq!(RelPath::new(*b"bell\x07").unwrap().to_string(), "bell\\u{7}");
        assert_eq!(RelPath::try_from("a\u{202e}fdp.exe").unwrap().to_string(), "a\\u{202e}fdp.exe");
        assert_eq!(RelPath::try_from("Kick Süß 音").unwrap().to_string(), "Kick Süß 音");
    }

    proptest! {
        #[test]
        fn an_accepted_path_survives_the_way_through_the_system_type(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(path) = RelPath::new(bytes.clone()) {
                prop_assert_eq!(path.as_bytes(), &bytes[..]);
                let joined: Vec<u8> = path.components().collect::<Vec<_>>().join(&b'/');
                prop_assert_eq!(&joined, &bytes);
                prop_assert_eq!(RelPath::from_path(&path.to_path()).unwrap(), path);
            }
        }
    }
}
