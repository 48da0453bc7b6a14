//! Replays the seeds of the fuzz targets and everything that fuzzing ever found, without a fuzzer.

use std::fs;
use std::io;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use stem_testkit::fuzzing::{CHECKS, seeds};

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?,
        // A target without findings has no folder for them.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    files.sort();
    Ok(files)
}

#[test]
fn seeds_and_findings_hold() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    for &(target, check) in CHECKS {
        let seeds = files(&fuzz.join("seeds").join(target)).unwrap();
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for file in seeds.into_iter().chain(files(&fuzz.join("findings").join(target)).unwrap()) {
            let bytes = fs::read(&file).unwrap();
            assert!(catch_unwind(|| check(&bytes)).is_ok(), "{target} fails on {}", file.display());
        }
    }
}

#[test]
fn every_folder_belongs_to_a_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    for folder in ["seeds", "findings"] {
        for path in files(&fuzz.join(folder)).unwrap() {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap();
            assert!(CHECKS.iter().any(|(target, _)| *target == name), "nothing replays {}", path.display());
        }
    }
    for &(target, _) in CHECKS {
        assert!(fuzz.join("targets").join(target).with_extension("rs").is_file(), "{target} has no target");
    }
}

#[test]
#[ignore = "writes to fuzz/seeds what the encoders make today"]
fn write_the_seeds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for seed in seeds(&root) {
        let folder = root.join("fuzz/seeds").join(seed.target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(seed.name), seed.bytes).unwrap();
    }
}
