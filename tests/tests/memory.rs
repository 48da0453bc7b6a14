//! A file of five gigabytes: whole, in bounded memory, and without filling the disk.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use stemvault::{PushOptions, Silent, Vault};
use stemvault_tests::child;
use stemvault_tests::repo::{POP, Repo};

const GIB: u64 = 1 << 30;
const SIZE: u64 = 5 * GIB + 3;
/// Places beyond what 32 bits can say, with or without a sign.
const MARKS: [u64; 5] = [0, 2 * GIB - 2, 3 * GIB, 4 * GIB - 2, SIZE - 4];
const LIMIT: u64 = 100 << 20;

#[test]
fn five_gigabytes_are_pushed_and_popped_in_bounded_memory() {
    let repo = Repo::new();
    match child::free_space(repo.root()) {
        Some(free) if free > 6 * GIB => {}
        free => {
            eprintln!("skipped five_gigabytes_are_pushed_and_popped_in_bounded_memory: {free:?} bytes free");
            return;
        }
    }
    let path = repo.path("long session.wav");
    let file = File::create(&path).unwrap();
    file.set_len(SIZE).unwrap();
    for at in MARKS {
        file.write_all_at(b"RIFF", at).unwrap();
    }
    drop(file);
    if fs::metadata(&path).unwrap().blocks() * 512 > GIB {
        eprintln!("skipped five_gigabytes_are_pushed_and_popped_in_bounded_memory: no sparse files here");
        return;
    }
    let mtime = fs::metadata(&path).unwrap().modified().unwrap();

    let output = child::command("child_pushes_and_pops_and_measures", repo.root()).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let peak = |verb: &str| -> u64 {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(verb)?.strip_prefix(": "))
            .unwrap_or_else(|| panic!("{text}"));
        line.parse().unwrap()
    };
    for verb in ["push", "pop"] {
        let peak = peak(verb);
        assert!(peak > 0 && peak < LIMIT, "{verb} took {peak} bytes of anonymous memory");
    }

    let file = File::open(&path).unwrap();
    let meta = file.metadata().unwrap();
    assert_eq!((meta.len(), meta.modified().unwrap()), (SIZE, mtime));
    for at in MARKS {
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, at).unwrap();
        assert_eq!(&bytes, b"RIFF", "at {at}");
    }
    assert!(meta.blocks() * 512 < GIB, "the file took {} bytes after the pop", meta.blocks() * 512);
}

#[test]
#[ignore = "run in a process of its own by five_gigabytes_are_pushed_and_popped_in_bounded_memory"]
fn child_pushes_and_pops_and_measures() {
    let Some(root) = child::task() else { return };
    let vault = Vault::open(&root).unwrap();
    let (pushed, push) = measured(|| vault.stash().push(&PushOptions::default(), &Silent).unwrap());
    assert_eq!((pushed.files_stashed, pushed.bytes_stashed, pushed.is_partial()), (1, SIZE, false));
    let object = only_object(&root.join(".muse/objects"));
    let meta = fs::metadata(object).unwrap();
    assert_eq!(meta.len(), SIZE);
    assert!(meta.blocks() * 512 < GIB, "the object took {} bytes", meta.blocks() * 512);
    let (popped, pop) = measured(|| vault.stash().apply("0", POP, &Silent).unwrap());
    assert_eq!((popped.files_applied, popped.bytes_applied, popped.dropped), (1, SIZE, true));
    println!("\npush: {push}\npop: {pop}");
}

fn only_object(objects: &Path) -> std::path::PathBuf {
    let only = |dir: &Path| {
        let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(entries.len(), 1);
        entries.remove(0)
    };
    only(&only(objects))
}

/// Runs `work` and returns the most anonymous memory that was in use meanwhile, in bytes.
fn measured<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let (done, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let value = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(anonymous(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let value = work();
        peak.fetch_max(anonymous(), Ordering::Relaxed);
        done.store(true, Ordering::Relaxed);
        value
    });
    (value, peak.into_inner())
}

fn anonymous() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}
