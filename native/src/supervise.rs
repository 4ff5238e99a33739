//! Long work on other threads, watched by the thread that asked for it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(50);

/// How far the work has come, and whether it should stop. Shared by its threads.
#[derive(Default)]
pub struct Progress {
    cancelled: AtomicBool,
    done: AtomicU64,
}

impl Progress {
    pub fn add(&self, count: u64) {
        self.done.fetch_add(count, Relaxed);
    }

    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }
}

/// Runs `work` on a thread of its own and calls `tick` here every 50 ms and once at its end. When
/// `tick` fails, the work is cancelled, waited for, and the failure returned.
pub fn supervise<T: Send, E>(
    progress: &Progress,
    mut tick: impl FnMut(u64) -> Result<(), E>,
    work: impl FnOnce() -> T + Send,
) -> Result<T, E> {
    thread::scope(|scope| {
        let (finished, wait) = sync_channel::<()>(0);
        let worker = scope.spawn(move || {
            let _finished = finished; // dropped when the work ends, by return or by panic
            work()
        });
        let mut outcome = Ok(());
        while wait.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if outcome.is_ok() {
                outcome = tick(progress.done());
                if outcome.is_err() {
                    progress.cancel();
                }
            }
        }
        let value = match worker.join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        outcome.and_then(|()| tick(progress.done())).map(|()| value)
    })
}

/// Runs `job` for every number below `jobs` on up to `threads` threads; each thread has a state of
/// its own. Stops at the first error, or when cancelled.
pub fn parallel<S: Default, E: Send>(
    threads: usize,
    jobs: usize,
    progress: &Progress,
    job: impl Fn(usize, &mut S) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let run = || {
        let mut state = S::default();
        while !stop.load(Relaxed) && !progress.is_cancelled() {
            let number = next.fetch_add(1, Relaxed);
            if number >= jobs {
                break;
            }
            job(number, &mut state).inspect_err(|_| stop.store(true, Relaxed))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(jobs)).map(|_| scope.spawn(run)).collect();
        workers
            .into_iter()
            .map(|worker| match worker.join() {
                Ok(outcome) => outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .fold(Ok(()), Result::and)
    })
}

/// Locks; a panic of another thread that held the lock is raised again when that thread is joined.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_tick_cancels_the_work() {
        let progress = Progress::default();
        let outcome = supervise(
            &progress,
            |_| Err("stop"),
            || {
                while !progress.is_cancelled() {
                    thread::yield_now();
                }
            },
        );
        assert_eq!(outcome, Err("stop"));
    }

    #[test]
    fn every_job_runs_once() {
        let sum = AtomicU64::new(0);
        let outcome = parallel(3, 100, &Progress::default(), |number, (): &mut ()| {
            sum.fetch_add(number as u64, Relaxed);
            Ok::<(), ()>(())
        });
        assert_eq!((outcome, sum.into_inner()), (Ok(()), 4950));
    }

    #[test]
    fn the_last_tick_is_told_of_all_that_was_done() {
        let (progress, mut told) = (Progress::default(), Vec::new());
        let outcome = supervise(
            &progress,
            |done| {
                told.push(done);
                Ok::<(), ()>(())
            },
            || (0..3).for_each(|_| progress.add(5)),
        );
        assert_eq!((outcome, told.last()), (Ok(()), Some(&15)));
    }

    #[test]
    fn an_error_is_returned_and_nothing_is_begun_after_it() {
        let begun = AtomicU64::new(0);
        let outcome = parallel(1, 50, &Progress::default(), |number, (): &mut ()| {
            begun.fetch_add(1, Relaxed);
            if number == 30 { Err(number) } else { Ok(()) }
        });
        assert_eq!((outcome, begun.into_inner()), (Err(30), 31));
    }

    #[test]
    fn nothing_is_begun_once_cancelled() {
        let (begun, progress) = (AtomicU64::new(0), Progress::default());
        progress.cancel();
        let outcome = parallel(2, 50, &progress, |_, (): &mut ()| {
            begun.fetch_add(1, Relaxed);
            Ok::<(), ()>(())
        });
        assert_eq!((outcome, begun.into_inner()), (Ok(()), 0));
    }
}
