//! The engine inside another program: `cargo run -p stemvault --example embedding`.
//!
//! A host saves what the user works on, shows what is on the shelf, brings it back, and keeps renders of its own in a
//! store beside it.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stemvault::{
    ApplyOptions, Base, ObjectStoreExt as _, Phase, Progress, PushOptions, SnapshotOptions, Vault, open_store,
};

/// A progress bar of the host, and its Cancel button. Verbs call it from several threads.
#[derive(Default)]
struct Bar {
    bytes: AtomicU64,
    cancel: AtomicBool,
}

impl Progress for Bar {
    #[expect(clippy::print_stdout, reason = "it shows what it does")]
    fn begin(&self, phase: Phase, files: u64, bytes: u64) {
        println!("  {} ({files} files, {bytes} bytes)", phase.label());
    }
    fn advance(&self, _files: u64, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
    fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

/// What the program does; the directory is empty at first.
///
/// # Errors
///
/// Whatever goes wrong.
///
/// # Panics
///
/// If the engine does not do what it says.
#[expect(clippy::print_stdout, reason = "it shows what it does")]
pub(crate) fn run(directory: &Path) -> Result<(), Box<dyn Error>> {
    let vault = Vault::init(&directory.join("album"))?;
    let tree = vault.repository().working_tree().to_path_buf();
    fs::create_dir_all(tree.join("tracks/drums"))?;
    fs::create_dir_all(tree.join("tracks/vocals"))?;
    fs::write(tree.join("tracks/drums/kick.wav"), b"the kick of the demo")?;
    fs::write(tree.join("tracks/vocals/lead.wav"), b"the vocals of the demo")?;
    let bar = Bar::default();
    let stash = vault.stash();
    stash.snapshot(&SnapshotOptions { message: Some("demo".into()), ..Default::default() }, &bar)?;

    // New drums, which have to wait: only their track goes to the shelf, and HEAD's kick comes back.
    fs::write(tree.join("tracks/drums/kick.wav"), b"a harder kick, not finished")?;
    let options =
        PushOptions { message: Some("harder".into()), track: Some("drums".into()), ..Default::default() };
    let pushed = stash.push(&options, &bar)?;
    assert_eq!(fs::read(tree.join("tracks/drums/kick.wav"))?, b"the kick of the demo");
    // What could not be saved or cleared is no error of the push: a host should show it.
    for left in &pushed.left_alone {
        println!("  left alone: {}: {}", left.path, left.reason);
    }

    for entry in stash.list()? {
        println!("{}", entry.stash_id);
    }
    let popped = stash.apply(&pushed.stash_ref, ApplyOptions { drop: true, ..Default::default() }, &bar)?;
    assert!(popped.dropped && popped.missing.is_empty());
    assert_eq!(fs::read(tree.join("tracks/drums/kick.wav"))?, b"a harder kick, not finished");

    // A store by itself, with the host's own renders: packed, so that a second take costs what differs.
    let renders = open_store(&"pack:renders".parse()?, Base::Directory(directory))?;
    let id = renders.put_bytes(b"eight bars, bounced")?.digest.id;
    renders.sync()?;
    assert_eq!(renders.get(&id, 1 << 20)?.as_deref(), Some(&b"eight bars, bounced"[..]));

    // Kinds of errors are named after what the caller can do.
    match stash.apply("stash@{7}", ApplyOptions::default(), &bar) {
        Err(error) => println!("{:?}: {error}", error.kind()),
        Ok(_) => return Err("there is no such entry".into()),
    }
    println!("{} bytes moved", bar.bytes.load(Ordering::Relaxed));
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    run(tempfile::tempdir()?.path())
}
