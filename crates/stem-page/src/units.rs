//! Numbers as people read them, and text from elsewhere made harmless to look at.

use std::fmt::{Display, Write as _};

/// Bytes in the units of disks and memory: `512 B`, `1.50 GiB`.
pub fn size(bytes: f64) -> String {
    let (divisor, unit) = size_unit(bytes);
    if divisor <= 1.0 { format!("{bytes:.0} B") } else { format!("{} {unit}", number(bytes / divisor)) }
}

/// Bytes in a second: `1,240 MiB/s`.
pub fn speed(bytes: f64) -> String {
    let (divisor, unit) = speed_unit(bytes);
    format!("{} {unit}/s", number(bytes / divisor))
}

/// What to divide bytes by, and what they are called then, when the largest of them is `largest`.
pub fn size_unit(largest: f64) -> (f64, &'static str) {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    // What would show as 1000 or more of a unit is less than one of the next, which takes fewer digits.
    choose(largest, 1024.0, &UNITS, 1000.0)
}

/// What to divide seconds by, and what they are called then.
pub fn time_unit(largest: f64) -> (f64, &'static str) {
    match largest {
        seconds if seconds < 0.9995e-3 => (1e-6, "µs"),
        seconds if seconds < 0.9995 => (1e-3, "ms"),
        _ => (1.0, "s"),
    }
}

/// The same for bytes in a second. Disks differ by a few times a thousand MiB/s, and are easier to compare in one unit.
pub fn speed_unit(largest: f64) -> (f64, &'static str) {
    let mib = f64::from(1 << 20);
    if (mib..10_000.0 * mib).contains(&largest) { (mib, "MiB") } else { size_unit(largest) }
}

fn choose(largest: f64, step: f64, units: &[&'static str], from: f64) -> (f64, &'static str) {
    let (mut divisor, mut unit) = (1.0, units.first().copied().unwrap_or_default());
    for &next in units.iter().skip(1) {
        if largest / divisor < from {
            break;
        }
        divisor *= step;
        unit = next;
    }
    (divisor, unit)
}

/// Seconds: `85.0 µs`, `2.10 s`, `3 min 20 s`, `2 h 5 min`.
pub fn seconds(seconds: f64) -> String {
    if seconds < 60.0 {
        let (divisor, unit) = time_unit(seconds);
        return format!("{} {unit}", number(seconds / divisor));
    }
    let minutes = (seconds / 60.0).floor();
    if minutes < 60.0 {
        return format!("{minutes:.0} min {:.0} s", (seconds - minutes * 60.0).floor());
    }
    let hours = (minutes / 60.0).floor();
    format!("{} h {:.0} min", grouped(&format!("{hours:.0}")), minutes - hours * 60.0)
}

/// Three digits that matter, more before the point when there are more: `0.42`, `9.81`, `42.0`, `420`, `12,345`.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let plain = match value.abs() {
        small if small < 0.000_5 => "0".to_owned(),
        small if small < 0.099_95 => format!("{value:.3}"),
        small if small < 9.995 => format!("{value:.2}"),
        small if small < 99.95 => format!("{value:.1}"),
        large if large < 1e15 => grouped(&format!("{value:.0}")),
        _ => format!("{value:.2e}"),
    };
    // A minus sign of the length of a digit.
    plain.replace('-', "−")
}

/// The same for a figure that is exact, such as a mark of an axis: without zeros behind the point.
pub fn exact(shown: &str) -> String {
    let (number, unit) = shown.split_once(' ').map_or((shown, ""), |(number, unit)| (number, unit));
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    if unit.is_empty() { number.to_owned() } else { format!("{number} {unit}") }
}

/// A share in per cent: `42 %`, `9.8 %`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent.abs() < 9.95 && percent != 0.0 {
        format!("{percent:.1} %")
    } else {
        format!("{} %", grouped(&format!("{percent:.0}")))
    }
}

/// How many times one figure is another: `1.4 times`.
pub fn times(factor: f64) -> String {
    if factor < 9.95 {
        format!("{factor:.1} times")
    } else {
        format!("{} times", grouped(&format!("{factor:.0}")))
    }
}

/// `1 file`, `12,345 files`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(&number.to_string()), if number == 1 { one } else { many })
}

/// A whole number: `12,345`.
pub fn digits(number: impl Display) -> String {
    grouped(&format!("{number}"))
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut out = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `a`, `a and b`, `a, b and c`.
pub fn and<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", most.join(", "), last.as_ref())
        }
    }
}

/// `a`, `a or b`, `a, b or c`.
pub fn or(items: &[String]) -> String {
    match items {
        [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
        _ => items.concat(),
    }
}

/// Text from elsewhere as it may be shown: control characters, and what changes the direction of writing or cannot be
/// seen, as escapes; at most `most` characters.
pub fn clean(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (number, c) in text.chars().enumerate() {
        if number == most {
            out.push('…');
            break;
        }
        if c.is_control() || is_invisible(c) {
            let _ = write!(out, "{}", c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Marks and embeddings of the direction of writing, separators of lines and paragraphs, what has no width, and the
/// characters that HTML does not have.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fdd0}'..='\u{fdef}'
        | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(
            ["0", "0.042", "0.42", "9.81", "42.0", "420", "12,345"].map(str::to_owned).to_vec(),
            [0.0, 0.042, 0.42, 9.81, 42.0, 420.0, 12_345.4].map(number).to_vec()
        );
        assert_eq!(number(f64::NAN), "–");
        assert_eq!(number(-3.0), "−3.00");
        assert_eq!(number(1e300), "1.00e300");
        assert_eq!(size(0.0), "0 B");
        assert_eq!(size(999.0), "999 B");
        assert_eq!(size(1024.0 * 1024.0), "1.00 MiB");
        assert_eq!(size(1023.0 * 1024.0), "1.00 MiB");
        assert_eq!(size(1.5e9), "1.40 GiB");
        assert_eq!(seconds(0.000_085), "85.0 µs");
        assert_eq!(seconds(2.1), "2.10 s");
        assert_eq!(seconds(200.9), "3 min 20 s");
        assert_eq!(seconds(7500.0), "2 h 5 min");
        assert_eq!(percent(0.42), "42 %");
        assert_eq!(percent(0.0123), "1.2 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(
            ["64.0 KiB", "0", "10", "0.50", "1.00 s", "100 ms"].map(exact),
            ["64 KiB", "0", "10", "0.5", "1 s", "100 ms"]
        );
        assert_eq!(times(1.44), "1.4 times");
        assert_eq!(count(1, "file", "files"), "1 file");
        assert_eq!(count(12_345, "file", "files"), "12,345 files");
    }

    #[test]
    fn text_from_elsewhere_is_harmless() {
        assert_eq!(clean("a\u{1b}[31m\n\u{202e}gpj", 99), "a\\u{1b}[31m\\u{a}\\u{202e}gpj");
        assert_eq!(clean("Größe – ビート", 99), "Größe – ビート");
        assert_eq!(clean("abcdef", 3), "abc…");
        assert_eq!(clean("abc", 3), "abc");
    }
}
