//! Which ways of storing there are to compare.
//!
//! A strategy is a store's URL and a way to put files into it. Another one is one line in [`KNOWN`]; lines whose kind of
//! store the registry does not have are left out.

use stem_odb::StoreUrl;

use crate::error::{Error, Result};

/// How files get into a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// As the store likes best: by sharing blocks where it can, else by copying.
    File,
    /// By reading them.
    Stream,
    /// By sharing their blocks; a strategy that cannot has failed.
    Clone,
    /// By renaming them, after they were hashed: what a push of the stash does.
    Adopt,
}

/// One way of storing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strategy {
    /// Its name, unique among those that are compared.
    pub name: String,
    /// What it does, in a few words.
    pub about: String,
    /// The kind of store with its options. Of a strategy that is known by name the location is relative to the scratch
    /// directory; of [`from_url`] it is where the user wants it.
    pub url: StoreUrl,
    /// How files get into it.
    pub way: Way,
    /// Whether the user named the place.
    pub placed: bool,
    /// Whether it is compared when nobody says which.
    pub default: bool,
}

/// Name, what it does, store, way, and whether it is compared when nobody says which.
const KNOWN: &[(&str, &str, &str, Way, bool)] = &[
    ("sharded", "one file per object, copied (Muse's layout)", "sharded:store", Way::Stream, true),
    ("sharded-reflink", "the same, sharing the source's blocks", "sharded:store", Way::Clone, true),
    ("sharded-adopt", "the same, files are moved in, as a push does", "sharded:store", Way::Adopt, true),
    ("sharded-blake3", "the same, named by BLAKE3", "sharded:store?hash=blake3", Way::Stream, true),
    ("pack-raw", "packs, chunks of 1 MiB, not coded", "pack:store?compression=raw", Way::File, true),
    (
        "pack-raw-whole",
        "packs, not chunked, not coded",
        "pack:store?compression=raw&chunk=whole",
        Way::File,
        false,
    ),
    ("pack-zstd-1", "packs, zstd level 1", "pack:store?compression=zstd-1", Way::File, false),
    ("pack-zstd", "packs, zstd level 3", "pack:store?compression=zstd", Way::File, true),
    ("pack-zstd-9", "packs, zstd level 9", "pack:store?compression=zstd-9", Way::File, false),
    ("pack-zstd-19", "packs, zstd level 19, very slow", "pack:store?compression=zstd-19", Way::File, false),
    ("pack-audio-fast", "packs, audio codec, fast", "pack:store?compression=audio-fast", Way::File, true),
    ("pack-audio", "packs, audio codec (what `pack:` means)", "pack:store", Way::File, true),
    ("pack-audio-high", "packs, audio codec, smallest", "pack:store?compression=audio-high", Way::File, true),
    ("pack-audio-whole", "packs, audio codec, not chunked", "pack:store?chunk=whole", Way::File, true),
    ("pack-audio-64K", "packs, audio codec, chunks of 64 KiB", "pack:store?chunk=64K", Way::File, false),
    ("pack-audio-256K", "packs, audio codec, chunks of 256 KiB", "pack:store?chunk=256K", Way::File, false),
    ("pack-audio-4M", "packs, audio codec, chunks of 4 MiB", "pack:store?chunk=4M", Way::File, false),
    ("pack-blake3", "packs, audio codec, named by BLAKE3", "pack:store?hash=blake3", Way::File, false),
    ("memory", "in memory, nothing is kept", "memory:", Way::Stream, false),
    (
        "tiered",
        "packs behind a cache of whole files",
        "tiered:?cache=sharded%3Acache&remote=pack%3Aremote",
        Way::File,
        false,
    ),
];

/// All strategies that have a name.
pub fn strategies() -> Vec<Strategy> {
    let known = |scheme: &str| stem_odb::backends().any(|(backend, _)| backend == scheme);
    let mut found = Vec::new();
    for &(name, about, url, way, default) in KNOWN {
        // A test reads every line.
        let Ok(url) = url.parse::<StoreUrl>() else { continue };
        if known(&url.scheme) {
            found.push(Strategy { name: name.into(), about: about.into(), url, way, placed: false, default });
        }
    }
    found
}

/// Those that are compared when nobody says which.
pub fn default_strategies() -> Vec<Strategy> {
    strategies().into_iter().filter(|strategy| strategy.default).collect()
}

/// The strategies of these names: a name, `default`, `all`, or the beginning of names with a `*` behind it.
pub fn select(names: &[String]) -> Result<Vec<Strategy>> {
    let all = strategies();
    let mut chosen: Vec<Strategy> = Vec::new();
    for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        let matches = |strategy: &&Strategy| match (name, name.strip_suffix('*')) {
            ("all", _) => true,
            ("default", _) => strategy.default,
            (_, Some(beginning)) => strategy.name.starts_with(beginning),
            (name, None) => strategy.name == name,
        };
        let mut found = all.iter().filter(matches).peekable();
        if found.peek().is_none() {
            return Err(Error::Invalid(unknown(name, &all)));
        }
        for strategy in found {
            if !chosen.iter().any(|other| other.name == strategy.name) {
                chosen.push(strategy.clone());
            }
        }
    }
    if chosen.is_empty() {
        return Err(Error::Invalid("no strategy is named; `stem bench --list-strategies` lists them".into()));
    }
    Ok(chosen)
}

fn unknown(name: &str, all: &[Strategy]) -> String {
    let likeness = |other: &str| strsim::damerau_levenshtein(name, other);
    let closest = all.iter().map(|strategy| strategy.name.as_str()).min_by_key(|other| likeness(other));
    let closest = closest.filter(|other| likeness(other) <= 4);
    let meant = closest.map(|other| format!("did you mean '{other}'? ")).unwrap_or_default();
    let name = stem_fs::show_bytes(name.as_bytes());
    format!("'{name}' is no strategy: {meant}`stem bench --list-strategies` lists them all")
}

/// The strategy of a store that the user names by URL. What is put there goes into a part of it that did not exist before,
/// and is removed again. `taken` are the names that are used already.
pub fn from_url(url: &StoreUrl, taken: &[String]) -> Result<Strategy> {
    if !stem_odb::backends().any(|(scheme, _)| scheme == url.scheme) {
        let forms: Vec<&str> = stem_odb::backends().map(|(_, form)| form).collect();
        return Err(Error::Invalid(format!(
            "'{}' is no kind of store; there are {}",
            stem_fs::show_bytes(url.scheme.as_bytes()),
            forms.join(", ")
        )));
    }
    let mut name = format!("store-{}", url.scheme);
    let mut number = 1;
    while taken.contains(&name) {
        number += 1;
        name = format!("store-{}-{number}", url.scheme);
    }
    let about = format!("the store of --store, {}", plain_url(url));
    Ok(Strategy { name, about, url: url.clone(), way: Way::File, placed: true, default: false })
}

/// Options of URLs that hold no secret and no place.
const PLAIN: &[&str] = &["hash", "compression", "chunk", "dictionary"];

/// A URL without its place and without secrets.
pub(crate) fn plain_url(url: &StoreUrl) -> String {
    let mut text = format!("{}:", url.scheme);
    let mut mark = '?';
    for (key, value) in &url.options {
        let value = if PLAIN.contains(&key.as_str()) {
            stem_fs::show_bytes(value.as_bytes())
        } else if let Some(inner) = inner_url(value) {
            plain_url(&inner)
        } else {
            continue;
        };
        text = format!("{text}{mark}{key}={value}");
        mark = '&';
    }
    text
}

/// The URL that is the value of an option, as in `tiered:`.
pub(crate) fn inner_url(value: &str) -> Option<StoreUrl> {
    let url: StoreUrl = value.parse().ok()?;
    stem_odb::backends().any(|(scheme, _)| scheme == url.scheme).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_store_with_a_name_of_its_own() {
        let mut names: Vec<&str> = KNOWN.iter().map(|line| line.0).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        let place = tempfile::tempdir().unwrap();
        for (name, _, url, _, _) in KNOWN {
            let url: StoreUrl = url.parse().unwrap();
            assert_eq!(url.to_string().parse::<StoreUrl>().unwrap(), url);
            if stem_odb::backends().any(|(scheme, _)| scheme == url.scheme) {
                let at = place.path().join(name);
                std::fs::create_dir(&at).unwrap();
                stem_odb::open_store(&url, stem_odb::Base::Directory(&at)).unwrap();
            }
        }
        assert!(strategies().len() >= 18 && default_strategies().len() >= 8);
    }

    #[test]
    fn names_are_chosen_and_mistakes_get_a_suggestion() {
        let names = |list: &[&str]| {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            select(&list).map(|found| found.into_iter().map(|strategy| strategy.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["pack-raw", "sharded", "pack-raw"]).unwrap(), ["pack-raw", "sharded"]);
        assert_eq!(names(&["sharded*"]).unwrap().len(), 4);
        assert_eq!(names(&["default"]).unwrap().len(), default_strategies().len());
        assert_eq!(names(&["all"]).unwrap().len(), strategies().len());
        let error = names(&["pack-adio"]).unwrap_err().to_string();
        assert!(error.contains("did you mean 'pack-audio'?"), "{error}");
        let error = names(&["\u{1b}[31mxyzzyxyzzy"]).unwrap_err().to_string();
        assert!(!error.contains("did you mean") && !error.contains('\u{1b}'), "{error}");
        assert!(names(&["", " "]).is_err());
    }

    #[test]
    fn a_url_is_shown_without_its_place_and_without_secrets() {
        let url: StoreUrl = "pack:/home/me?hash=blake3&key=secret&chunk=1M".parse().unwrap();
        assert_eq!(plain_url(&url), "pack:?chunk=1M&hash=blake3");
        let strategy = from_url(&url, &["store-pack".into()]).unwrap();
        assert_eq!(strategy.name, "store-pack-2");
        assert!(!strategy.about.contains("secret") && !strategy.about.contains("home"));
        assert!(from_url(&"ftp:x".parse().unwrap(), &[]).is_err());
    }
}
