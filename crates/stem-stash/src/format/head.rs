//! `.muse/HEAD` and the files under `.muse/refs/heads`.
//!
//! Three spellings of HEAD are in use; a reader that took anything else for a branch (the reference takes whatever
//! follows the last `/`) would stash under a branch that does not exist, so anything else is an error.

use std::fmt;
use std::str::FromStr;

use stem_fs::{RelPath, show_bytes};

use super::error::{Document, FormatError, FormatErrorKind};
use super::ids::CommitId;

/// Longest branch name in bytes.
pub const MAX_BRANCH_NAME: usize = 1024;

/// Largest `HEAD` or ref that is read, in bytes: the longest branch name with its prefix, and room for blanks.
pub const MAX_REF_BYTES: usize = 4096;

const BRANCH_PREFIX: &str = "refs/heads/";
const SYMBOLIC_PREFIX: &str = "ref:";
const DETACHED_PREFIX: &str = "commit:";

/// What HEAD names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// A branch, with or without commits.
    Branch {
        /// Its whole name, which may contain `/`.
        name: BranchName,
        /// How it is spelled.
        form: HeadForm,
    },
    /// A commit, and no branch: `commit: <id>`.
    Detached(CommitId),
}

/// The two ways to name a branch in HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeadForm {
    /// `refs/heads/<branch>`, as the reference writes it.
    Plain,
    /// `ref: refs/heads/<branch>`, as newer Muse writes it.
    Symbolic,
}

impl Head {
    /// Reads the bytes of `.muse/HEAD`; blanks and newlines around the text do not count.
    ///
    /// # Errors
    ///
    /// Anything but the three spellings.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let text = text_of(Document::Head, bytes)?;
        if text.is_empty() {
            return Err(FormatError::malformed(
                Document::Head,
                "it is empty; it should name a branch, like refs/heads/main",
            ));
        }
        if let Some(id) = text.strip_prefix(DETACHED_PREFIX) {
            return commit_id(Document::Head, id.trim()).map(Self::Detached);
        }
        let (target, form) = match text.strip_prefix(SYMBOLIC_PREFIX) {
            Some(target) => (target.trim(), HeadForm::Symbolic),
            None => (text, HeadForm::Plain),
        };
        let Some(name) = target.strip_prefix(BRANCH_PREFIX) else {
            return Err(FormatError::malformed(
                Document::Head,
                format!("'{}' is neither refs/heads/<branch> nor commit: <id>", shown(text)),
            ));
        };
        let name = BranchName::for_document(Document::Head, name)?;
        Ok(Self::Branch { name, form })
    }

    /// The text of the file that names this, without a newline at the end, which both generations of Muse do without.
    pub fn to_text(&self) -> String {
        match self {
            Self::Branch { name, form: HeadForm::Plain } => format!("{BRANCH_PREFIX}{name}"),
            Self::Branch { name, form: HeadForm::Symbolic } => {
                format!("{SYMBOLIC_PREFIX} {BRANCH_PREFIX}{name}")
            }
            Self::Detached(id) => format!("{DETACHED_PREFIX} {id}"),
        }
    }

    /// What entries record as their branch: its whole name, or the first 12 digits of the commit.
    pub fn label(&self) -> String {
        match self {
            Self::Branch { name, .. } => name.as_str().to_owned(),
            Self::Detached(id) => id.to_string().chars().take(12).collect(),
        }
    }
}

/// The name of a branch: a relative path below `.muse/refs/heads`, in UTF-8, without control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchName(String);

impl BranchName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// A name that could leave the directory of refs, cannot be a file name, is surrounded by blanks (which readers
    /// strip), holds control characters, or is longer than [`MAX_BRANCH_NAME`].
    pub fn new(name: &str) -> Result<Self, FormatError> {
        Self::for_document(Document::BranchName, name)
    }

    fn for_document(document: Document, name: &str) -> Result<Self, FormatError> {
        let refuse =
            |why: &str| FormatError::malformed(document, format!("branch name '{}': {why}", shown(name)));
        if name.len() > MAX_BRANCH_NAME {
            let why = format!("branch name of {} bytes; at most {MAX_BRANCH_NAME} are allowed", name.len());
            return Err(FormatError::new(document, FormatErrorKind::TooLarge, why));
        }
        if name.chars().any(char::is_control) {
            return Err(refuse("it contains a control character"));
        }
        if name.trim() != name {
            return Err(refuse("it starts or ends with a blank"));
        }
        RelPath::new(name).map_err(|e| refuse(&e.problem.to_string()))?;
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BranchName {
    type Err = FormatError;
    fn from_str(name: &str) -> Result<Self, FormatError> {
        Self::new(name)
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Reads the bytes of a branch's ref file: the id of its newest commit, or `None` for a branch without commits.
///
/// # Errors
///
/// Anything but blanks or one commit id.
pub fn parse_ref(bytes: &[u8]) -> Result<Option<CommitId>, FormatError> {
    match text_of(Document::Ref, bytes)? {
        "" => Ok(None),
        id => commit_id(Document::Ref, id).map(Some),
    }
}

fn commit_id(document: Document, text: &str) -> Result<CommitId, FormatError> {
    text.parse()
        .map_err(|e| FormatError::malformed(document, format!("'{}' is not a commit id: {e}", shown(text))))
}

fn text_of(document: Document, bytes: &[u8]) -> Result<&str, FormatError> {
    if bytes.len() > MAX_REF_BYTES {
        return Err(FormatError::too_large(document, bytes.len(), MAX_REF_BYTES));
    }
    let text = str::from_utf8(bytes).map_err(|_| FormatError::malformed(document, "it is not text"))?;
    Ok(text.trim())
}

/// The start of a text for people, safe for a terminal.
fn shown(text: &str) -> String {
    show_bytes(&text.as_bytes()[..text.floor_char_boundary(80)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "cc962289af2873dd6dad32931554372a7d2d2de5bd5859c8265eb58b5197a88e";

    fn branch(text: &str) -> (String, HeadForm) {
        match Head::parse(text.as_bytes()).unwrap() {
            Head::Branch { name, form } => (name.as_str().to_owned(), form),
            Head::Detached(id) => panic!("detached at {id}"),
        }
    }

    #[test]
    fn the_three_spellings() {
        assert_eq!(branch("refs/heads/main"), ("main".into(), HeadForm::Plain));
        assert_eq!(branch("refs/heads/bridge-rewrite\n"), ("bridge-rewrite".into(), HeadForm::Plain));
        assert_eq!(branch("ref: refs/heads/take/2 \r\n"), ("take/2".into(), HeadForm::Symbolic));
        assert_eq!(branch("ref:refs/heads/naïve 🎹"), ("naïve 🎹".into(), HeadForm::Symbolic));
        let head = Head::parse(format!("commit: {ID}\n").as_bytes()).unwrap();
        assert_eq!(head, Head::Detached(ID.parse().unwrap()));
        assert_eq!(head.label(), "cc962289af28");
        assert_eq!(Head::parse(b"refs/heads/a/b").unwrap().label(), "a/b");
    }

    #[test]
    fn garbage_is_an_error_that_says_so() {
        let long = format!("refs/heads/{}", "x/".repeat(600));
        let upper = format!("commit: {}", ID.to_uppercase());
        let huge = "x".repeat(1 << 20);
        for (text, says) in [
            ("", "empty"),
            (" \n", "empty"),
            ("main", "neither"),
            ("refs/tags/v1", "neither"),
            ("refs/heads/", "empty"),
            ("refs/heads/../../HEAD", "'..'"),
            ("refs/heads/a//b", "empty component"),
            ("refs/heads//etc/passwd", "absolute"),
            ("refs/heads/a/", "empty component"),
            ("refs/heads/a\nb", "control"),
            ("refs/heads/a\0b", "control"),
            ("ref: ref: refs/heads/a", "neither"),
            ("commit: ", "not a commit id"),
            ("commit: 12ab", "not a commit id"),
            (&upper, "upper-case"),
            (&long, "1024"),
            (&huge, "4096"),
            ("{\"a\": 1}", "neither"),
        ] {
            let error = Head::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says) && error.len() < 300, "{text:.60?}: {error}");
        }
        assert!(Head::parse(b"refs/heads/\xff\xfe").unwrap_err().to_string().contains("not text"));
    }

    #[test]
    fn refs() {
        assert_eq!(parse_ref(b"").unwrap(), None);
        assert_eq!(parse_ref(b"\n").unwrap(), None);
        assert_eq!(parse_ref(format!("{ID}\n").as_bytes()).unwrap(), Some(ID.parse().unwrap()));
        for bad in ["x", &ID[1..], &ID.to_uppercase(), &format!("{ID}{ID}"), "../../../etc/passwd\0"] {
            let error = parse_ref(bad.as_bytes()).unwrap_err();
            assert!(error.to_string().contains("not a commit id"), "{error}");
        }
        assert!(parse_ref(&[0xFF; 64]).is_err());
        assert_eq!(parse_ref(&[b' '; 5000]).unwrap_err().kind(), FormatErrorKind::TooLarge);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(name in "[a-zäß🎹 ._-]{1,20}(/[a-z0-9]{1,8}){0,3}", symbolic: bool) {
            if let Ok(name) = BranchName::new(&name) {
                let form = if symbolic { HeadForm::Symbolic } else { HeadForm::Plain };
                let head = Head::Branch { name, form };
                prop_assert_eq!(Head::parse(head.to_text().as_bytes()).unwrap(), head);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Head::parse(&bytes);
            let _ = parse_ref(&bytes);
        }
    }
}
