//! One pattern as Python's `fnmatch` reads it: `*`, `?`, `[…]`, `[!…]`, and nothing that escapes.
//!
//! Characters are code points, because a name that is not UTF-8 is lone surrogates to Python. A mismatch goes back to the
//! last `*` and no further, which is enough for such patterns: the time is at most the product of the two lengths.

/// A pattern, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob(Vec<Token>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// Any number of characters.
    Many,
    /// One character.
    One(Class),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Class {
    Any,
    Is(u32),
    In { negated: bool, ranges: Vec<(u32, u32)> },
}

impl Class {
    fn has(&self, c: u32) -> bool {
        match self {
            Self::Any => true,
            Self::Is(own) => *own == c,
            Self::In { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        let pattern: Vec<char> = pattern.chars().collect();
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some(&c) = pattern.get(at) {
            at += 1;
            match c {
                '*' => {
                    if tokens.last() != Some(&Token::Many) {
                        tokens.push(Token::Many);
                    }
                }
                '?' => tokens.push(Token::One(Class::Any)),
                '[' => match end_of_class(&pattern, at) {
                    Some(end) => {
                        tokens.push(Token::One(class(&pattern[at..end])));
                        at = end + 1;
                    }
                    // Without its end it is itself.
                    None => tokens.push(Token::One(Class::Is('['.into()))),
                },
                c => tokens.push(Token::One(Class::Is(c.into()))),
            }
        }
        Self(tokens)
    }

    pub(super) fn matches(&self, text: &[u32]) -> bool {
        let (mut token, mut at) = (0, 0);
        // Where the last `*` stands, and how much it takes so far.
        let mut back: Option<(usize, usize)> = None;
        loop {
            match (self.0.get(token), text.get(at)) {
                (None, None) => return true,
                (Some(Token::Many), _) => {
                    back = Some((token, at));
                    token += 1;
                }
                (Some(Token::One(class)), Some(&c)) if class.has(c) => {
                    token += 1;
                    at += 1;
                }
                _ => match back {
                    Some((many, taken)) if taken < text.len() => {
                        back = Some((many, taken + 1));
                        token = many + 1;
                        at = taken + 1;
                    }
                    _ => return false,
                },
            }
        }
    }
}

/// Where the class that begins at `start` ends. A `]` that comes first, or after the `!`, belongs to it.
fn end_of_class(pattern: &[char], start: usize) -> Option<usize> {
    let mut at = start;
    for first in ['!', ']'] {
        at += usize::from(pattern.get(at) == Some(&first));
    }
    let rest = pattern.get(at..)?;
    rest.iter().position(|&c| c == ']').map(|found| at + found)
}

/// The class between the brackets. Python cuts it at the hyphens that make ranges, leaves out ranges that are empty, and
/// looks for the `!` only then, in what is left.
fn class(inner: &[char]) -> Class {
    let mut pieces: Vec<Vec<char>> = Vec::new();
    let mut from = 0;
    // A hyphen that comes first is itself, and so is one right after a range.
    let mut search = if inner.first() == Some(&'!') { 2 } else { 1 };
    while let Some(hyphen) = (search..inner.len()).find(|&at| inner[at] == '-') {
        pieces.push(inner[from..hyphen].to_vec());
        from = hyphen + 1;
        search = hyphen + 3;
    }
    match (inner.get(from..).unwrap_or_default(), pieces.last_mut()) {
        ([], Some(last)) => last.push('-'),
        (rest, _) => pieces.push(rest.to_vec()),
    }
    for at in (1..pieces.len()).rev() {
        if pieces[at - 1].last() > pieces[at].first() {
            let rest = pieces.remove(at);
            pieces[at - 1].pop();
            pieces[at - 1].extend(rest.into_iter().skip(1));
        }
    }
    // `None` is a hyphen that joins two characters.
    let mut marks: Vec<Option<char>> = Vec::new();
    for piece in pieces {
        if !marks.is_empty() {
            marks.push(None);
        }
        marks.extend(piece.into_iter().map(Some));
    }
    let negated = marks.first() == Some(&Some('!'));
    if negated {
        marks.remove(0);
        if marks.is_empty() {
            return Class::Any;
        }
    }
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < marks.len() {
        let low = marks[at].unwrap_or('-');
        match (marks.get(at + 1), marks.get(at + 2)) {
            (Some(None), Some(Some(high))) if marks[at].is_some() => {
                ranges.push((low.into(), (*high).into()));
                at += 3;
            }
            _ => {
                ranges.push((low.into(), low.into()));
                at += 1;
            }
        }
    }
    Class::In { negated, ranges }
}
