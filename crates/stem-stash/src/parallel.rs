//! One job per file on all threads, largest file first.
//!
//! `rayon`'s own splitting hands each thread a contiguous part; when the largest file comes last, the others wait for
//! it. Here the threads take the next largest file from one queue. Small files are taken in runs of neighbours: two
//! threads that create files in the same directory wait for each other.

use std::cmp::Reverse;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::progress::Progress;

/// From this many bytes on a file is a turn of its own.
const LARGE: u64 = 1 << 20;
/// Small files in one turn.
const RUN: usize = 32;

/// Runs `job` for every item and returns the results in the items' order. The first error ends the run; so does the
/// user, between two items, with `interrupted` as what the error says.
pub(crate) fn map<T: Sync, R: Send + Sync>(
    items: &[T],
    size: impl Fn(&T) -> u64,
    progress: &dyn Progress,
    interrupted: &'static str,
    job: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    // Stable, so that small files keep the order of their paths.
    order.sort_by_key(|&index| Reverse(large(size(&items[index]))));
    let runs = runs(&order, |index| large(size(&items[index])) > 0);
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let results: Vec<OnceLock<Result<R>>> = std::iter::repeat_with(OnceLock::new).take(items.len()).collect();
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            for &index in *run {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let cancelled = || Err(Error::Interrupted(interrupted));
                let result = if progress.cancelled() { cancelled() } else { job(&items[index]) };
                if result.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                let _ = results[index].set(result);
            }
        }
    };
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads().min(items.len()) {
            scope.spawn(|_| work());
        }
    });
    let mut done = Vec::with_capacity(items.len());
    let mut unfinished = false;
    for result in results {
        match result.into_inner() {
            Some(Ok(value)) => done.push(value),
            Some(Err(error)) => return Err(error),
            None => unfinished = true,
        }
    }
    // Items stay undone only after an error, which the loop has found in whatever order.
    if unfinished { Err(Error::Interrupted(interrupted)) } else { Ok(done) }
}

/// The size of a file that is worth a turn of its own, else 0.
fn large(size: u64) -> u64 {
    if size < LARGE { 0 } else { size }
}

/// Cuts the order into turns: large items one by one, small ones in runs.
fn runs(order: &[usize], is_large: impl Fn(usize) -> bool) -> Vec<&[usize]> {
    let first_small = order.partition_point(|&index| is_large(index));
    let (large, small) = order.split_at(first_small);
    large.chunks(1).chain(small.chunks(RUN)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<u64> = (0..1000).collect();
        let doubled = map(&items, |&n| n % 7 * LARGE / 3, &Silent, "", |&n| Ok(n * 2)).unwrap();
        assert_eq!(doubled, items.iter().map(|n| n * 2).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_ends_the_run_and_is_returned() {
        let items: Vec<u64> = (0..1000).collect();
        let result = map(
            &items,
            |&n| n,
            &Silent,
            "",
            |&n| {
                if n == 500 { Err(Error::InvalidInput("five hundred".into())) } else { Ok(()) }
            },
        );
        assert!(matches!(result, Err(Error::InvalidInput(text)) if text == "five hundred"));
    }

    #[test]
    fn the_user_ends_it_between_items() {
        #[derive(Default)]
        struct AfterTen(AtomicUsize);
        impl Progress for AfterTen {
            fn cancelled(&self) -> bool {
                self.0.fetch_add(1, Ordering::Relaxed) >= 10
            }
        }
        let progress = AfterTen::default();
        let done = AtomicUsize::new(0);
        let result = map(
            &[0u8; 100],
            |_| 1,
            &progress,
            "stopped",
            |_| {
                done.fetch_add(1, Ordering::Relaxed);
                Ok(())
            },
        );
        assert!(matches!(result, Err(Error::Interrupted("stopped"))));
        assert_eq!(done.load(Ordering::Relaxed), 10);
    }
}
