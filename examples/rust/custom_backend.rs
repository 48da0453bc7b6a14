//! A stash whose objects lie in a backend of one's own: `cargo run -p stemvault --example custom_backend`.

use std::error::Error;
use std::fs;
use std::sync::Arc;

use stemvault::{
    ApplyOptions, CommitFiles, HeadSource, Metrics, ObjectStore as _, ObjectStoreExt as _, PushOptions,
    Silent, Stash, Vault,
};

#[path = "backend.rs"]
pub(crate) mod backend;

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
pub(crate) fn run(directory: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let vault = Vault::init(&directory.join("session"))?;
    let take = vault.repository().working_tree().join("tracks/bass/take 3.wav");
    fs::create_dir_all(take.parent().ok_or("no parent")?)?;
    fs::write(&take, b"RIFF....WAVE, the best one so far")?;

    // Every layer takes every backend: this one counts what is asked of ours.
    let store = Metrics::new(backend::Flat::open(&directory.join("objects"))?);
    let sources: [Arc<dyn HeadSource>; 1] = [Arc::new(CommitFiles::new(vault.repository()))];
    let stash = Stash::new(vault.repository(), &store, &sources);

    let pushed =
        stash.push(&PushOptions { message: Some("bass, take 3".into()), ..Default::default() }, &Silent)?;
    println!("saved {} file as {}", pushed.files_stashed, pushed.stash_ref);
    assert!(!take.exists());
    for id in store.ids(&"".parse()?)? {
        println!("{id} holds {} bytes", store.stat(&id)?.ok_or("it vanished")?.size);
    }
    let popped = stash.apply("0", ApplyOptions { drop: true, ..Default::default() }, &Silent)?;
    assert!(popped.dropped && take.exists());
    for (what, measured) in store.snapshot().each() {
        println!("{what}: {} calls, {} bytes", measured.calls, measured.bytes);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    run(tempfile::tempdir()?.path())
}
