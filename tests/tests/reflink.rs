//! On a file system with reflinks nothing is copied, in either direction.
#![cfg(target_os = "linux")]

use std::fs;

use stem_testkit::mount::{Mount, alone, skip};
use stemvault::{ApplyOptions, PushOptions, Silent, Vault, available_space};

const SIZE: usize = 64 << 20;

#[test]
fn push_keep_and_pop_share_blocks_on_xfs() {
    let _alone = alone();
    let holder = tempfile::tempdir().unwrap();
    let mount = match Mount::xfs(&holder.path().join("mount"), &holder.path().join("image")) {
        Ok(mount) => mount,
        Err(reason) => return skip("push_keep_and_pop_share_blocks_on_xfs", &reason),
    };
    let root = mount.path().join("album");
    let vault = Vault::init(&root).unwrap();
    let stem = root.join("muse-work/stem.wav");
    let bytes: Vec<u8> = (0..SIZE).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect();
    fs::write(&stem, &bytes).unwrap();
    fs::File::open(&stem).unwrap().sync_all().unwrap();
    let free = || available_space(mount.path()).unwrap();
    // Less than a tenth of the file: what is written is metadata.
    let little = SIZE as u64 / 10;

    let before = free();
    let keep = PushOptions { keep: true, ..PushOptions::default() };
    assert_eq!(vault.stash().push(&keep, &Silent).unwrap().files_stashed, 1);
    assert!(before - free() < little, "the push copied");
    // The stored bytes are apart from the file's.
    fs::write(&stem, b"another take").unwrap();

    let before = free();
    for verify in [false, true] {
        let pop = ApplyOptions { verify: Some(verify), ..ApplyOptions::default() };
        assert_eq!(vault.stash().apply("0", pop, &Silent).unwrap().files_applied, 1);
        assert!(fs::read(&stem).unwrap() == bytes);
        fs::write(&stem, b"another take").unwrap();
    }
    assert!(before.saturating_sub(free()) < little, "apply copied");
}
