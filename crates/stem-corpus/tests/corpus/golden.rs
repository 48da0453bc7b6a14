//! Digests of what was generated when the corpora were fixed. A change here makes figures incomparable with older
//! ones: it needs a reason, and a line in the changelog.

use stem_corpus::{FileSpec, Session};

use crate::bytes_of;

/// FNV-1a over lengths, paths and bytes of a session.
fn digest<'a>(files: impl IntoIterator<Item = &'a FileSpec>) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut feed = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    };
    for file in files {
        feed(file.path.as_bytes());
        feed(&file.len.to_le_bytes());
        feed(&bytes_of(file));
    }
    hash
}

#[test]
fn stems_are_what_they_were() {
    let day_1 = Session::stems(1, 2 << 20);
    assert_eq!(digest(day_1.files()), 11_129_887_993_506_750, "corpus a");
    assert_eq!(digest(day_1.edited().files()), 8_225_887_858_609_074_120, "corpus b");
}

#[test]
fn small_files_are_what_they_were() {
    assert_eq!(digest(Session::small_files(1, 300).files()), 3_394_315_459_036_286_226, "corpus c");
}

#[test]
fn demos_are_what_they_were() {
    let day_1 = Session::demo(1, 4 << 20);
    assert_eq!(digest(day_1.files()), 10_650_873_256_316_190_005, "demo");
    assert_eq!(digest(day_1.edited().files()), 18_340_619_925_927_518_479, "demo, day two");
}

#[test]
fn the_seed_decides() {
    let listing = |seed| Session::demo(seed, 1 << 20);
    assert_eq!(digest(listing(7).files()), digest(listing(7).files()));
    assert_ne!(digest(listing(7).files()), digest(listing(8).files()));
}
