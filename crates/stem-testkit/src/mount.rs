//! File systems of a certain kind, mounted for a test by root. Where that is not possible the test says that it was
//! skipped, by name, past the harness.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Says on the terminal that a test did not run.
pub fn skip(test: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "skipped {test}: {reason}");
}

/// A mounted file system; unmounted on drop, which has to come before the directory that holds it goes.
#[derive(Debug)]
pub struct Mount(PathBuf);

impl Mount {
    /// Mounts `device` at `at`, which is made when it is missing.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn new(at: &Path, kind: &str, options: &str, device: &Path) -> Result<Self, String> {
        fs::create_dir_all(at).map_err(|e| e.to_string())?;
        run("mount", &["-t", kind, "-o", options, &device.to_string_lossy(), &at.to_string_lossy()])?;
        Ok(Self(at.to_path_buf()))
    }

    /// A file system in memory, of at most `size` (`20m`).
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn tmpfs(at: &Path, size: &str) -> Result<Self, String> {
        Self::new(at, "tmpfs", &format!("size={size}"), Path::new("none"))
    }

    /// XFS with reflinks, of 400 MiB, in the file `image`.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn xfs(at: &Path, image: &Path) -> Result<Self, String> {
        File::create(image).and_then(|file| file.set_len(400 << 20)).map_err(|e| e.to_string())?;
        run("mkfs.xfs", &["-q", "-m", "reflink=1", &image.to_string_lossy()])?;
        Self::new(at, "xfs", "loop", image)
    }

    /// Forbids all further changes.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn make_read_only(&self) -> Result<(), String> {
        run("mount", &["-o", "remount,ro", &self.0.to_string_lossy()])
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = run("umount", &["-l", &self.0.to_string_lossy()]);
    }
}

/// One test at a time: a process that one of them starts holds copies of all descriptors for a moment, and with them the
/// room of files that were removed.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let done = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).output();
    match done {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => Err(format!("{program}: {}", String::from_utf8_lossy(&done.stderr).trim())),
        Err(error) => Err(format!("{program}: {error}")),
    }
}
