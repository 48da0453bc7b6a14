//! One job per file on all threads, largest file first.
//!
//! `rayon`'s own splitting hands each thread a contiguous part; when the largest file comes last, the others wait for
//! it. Here the threads take the next largest file from one queue.

use std::cmp::Reverse;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::progress::Progress;

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
    order.sort_by_key(|&index| Reverse(size(&items[index])));
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let results: Vec<OnceLock<Result<R>>> = std::iter::repeat_with(OnceLock::new).take(items.len()).collect();
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            let result =
                if progress.cancelled() { Err(Error::Interrupted(interrupted)) } else { job(&items[index]) };
            if result.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            let _ = results[index].set(result);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<u64> = (0..1000).collect();
        let doubled = map(&items, |&n| n % 7, &Silent, "", |&n| Ok(n * 2)).unwrap();
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
