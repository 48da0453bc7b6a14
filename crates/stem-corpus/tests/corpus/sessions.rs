use std::collections::{BTreeMap, BTreeSet};

use stem_corpus::session::{self, Session};
use stem_corpus::signal::Precision;
use stem_corpus::wav::SampleFormat;
use stem_corpus::{FileSpec, Kind};

use crate::bytes_of;
use crate::riff::Riff;

fn by_path(session: &Session) -> BTreeMap<&str, &FileSpec> {
    session.files().iter().map(|file| (file.path.as_str(), file)).collect()
}

fn data(file: &FileSpec) -> Vec<u8> {
    let bytes = bytes_of(file);
    Riff::parse(&bytes).data(&bytes).to_vec()
}

#[test]
fn corpus_a_is_twelve_stems_as_described() {
    for stem_bytes in [session::STEM_BYTES, 10 << 20, 100_000] {
        let session = Session::stems(1, stem_bytes);
        let stems: Vec<_> = session.files().iter().map(|file| file.stem().unwrap()).collect();
        let integer = |sample| sample == SampleFormat::Pcm24;
        assert_eq!(stems.len(), 12);
        assert_eq!(stems.iter().filter(|stem| integer(stem.wave().format().sample())).count(), 9);
        assert!(stems.iter().all(|stem| stem.precision() == Precision::Exact24));
        assert!(session.files().iter().all(|file| file.len <= stem_bytes && file.len + 10 > stem_bytes));
        assert!(session.files().iter().all(|file| file.path.starts_with("tracks/")));
    }
}

#[test]
fn corpus_b_is_the_day_described() {
    // Sixty seconds at least, so that no stretch is cut short.
    let day_1 = Session::stems(1, 24 << 20);
    let day_2 = day_1.edited();
    let (old, new) = (by_path(&day_1), by_path(&day_2));
    let (mut same, mut punched, mut inserted, mut gained) = (0, 0, 0, 0);
    for (path, before) in &old {
        let Some(after) = new.get(path) else { continue };
        if before == after {
            same += 1;
            continue;
        }
        let (a, b) = (data(before), data(after));
        let frame = usize::from(before.stem().unwrap().wave().format().frame_bytes());
        let start = a.chunks(frame).zip(b.chunks(frame)).take_while(|(a, b)| a == b).count();
        let end = a.rchunks(frame).zip(b.rchunks(frame)).take_while(|(a, b)| a == b).count();
        let frames = a.len() / frame;
        if a.len() < b.len() {
            inserted += 1;
            assert_eq!(b.len() - a.len(), 96_000 * frame);
            assert!(start >= 30 * 48_000 && a[30 * 48_000 * frame..] == b[32 * 48_000 * frame..]);
        } else if start + end > frames / 2 {
            punched += 1;
            let changed = frames - start - end;
            assert!((400_000..=480_000).contains(&changed), "{path}: {changed} frames");
        } else {
            gained += 1;
        }
    }
    assert_eq!((same, punched, inserted, gained), (4, 4, 1, 1));
    let gone: Vec<_> = old.iter().filter(|(path, _)| !new.contains_key(*path)).collect();
    let come: Vec<_> = new.iter().filter(|(path, _)| !old.contains_key(*path)).collect();
    assert_eq!((gone.len(), come.len()), (2, 2), "one renamed, one deleted, one new");
    let renamed = gone.iter().filter(|(_, file)| come.iter().any(|(_, other)| other.kind == file.kind));
    assert_eq!(renamed.count(), 1);
}

#[test]
fn corpus_c_has_its_size() {
    let session = Session::small_files(1, session::SMALL_FILES);
    let files = session.files();
    assert_eq!(files.len(), 20_000);
    assert!(files.iter().all(|file| (205..=32_768).contains(&file.len)));
    let mib = session.total_len() >> 20;
    assert!((119..=125).contains(&mib), "{mib} MiB");
    assert_eq!(by_path(&session).len(), files.len(), "paths are distinct");
    for file in files.iter().step_by(97) {
        assert_eq!(bytes_of(file).len() as u64, file.len);
    }
}

#[test]
fn a_demo_has_exactly_the_size_asked_for_and_every_file_its_length() {
    for total in [1 << 20, 3_000_001, 20 << 20] {
        let session = Session::demo(9, total);
        assert_eq!(session.total_len(), total);
        for day in [session.edited(), session] {
            for file in day.files() {
                assert_eq!(bytes_of(file).len() as u64, file.len, "{}", file.path);
                assert_eq!(file.kind.len(), file.len);
            }
        }
    }
}

#[test]
fn listings_of_any_size_are_bounded_and_exact() {
    for total in [1 << 30, 100 << 30, 1 << 44] {
        let session = Session::demo(9, total);
        assert_eq!(session.total_len(), total);
        assert!(session.files().len() < 6_000);
        assert_eq!(by_path(&session).len(), session.files().len());
    }
    for total in [0, 1, 1_000, 100_000] {
        let session = Session::demo(9, total);
        assert!(session.total_len() <= total + (32 << 10));
        for file in session.edited().files() {
            assert_eq!(bytes_of(file).len() as u64, file.len);
        }
    }
    assert_eq!(Session::demo(9, u64::MAX).edited().files().len() / 768, 6);
    assert_eq!(Session::stems(9, u64::MAX).edited().files().len(), 12);
}

#[test]
fn a_demo_holds_every_kind_and_its_day_touches_each() {
    let day_1 = Session::demo(3, 64 << 20);
    let day_2 = day_1.edited();
    let (old, new) = (by_path(&day_1), by_path(&day_2));
    let modified: BTreeSet<&str> = old
        .iter()
        .filter(|(path, file)| new.get(*path).is_some_and(|other| other != *file))
        .map(|(path, _)| *path)
        .collect();
    let touched =
        |kind: fn(&Kind) -> bool| old.iter().any(|(path, file)| kind(&file.kind) && modified.contains(path));
    assert!(touched(|kind| matches!(kind, Kind::Stem(_))));
    assert!(touched(|kind| matches!(kind, Kind::Midi(_))));
    assert!(touched(|kind| matches!(kind, Kind::Json(_))));
    assert!(modified.contains("project.json") && modified.contains("sections/chorus/mix.wav"));
    assert!(old.values().any(|file| file.stem().is_some_and(|stem| stem.precision() == Precision::Full)));
    assert!(modified.len() * 3 < old.len(), "most of a session stays");
    let third = day_2.edited();
    assert_eq!(by_path(&third).len(), third.files().len(), "paths stay distinct day after day");
}
