//! Read leases: refused while anybody can write, noticed by whoever wants to, harmless to the process.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod common;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use common::{rel, scratch};
use stem_fs::{Dir, LeasedFile, OpenFile, Publish, ReadLease, Refused};

const JOB: &str = "STEM_FS_LEASE_TEST";

/// Calls without a safe wrapper.
#[expect(unsafe_code, reason = "mappings and write leases have no safe wrapper")]
mod raw {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::ptr;

    /// A shared writable mapping of a file's first page, which outlives the descriptor.
    pub(crate) struct Mapping(*mut std::ffi::c_void);

    pub(crate) fn map_writable(file: &File) -> Mapping {
        use rustix::mm::{MapFlags, ProtFlags, mmap};
        // SAFETY: a new mapping at a place that the kernel chooses; nothing refers to its memory.
        let address = unsafe {
            mmap(ptr::null_mut(), 4096, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, file, 0)
        };
        Mapping(address.unwrap())
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            // SAFETY: made by `map_writable` with this length; nothing refers to its memory.
            unsafe { rustix::mm::munmap(self.0, 4096) }.unwrap();
        }
    }

    fn fcntl(file: &File, command: libc::c_int, argument: libc::c_int) -> libc::c_int {
        // SAFETY: the descriptor is open, and the commands below take an int.
        let answer = unsafe { libc::fcntl(file.as_raw_fd(), command, argument) };
        assert!(answer >= 0, "{}", io::Error::last_os_error());
        answer
    }

    /// Takes a write lease, whose signal is ignored.
    pub(crate) fn take_write_lease(file: &File) {
        const F_SETSIG: libc::c_int = 10;
        fcntl(file, F_SETSIG, libc::SIGURG);
        fcntl(file, libc::F_SETLEASE, libc::F_WRLCK);
    }

    /// Whether the write lease is there and wanted by nobody.
    pub(crate) fn has_write_lease(file: &File) -> bool {
        fcntl(file, libc::F_GETLEASE, 0) == libc::F_WRLCK
    }
}

/// One test at a time: a process that one of them starts holds copies of all descriptors for a moment, those open for
/// writing included.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says on the terminal, past the harness, that a test did not run.
fn skip(test: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "skipped {test}: {reason}");
}

/// A directory with a file of one page, opened for reading; `None` where the system has no leases.
fn prepared(test: &str) -> Option<(tempfile::TempDir, Dir, OpenFile)> {
    let (holder, dir) = scratch();
    fs::write(holder.path().join("file"), [1; 4096]).unwrap();
    let file = dir.open_file(&rel("file")).unwrap().unwrap();
    match refused(&file) {
        Some(Refused::Unavailable) => {
            skip(test, "the file system of the temporary directory has no leases that can be trusted");
            None
        }
        Some(Refused::Busy) => panic!("nobody has it open for writing"),
        None => Some((holder, dir, file)),
    }
}

fn refused(file: &OpenFile) -> Option<Refused> {
    ReadLease::take(file).err()
}

#[test]
fn it_is_refused_while_somebody_can_write() {
    let _alone = alone();
    let Some((holder, _dir, file)) = prepared("it_is_refused_while_somebody_can_write") else { return };
    let path = holder.path().join("file");
    for options in [File::options().write(true), File::options().append(true).read(true)] {
        let writer = options.open(&path).unwrap();
        assert_eq!(refused(&file), Some(Refused::Busy));
        drop(writer);
        assert_eq!(refused(&file), None);
    }
    let writer = File::options().read(true).write(true).open(&path).unwrap();
    let mapping = raw::map_writable(&writer);
    drop(writer);
    assert_eq!(refused(&file), Some(Refused::Busy));
    drop(mapping);
    assert_eq!(refused(&file), None);
    // Readers do not matter, and two leases can be held at once.
    let _reader = File::open(&path).unwrap();
    let lease = ReadLease::take(&file).unwrap();
    let Some(second) = Dir::open(holder.path()).unwrap().open_file(&rel("file")).unwrap() else { panic!() };
    let other = ReadLease::take(&second).unwrap();
    assert!(lease.held() && other.held());
    drop(lease);
    assert!(other.held());
}

/// This test binary again, as a process that does `job` with the file at `path`.
fn start(job: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(JOB, format!("{job}:{}", path.to_str().unwrap()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Waits until the process says this word.
fn hear(process: &mut Child, word: &str) {
    let mut lines = BufReader::new(process.stdout.as_mut().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with(&format!("child: {word}"))), "it never said {word}");
}

#[test]
#[ignore = "a part of the other tests, which start it as a process of its own"]
fn child() {
    let job = std::env::var(JOB).unwrap();
    let (job, path) = job.split_once(':').unwrap();
    let path = Path::new(path);
    let say = |word: &str| println!("\nchild: {word}");
    match job {
        "write" | "map" => {
            let writer = File::options().read(true).write(true).open(path).unwrap();
            let _mapping = (job == "map").then(|| raw::map_writable(&writer));
            let _writer = (job == "write").then_some(writer);
            say("open");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        "lease" => {
            let dir = Dir::open(path.parent().unwrap()).unwrap();
            let file = dir.open_file(&rel(path.file_name().unwrap().as_encoded_bytes())).unwrap().unwrap();
            say(&format!("{:?}", refused(&file)));
        }
        "write lease" => {
            let writer = File::options().read(true).write(true).open(path).unwrap();
            raw::take_write_lease(&writer);
            say("leased");
            assert!(is_wanted(|| raw::has_write_lease(&writer)));
            say("wanted");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        other => panic!("unknown job {other}"),
    }
}

#[test]
fn another_process_that_can_write_counts_too() {
    let _alone = alone();
    let Some((holder, _dir, file)) = prepared("another_process_that_can_write_counts_too") else { return };
    for job in ["write", "map"] {
        let mut process = start(job, &holder.path().join("file")).spawn().unwrap();
        hear(&mut process, "open");
        assert_eq!(refused(&file), Some(Refused::Busy), "{job}");
        drop(process.stdin.take());
        assert!(process.wait().unwrap().success());
        assert_eq!(refused(&file), None);
    }
}

/// Polls until the lease is wanted; a minute is many times what that takes.
fn is_wanted(held: impl Fn() -> bool) -> bool {
    (0..6000).any(|_| {
        thread::sleep(Duration::from_millis(10));
        !held()
    })
}

#[test]
fn whoever_wants_to_write_is_noticed_and_waits() {
    let _alone = alone();
    let Some((holder, dir, file)) = prepared("whoever_wants_to_write_is_noticed_and_waits") else { return };
    let path = holder.path().join("file");
    let lease = ReadLease::take(&file).unwrap();
    assert!(lease.held());
    // Reading, renaming, linking and metadata do not want it.
    fs::read(&path).unwrap();
    file.set_mode(0o600).unwrap();
    dir.rename(&rel("file"), &dir, &rel("renamed"), Publish::New).unwrap();
    fs::hard_link(holder.path().join("renamed"), &path).unwrap();
    assert!(lease.held());
    thread::scope(|scope| {
        // The signal that comes with it must not kill this process.
        let writer = scope.spawn(|| {
            let mut writer = File::options().write(true).open(&path).unwrap();
            writer.write_all(b"late").unwrap();
        });
        assert!(is_wanted(|| lease.held()));
        // As long as it is not released nothing is written.
        assert_eq!(fs::read(&path).unwrap(), [1; 4096]);
        assert!(!lease.held());
        drop(lease);
        writer.join().unwrap();
    });
    assert_eq!(&fs::read(&path).unwrap()[..4], b"late");

    let lease = ReadLease::take(&file).unwrap();
    thread::scope(|scope| {
        let cutter = scope.spawn(|| File::create(&path).unwrap());
        assert!(is_wanted(|| lease.held()));
        assert_eq!(file.stat().unwrap().size, 4096);
        drop(lease);
        cutter.join().unwrap();
    });
    assert_eq!(file.stat().unwrap().size, 0);
    assert_eq!(refused(&file), None);
}

#[test]
fn a_leased_file_keeps_both_together() {
    let _alone = alone();
    let Some((holder, dir, file)) = prepared("a_leased_file_keeps_both_together") else { return };
    let path = holder.path().join("file");
    let writer = File::options().write(true).open(&path).unwrap();
    let (file, refused) = LeasedFile::take(file).unwrap_err();
    assert_eq!(refused, Refused::Busy);
    drop(writer);
    let leased = LeasedFile::take(file).unwrap();
    assert!(leased.held());
    dir.rename(&rel("file"), &dir, &rel("renamed"), Publish::New).unwrap();
    assert!(leased.held() && leased.file().stat().unwrap().size == 4096);
    thread::scope(|scope| {
        let writer = scope.spawn(|| drop(File::options().write(true).open(holder.path().join("renamed"))));
        assert!(is_wanted(|| leased.held()));
        drop(leased);
        writer.join().unwrap();
    });
}

#[test]
fn it_goes_with_the_value() {
    let _alone = alone();
    let Some((holder, dir, file)) = prepared("it_goes_with_the_value") else { return };
    drop(ReadLease::take(&file).unwrap());
    // A lease that was still there would make this wait for 45 seconds, or for ever.
    let writer = File::options().write(true).open(holder.path().join("file")).unwrap();
    drop(writer);
    let lease = ReadLease::take(&file).unwrap();
    assert!(dir.remove_file(&rel("file")).unwrap());
    assert!(lease.held());
}

#[test]
fn our_own_reads_wait_for_a_write_lease_of_another_process() {
    let _alone = alone();
    let test = "our_own_reads_wait_for_a_write_lease_of_another_process";
    let Some((holder, dir, file)) = prepared(test) else { return };
    drop(file);
    let path = holder.path().join("file");
    let mut process = start("write lease", &path).spawn().unwrap();
    hear(&mut process, "leased");
    thread::scope(|scope| {
        let reader = scope.spawn(|| dir.read(&rel("file"), 4096).unwrap().unwrap());
        // It keeps the lease until its input ends; by then the reader was turned away once.
        hear(&mut process, "wanted");
        drop(process.stdin.take());
        assert_eq!(reader.join().unwrap(), [1; 4096]);
    });
    process.wait().unwrap();
}

#[test]
fn a_file_of_another_user_gives_none() {
    let _alone = alone();
    let test = "a_file_of_another_user_gives_none";
    let Some((holder, dir, file)) = prepared(test) else { return };
    if !rustix::process::geteuid().is_root() {
        let etc = Dir::open(Path::new("/etc")).unwrap();
        match etc.open_file(&rel("passwd")) {
            Ok(Some(file)) => assert_eq!(refused(&file), Some(Refused::Unavailable)),
            other => skip(test, &format!("no file of root's to be read: {other:?}")),
        }
        return;
    }
    // Root may do anything, so a process of nobody asks.
    file.set_mode(0o644).unwrap();
    drop(file);
    fs::set_permissions(holder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    drop(dir);
    match start("lease", &holder.path().join("file")).uid(65_534).gid(65_534).spawn() {
        Ok(mut process) => {
            hear(&mut process, "Some(Unavailable)");
            assert!(process.wait().unwrap().success());
        }
        Err(error) => skip(test, &format!("nobody cannot run the tests: {error}")),
    }
}

#[test]
fn where_nothing_is_known_there_is_none() {
    let proc = Dir::open(Path::new("/proc")).unwrap();
    let file = proc.open_file(&rel("version")).unwrap().unwrap();
    assert_eq!(refused(&file), Some(Refused::Unavailable));
    let Ok(memory) = tempfile::tempdir_in("/dev/shm") else {
        return skip("where_nothing_is_known_there_is_none", "no /dev/shm to try tmpfs on");
    };
    let _alone = alone();
    fs::write(memory.path().join("file"), "x").unwrap();
    let file = Dir::open(memory.path()).unwrap().open_file(&rel("file")).unwrap().unwrap();
    assert_eq!(refused(&file), None);
}
