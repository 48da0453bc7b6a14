//! Files in two states for programs; `docs/format/inspect.md` is the contract.

use serde::Serialize;
use serde_json::Value;
use stem_inspect::Difference;
use stemvault::VersionPlace;

use super::look::Seen;
use super::pairs::{Group, Pair, Side};
use super::table;
use crate::json::Json;

/// The version of what stands below `files` and `changes`; larger when something there means something else.
pub(crate) const VERSION: u64 = 1;

/// Fields of an object, in the order in which they are printed.
pub(crate) type Fields = Vec<(&'static str, Json)>;

/// An object of fields.
pub(crate) fn object(fields: Fields) -> Json {
    Json::Object(fields.into_iter().map(|(key, value)| (format!("\"{key}\""), value)).collect())
}

/// A file that differs.
pub(crate) fn change(pair: &Pair, seen: &Seen) -> Json {
    change_as("change", pair, seen)
}

/// The same in the document of `status`, where the key was called `kind` before there was more to say.
pub(crate) fn change_with_kind(pair: &Pair, seen: &Seen) -> Json {
    change_as("kind", pair, seen)
}

fn change_as(key: &'static str, pair: &Pair, seen: &Seen) -> Json {
    let mut fields: Fields = vec![("path", (&pair.file.path).into()), (key, change_name(pair))];
    fields.extend(belonging(pair));
    fields.push(("before", side(pair, Side::Before)));
    fields.push(("after", side(pair, Side::After)));
    fields.push(("summary", table::said(pair, seen).as_str().into()));
    fields.extend(content(seen));
    if let Some(problem) = pair.file.problem.as_deref() {
        fields.push(("problem", problem.into()));
    }
    object(fields)
}

/// What became of a file, or `null` where that is not known.
pub(crate) fn change_name(pair: &Pair) -> Json {
    pair.change().map(|change| Json::from(change.name())).into()
}

/// The track or section that a file belongs to.
pub(crate) fn belonging(pair: &Pair) -> [(&'static str, Json); 2] {
    let name = |name: &[u8]| Json::Literal(stemvault::format::text::fs_to_json(name));
    match &pair.group {
        Group::Track(track) => [("track", name(track)), ("section", Json::Null)],
        Group::Section(section) => [("track", Json::Null), ("section", name(section))],
        Group::Other => [("track", Json::Null), ("section", Json::Null)],
    }
}

fn side(pair: &Pair, side: Side) -> Json {
    let version = match side {
        Side::Before => pair.file.before,
        Side::After => pair.file.after,
    };
    version
        .map(|version| {
            let id = match version.place {
                VersionPlace::Object(id) => Json::from(&id),
                VersionPlace::WorkingTree => Json::Null,
            };
            Json::object([("object_id", id), ("size", version.size.into())])
        })
        .into()
}

/// What is known of a file's content; only what was asked for.
pub(crate) fn content(seen: &Seen) -> Fields {
    let mut fields = Fields::new();
    if let Some(seconds) = seen.seconds {
        fields.push(("seconds", Json::Decimal(seconds)));
    }
    if let Some(description) = &seen.description {
        fields.push(("description", document(description)));
    }
    if let Some(difference) = &seen.difference {
        fields.push(("difference", document(difference)));
        if let Difference::Audio(audio) = difference {
            fields.push(("spans", document(&audio.spans())));
        }
    }
    if let Some(wave) = &seen.wave {
        let pair = |[low, high]: [f32; 2]| {
            Json::list([Json::Decimal(f64::from(low)), Json::Decimal(f64::from(high))])
        };
        fields.push(("waveform", Json::list(wave.columns.iter().copied().map(pair))));
    }
    if !seen.problems.is_empty() {
        fields
            .push(("problems", Json::list(seen.problems.iter().map(|problem| Json::from(problem.as_str())))));
    }
    fields
}

/// What another crate serialises, in the one spelling of this program.
fn document(value: &impl Serialize) -> Json {
    // A value of ours has only string keys; what is no number in JSON becomes null.
    serde_json::to_value(value).map_or(Json::Null, |value| from_value(&value))
}

fn from_value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => match number.as_u64() {
            Some(count) => Json::Count(count),
            None => Json::Literal(number.to_string()),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => Json::List(items.iter().map(from_value).collect()),
        Value::Object(fields) => Json::Object(
            fields
                .iter()
                .map(|(key, value)| (Json::from(key.as_str()).to_string(), from_value(value)))
                .collect(),
        ),
    }
}
