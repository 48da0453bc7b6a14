//! Two documents, element by element.
//!
//! A child is the same as one before if it has the same name and the same `Id`, in the same order; what has neither partner
//! nor equal content is new or gone as a whole.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::MAX_LISTED;
use super::xml::Document;
use crate::plain::{self, SHORT};
use crate::sequence::{Budget, Item, Pair, pairs};
use crate::text::{Change, ValueChange};
use crate::words::counted;

/// Characters of a name in a path.
const LONGEST_NAME: usize = 60;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) added: u64,
    pub(super) removed: u64,
    pub(super) values: u64,
    /// Those of the values that are names of tracks.
    pub(super) names: u64,
    pub(super) changes: Vec<ValueChange>,
    pub(super) more: u64,
}

pub(super) fn compare(before: &Document<'_>, after: &Document<'_>) -> Found {
    let mut comparison = Comparison {
        before,
        after,
        found: Found::default(),
        path: String::new(),
        within: Vec::new(),
        budget: Budget::new(),
    };
    if before.name_of(0) == after.name_of(0) {
        comparison.elements(0, 0);
    } else {
        comparison.found.removed += 1;
        comparison.found.added += 1;
        comparison.note(Change::Changed, "", Some(before.name_of(0)), Some(after.name_of(0)));
    }
    comparison.found
}

struct Comparison<'a> {
    before: &'a Document<'a>,
    after: &'a Document<'a>,
    found: Found,
    path: String,
    /// The names of the elements above.
    within: Vec<&'a str>,
    budget: Budget,
}

impl<'a> Comparison<'a> {
    /// Nested as deep as the documents, which is bounded.
    fn elements(&mut self, a: usize, b: usize) {
        let (Some(old), Some(new)) = (self.before.element(a), self.after.element(b)) else { return };
        if old.hash == new.hash {
            return;
        }
        self.within.push(self.after.name_of(b));
        self.attributes(a, b);
        if old.text_hash != new.text_hash {
            let text = |document: &Document<'a>, element: usize| {
                Some(document.text_of(element)).filter(|t| !t.is_empty())
            };
            self.value("", text(self.before, a), text(self.after, b));
        }
        self.children(a, b);
        self.within.pop();
    }

    fn attributes(&mut self, a: usize, b: usize) {
        let mut old: Vec<_> = self.before.attributes(a).collect();
        let mut new: Vec<_> = self.after.attributes(b).collect();
        old.sort_unstable();
        new.sort_unstable();
        let mut new = new.into_iter().peekable();
        for (name, value) in old {
            while let Some((other, other_value)) = new.next_if(|(other, _)| *other < name) {
                self.value(other, None, Some(other_value));
            }
            match new.next_if(|(other, _)| *other == name) {
                Some((_, after)) if after == value => {}
                Some((_, after)) => self.value(name, Some(value), Some(after)),
                None => self.value(name, Some(value), None),
            }
        }
        for (name, value) in new {
            self.value(name, None, Some(value));
        }
    }

    fn children(&mut self, a: usize, b: usize) {
        let (old, new) =
            (self.before.children(a).collect::<Vec<_>>(), self.after.children(b).collect::<Vec<_>>());
        let items = |document: &Document<'_>, children: &[usize]| {
            children.iter().map(|&child| item(document, child)).collect::<Vec<_>>()
        };
        let found = pairs(&items(self.before, &old), &items(self.after, &new), &mut self.budget);
        if found.is_empty() {
            return;
        }
        let (places_before, places_after) = (places(self.before, &old), places(self.after, &new));
        for pair in found {
            match pair {
                Pair::Both(a, b) => {
                    self.at(self.after.name_of(new[b]), places_after[b], |this| {
                        this.elements(old[a], new[b]);
                    });
                }
                Pair::Removed(a) => {
                    self.found.removed += 1;
                    let (document, child) = (self.before, old[a]);
                    self.at(document.name_of(child), places_before[a], |this| {
                        this.note(Change::Removed, "", Some(&content(document, child)), None);
                    });
                }
                Pair::Added(b) => {
                    self.found.added += 1;
                    let (document, child) = (self.after, new[b]);
                    self.at(document.name_of(child), places_after[b], |this| {
                        this.note(Change::Added, "", None, Some(&content(document, child)));
                    });
                }
            }
        }
    }

    fn at(&mut self, name: &str, place: Option<usize>, then: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length > 0 {
            self.path.push('/');
        }
        self.path.push_str(&plain::shown(name, LONGEST_NAME));
        if let Some(place) = place {
            self.path.extend(["[", &place.to_string(), "]"]);
        }
        then(self);
        self.path.truncate(length);
    }

    fn value(&mut self, attribute: &str, before: Option<&str>, after: Option<&str>) {
        self.found.values += 1;
        if self.within.contains(&"Tracks") && self.within.iter().rev().take(2).any(|name| *name == "Name") {
            self.found.names += 1;
        }
        let change = match (before, after) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ => Change::Changed,
        };
        let suffix = if attribute.is_empty() { "" } else { "@" };
        self.note(change, &format!("{suffix}{}", plain::shown(attribute, LONGEST_NAME)), before, after);
    }

    fn note(&mut self, change: Change, suffix: &str, before: Option<&str>, after: Option<&str>) {
        if self.found.changes.len() == MAX_LISTED {
            self.found.more += 1;
            return;
        }
        let path = match (self.path.as_str(), suffix) {
            // Of the root.
            ("", "") => plain::shown(self.after.name_of(0), LONGEST_NAME),
            (path, suffix) => format!("{path}{suffix}"),
        };
        let short = |value: &str| plain::shown(&unescaped(value), SHORT);
        self.found.changes.push(ValueChange {
            change,
            path,
            before: before.map(short),
            after: after.map(short),
        });
    }
}

fn item(document: &Document<'_>, child: usize) -> Item {
    let mut hasher = DefaultHasher::new();
    (document.name_of(child), document.attribute(child, "Id")).hash(&mut hasher);
    Item { content: document.element(child).map_or(0, |element| element.hash), label: hasher.finish() }
}

/// The number of each child among those of its name, from 1, where there are more of them.
fn places(document: &Document<'_>, children: &[usize]) -> Vec<Option<usize>> {
    let name = |child: &usize| document.element(*child).map(|element| element.name);
    let mut counts = HashMap::new();
    for child in children {
        *counts.entry(name(child)).or_insert(0_usize) += 1;
    }
    let mut seen = HashMap::new();
    let place = |child: &usize| {
        let number = seen.entry(name(child)).or_insert(0_usize);
        *number += 1;
        (counts.get(&name(child)) > Some(&1)).then_some(*number)
    };
    children.iter().map(place).collect()
}

/// What an element holds, in short.
fn content(document: &Document<'_>, element: usize) -> String {
    let children = document.children(element).count() as u64;
    match (document.text_of(element), document.attribute(element, "Value"), children) {
        ("", Some(value), 0) => value.to_owned(),
        ("", _, 0) => String::new(),
        ("", _, children) => counted(children, "element"),
        (text, ..) => text.to_owned(),
    }
}

/// The five entities that XML has, and no others.
pub(super) fn unescaped(text: &str) -> String {
    // Only the beginning is shown; no entity makes it longer.
    let cut = text.char_indices().nth(SHORT * 6).map_or(text.len(), |(at, _)| at);
    let text = text.get(..cut).unwrap_or(text);
    if !text.contains('&') {
        return text.to_owned();
    }
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}
