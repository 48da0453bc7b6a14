//! JSON documents, key by key.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::facts::{Change, JsonDifference, JsonFacts, JsonKind, ValueChange};
use super::json::{self, Data, Value};
use super::{MAX_LISTED, lines};
use crate::plain::{self, SHORT};
use crate::sequence::{Budget, Item, Pair, pairs};
use crate::words::counted;

/// Keys of the outermost object that are named.
const OUTERMOST: usize = 20;
/// Characters of a key in a path.
const LONGEST_KEY: usize = 60;

fn parse(bytes: &[u8]) -> Option<Value<'_>> {
    json::parse(lines::decode(bytes)?.0)
}

pub(super) fn describe(bytes: &[u8]) -> Option<JsonFacts> {
    let document = parse(bytes)?;
    let (keys, depth) = extent(&document);
    let outermost = match &document.data {
        Data::Object(members) => {
            members.iter().take(OUTERMOST).map(|(key, _)| plain::shown(key, SHORT)).collect()
        }
        _ => Vec::new(),
    };
    Some(JsonFacts { root: document.kind(), keys, depth, outermost })
}

/// The keys of a value, and how deep it is.
fn extent(value: &Value<'_>) -> (u64, u64) {
    let join = |(keys, depth): (u64, u64), inner: &Value<'_>| {
        let (more, deeper) = extent(inner);
        (keys + more, depth.max(deeper + 1))
    };
    match &value.data {
        Data::Object(members) => members.iter().map(|(_, value)| value).fold((members.len() as u64, 1), join),
        Data::Array(elements) => elements.iter().fold((0, 1), join),
        _ => (0, 0),
    }
}

pub(super) fn difference(before: &[u8], after: &[u8]) -> Option<JsonDifference> {
    let (before, after) = (parse(before)?, parse(after)?);
    let found = JsonDifference { added: 0, removed: 0, changed: 0, changes: Vec::new(), more: 0 };
    let mut comparison = Comparison { found, path: String::new(), budget: Budget::new() };
    comparison.values(&before, &after);
    Some(comparison.found)
}

struct Comparison {
    found: JsonDifference,
    path: String,
    budget: Budget,
}

impl Comparison {
    /// Nested as deep as the documents, which is bounded.
    fn values(&mut self, before: &Value<'_>, after: &Value<'_>) {
        if before.hash == after.hash {
            return;
        }
        match (&before.data, &after.data) {
            (Data::Object(old), Data::Object(new)) => {
                let known: HashMap<&str, &Value<'_>> =
                    old.iter().map(|(key, value)| (key.as_ref(), value)).collect();
                let kept: HashSet<&str> = new.iter().map(|(key, _)| key.as_ref()).collect();
                for (key, value) in old.iter().filter(|(key, _)| !kept.contains(key.as_ref())) {
                    self.at_key(key, |this| this.note(Some(value), None));
                }
                for (key, value) in new {
                    match known.get(key.as_ref()) {
                        Some(old) if old.hash == value.hash => {}
                        Some(old) => self.at_key(key, |this| this.values(old, value)),
                        None => self.at_key(key, |this| this.note(None, Some(value))),
                    }
                }
            }
            (Data::Array(old), Data::Array(new)) => {
                let items = |elements: &[Value<'_>]| elements.iter().map(item).collect::<Vec<_>>();
                for pair in pairs(&items(old), &items(new), &mut self.budget) {
                    match pair {
                        Pair::Both(a, b) => self.at_index(b, |this| this.values(&old[a], &new[b])),
                        Pair::Removed(a) => self.at_index(a, |this| this.note(Some(&old[a]), None)),
                        Pair::Added(b) => self.at_index(b, |this| this.note(None, Some(&new[b]))),
                    }
                }
            }
            _ => self.note(Some(before), Some(after)),
        }
    }

    fn at_key(&mut self, key: &str, then: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        let shown = plain::shown(key, LONGEST_KEY);
        match (plain, length) {
            (true, 0) => self.path.push_str(&shown),
            (true, _) => self.path.extend([".", &shown]),
            (false, _) => self.path.extend(["[\"", &shown, "\"]"]),
        }
        then(self);
        self.path.truncate(length);
    }

    fn at_index(&mut self, index: usize, then: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.extend(["[", &index.to_string(), "]"]);
        then(self);
        self.path.truncate(length);
    }

    fn note(&mut self, before: Option<&Value<'_>>, after: Option<&Value<'_>>) {
        let (change, count) = match (before, after) {
            (None, _) => (Change::Added, &mut self.found.added),
            (_, None) => (Change::Removed, &mut self.found.removed),
            _ => (Change::Changed, &mut self.found.changed),
        };
        *count += 1;
        if self.found.changes.len() == MAX_LISTED {
            self.found.more += 1;
            return;
        }
        let path = if self.path.is_empty() { "$".to_owned() } else { self.path.clone() };
        self.found.changes.push(ValueChange {
            change,
            path,
            before: before.map(short),
            after: after.map(short),
        });
    }
}

/// Elements are the same if they have the same id or name; of those that have none, each may have become any other of its
/// kind.
fn item(element: &Value<'_>) -> Item {
    let mut hasher = DefaultHasher::new();
    match &element.data {
        Data::Object(members) => {
            1.hash(&mut hasher);
            let name = ["id", "uuid", "name"]
                .iter()
                .find_map(|wanted| members.iter().find(|(key, _)| key == wanted));
            name.map(|(_, value)| value.hash).hash(&mut hasher);
        }
        Data::Array(_) => 2.hash(&mut hasher),
        _ => 3.hash(&mut hasher),
    }
    Item { content: element.hash, label: hasher.finish() }
}

/// A value on one line.
fn short(value: &Value<'_>) -> String {
    match &value.data {
        Data::Object(members) => format!("{{{}}}", counted(members.len() as u64, "key")),
        Data::Array(elements) => format!("[{}]", counted(elements.len() as u64, "element")),
        Data::String(text) => format!("\"{}\"", plain::shown(text, SHORT)),
        Data::Number(text) => plain::shown(text, SHORT),
        Data::Boolean(value) => value.to_string(),
        Data::Null => "null".into(),
    }
}

impl JsonFacts {
    /// One line for people: `JSON, 12 keys`.
    pub fn summary(&self) -> String {
        match self.root {
            JsonKind::Object | JsonKind::Array => format!("JSON, {}", counted(self.keys, "key")),
            _ => "JSON, a single value".into(),
        }
    }
}

impl JsonDifference {
    /// One line for people: `3 keys changed, 1 added`, and of a single change `1 key changed: tempo 120 → 124`.
    pub fn summary(&self) -> String {
        let mut phrases = Vec::new();
        for (number, what) in [(self.changed, "changed"), (self.added, "added"), (self.removed, "removed")] {
            match (number, phrases.is_empty()) {
                (0, _) => {}
                (number, true) => phrases.push(format!("{} {what}", counted(number, "key"))),
                (number, false) => phrases.push(format!("{number} {what}")),
            }
        }
        let which = match self.changes.as_slice() {
            [] => return "same values, written anew".into(),
            [one] => one.short(),
            _ => return phrases.join(", "),
        };
        format!("{}: {which}", phrases.join(", "))
    }
}

impl ValueChange {
    /// The change on one line: `tempo 120 → 124`.
    pub fn short(&self) -> String {
        let path = plain::shown(&self.path, SHORT);
        match (self.change, &self.before, &self.after) {
            (Change::Changed, Some(before), Some(after)) => format!("{path} {before} → {after}"),
            (_, Some(value), _) | (_, None, Some(value)) => format!("{path} {value}"),
            (_, None, None) => path,
        }
    }
}
