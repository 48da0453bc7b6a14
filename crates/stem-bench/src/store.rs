//! Where the store of a strategy lies while it is measured, and how it goes away.
//!
//! Of a store that the user names, only a part is used that did not exist before: a directory in the one that is named, a
//! prefix below the one that is named. So nothing that was there is ever touched, and all that is there afterwards can be
//! removed.

use std::path::{Path, PathBuf};

use stem_odb::StoreUrl;

use crate::error::{Error, Result, show};
use crate::scratch::Scratch;
use crate::strategy::{Strategy, inner_url};

/// The name of the directory in the scratch directory.
const PLACE: &str = "place";

/// A place for the store of one strategy.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) url: StoreUrl,
    pub(crate) base: String,
    /// Directories that hold all of it; none for a store that is elsewhere.
    pub(crate) dirs: Vec<PathBuf>,
    /// Whether its objects go with the process.
    pub(crate) passing: bool,
    /// Whether it has to be emptied object by object.
    pub(crate) elsewhere: bool,
    /// Directories outside of the scratch directory, removed with this.
    _outside: Vec<Scratch>,
}

/// Makes a place for the store of a strategy.
pub(crate) fn place(strategy: &Strategy, scratch: &Scratch) -> Result<Placed> {
    let base = scratch.fresh(PLACE)?;
    let mut outside = Vec::new();
    let mut url = strategy.url.clone();
    let mut elsewhere = false;
    if strategy.placed {
        move_aside(&mut url, scratch, &mut outside, &mut elsewhere)?;
    }
    let passing = mentions_memory(&url);
    let mut dirs: Vec<PathBuf> = outside.iter().map(|other: &Scratch| other.path().to_path_buf()).collect();
    if !strategy.placed && !passing {
        dirs.push(base);
    }
    Ok(Placed { url, base: PLACE.to_owned(), dirs, passing, elsewhere, _outside: outside })
}

fn mentions_memory(url: &StoreUrl) -> bool {
    url.scheme == "memory"
        || url.options.values().filter_map(|value| inner_url(value)).any(|inner| mentions_memory(&inner))
}

/// Whether objects lie in a bucket, from which none is removed.
pub(crate) fn mentions_bucket(url: &StoreUrl) -> bool {
    stem_odb::is_remote(url)
        || url.options.values().filter_map(|value| inner_url(value)).any(|inner| mentions_bucket(&inner))
}

/// Makes the URL one of a part that does not exist yet.
fn move_aside(
    url: &mut StoreUrl,
    scratch: &Scratch,
    outside: &mut Vec<Scratch>,
    elsewhere: &mut bool,
) -> Result<()> {
    for value in url.options.values_mut() {
        if let Some(mut inner) = inner_url(value) {
            move_aside(&mut inner, scratch, outside, elsewhere)?;
            *value = inner.to_string();
        }
    }
    if url.location.is_empty() {
        return match url.scheme.as_str() {
            "sharded" | "pack" => Err(Error::Invalid(format!(
                "--store {0}: needs a directory: {0}:DIR; a new directory is made in there",
                url.scheme
            ))),
            _ => Ok(()),
        };
    }
    if matches!(url.scheme.as_str(), "sharded" | "pack") {
        let parent = Path::new(&url.location);
        if !parent.is_dir() {
            return Err(Error::Invalid(format!(
                "'{}' of --store is no directory: name one that exists, a new one is made in there",
                show(parent)
            )));
        }
        let parent = parent.canonicalize().map_err(|error| Error::io("examine", parent, error))?;
        let place = Scratch::new(&parent)?;
        let Some(location) = place.path().join("store").to_str().map(ToOwned::to_owned) else {
            return Err(Error::Invalid(format!(
                "the path '{}' of --store is no text, which a URL has to be",
                show(&parent)
            )));
        };
        url.location = location;
        outside.push(place);
    } else {
        let name = scratch.path().file_name().unwrap_or_default().to_string_lossy();
        url.location = format!("{}/{}", url.location.trim_end_matches('/'), name.trim_start_matches('.'));
        *elsewhere = true;
    }
    Ok(())
}
