//! What newer Muse does not track: directories that it never enters, secrets, and what `.museignore` says.
//!
//! The matching is Python's, because Muse's is: `fnmatch` for patterns that are anchored, `PurePath.match` for all others
//! (`docs/muse.md` has the rules). Crates that match as git does were rejected: they differ in `*`, in `**` and in what a
//! trailing slash means, and a file that one program tracks and the other does not is a file that one of them deletes.
//!
//! Files are told by their paths alone. Directories are entered whatever the patterns say, since a later pattern may
//! bring back a file below them.

mod glob;

use glob::Glob;

use crate::format::text::fs_code_points;

/// Largest `.museignore` that is read, in bytes.
pub const MAX_IGNORE_BYTES: usize = 1 << 20;
/// Most patterns that count for one domain.
pub const MAX_PATTERNS: usize = 10_000;
/// Longest pattern, in characters.
pub const MAX_PATTERN_CHARS: usize = 4096;

/// The domain of a repository that names none.
pub const DEFAULT_DOMAIN: &str = "code";

/// Directories that are never entered, wherever they lie.
const NEVER_ENTERED: &[&[u8]] = &[
    b".muse",
    b".git",
    b"node_modules",
    b"__pycache__",
    b".venv",
    b"venv",
    b".tox",
    b".nox",
    b".mypy_cache",
    b".ruff_cache",
    b".pytest_cache",
    b".coverage",
    b"htmlcov",
    b"dist",
    b"build",
];

/// Ignored before the user's patterns, which may take them back.
const SECRETS: &[&str] =
    &[".env", ".env.*", ".envrc", "*.pem", "*.key", "*.p12", "*.pfx", ".DS_Store", "Thumbs.db"];

/// The rules of one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignore {
    rules: Vec<Rule>,
}

/// One pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// Whether it takes a path back.
    negates: bool,
    /// The path begins with this, taken as it stands.
    prefix: Option<Vec<u32>>,
    /// Or one of these matches.
    any: Vec<Matcher>,
}

/// What a pattern is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Matcher {
    /// The whole path, in which `*` crosses `/`.
    Whole(Glob),
    /// The last components, as many as there are here.
    Last(Vec<Glob>),
}

impl Default for Ignore {
    /// The rules of a repository without a `.museignore`.
    fn default() -> Self {
        Self { rules: SECRETS.iter().map(|pattern| Rule::new(pattern)).collect() }
    }
}

impl Ignore {
    /// The rules of a `.museignore` for a repository of this domain.
    ///
    /// # Errors
    ///
    /// Bytes that are no TOML, or more than can be held against every path; the text is for people. Sections and values of
    /// other types than are asked for say nothing, as in Muse.
    pub fn parse(bytes: &[u8], domain: &str) -> Result<Self, String> {
        if bytes.len() > MAX_IGNORE_BYTES {
            return Err(format!("it has {} bytes; at most {MAX_IGNORE_BYTES} are read", bytes.len()));
        }
        let text = str::from_utf8(bytes).map_err(|error| format!("it is not UTF-8: {error}"))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(at).filter(|&b| b == b'\n').count() + 1;
            format!("it is no TOML: line {line}: {}", stem_fs::show_bytes(error.message().as_bytes()))
        })?;
        let of_domain = table.get("domain").and_then(|domains| domains.get(domain));
        let mut ignore = Self::default();
        for section in table.get("global").into_iter().chain(of_domain) {
            let patterns = section.get("patterns").and_then(toml::Value::as_array);
            for pattern in patterns.into_iter().flatten().filter_map(toml::Value::as_str) {
                if pattern.chars().count() > MAX_PATTERN_CHARS {
                    return Err(format!("a pattern has more than {MAX_PATTERN_CHARS} characters"));
                }
                if ignore.rules.len() == MAX_PATTERNS + SECRETS.len() {
                    return Err(format!("it has more than {MAX_PATTERNS} patterns"));
                }
                ignore.rules.push(Rule::new(pattern));
            }
        }
        Ok(ignore)
    }

    /// Whether the file at this path, relative and with `/`, is ignored: the last rule that matches says so.
    pub fn is_ignored(&self, path: &[u8]) -> bool {
        let whole: Vec<u32> = fs_code_points(path).collect();
        let parts: Vec<&[u32]> = whole.split(|&c| c == u32::from('/')).collect();
        let last = self.rules.iter().rev().find(|rule| rule.matches(&whole, &parts));
        last.is_some_and(|rule| !rule.negates)
    }

    /// Whether a directory of this name is entered.
    pub fn enters(name: &[u8]) -> bool {
        !NEVER_ENTERED.contains(&name)
    }

    /// Whether the file at this path is tracked: it is not ignored, and no directory above it is passed over.
    pub fn tracks(&self, path: &[u8]) -> bool {
        let mut names = path.split(|&b| b == b'/');
        names.next_back();
        names.all(Self::enters) && !self.is_ignored(path)
    }
}

impl Rule {
    fn new(pattern: &str) -> Self {
        let (negates, pattern) = match pattern.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        if !pattern.ends_with('/') {
            return Self { negates, prefix: None, any: matchers(pattern) };
        }
        let below = format!("{}/**", pattern.trim_end_matches('/'));
        Self { negates, prefix: Some(pattern.chars().map(u32::from).collect()), any: matchers(&below) }
    }

    fn matches(&self, whole: &[u32], parts: &[&[u32]]) -> bool {
        self.prefix.as_ref().is_some_and(|prefix| whole.starts_with(prefix))
            || self.any.iter().any(|matcher| matcher.matches(whole, parts))
    }
}

fn matchers(pattern: &str) -> Vec<Matcher> {
    if let Some(anchored) = pattern.strip_prefix('/') {
        return vec![Matcher::Whole(Glob::new(anchored))];
    }
    // In Python `**` matches one component here, so that in front it has to be tried without, too.
    let without = pattern.strip_prefix("**/");
    [Some(pattern), without].into_iter().flatten().filter_map(last_components).collect()
}

/// The components that a path has to end in; `None` for a pattern that no relative path can match: an absolute one, and
/// one without components, over which Python gives up.
fn last_components(pattern: &str) -> Option<Matcher> {
    if pattern.starts_with('/') {
        return None;
    }
    let parts: Vec<Glob> =
        pattern.split('/').filter(|part| !matches!(*part, "" | ".")).map(Glob::new).collect();
    (!parts.is_empty()).then_some(Matcher::Last(parts))
}

impl Matcher {
    fn matches(&self, whole: &[u32], parts: &[&[u32]]) -> bool {
        match self {
            Self::Whole(glob) => glob.matches(whole),
            Self::Last(globs) => {
                parts.len() >= globs.len()
                    && globs.iter().rev().zip(parts.iter().rev()).all(|(glob, part)| glob.matches(part))
            }
        }
    }
}

#[cfg(test)]
mod tests;
