//! Ages as people write them: `14d`, `12h`.

use std::time::Duration;

/// Reads an age: a whole number with `s`, `m`, `h`, `d` or `w`; a bare `0` needs no unit. The error is for people.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "'{}' is not an age: give a whole number with s, m, h, d or w, such as 14d or 12h",
            text.escape_default()
        )
    };
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "" if number == 0 => 1,
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(wrong()),
    };
    // A hundred years are more than any clock is trusted with here.
    let seconds = number.checked_mul(seconds).filter(|&seconds| seconds <= 100 * 366 * 86_400);
    seconds.map(Duration::from_secs).ok_or_else(|| format!("'{text}' is longer than a hundred years"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read() {
        let days = |n: u64| Duration::from_hours(n * 24);
        for (text, age) in [
            ("14d", days(14)),
            ("2w", days(14)),
            ("12h", Duration::from_hours(12)),
            ("90m", Duration::from_mins(90)),
            ("30s", Duration::from_secs(30)),
            ("0", Duration::ZERO),
            ("0d", Duration::ZERO),
            (" 1d ", days(1)),
        ] {
            assert_eq!(parse_age(text), Ok(age), "{text}");
        }
        for text in ["", "d", "14", "-1d", "1.5d", "1 d", "1y", "d14", "1d2h", "99999999999999999999d"] {
            assert!(parse_age(text).unwrap_err().contains("is not an age"), "{text}");
        }
        assert!(parse_age("9999999w").unwrap_err().contains("hundred years"));
        assert!(parse_age("18446744073709551615w").unwrap_err().contains("hundred years"));
    }
}
