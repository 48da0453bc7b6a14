//! Dividing residuals into partitions and choosing a Rice parameter for each (RFC 9639, 9.2.7).
//!
//! One pass takes the sum of the folded residuals of every smallest partition; from there on, larger partitions are
//! sums of two. With parameter `k`, `n` values of sum `s` take `n·(k + 1)` bits and the sum of their quotients,
//! which is `s / 2^k` less what the divisions round away, about `n / 2`. That estimate picks the same parameter as
//! counting would in nearly all cases; the bits of the plan taken are then counted exactly.
//!
//! A partition whose values are evenly spread is shorter as plain numbers ("escape"); silence then takes none.

use super::bitwriter::BitWriter;

/// The most partitions: order 8.
const MAX_PARTITIONS: usize = 256;

/// The largest Rice parameter that four bits hold; 15 is the escape.
const MAX_NARROW: u32 = 14;

/// The largest Rice parameter that five bits hold; 31 is the escape.
const MAX_WIDE: u32 = 30;

/// Bits for method and partition order.
const HEADER_BITS: u64 = 6;

/// Bits of the size of plain numbers.
const ESCAPE_BITS: u64 = 5;

/// How the values of a partition are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    /// Rice codes with this parameter.
    Rice(u32),
    /// Plain numbers of this many bits, 0 to 31.
    Plain(u32),
}

/// How the residuals of a subframe are written.
#[derive(Debug, Clone)]
pub(super) struct Partitions {
    /// There are 2^order partitions.
    order: u32,
    /// Whether parameters take five bits.
    wide: bool,
    codes: [Code; MAX_PARTITIONS],
    /// What [`Partitions::write`] writes, in bits.
    pub(super) bits: u64,
}

/// What is known of a partition.
#[derive(Debug, Clone, Copy, Default)]
struct Statistics {
    sum: u64,
    /// All values, or-ed.
    union: u32,
}

impl Statistics {
    #[inline(always)]
    fn of(folded: &[u32]) -> Self {
        const LANES: usize = 8;
        let mut sums = [0_u64; LANES];
        let mut unions = [0_u32; LANES];
        let (chunks, rest) = folded.as_chunks::<LANES>();
        for chunk in chunks {
            for lane in 0..LANES {
                sums[lane] += u64::from(chunk[lane]);
                unions[lane] |= chunk[lane];
            }
        }
        let sum = sums.iter().sum::<u64>() + rest.iter().map(|value| u64::from(*value)).sum::<u64>();
        let union = unions.iter().chain(rest).fold(0, |union, value| union | value);
        Self { sum, union }
    }

    fn and(self, other: Self) -> Self {
        Self { sum: self.sum + other.sum, union: self.union | other.union }
    }

    /// The best code for `count` values, and about how many bits it takes without its parameter.
    #[inline(always)]
    fn code(self, count: u64) -> (Code, u64) {
        // The largest k with count·2^k below the sum: beyond it, a bit more per value saves less than one.
        let estimate = (self.sum | 1).ilog2().saturating_sub((count | 1).ilog2());
        let k = estimate.saturating_sub(u32::from(count << estimate >= self.sum)).min(MAX_WIDE);
        let quotients = (self.sum >> k).saturating_sub(if k == 0 { 0 } else { count / 2 });
        let bits = count * u64::from(k + 1) + quotients;
        let plain = u32::BITS - self.union.leading_zeros();
        let plain_bits = ESCAPE_BITS + count * u64::from(plain);
        if plain_bits < bits && plain < u32::BITS {
            (Code::Plain(plain), plain_bits)
        } else {
            (Code::Rice(k), bits)
        }
    }
}

impl Partitions {
    /// Chooses for the folded residuals of a block, of which the first `warm_up`, fewer than all, do not count.
    #[inline(always)]
    pub(super) fn choose(folded: &[u32], warm_up: usize, max_order: u32) -> Self {
        let len = folded.len();
        let fits = |order: &u32| len.is_multiple_of(1 << order) && len >> order > warm_up;
        let finest = (0..=max_order.min(MAX_PARTITIONS.ilog2())).rev().find(fits).unwrap_or_default();

        let mut statistics = [Statistics::default(); MAX_PARTITIONS];
        for (statistics, partition) in statistics.iter_mut().zip(folded.chunks(len >> finest)) {
            // What does not count is zero.
            *statistics = Statistics::of(partition);
        }

        let mut best: Option<Self> = None;
        for order in (0..=finest).rev() {
            if order < finest {
                for place in 0..1_usize << order {
                    statistics[place] = statistics[2 * place].and(statistics[2 * place + 1]);
                }
            }
            let mut codes = [Code::Rice(0); MAX_PARTITIONS];
            let mut bits = 0;
            let mut wide = false;
            let mut count = ((len >> order) - warm_up) as u64;
            for (code, statistics) in codes.iter_mut().zip(&statistics).take(1 << order) {
                let (chosen, chosen_bits) = statistics.code(count);
                *code = chosen;
                bits += chosen_bits;
                wide |= matches!(chosen, Code::Rice(k) if k > MAX_NARROW);
                count = (len >> order) as u64;
            }
            bits += HEADER_BITS + (if wide { 5 } else { 4 } << order);
            if best.as_ref().is_none_or(|best| bits < best.bits) {
                best = Some(Self { order, wide, codes, bits });
            }
        }
        // There is always order 0.
        let mut best = best.unwrap_or(Self {
            order: 0,
            wide: true,
            codes: [Code::Rice(MAX_WIDE); MAX_PARTITIONS],
            bits: 0,
        });
        best.bits = best.count(folded, warm_up);
        best
    }

    /// The partitions of the values with their codes.
    #[inline(always)]
    fn each<'a>(&'a self, folded: &'a [u32], warm_up: usize) -> impl Iterator<Item = (Code, &'a [u32])> {
        let size = (folded.len() >> self.order).max(1);
        let partitions = folded.chunks(size).enumerate();
        self.codes.iter().zip(partitions).map(move |(code, (place, partition))| {
            (*code, if place == 0 { partition.get(warm_up..).unwrap_or_default() } else { partition })
        })
    }

    /// Exactly how many bits [`Self::write`] writes.
    #[inline(always)]
    fn count(&self, folded: &[u32], warm_up: usize) -> u64 {
        let mut bits = HEADER_BITS + (if self.wide { 5 } else { 4 } << self.order);
        for (code, values) in self.each(folded, warm_up) {
            bits += match code {
                Code::Rice(k) => values.len() as u64 * u64::from(k + 1) + quotients(values, k),
                Code::Plain(size) => ESCAPE_BITS + values.len() as u64 * u64::from(size),
            };
        }
        bits
    }

    /// Writes the residuals of which it was chosen.
    #[inline(always)]
    pub(super) fn write(&self, writer: &mut BitWriter<'_>, folded: &[u32], warm_up: usize) {
        writer.put(u64::from(self.wide), 2);
        writer.put(u64::from(self.order), 4);
        let (parameter_bits, escape) = if self.wide { (5, 31) } else { (4, 15) };
        for (code, values) in self.each(folded, warm_up) {
            match code {
                Code::Rice(k) => {
                    writer.put(u64::from(k), parameter_bits);
                    writer.put_rice(values, k);
                }
                Code::Plain(size) => {
                    writer.put(escape, parameter_bits);
                    writer.put(u64::from(size), 5);
                    write_plain(writer, values, size);
                }
            }
        }
    }
}

#[inline(always)]
fn quotients(values: &[u32], k: u32) -> u64 {
    const LANES: usize = 8;
    let mut sums = [0_u64; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += u64::from(chunk[lane] >> k);
        }
    }
    sums.iter().sum::<u64>() + rest.iter().map(|value| u64::from(value >> k)).sum::<u64>()
}

#[inline(never)]
fn write_plain(writer: &mut BitWriter<'_>, values: &[u32], size: u32) {
    if size > 0 {
        for value in values {
            writer.put_signed((value >> 1).cast_signed() ^ -(value & 1).cast_signed(), size);
        }
    }
}
