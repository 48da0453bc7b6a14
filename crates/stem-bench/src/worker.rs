//! Who does an operation: this process, or one that was started for it.
//!
//! A process that was started ends when its standard input does, so that none goes on working in a directory whose owner
//! was killed.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::job::{Answer, Job};
use crate::operate::perform;
use crate::progress::Progress;

/// The first argument that tells a program to call [`work`].
pub const WORKER_ARGUMENT: &str = "bench-worker-of-stem";

/// How often it is asked whether to stop.
const POLL: Duration = Duration::from_millis(50);
/// How long a process that ended without an answer is given the benefit of a signal that is on its way to us too.
const LATE: Duration = Duration::from_millis(300);
/// Between two reports of progress.
const REPORT: Duration = Duration::from_millis(100);
/// What is kept of what a process said on standard error.
const SAID: u64 = 4096;

/// Who does an operation.
#[derive(Debug, Clone)]
pub enum Worker {
    /// This process: quick to test, and its figures of memory mean little.
    Here,
    /// This program, which calls [`work`] when its first argument is [`WORKER_ARGUMENT`].
    Child(PathBuf),
}

impl Worker {
    /// Does the job in `root`, and passes on what is answered. Says why when it could not be done.
    pub(crate) fn run(
        &self,
        job: &Job,
        root: &Path,
        progress: &dyn Progress,
        answer: &mut dyn FnMut(Answer),
    ) -> Result<()> {
        match self {
            Self::Here => {
                let told = |bytes| {
                    progress.advance(bytes);
                    if progress.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                };
                perform(job, root, &told, answer);
                if progress.cancelled() { Err(Error::Interrupted) } else { Ok(()) }
            }
            Self::Child(program) => child(program, job, root, progress, answer),
        }
    }
}

/// A process that goes with its owner.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn child(
    program: &Path,
    job: &Job,
    root: &Path,
    progress: &dyn Progress,
    answer: &mut dyn FnMut(Answer),
) -> Result<()> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Error::Worker(format!("the process that measures {what}: {error}"))
    };
    let mut line = serde_json::to_vec(job).map_err(|error| failed("cannot be told what to do", &error))?;
    line.push(b'\n');
    let started = Command::new(program)
        .arg(WORKER_ARGUMENT)
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut process = Killed(started.map_err(|error| failed("cannot be started", &error))?);
    let (Some(mut input), Some(output), Some(errors)) =
        (process.0.stdin.take(), process.0.stdout.take(), process.0.stderr.take())
    else {
        return Err(failed("cannot be reached", &"it has no pipes"));
    };
    let said = std::thread::spawn(move || {
        let mut said = String::new();
        // What is not text is lost; what is more than enough is not read.
        let _ = errors.take(SAID).read_to_string(&mut said);
        said
    });
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    // A process that died already says why by its end.
    let _ = input.write_all(&line).and_then(|()| input.flush());
    let mut complete = false;
    loop {
        match receiver.recv_timeout(POLL) {
            Ok(line) if line == "end" => complete = true,
            Ok(line) => match serde_json::from_str(&line) {
                Ok(Answer::Progress(bytes)) => progress.advance(bytes),
                Ok(other) => answer(other),
                Err(error) => return Err(failed("said what cannot be understood", &error)),
            },
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if progress.cancelled() {
            return Err(Error::Interrupted);
        }
    }
    if complete {
        return Ok(());
    }
    let until = Instant::now() + LATE;
    while Instant::now() < until {
        if progress.cancelled() {
            return Err(Error::Interrupted);
        }
        std::thread::sleep(POLL);
    }
    let status = process.0.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
    drop(process);
    let said = said.join().unwrap_or_default();
    let said = stem_fs::show_bytes(said.trim().as_bytes());
    Err(failed("ended early", &format!("{status}{}{said}", if said.is_empty() { "" } else { "; it said: " })))
}

/// What the process does that measures: reads a job from standard input, does it, and answers on standard output.
///
/// # Errors
///
/// When it cannot be told what to do, or cannot answer.
pub fn work() -> io::Result<()> {
    let mut line = Vec::new();
    io::stdin().lock().read_until(b'\n', &mut line)?;
    let job: Job = serde_json::from_slice(&line)?;
    drop(line);
    std::thread::spawn(|| {
        // Nothing more is said on it: it ends when its owner does.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        std::process::exit(1);
    });
    let (done, told_at) = (AtomicU64::new(0), std::sync::Mutex::new(Instant::now()));
    let told = |bytes| {
        done.fetch_add(bytes, Ordering::Relaxed);
        if let Ok(mut last) = told_at.try_lock()
            && last.elapsed() >= REPORT
        {
            *last = Instant::now();
            let _ = tell(&Answer::Progress(done.swap(0, Ordering::Relaxed)));
        }
        ControlFlow::Continue(())
    };
    let mut refused = None;
    perform(&job, Path::new("."), &told, &mut |answer| {
        if let Err(error) = tell(&answer) {
            refused.get_or_insert(error);
        }
    });
    if let Some(error) = refused {
        return Err(error);
    }
    tell(&Answer::Progress(done.swap(0, Ordering::Relaxed)))?;
    let mut out = io::stdout().lock();
    out.write_all(b"end\n")?;
    out.flush()
}

fn tell(answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}
