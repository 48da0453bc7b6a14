//! What a user writes: the configuration, names of stores, ages.

use std::time::Duration;

use stem_odb::{Config, StoreUrl, WorkTreePath, parse_age};

use super::{accepted, check_shown};

/// No age is longer.
const LONGEST: Duration = Duration::from_hours(100 * 366 * 24);
/// What an error may add to a line that it shows.
const WORDS: usize = 1500;

/// `config.toml`, store URLs and ages.
///
/// # Panics
///
/// When what is accepted is unsafe or would read back differently, or an error would steer a terminal.
pub fn check_config(data: &[u8]) {
    match Config::parse(data) {
        Ok(config) => {
            check_url(&config.store);
            if let WorkTreePath::Below(path) = &config.work_tree {
                let text = path.as_bytes();
                assert!(
                    !text.starts_with(b"/") && !path.components().any(|part| matches!(part, b"." | b".."))
                );
            }
            assert!(config.gc_grace <= LONGEST && config.undo_expire.is_none_or(|age| age <= LONGEST));
        }
        Err(problem) => {
            // It quotes the line concerned, so it may have lines of its own.
            problem.lines().for_each(|line| check_shown(&line));
            assert!(problem.len() <= 5 * data.len() + WORDS, "the error has {} bytes", problem.len());
        }
    }
    let Ok(text) = str::from_utf8(data) else { return };
    match text.parse::<StoreUrl>() {
        Ok(url) => check_url(&url),
        Err(error) => {
            check_shown(&error);
            assert!(error.to_string().len() < WORDS, "the error has {} bytes", error.to_string().len());
        }
    }
    match parse_age(text) {
        Ok(age) => assert!(age <= LONGEST),
        Err(problem) => check_shown(&problem),
    }
}

fn check_url(url: &StoreUrl) {
    assert!(!url.scheme.is_empty() && !url.location.contains('\0'));
    assert_eq!(accepted(url.to_string().parse::<StoreUrl>()), *url);
}
