//! Times and numbers as people read them.

/// A time: `0:12.0`, `1:02:03.5`.
pub fn clock(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
    let tenths = (seconds.max(0.0) * 10.0).round() as u64;
    let (all, tenth) = (tenths / 10, tenths % 10);
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}.{tenth}")
    } else {
        format!("{minutes}:{seconds:02}.{tenth}")
    }
}

/// From when to when: `0:12.0–0:15.5`. Where that rounds to nothing, the beginning and how long: `0:12.0 (8 ms)`.
pub fn span(from: f64, to: f64) -> String {
    let (begin, end) = (clock(from), clock(to));
    if begin == end {
        format!("{begin} ({:.0} ms)", (to - from) * 1000.0)
    } else {
        format!("{begin}–{end}")
    }
}

/// A number and what is counted: `1 note`, `12 notes`.
pub fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// A size: `512 bytes`, `1.5 MiB`.
pub fn bytes(count: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return counted(count, "byte");
    }
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let (mut value, mut unit) = (count as f64 / 1024.0, 0);
    while value >= 1023.95 && unit + 1 < units.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    format!("{value:.1} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::{bytes, clock, counted, span};

    #[test]
    fn sizes_have_the_unit_that_fits() {
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes((1 << 20) - 1), "1.0 MiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn times_read_like_those_of_a_tape_machine() {
        assert_eq!(clock(0.0), "0:00.0");
        assert_eq!(clock(59.96), "1:00.0");
        assert_eq!(clock(3723.5), "1:02:03.5");
        assert_eq!(clock(f64::NAN), "0:00.0");
        assert_eq!(span(12.0, 15.5), "0:12.0–0:15.5");
        assert_eq!(span(12.0, 12.008), "0:12.0 (8 ms)");
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!(
            [counted(0, "note"), counted(1, "note"), counted(2, "note")],
            ["0 notes", "1 note", "2 notes"]
        );
    }
}
