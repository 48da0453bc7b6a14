//! Times and the ids of stash entries, which contain one.
//!
//! The reference writes `datetime.isoformat()`, which drops the fraction of a whole second; such stamps sort wrongly as
//! text. Here a stamp always has six digits, and the order of entries is that of the times, never that of the text.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::error::{Document, FormatError};

/// Longest text that is tried as a time. Python's longest is 32 characters.
const MAX_TIME: usize = 64;

/// Longest stash id, well above the 46 characters of those that are written, well below the limit of file names.
const MAX_STASH_ID: usize = 200;

const ID_PREFIX: &str = "stash-";

/// A point in time in UTC, in microseconds, between the years 1 and 9999, which is what Python's `datetime` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(Timestamp);

impl Stamp {
    /// The time `micros` microseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// A time outside the years 1 to 9999.
    pub fn from_micros(micros: i64) -> Result<Self, FormatError> {
        Timestamp::from_microsecond(micros)
            .ok()
            .and_then(Self::checked)
            .ok_or_else(|| FormatError::malformed(Document::Time, "outside the years 1 to 9999"))
    }

    /// The time by the system's clock.
    ///
    /// # Errors
    ///
    /// A clock outside the years 1 to 9999.
    pub fn now() -> Result<Self, FormatError> {
        let now = std::time::SystemTime::now();
        let micros = match now.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
        };
        Self::from_micros(micros)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn as_micros(self) -> i64 {
        self.0.as_microsecond()
    }

    /// The next microsecond; the last one has none.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::from_micros(self.as_micros().checked_add(1)?).ok()
    }

    /// As in `created_at` and `committed_at`: `2026-11-22T08:34:13.597654+00:00`, always with six digits.
    pub fn to_iso(self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
    }

    /// As in the name of an entry in a bucket: `20261122T083413597654Z`.
    pub fn to_name(self) -> String {
        self.0.strftime("%Y%m%dT%H%M%S%6fZ").to_string()
    }

    /// Reads ISO 8601 with an offset, with or without a fraction; what is finer than microseconds is cut off.
    ///
    /// # Errors
    ///
    /// Any other text, and times outside the years 1 to 9999.
    pub fn parse_iso(text: &str) -> Result<Self, FormatError> {
        let parsed = if text.len() > MAX_TIME { None } else { text.parse::<Timestamp>().ok() };
        parsed.and_then(Self::checked).ok_or_else(|| {
            let shown: String = text.chars().take(MAX_TIME).collect();
            FormatError::malformed(
                Document::Time,
                format!("{shown:?} is not like 2026-11-22T08:34:13.597654+00:00"),
            )
        })
    }

    fn checked(time: Timestamp) -> Option<Self> {
        let micros = time.as_nanosecond().div_euclid(1000);
        let time = Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok()?;
        (1..=9999).contains(&Offset::UTC.to_datetime(time).year()).then_some(Self(time))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_iso())
    }
}

/// The id of a stash entry, and the name of its file without `.json`.
///
/// Always usable as a file name: it starts with `stash-`, and the rest is ASCII letters, digits, `-`, `_` and `.`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StashId(String);

impl StashId {
    /// The id of an entry made at `stamp`: `stash-2026-11-22T083413597654Z0000-<8 hex digits>`.
    pub fn new(stamp: Stamp, random: u32) -> Self {
        let stamp = stamp.0.strftime("%Y-%m-%dT%H%M%S%6fZ0000");
        Self(format!("{ID_PREFIX}{stamp}-{random:08x}"))
    }

    /// The id whose file is called `name`, or `None` when no entry could have that file.
    pub fn from_file_name(name: &[u8]) -> Option<Self> {
        str::from_utf8(name).ok()?.strip_suffix(".json")?.parse().ok()
    }

    /// The name of the entry's file.
    pub fn file_name(&self) -> String {
        format!("{}.json", self.0)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The time in the id, when it has the usual shape; the fraction may be absent, as the reference may have left it.
    pub fn stamp(&self) -> Option<Stamp> {
        let rest = self.0.strip_prefix(ID_PREFIX)?;
        let (text, rest) = rest.split_once('Z')?;
        rest.strip_prefix("0000-")?;
        let (date, time) = text.split_once('T')?;
        let (time, fraction) = time.split_at_checked(6)?;
        let (year, date) = date.split_once('-')?;
        let (month, day) = date.split_once('-')?;
        if (year.len(), month.len(), day.len()) != (4, 2, 2) || !matches!(fraction.len(), 0 | 6) {
            return None;
        }
        let micros: i32 = if fraction.is_empty() { 0 } else { digits(fraction)?.try_into().ok()? };
        let time = DateTime::new(
            digits(year)?.try_into().ok()?,
            digits(month)?.try_into().ok()?,
            digits(day)?.try_into().ok()?,
            digits(time.get(..2)?)?.try_into().ok()?,
            digits(time.get(2..4)?)?.try_into().ok()?,
            digits(time.get(4..)?)?.try_into().ok()?,
            micros * 1000,
        );
        Offset::UTC.to_timestamp(time.ok()?).ok().and_then(Stamp::checked)
    }
}

/// A short run of digits as a number.
fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

impl FromStr for StashId {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let rest = text.strip_prefix(ID_PREFIX).unwrap_or_default();
        if rest.is_empty() || text.len() > MAX_STASH_ID || !rest.bytes().all(plain) {
            let shown: String = text.chars().take(MAX_STASH_ID).collect();
            return Err(FormatError::malformed(
                Document::StashId,
                format!(
                    "{shown:?} is not {ID_PREFIX} and letters, digits or hyphens, {MAX_STASH_ID} at most"
                ),
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for StashId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for StashId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The place of an entry in the stack, oldest first: by time, then by id. Entries without a readable time are oldest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey {
    /// When the entry was made.
    pub stamp: Option<Stamp>,
    /// The entry's id; for a file that holds no readable entry, its name without `.json`.
    pub name: Vec<u8>,
}

impl OrderKey {
    /// The place of a file that holds no readable entry, from its name alone.
    pub fn of_file_name(name: &[u8]) -> Self {
        Self {
            stamp: StashId::from_file_name(name).and_then(|id| id.stamp()),
            name: name.strip_suffix(b".json").unwrap_or(name).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_usual_shapes() {
        let stamp = Stamp::parse_iso("2026-11-22T08:34:13.597654+00:00").unwrap();
        assert_eq!(stamp.as_micros(), 1_795_336_453_597_654);
        assert_eq!(stamp.to_iso(), "2026-11-22T08:34:13.597654+00:00");
        let id = StashId::new(stamp, 0xe765_0088);
        assert_eq!(id.as_str(), "stash-2026-11-22T083413597654Z0000-e7650088");
        assert_eq!(id.stamp(), Some(stamp));
        assert_eq!(StashId::from_file_name(id.file_name().as_bytes()), Some(id));
    }

    #[test]
    fn a_whole_second_has_six_digits_when_written_and_none_from_the_reference() {
        let stamp = Stamp::from_micros(1_795_336_453_000_000).unwrap();
        assert_eq!(stamp.to_iso(), "2026-11-22T08:34:13.000000+00:00");
        assert_eq!(Stamp::parse_iso("2026-11-22T08:34:13+00:00").unwrap(), stamp);
        let theirs: StashId = "stash-2026-11-22T083413Z0000-00000001".parse().unwrap();
        assert_eq!(theirs.stamp(), Some(stamp));
        assert!(StashId::new(stamp, 1).as_str().starts_with("stash-2026-11-22T083413000000Z0000-"));
    }

    #[test]
    fn other_offsets_and_finer_fractions_are_read() {
        let stamp = Stamp::parse_iso("2026-11-22T10:34:13.597654999+02:00").unwrap();
        assert_eq!(stamp.to_iso(), "2026-11-22T08:34:13.597654+00:00");
    }

    #[test]
    fn what_is_no_time_is_an_error() {
        let long = "2".repeat(100_000);
        for text in ["", "yesterday", "2026-11-22", "2026-11-22T08:34:13", "2026-13-01T00:00:00Z", &long] {
            let error = Stamp::parse_iso(text).unwrap_err();
            assert!(error.to_string().len() < 300, "{error}");
        }
        assert!(Stamp::from_micros(i64::MAX).is_err());
        assert!(Stamp::from_micros(i64::MIN).is_err());
    }

    #[test]
    fn the_ends_of_time() {
        let first = Stamp::parse_iso("0001-01-01T00:00:00+00:00").unwrap();
        assert_eq!(first.to_iso(), "0001-01-01T00:00:00.000000+00:00");
        assert!(Stamp::from_micros(first.as_micros() - 1).is_err());
        let last = Stamp::parse_iso("9999-12-30T21:59:59.999999+00:00").unwrap();
        assert_eq!(StashId::new(last, 0).stamp(), Some(last));
    }

    #[test]
    fn an_id_is_a_plain_file_name() {
        for text in
            ["", "stash-", "stash", "stash-a/b", "stash-a\\b", "stash-ä", "stash-\0", "x-1", "../stash-1"]
        {
            assert!(text.parse::<StashId>().is_err(), "{text:?}");
        }
        assert!(format!("stash-{}", "x".repeat(300)).parse::<StashId>().is_err());
        assert!("stash-1700000000000000000-abcdef01".parse::<StashId>().unwrap().stamp().is_none());
        assert_eq!(StashId::from_file_name(b"stash-x"), None);
        assert_eq!(StashId::from_file_name(b"stash-\xff.json"), None);
    }

    #[test]
    fn odd_stamps_in_ids_are_no_times() {
        for text in [
            "stash-2026-11-22T083413597Z0000-1",
            "stash-2026-11-22T0834135976540Z0000-1",
            "stash-2026-11-31T083413597654Z0000-1",
            "stash-2026-1-022T083413597654Z0000-1",
            "stash-2026-11-22T083413597654Z0100-1",
            "stash-2026-11-22T253413597654Z0000-1",
            "stash-9999-12-31T235959999999Z0000-1",
        ] {
            let id: StashId = text.parse().unwrap();
            assert_eq!(id.stamp(), None, "{text}");
        }
    }

    #[test]
    fn entries_without_a_time_are_oldest() {
        let dated = OrderKey::of_file_name(b"stash-2026-11-22T083413597654Z0000-e7650088.json");
        let other = OrderKey::of_file_name(b"stash-zzz.json");
        assert!(other < dated);
        assert!(dated.stamp.is_some());
        assert_eq!(OrderKey::of_file_name(b"stash-\xff.json").name, b"stash-\xff");
    }

    proptest! {
        #[test]
        fn times_round_trip_and_keep_their_order(a in 0_i64..4_000_000_000_000_000, b in 0_i64..4_000_000_000_000_000) {
            let (x, y) = (Stamp::from_micros(a).unwrap(), Stamp::from_micros(b).unwrap());
            prop_assert_eq!(Stamp::parse_iso(&x.to_iso()).unwrap(), x);
            prop_assert_eq!(StashId::new(x, 7).stamp(), Some(x));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(StashId::new(x, 7).cmp(&StashId::new(y, 7)), a.cmp(&b));
        }
    }
}
