//! Numbers, times and paths as people read them.

use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stemvault::format::stamp::Stamp;
use stemvault::format::text::PyStr;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns of the terminal that standard output goes to, or what `COLUMNS` says; `None` where nobody reads lines.
pub(crate) fn columns() -> Option<u16> {
    let said =
        std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|&columns| columns > 0);
    said.or_else(|| terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0))
}

/// Bytes in the units of disks and memory: `512 B`, `1.5 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths of a unit, rounded; in 128 bits nothing overflows.
    let tenths = |unit: usize| (u128::from(bytes) * 10 + (512 << (10 * unit))) >> (10 * (unit + 1));
    // What would show as 1024.0 is 1.0 of the next unit.
    let unit = (0..UNITS.len() - 1).find(|&unit| tenths(unit) < 10_240).unwrap_or(UNITS.len() - 1);
    format!("{}.{} {}", tenths(unit) / 10, tenths(unit) % 10, UNITS[unit])
}

/// `1 file`, `12 files`, `12,345 files`.
pub(crate) fn count(number: impl TryInto<u64>, one: &str, many: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// Files and their bytes: `12 files (1.5 GiB)`.
pub(crate) fn files(number: usize, bytes: u64) -> String {
    format!("{} ({})", count(number, "file", "files"), size(bytes))
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `850 ms`, `2.1 s`, `3 min 20 s`.
pub(crate) fn seconds(time: Duration) -> String {
    let millis = time.as_millis();
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}

/// How long ago something was, or the day when that is clearer.
pub(crate) fn age(then: Option<Stamp>) -> String {
    then.map_or_else(|| "at an unknown time".to_owned(), |then| age_between(then, now_micros()))
}

fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn age_between(then: Stamp, now: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let ago = |number: i64, one: &str, many: &str| format!("{} ago", count(number, one, many));
    match now.saturating_sub(then.as_micros()) / 1_000_000 {
        // A clock that is a little behind is no news.
        -60..10 => "just now".to_owned(),
        seconds @ 10..MINUTE => ago(seconds, "second", "seconds"),
        seconds @ MINUTE..HOUR => ago(seconds / MINUTE, "minute", "minutes"),
        seconds @ HOUR..DAY => ago(seconds / HOUR, "hour", "hours"),
        seconds if (DAY..60 * DAY).contains(&seconds) => ago(seconds / DAY, "day", "days"),
        _ => format!("on {}", then.to_iso().split('T').next().unwrap_or_default()),
    }
}

/// A point in time to the minute: `2026-11-22 08:34 UTC`.
pub(crate) fn minute(then: Stamp) -> String {
    let iso = then.to_iso();
    format!("{} UTC", iso.get(..16).unwrap_or(&iso).replace('T', " "))
}

/// A path of the system, safe for a terminal.
pub(crate) fn path(path: &Path) -> String {
    PyStr::from_fs_bytes(path.as_os_str().as_encoded_bytes()).to_string()
}

/// A path in at most `room` columns: its beginning and its file name stay, and what is between makes way; of a name that
/// is too long itself the end stays, where the extension is.
pub(crate) fn shorten(path: &str, room: usize, unicode: bool) -> String {
    if path.width() <= room {
        return path.to_owned();
    }
    let gap = if unicode { "…" } else { "..." };
    let name = path.rfind('/').map_or(path, |slash| &path[slash..]);
    let room = room.saturating_sub(gap.width());
    if name.len() < path.len() && name.width() < room {
        return format!("{}{gap}{name}", first_columns(path, room - name.width()));
    }
    let name = name.strip_prefix('/').unwrap_or(name);
    let first = room / 2;
    format!("{}{gap}{}", first_columns(name, first), last_columns(name, room - first))
}

/// As much of the beginning as fits.
fn first_columns(text: &str, room: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, c)| {
        used += c.width().unwrap_or(0);
        used > room
    });
    end.map_or(text, |(at, _)| &text[..at])
}

/// As much of the end as fits.
fn last_columns(text: &str, room: usize) -> &str {
    let mut used = 0;
    let start = text.char_indices().rev().find(|(_, c)| {
        used += c.width().unwrap_or(0);
        used > room
    });
    start.map_or(text, |(at, c)| &text[at + c.len_utf8()..])
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn and<T: Display>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.to_string(),
        [most @ .., last] => {
            let most: Vec<String> = most.iter().map(ToString::to_string).collect();
            format!("{} and {last}", most.join(", "))
        }
    }
}

/// Reads a size such as `64M`, `1.5G` or `1048576`.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is not a size: give a number with K, M, G or T, such as 64M or 1.5G");
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let shift = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return Err(wrong()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 6 || fraction.contains('.') || (number.ends_with('.')) {
        return Err(wrong());
    }
    let unit = 1_u128 << shift;
    let large = || format!("'{text}' is larger than any disk: give less than 16384T");
    let whole: u128 = whole.parse().map_err(|_| large())?;
    let digits = u32::try_from(fraction.len()).unwrap_or(0);
    let fraction: u128 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| wrong())? };
    let bytes = whole.checked_mul(unit).ok_or_else(large)? + fraction * unit / 10_u128.pow(digits);
    u64::try_from(bytes).map_err(|_| large())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_digit_after_the_point_and_never_show_1024() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (1 << 20, "1.0 MiB"),
            (3 << 29, "1.5 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn counts_agree_with_their_noun() {
        assert_eq!(count(1_u64, "file", "files"), "1 file");
        assert_eq!(count(0_usize, "file", "files"), "0 files");
        assert_eq!(count(1_234_567_u64, "file", "files"), "1,234,567 files");
        assert_eq!(files(2, 3 << 29), "2 files (1.5 GiB)");
    }

    #[test]
    fn ages_speak_of_the_largest_whole_unit() {
        let then = Stamp::from_micros(1_700_000_000_000_000).unwrap();
        let after = |seconds: i64| age_between(then, then.as_micros() + seconds * 1_000_000);
        assert_eq!(after(-30), "just now");
        assert_eq!(after(9), "just now");
        assert_eq!(after(59), "59 seconds ago");
        assert_eq!(after(60), "1 minute ago");
        assert_eq!(after(3 * 3600 + 5), "3 hours ago");
        assert_eq!(after(86_400), "1 day ago");
        assert_eq!(after(61 * 86_400), "on 2023-11-14");
        assert_eq!(after(-3600), "on 2023-11-14");
        assert_eq!(minute(then), "2023-11-14 22:13 UTC");
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse_size("64M"), Ok(64 << 20));
        assert_eq!(parse_size("1.5g"), Ok(3 << 29));
        assert_eq!(parse_size(" 10 KiB "), Ok(10 << 10));
        assert_eq!(parse_size("123"), Ok(123));
        for wrong in ["", "M", "-1G", "1,5G", "1.5.2G", "1X", "G1", ".5G", "1.", "1e3"] {
            assert!(parse_size(wrong).unwrap_err().contains("is not a size"), "{wrong}");
        }
        assert!(parse_size("99999999T").unwrap_err().contains("larger than any disk"));
    }

    #[test]
    fn long_paths_keep_their_beginning_and_their_name() {
        let path = "tracks/drums/overheads/take 12/left.wav";
        assert_eq!(shorten(path, 80, true), path);
        assert_eq!(shorten(path, 24, true), "tracks/drums/o…/left.wav");
        assert_eq!(shorten(path, 24, false), "tracks/drums.../left.wav");
        assert_eq!(shorten("a/kick with a very long name.wav", 16, true), "kick wi…name.wav");
        assert_eq!(shorten("トラック/ドラム/キック.wav", 20, true), "トラック…/キック.wav");
        for room in 0..60 {
            for path in [path, "トラック/ドラム/キック.wav", "x", "/", "a/é̩́̂.wav"] {
                let short = shorten(path, room, true);
                assert!(short.width() <= room.max(1), "{short:?} in {room}");
            }
        }
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(and(&["a"]), "a");
        assert_eq!(and(&["a", "b", "c"]), "a, b and c");
    }
}
