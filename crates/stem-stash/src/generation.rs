//! Which generation of Muse a repository belongs to. Decided here and nowhere else, once, when it is opened.
//!
//! HEAD decides, because both generations write it always and neither reads the other's spelling. A directory `muse-work`
//! does not, where HEAD can be read: who moved from the reference to newer Muse may have kept it, and newer Muse tracks
//! what lies in it.

use stem_fs::{Dir, FileKind};

use crate::format::commit::Generation;
use crate::format::head::{Head, HeadForm, MAX_REF_BYTES};
use crate::format::muse::{MAX_REPO_JSON_BYTES, read_domain};
use crate::repo::{DEFAULT_WORK_DIR, fixed};

/// What tells the generations apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signs {
    /// How HEAD is spelled; `None` where it cannot be read.
    pub head: Option<Generation>,
    /// Whether there is a directory `muse-work`.
    pub has_work_dir: bool,
    /// Whether `repo.json` names a domain.
    pub has_domain: bool,
}

/// The generation that these signs show.
pub fn generation_of(signs: Signs) -> Generation {
    match signs {
        Signs { head: Some(generation), .. } => generation,
        Signs { has_work_dir: false, has_domain: true, .. } => Generation::Newer,
        Signs { .. } => Generation::Reference,
    }
}

/// The generation in whose form HEAD is spelled.
pub fn generation_of_head(head: &Head) -> Generation {
    match head {
        Head::Detached(_) | Head::Branch { form: HeadForm::Symbolic, .. } => Generation::Newer,
        Head::Branch { form: HeadForm::Plain, .. } => Generation::Reference,
    }
}

/// Looks for the signs. What cannot be read is no sign; the verb that needs it says so.
pub(crate) fn signs(root: &Dir, muse: &Dir) -> Signs {
    let read = |name, limit: usize| muse.read(&fixed(name), limit as u64).ok().flatten();
    let head = read("HEAD", MAX_REF_BYTES).and_then(|bytes| Head::parse(&bytes).ok());
    let is_dir = |found: stem_fs::Stat| found.kind == FileKind::Dir;
    Signs {
        head: head.as_ref().map(generation_of_head),
        has_work_dir: root.stat(&fixed(DEFAULT_WORK_DIR)).ok().flatten().is_some_and(is_dir),
        has_domain: read("repo.json", MAX_REPO_JSON_BYTES)
            .is_some_and(|bytes| read_domain(&bytes).is_ok_and(|domain| domain.is_some())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_decides_and_without_it_the_rest() {
        use Generation::{Newer, Reference};
        for (head, has_work_dir, has_domain, expected) in [
            (Some(Newer), false, false, Newer),
            (Some(Newer), true, false, Newer),
            (Some(Reference), false, true, Reference),
            (Some(Reference), true, false, Reference),
            (None, false, true, Newer),
            (None, true, true, Reference),
            (None, false, false, Reference),
        ] {
            assert_eq!(generation_of(Signs { head, has_work_dir, has_domain }), expected);
        }
    }

    #[test]
    fn the_spellings_of_head() {
        let commit = format!("commit: {}", "ab".repeat(32));
        for (text, expected) in [
            ("refs/heads/main\n", Generation::Reference),
            ("ref: refs/heads/main", Generation::Newer),
            (commit.as_str(), Generation::Newer),
        ] {
            assert_eq!(generation_of_head(&Head::parse(text.as_bytes()).unwrap()), expected, "{text}");
        }
    }
}
