use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use stem_corpus::tree::{TreeError, verify_tree, write_changes, write_tree};
use stem_corpus::{FileSpec, Session};

fn names(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left = vec![dir.to_path_buf()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                found.insert(path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

fn listed(session: &Session) -> BTreeSet<String> {
    session.files().iter().map(|file| file.path.clone()).collect()
}

#[test]
fn a_session_is_written_changed_and_verified() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("session");
    let day_1 = Session::demo(5, 6 << 20);
    let day_2 = day_1.edited();
    let mut told = 0;
    write_tree(&root, day_1.files(), &mut |bytes| told += bytes).unwrap();
    assert_eq!(told, day_1.total_len());
    assert_eq!(names(&root), listed(&day_1));

    let mut told = 0;
    assert_eq!(verify_tree(&root, day_1.files(), &mut |bytes| told += bytes).unwrap(), Vec::<String>::new());
    assert_eq!(told, day_1.total_len());
    assert!(verify_tree(&root, day_2.files(), &mut |_| {}).unwrap().contains(&"project.json".to_owned()));

    // What a store adopted by another name must not change with the tree.
    let adopted = dir.path().join("adopted");
    fs::hard_link(root.join("project.json"), &adopted).unwrap();
    let before = fs::read(&adopted).unwrap();
    let mut told = 0;
    let changes = write_changes(&root, day_1.files(), day_2.files(), &mut |bytes| told += bytes).unwrap();
    assert_eq!((changes.renamed, changes.written), (1, told));
    assert!(changes.added >= 1 && changes.deleted >= 1 && changes.modified >= 8, "{changes:?}");
    assert_eq!(names(&root), listed(&day_2));
    assert_eq!(verify_tree(&root, day_2.files(), &mut |_| {}).unwrap(), Vec::<String>::new());
    assert_eq!(fs::read(&adopted).unwrap(), before);
}

#[test]
fn verification_names_what_is_missing_longer_shorter_or_different() {
    let dir = tempfile::tempdir().unwrap();
    let session = Session::stems(5, 300_000);
    write_tree(dir.path(), session.files(), &mut |_| {}).unwrap();
    let at = |number: usize| dir.path().join(&session.files()[number].path);
    fs::remove_file(at(0)).unwrap();
    let mut longer = fs::read(at(1)).unwrap();
    longer.push(0);
    fs::write(at(1), longer).unwrap();
    let mut shorter = fs::read(at(2)).unwrap();
    shorter.pop();
    fs::write(at(2), shorter).unwrap();
    let mut flipped = fs::read(at(3)).unwrap();
    flipped[200_000] ^= 1;
    fs::write(at(3), flipped).unwrap();
    let mut expected: Vec<String> = session.files()[..4].iter().map(|file| file.path.clone()).collect();
    expected.sort();
    assert_eq!(verify_tree(dir.path(), session.files(), &mut |_| {}).unwrap(), expected);
}

#[test]
fn paths_that_leave_the_directory_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let made = Session::small_files(1, 1);
    for path in ["../x", "/x", "a//b", "", "a/./b", "a/..", "c:x", "a\\b", "a\0b"] {
        let file = FileSpec::new(path, made.files()[0].kind.clone());
        let error = write_tree(&dir.path().join("in"), &[file], &mut |_| {}).unwrap_err();
        assert!(matches!(error, TreeError::Path(_)), "{path:?}: {error}");
    }
    assert!(names(dir.path()).is_empty());
}

#[test]
fn errors_name_the_file_and_stop_the_work() {
    let dir = tempfile::tempdir().unwrap();
    let session = Session::stems(5, 50_000);
    fs::create_dir_all(dir.path().join(&session.files()[3].path)).unwrap();
    let error = write_tree(dir.path(), session.files(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("room.wav"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}
