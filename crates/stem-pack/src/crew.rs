//! Work on many items by all cores, its results in order, and never more than a few items in memory.
//!
//! The calling thread makes the items and takes the results, and works itself when it would have to wait. Helpers are
//! threads of this call alone, at most as many in the whole process as there are other cores: whoever stores several
//! objects at once from threads of its own gets one core for each of them, and no more memory. A rayon pool was rejected
//! here: a thread of a pool that waits for its helpers begins any other task of the program meanwhile, another put with
//! buffers of its own above all, to any depth.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::{Condvar, Mutex};

/// Helpers that are at work now, in the whole process.
static BUSY: AtomicUsize = AtomicUsize::new(0);
/// Threads that decode ahead of a reader. Counted apart: a reader may be left open and idle, with its thread waiting.
static AHEAD: AtomicUsize = AtomicUsize::new(0);

/// No more of them, however many cores there are: each holds a chunk and what it is coded with.
const MOST_HELPERS: usize = 7;

/// Leave to start one thread.
pub(crate) struct Permit(&'static AtomicUsize);

impl Permit {
    /// For a helper that works.
    pub(crate) fn take() -> Option<Self> {
        Self::of(&BUSY)
    }

    /// For a thread that decodes ahead of a reader.
    pub(crate) fn ahead() -> Option<Self> {
        Self::of(&AHEAD)
    }

    fn of(count: &'static AtomicUsize) -> Option<Self> {
        let most = thread::available_parallelism().map_or(1, usize::from).saturating_sub(1).min(MOST_HELPERS);
        let more = |busy| (busy < most).then_some(busy + 1);
        let taken = count.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more);
        taken.ok().map(|_| Self(count))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Items beyond one for each thread that may be in work, so that nobody waits at an uneven moment.
const SLACK: usize = 2;

struct Board<T, R> {
    state: Mutex<State<T, R>>,
    /// There is work, or there never will be.
    work: Condvar,
    /// A result arrived.
    result: Condvar,
}

struct State<T, R> {
    queue: VecDeque<(u64, T)>,
    done: BTreeMap<u64, thread::Result<R>>,
    closed: bool,
}

/// Tells the helpers to go, also when the caller fails.
struct Close<'a, T, R>(&'a Board<T, R>);

impl<T, R> Drop for Close<'_, T, R> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.closed = true;
        state.queue.clear();
        self.0.work.notify_all();
    }
}

/// Runs `work` on everything that `produce` gives until it gives `None`, and hands the results to `consume` in that
/// order. Both run on the calling thread, `work` on any.
///
/// # Errors
///
/// The first that `produce` or `consume` gives.
pub fn ordered<T: Send, R: Send, E>(
    mut produce: impl FnMut() -> Result<Option<T>, E>,
    work: impl Fn(T) -> R + Sync,
    mut consume: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let board = Board {
        state: Mutex::new(State { queue: VecDeque::new(), done: BTreeMap::new(), closed: false }),
        work: Condvar::new(),
        result: Condvar::new(),
    };
    let run = |item| catch_unwind(AssertUnwindSafe(|| work(item)));
    thread::scope(|scope| {
        let _close = Close(&board);
        let mut helpers = 0;
        let mut refused = false;
        let (mut made, mut taken, mut ended) = (0u64, 0u64, false);
        loop {
            let ready = board.state.lock().done.remove(&taken);
            if let Some(result) = ready {
                taken += 1;
                consume(result.unwrap_or_else(|panic| resume_unwind(panic)))?;
                continue;
            }
            if !ended && made - taken < (1 + helpers + SLACK) as u64 {
                match produce()? {
                    Some(item) => {
                        board.state.lock().queue.push_back((made, item));
                        board.work.notify_one();
                        made += 1;
                    }
                    None => ended = true,
                }
                // A single item needs no help.
                if made - taken > 1 && !refused {
                    let board = &board;
                    let run = &run;
                    let started = Permit::take().is_some_and(|permit| {
                        let help = move || help(board, run, &permit);
                        thread::Builder::new().name("stem-pack".into()).spawn_scoped(scope, help).is_ok()
                    });
                    helpers += usize::from(started);
                    refused = !started;
                }
                continue;
            }
            if made == taken {
                return Ok(());
            }
            let own = board.state.lock().queue.pop_front();
            if let Some((number, item)) = own {
                let result = run(item);
                board.state.lock().done.insert(number, result);
            } else {
                let mut state = board.state.lock();
                while !state.done.contains_key(&taken) {
                    board.result.wait(&mut state);
                }
            }
        }
    })
}

/// What a helper does until there is nothing left to do.
fn help<T, R>(board: &Board<T, R>, run: &impl Fn(T) -> thread::Result<R>, _permit: &Permit) {
    loop {
        let mut state = board.state.lock();
        let (number, item) = loop {
            if let Some(job) = state.queue.pop_front() {
                break job;
            }
            if state.closed {
                return;
            }
            board.work.wait(&mut state);
        };
        drop(state);
        let result = run(item);
        board.state.lock().done.insert(number, result);
        board.result.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_few_at_a_time() {
        let alive = AtomicUsize::new(0);
        let mut next = 0u64;
        let mut seen = Vec::new();
        ordered(
            || {
                next += 1;
                let live = alive.fetch_add(1, Ordering::Relaxed);
                assert!(live <= 1 + MOST_HELPERS + SLACK);
                Ok::<_, ()>((next <= 500).then_some(next))
            },
            |n| {
                let spin = (n % 7) * 1000;
                (0..spin).fold(n, |a, b| std::hint::black_box(a ^ b ^ b))
            },
            |n| {
                alive.fetch_sub(1, Ordering::Relaxed);
                seen.push(n);
                Ok(())
            },
        )
        .unwrap();
        let count = seen.len();
        assert!(seen.is_sorted() && count == 500);
    }

    #[test]
    fn an_error_ends_it_on_either_side() {
        let produced = ordered(|| Err::<Option<u8>, _>("source"), |n| n, |_| Ok(()));
        assert_eq!(produced, Err("source"));
        let mut next = 0;
        let consumed = ordered(
            || {
                next += 1;
                Ok(Some(next))
            },
            |n: u32| n,
            |n| if n == 40 { Err("target") } else { Ok(()) },
        );
        assert_eq!(consumed, Err("target"));
    }

    #[test]
    fn permits_come_back() {
        let all: Vec<_> = std::iter::from_fn(Permit::take).collect();
        let count = all.len();
        drop(all);
        // Other tests may hold some.
        assert!(count <= MOST_HELPERS);
    }
}
