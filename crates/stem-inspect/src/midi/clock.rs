//! Ticks as seconds and as bars: where the tempo and the meter are set.
//!
//! A meter that is set in the midst of a bar begins a new one, as programs count it. Bars are counted from 1.

use super::facts::{Division, Meter, Tempo};

/// Places that are kept; more than any piece has.
const MAX_MARKS: usize = 1 << 17;
/// The tempo where none is set: 120 quarter notes per minute, in microseconds of one.
pub(super) const DEFAULT_TEMPO: u32 = 500_000;
/// The meter where none is set.
pub(super) const DEFAULT_METER: [u8; 2] = [4, 4];

/// Tempo and meter as they were read, in any order.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    tempos: Vec<(u64, u32)>,
    meters: Vec<(u64, [u8; 2])>,
}

impl Marks {
    /// `micros` is the length of a quarter note.
    pub(super) fn tempo(&mut self, tick: u64, micros: u32) {
        if micros > 0 && self.tempos.len() < MAX_MARKS {
            self.tempos.push((tick, micros));
        }
    }

    /// `power` is the power of two of which one is the beat.
    pub(super) fn meter(&mut self, tick: u64, beats: u8, power: u8) {
        if beats > 0 && power <= 7 && self.meters.len() < MAX_MARKS {
            self.meters.push((tick, [beats, 1 << power]));
        }
    }
}

impl Marks {
    pub(super) fn append(&mut self, mut other: Self) {
        self.tempos.append(&mut other.tempos);
        self.meters.append(&mut other.meters);
        self.tempos.truncate(MAX_MARKS);
        self.meters.truncate(MAX_MARKS);
    }
}

/// From this tick on.
#[derive(Debug, Clone, Copy)]
struct Segment<T> {
    tick: u64,
    seconds: f64,
    /// The bar that begins there.
    bar: u64,
    value: T,
}

/// Ticks as seconds and as bars.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    pace: Pace,
    tempos: Vec<Segment<u32>>,
    meters: Vec<Segment<[u8; 2]>>,
}

#[derive(Debug, Clone, Copy)]
enum Pace {
    /// So many ticks are a quarter note.
    Quarter(u64),
    /// So many ticks are a second.
    Second(f64),
}

/// Sorted, the last of those at one tick, and none that changes nothing.
fn steps<T: Copy + PartialEq>(mut marks: Vec<(u64, T)>, default: T) -> Vec<(u64, T)> {
    marks.sort_by_key(|mark| mark.0);
    let mut steps = vec![(0, default)];
    for (tick, value) in marks {
        match steps.last_mut() {
            Some(last) if last.0 == tick => last.1 = value,
            _ => steps.push((tick, value)),
        }
    }
    steps.dedup_by(|next, last| next.1 == last.1);
    steps
}

impl Clock {
    pub(super) fn new(division: Division, marks: Marks) -> Self {
        let pace = match division {
            Division::TicksPerQuarter(ticks) => Pace::Quarter(u64::from(ticks.max(1))),
            Division::Frames { per_second, ticks } => {
                let frames = if per_second == 29 { 30_000.0 / 1001.0 } else { f64::from(per_second) };
                Pace::Second(frames * f64::from(ticks.max(1)))
            }
        };
        let mut clock = Self { pace, tempos: Vec::new(), meters: Vec::new() };
        for (tick, value) in steps(marks.tempos, DEFAULT_TEMPO) {
            let seconds = clock.seconds(tick);
            clock.tempos.push(Segment { tick, seconds, bar: 0, value });
        }
        for (tick, value) in steps(marks.meters, DEFAULT_METER) {
            let bar = clock.next_bar(tick);
            clock.meters.push(Segment { tick, seconds: clock.seconds(tick), bar, value });
        }
        clock
    }

    /// A clock whose ticks are microseconds.
    pub(super) fn of_micros() -> Self {
        let segment = Segment { tick: 0, seconds: 0.0, bar: 1, value: DEFAULT_TEMPO };
        Self { pace: Pace::Second(1e6), tempos: vec![segment], meters: Vec::new() }
    }

    /// The same for ticks that are so many times shorter.
    pub(super) fn finer(&self, factor: u64) -> Self {
        fn scaled<T: Copy>(segments: &[Segment<T>], factor: u64) -> Vec<Segment<T>> {
            let finer =
                |segment: &Segment<T>| Segment { tick: segment.tick.saturating_mul(factor), ..*segment };
            segments.iter().map(finer).collect()
        }
        let pace = match self.pace {
            Pace::Quarter(ticks) => Pace::Quarter(ticks.saturating_mul(factor)),
            #[expect(clippy::cast_precision_loss, reason = "factors are small")]
            Pace::Second(ticks) => Pace::Second(ticks * factor as f64),
        };
        Self { pace, tempos: scaled(&self.tempos, factor), meters: scaled(&self.meters, factor) }
    }

    /// Ticks of a quarter note; `None` where there are none.
    pub(super) fn quarter(&self) -> Option<u64> {
        match self.pace {
            Pace::Quarter(ticks) => Some(ticks),
            Pace::Second(_) => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds for people; ticks of years are exact")]
    pub(super) fn seconds(&self, tick: u64) -> f64 {
        match self.pace {
            Pace::Second(ticks) => tick as f64 / ticks,
            Pace::Quarter(ticks) => {
                let at = self.tempos.partition_point(|segment| segment.tick <= tick);
                let Some(last) = at.checked_sub(1).and_then(|at| self.tempos.get(at)) else { return 0.0 };
                let quarters = (tick - last.tick) as f64 / ticks as f64;
                last.seconds + quarters * f64::from(last.value) / 1e6
            }
        }
    }

    /// The bar that a tick lies in, from 1.
    pub(super) fn bar(&self, tick: u64) -> Option<u64> {
        let (first, into, length) = self.in_bars(tick)?;
        Some(first.saturating_add(u64::try_from(into / length).unwrap_or(u64::MAX)))
    }

    /// The bar that begins at this tick, or after it where it lies within one.
    fn next_bar(&self, tick: u64) -> u64 {
        let Some((first, into, length)) = self.in_bars(tick) else { return 1 };
        first.saturating_add(u64::try_from(into.div_ceil(length)).unwrap_or(u64::MAX))
    }

    /// The first bar of the meter, how far the tick is into it, and how long a bar is: in ticks divided by 128, so that
    /// nothing is lost.
    fn in_bars(&self, tick: u64) -> Option<(u64, u128, u128)> {
        let ticks = self.quarter()?;
        let at = self.meters.partition_point(|segment| segment.tick <= tick);
        let last = self.meters.get(at.checked_sub(1)?)?;
        let [beats, unit] = last.value.map(u128::from);
        // A quarter is 32 of 128, and a beat 128 of 128 through its unit.
        let length = u128::from(ticks) * 4 * beats * (128 / unit.max(1));
        Some((last.bar, u128::from(tick - last.tick) * 128, length.max(1)))
    }

    pub(super) fn tempos(&self) -> impl Iterator<Item = Tempo> {
        let set = |segment: &&Segment<u32>| segment.tick > 0 || segment.value != DEFAULT_TEMPO;
        self.tempos.iter().filter(set).map(|segment| Tempo {
            bar: self.bar(segment.tick),
            seconds: segment.seconds,
            bpm: bpm(segment.value),
        })
    }

    pub(super) fn meters(&self) -> impl Iterator<Item = Meter> {
        let set = |segment: &&Segment<[u8; 2]>| segment.tick > 0 || segment.value != DEFAULT_METER;
        self.meters.iter().filter(set).map(|segment| Meter {
            bar: self.bar(segment.tick),
            seconds: segment.seconds,
            beats: segment.value[0],
            unit: segment.value[1],
        })
    }

    /// Where the tempo differs from that of another clock with the same ticks: tick, before and after.
    pub(super) fn tempo_changes(&self, after: &Self) -> Vec<(u64, [u32; 2])> {
        changes(&self.tempos, &after.tempos)
    }

    /// Likewise the meter.
    pub(super) fn meter_changes(&self, after: &Self) -> Vec<(u64, [[u8; 2]; 2])> {
        changes(&self.meters, &after.meters)
    }
}

/// Quarter notes per minute.
pub(super) fn bpm(micros: u32) -> f64 {
    60e6 / f64::from(micros.max(1))
}

fn changes<T: Copy + PartialEq>(before: &[Segment<T>], after: &[Segment<T>]) -> Vec<(u64, [T; 2])> {
    let (mut a, mut b) = (before.iter().peekable(), after.iter().peekable());
    let (Some(first_a), Some(first_b)) = (before.first(), after.first()) else { return Vec::new() };
    let (mut old, mut new, mut found) = (first_a.value, first_b.value, Vec::new());
    let mut differed = None;
    while let Some(tick) = [a.peek(), b.peek()].into_iter().flatten().map(|segment| segment.tick).min() {
        while let Some(segment) = a.next_if(|segment| segment.tick == tick) {
            old = segment.value;
        }
        while let Some(segment) = b.next_if(|segment| segment.tick == tick) {
            new = segment.value;
        }
        let differs = (old != new).then_some([old, new]);
        if let Some(values) = differs
            && differed != differs
        {
            found.push((tick, values));
        }
        differed = differs;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(tempos: &[(u64, u32)], meters: &[(u64, [u8; 2])]) -> Clock {
        let marks = Marks { tempos: tempos.to_vec(), meters: meters.to_vec() };
        Clock::new(Division::TicksPerQuarter(480), marks)
    }

    #[test]
    fn bars_follow_the_meter() {
        let clock = clock(&[], &[(4 * 480 * 2, [3, 4]), (4 * 480 * 2 + 3 * 480, [7, 8])]);
        assert_eq!(clock.bar(0), Some(1));
        assert_eq!(clock.bar(4 * 480 - 1), Some(1));
        assert_eq!(clock.bar(4 * 480), Some(2));
        assert_eq!(clock.bar(4 * 480 * 2), Some(3));
        assert_eq!(clock.bar(4 * 480 * 2 + 3 * 480), Some(4));
        assert_eq!(clock.bar(4 * 480 * 2 + 3 * 480 + 7 * 240), Some(5));
    }

    #[test]
    fn a_meter_in_the_midst_of_a_bar_begins_a_new_one() {
        let clock = clock(&[], &[(2 * 480, [4, 4]), (2 * 480, [3, 4])]);
        assert_eq!(clock.bar(2 * 480 - 1), Some(1));
        assert_eq!(clock.bar(2 * 480), Some(2));
        assert_eq!(clock.bar(5 * 480), Some(3));
    }

    #[test]
    fn seconds_follow_the_tempo() {
        let clock = clock(&[(480 * 4, 1_000_000)], &[]);
        assert!((clock.seconds(480 * 4) - 2.0).abs() < 1e-9);
        assert!((clock.seconds(480 * 6) - 4.0).abs() < 1e-9);
        assert!((clock.finer(2).seconds(480 * 12) - 4.0).abs() < 1e-9);
        assert_eq!(clock.finer(2).bar(480 * 8), clock.bar(480 * 4));
    }

    #[test]
    fn changes_are_counted_where_they_begin() {
        let before = clock(&[(0, 500_000), (960, 400_000)], &[]);
        let after = clock(&[(0, 600_000), (960, 400_000), (4800, 300_000)], &[]);
        assert_eq!(before.tempo_changes(&after), [(0, [500_000, 600_000]), (4800, [400_000, 300_000])]);
        assert!(before.tempo_changes(&before).is_empty());
    }

    #[test]
    fn frames_of_film_have_seconds_and_no_bars() {
        let clock = Clock::new(Division::Frames { per_second: 25, ticks: 40 }, Marks::default());
        assert!((clock.seconds(1500) - 1.5).abs() < 1e-9);
        assert_eq!(clock.bar(1500), None);
    }

    #[test]
    fn nothing_overflows() {
        let clock =
            clock(&[(u64::MAX - 1, 1), (u64::MAX, 0xff_ffff)], &[(0, [255, 1]), (u64::MAX, [1, 128])]);
        assert!(clock.seconds(u64::MAX).is_finite());
        assert!(clock.bar(u64::MAX).is_some());
        assert!(clock.finer(u64::MAX).bar(u64::MAX).is_some());
    }
}
