//! The program itself, for tests that run it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The binary of the profile that this test was built with.
///
/// Cargo tells only the tests of its own package where a binary is. `cargo test --workspace` has built it by now; a
/// test of this package alone may find none, or an old one, and builds it.
pub fn stem() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let this = std::env::current_exe().unwrap();
        let profile = this.ancestors().nth(2).unwrap();
        let binary = profile.join(format!("stem{}", std::env::consts::EXE_SUFFIX));
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
        let built = std::fs::metadata(&binary).and_then(|found| found.modified()).ok();
        if built.is_none_or(|built| built < newest(&crates)) {
            build(profile);
        }
        binary
    })
}

/// When a source file below `dir` was last changed.
fn newest(dir: &Path) -> SystemTime {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = std::fs::metadata(&path).unwrap();
        if meta.is_dir() {
            newest = newest.max(self::newest(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "toml") {
            newest = newest.max(meta.modified().unwrap());
        }
    }
    newest
}

fn build(profile: &Path) {
    let name = match profile.file_name().and_then(|name| name.to_str()).unwrap() {
        "debug" => "dev",
        other => other,
    };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--package", "stem-cli", "--bin", "stem", "--profile", name, "--target-dir"])
        .arg(profile.parent().unwrap())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .status()
        .unwrap();
    assert!(built.success(), "the binary cannot be built");
}
