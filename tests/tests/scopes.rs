//! Scopes: a push takes and touches what it was told, and never removes what it did not save.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::io::Write as _;

use stemvault::{HeadChoice, PushOptions, PushResult};
use stemvault_tests::repo::{Repo, head_manifest, rel};

const FILES: [&str; 12] = [
    "mix.wav",
    "sections/chorus/a.mid",
    "sections/chorus/deep/b.mid",
    "sections/chorus-2/a.mid",
    "sections/.chorus/a.mid",
    "tracks/drums",
    "tracks/drums.wav",
    "tracks/bass/take.wav",
    "tracks/bass/.take.wav.peaks",
    "tracks/bass/.cache/peaks",
    "tracks/bass2/take.wav",
    "other/tracks/bass/take.wav",
];

fn repo() -> Repo {
    let repo = Repo::in_memory();
    for path in FILES {
        repo.write(path, path);
    }
    repo
}

#[derive(Default)]
struct Case<'a> {
    track: Option<&'a str>,
    section: Option<&'a str>,
    paths: &'a [&'a str],
}

impl Case<'_> {
    fn options(&self) -> PushOptions {
        PushOptions {
            track: self.track.map(str::to_owned),
            section: self.section.map(str::to_owned),
            paths: self.paths.iter().map(rel).collect(),
            ..PushOptions::default()
        }
    }
}

/// The case takes exactly these files, with an empty HEAD, with HEAD the whole tree, and without HEAD.
fn assert_takes(case: &Case<'_>, taken: &[&str]) {
    let all: BTreeMap<String, String> = repo().texts();
    let rest: BTreeMap<_, _> =
        all.clone().into_iter().filter(|(path, _)| !taken.contains(&path.as_str())).collect();
    let check = |repo: &Repo, pushed: &PushResult, after: &BTreeMap<String, String>| {
        assert_eq!(pushed.files_stashed, taken.len(), "{pushed:?}");
        assert_eq!(&repo.texts(), after);
        if !taken.is_empty() {
            let entry = repo.entry(0);
            let mut sorted = taken.to_vec();
            sorted.sort_unstable();
            assert_eq!(entry.manifest.iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>(), sorted);
        }
        repo.assert_sound();
    };

    // HEAD has nothing: what was taken goes.
    let empty = repo();
    let pushed = empty.push_with(&PushOptions { head: head_manifest("{}"), ..case.options() });
    check(&empty, &pushed, &rest);
    if !taken.is_empty() {
        assert!(pushed.head_restored);
        assert!(empty.pop("0").dropped);
        assert_eq!(empty.texts(), all);
    }

    // No HEAD at all: saved, and nothing is changed.
    let none = repo();
    let pushed = none.push();
    assert!(!pushed.head_restored);
    none.pop("0");
    let pushed = none.push_with(&case.options());
    check(&none, &pushed, &all);
    assert!(!pushed.head_restored);

    // HEAD has other bytes: they come back in scope, and nowhere else.
    let edited = repo();
    edited.snapshot();
    for path in FILES {
        edited.write(path, format!("edited {path}"));
    }
    edited.write("new.wav", "new");
    let pushed = edited.push_with(&case.options());
    let mut after = edited.texts();
    for (path, text) in &mut after {
        let expected = if taken.contains(&path.as_str()) {
            path.clone()
        } else if path == "new.wav" {
            "new".to_owned()
        } else {
            format!("edited {path}")
        };
        assert_eq!(text, &expected, "{path}");
    }
    assert_eq!(after.len(), FILES.len() + 1);
    assert_eq!(pushed.files_stashed, taken.len());
    edited.assert_sound();

    // HEAD has files that the tree lacks: they come back in scope, and nowhere else, once there is something to save.
    let deleted = repo();
    deleted.snapshot();
    for path in FILES.iter().skip(1).step_by(2) {
        std::fs::remove_file(deleted.path(path)).unwrap();
    }
    let left = deleted.texts();
    let any = left.keys().any(|path| taken.contains(&path.as_str()));
    deleted.push_with(&case.options());
    let mut expected = left;
    if any {
        expected.extend(
            all.iter()
                .filter(|(path, _)| taken.contains(&path.as_str()))
                .map(|(p, t)| (p.clone(), t.clone())),
        );
    }
    assert_eq!(deleted.texts(), expected);
}

#[test]
fn a_track_is_a_prefix_that_ends_at_a_component() {
    let taken = ["tracks/bass/.cache/peaks", "tracks/bass/take.wav"];
    assert_takes(&Case { track: Some("bass"), ..Case::default() }, &taken);
}

#[test]
fn a_track_that_is_a_file_has_nothing_below_it() {
    assert_takes(&Case { track: Some("drums"), ..Case::default() }, &[]);
    assert_takes(&Case { track: Some("ba"), ..Case::default() }, &[]);
}

#[test]
fn a_section_is_a_prefix_that_ends_at_a_component() {
    let taken = ["sections/chorus/a.mid", "sections/chorus/deep/b.mid"];
    assert_takes(&Case { section: Some("chorus"), ..Case::default() }, &taken);
    assert_takes(&Case { section: Some(".chorus"), ..Case::default() }, &["sections/.chorus/a.mid"]);
}

#[test]
fn a_track_may_name_a_deeper_directory() {
    assert_takes(&Case { track: Some("bass/.cache"), ..Case::default() }, &["tracks/bass/.cache/peaks"]);
    assert_takes(&Case { section: Some("chorus/deep"), ..Case::default() }, &["sections/chorus/deep/b.mid"]);
}

#[test]
fn scopes_are_a_union() {
    let case = Case {
        track: Some("bass2"),
        section: Some("chorus-2"),
        paths: &["mix.wav", "sections/chorus/deep", "nowhere", "sections/chorus/deep/b.mid"],
    };
    let taken = ["mix.wav", "sections/chorus-2/a.mid", "sections/chorus/deep/b.mid", "tracks/bass2/take.wav"];
    assert_takes(&case, &taken);
}

#[test]
fn a_path_is_a_file_or_all_that_lies_below_a_directory() {
    assert_takes(&Case { paths: &["tracks/drums"], ..Case::default() }, &["tracks/drums"]);
    assert_takes(&Case { paths: &["tracks/drum"], ..Case::default() }, &[]);
    assert_takes(
        &Case { paths: &["tracks/bass"], ..Case::default() },
        &["tracks/bass/.cache/peaks", "tracks/bass/take.wav"],
    );
    assert_takes(&Case { paths: &["other"], ..Case::default() }, &["other/tracks/bass/take.wav"]);
}

/// A hidden file is no part of a stash, even when it is named.
#[test]
fn a_hidden_file_that_is_named_is_not_taken() {
    assert_takes(&Case { paths: &["tracks/bass/.take.wav.peaks"], ..Case::default() }, &[]);
}

#[test]
fn scopes_that_climb_or_are_odd_take_nothing() {
    for odd in [
        "..",
        "../muse-work",
        ".",
        "/",
        "bass/../bass",
        "bass//",
        "./bass",
        "*",
        "b*",
        "BASS",
        "bass\0",
        "bass/take.wav",
    ] {
        assert_takes(&Case { track: Some(odd), ..Case::default() }, &[]);
    }
}

#[test]
fn an_empty_name_is_no_scope() {
    let repo = repo();
    let options =
        PushOptions { track: Some(String::new()), section: Some(String::new()), ..PushOptions::default() };
    assert_eq!(repo.push_with(&options).files_stashed, FILES.len() - 1);
    assert_eq!(repo.texts().into_keys().collect::<Vec<_>>(), ["tracks/bass/.take.wav.peaks"]);
    let json = repo.entry_json(0);
    assert!(json["track"].is_null() && json["section"].is_null());
}

#[test]
fn a_scope_that_matches_nothing_writes_nothing() {
    let repo = repo();
    repo.snapshot();
    let before = repo.state();
    let pushed = repo.push_with(&Case { track: Some("vocals"), ..Case::default() }.options());
    assert_eq!((pushed.stash_ref.as_str(), pushed.files_stashed, pushed.head_restored), ("", 0, false));
    assert_eq!(pushed.stash_id, None);
    assert_eq!(repo.state(), before);
}

#[test]
fn keep_saves_and_leaves_the_tree_as_it_is() {
    for head in [HeadChoice::Repository, HeadChoice::None, head_manifest("{}")] {
        for case in [Case::default(), Case { track: Some("bass"), ..Case::default() }] {
            let repo = repo();
            repo.snapshot();
            repo.write("mix.wav", "edited");
            repo.write("tracks/bass/take.wav", "edited too");
            let before = repo.tree();
            let pushed = repo.push_with(&PushOptions { keep: true, head: head.clone(), ..case.options() });
            assert_eq!(pushed.files_stashed, if case.track.is_some() { 2 } else { FILES.len() - 1 });
            assert!(!pushed.head_restored && !pushed.is_partial(), "{pushed:?}");
            assert_eq!(repo.tree(), before);
            repo.assert_sound();
            // The working file and its object are two files: writing to one does not change the other.
            let path = repo.path("tracks/bass/take.wav");
            std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(b"!").unwrap();
            repo.assert_sound();
            assert!(repo.pop("0").dropped);
            assert_eq!(repo.tree(), before);
        }
    }
}

#[test]
fn the_entry_says_what_it_was_limited_to() {
    let repo = repo();
    let case = Case { track: Some("bass"), section: Some("chorus"), ..Case::default() };
    repo.push_with(&PushOptions { head: HeadChoice::None, ..case.options() });
    let json = repo.entry_json(0);
    assert_eq!((json["track"].as_str(), json["section"].as_str()), (Some("bass"), Some("chorus")));
}

#[test]
fn emptied_directories_stay() {
    let repo = repo();
    repo.push();
    for dir in ["tracks/bass2", "sections/chorus/deep", "other/tracks/bass"] {
        assert!(repo.path(dir).is_dir(), "{dir}");
    }
}
