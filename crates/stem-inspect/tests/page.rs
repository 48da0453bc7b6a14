//! The page: what it shows, that nothing breaks out of it, that it loads nothing, and that it has bounds.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking, in its helpers too")]

mod sample;

use stem_inspect::page::{
    Bounds, Clip, Entry, Fact, File, Item, ItemKind, List, Mark, Page, Recording, Rest, Shape, Share, Status,
    html,
};

/// What a browser would show of a page, roughly: its text without tags, each block on its own line.
fn text(page: &str) -> String {
    let body = page.split_once("<body>").unwrap().1;
    let mut out = String::new();
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap();
        let tag = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap();
        if !matches!(tag, "span" | "bdi" | "strong" | "wbr" | "a" | "del" | "ins" | "code" | "b")
            && !out.ends_with('\n')
        {
            out.push('\n');
        }
        out.push_str(text.trim_matches('\n'));
    }
    out.lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .fold(String::new(), |all, line| all + line + "\n")
}

/// Checks that every element that is opened is closed, in order, and that all attributes are quoted; gives the tags.
fn tags(page: &str) -> Vec<String> {
    const EMPTY: [&str; 4] = ["meta", "link", "wbr", "!DOCTYPE"];
    let (mut open, mut all) = (Vec::new(), Vec::new());
    let mut rest = page;
    while let Some((_, behind)) = rest.split_once('<') {
        let (tag, behind) = behind.split_once('>').unwrap();
        // An attribute may hold no `<`; a `>` in one would leave a quote open.
        assert!(!tag.contains('<') && tag.matches('"').count() % 2 == 0, "{tag}");
        rest = behind;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed in order");
            continue;
        }
        let name = tag.split([' ', '\n']).next().unwrap().trim_end_matches('/').to_owned();
        for attribute in tag.split('"').step_by(2).skip(1).filter(|between| !between.is_empty()) {
            assert!(attribute == "/" || attribute.starts_with(' '), "{tag}");
        }
        if !tag.ends_with('/') && !EMPTY.contains(&name.as_str()) {
            open.push(name.clone());
        }
        if name == "style" {
            rest = rest.split_once("</style>").map(|(_, behind)| behind).unwrap();
            open.pop();
        }
        all.push(name);
    }
    assert!(open.is_empty(), "{open:?}");
    all
}

fn without_sounds(page: &str) -> String {
    page.split("base64,")
        .enumerate()
        .map(|(number, part)| if number == 0 { part } else { part.split_once('"').unwrap().1 })
        .collect::<Vec<_>>()
        .join("\"")
}

#[test]
fn the_page_of_an_evening() {
    let bounds = Bounds::default();
    let files = sample::files(6);
    let page = sample::page(&files, &bounds);
    assert_eq!(sample::statuses(&page)["changed"], 10);
    let written = html(&page, &bounds);
    assert_eq!(written, html(&page, &bounds), "the same every time");
    let tags = tags(&written);
    let count = |name: &str| tags.iter().filter(|tag| *tag == name).count();
    assert_eq!(count("article"), 12);
    assert!((8..=12).contains(&count("audio")), "{}", count("audio"));
    assert_eq!(count("script"), 0);
    let shown = without_sounds(&written);
    assert!(!shown.contains("http:") && !shown.contains("https:"), "no address in it");
}

/// A page whose figures come from nowhere else.
fn small() -> Page {
    let shape =
        |seconds, peak: f32| Shape { seconds, columns: vec![[-peak, peak], [0.0, 0.0], [-0.1, peak / 2.0]] };
    let clip = |from| Clip { span: [from, from + 2.0], wav: b"RIFF".to_vec() };
    let recording = Recording {
        shapes: [Some(shape(12.0, 0.7)), Some(shape(13.5, 0.7))],
        rates: [48_000; 2],
        channels: [2; 2],
        rest: Some(Rest { shape: shape(13.5, 0.02), words: "after minus before".to_owned() }),
        marks: vec![
            Mark {
                spans: [Some([3.0, 3.0]), Some([3.0, 4.5])],
                words: "inserted 0:03.0–0:04.5".to_owned(),
                shaded: true,
                clips: [Some(clip(2.0)), Some(clip(2.6))],
            },
            Mark {
                spans: [Some([8.0, 9.0]), Some([9.5, 10.5])],
                words: "overwritten 0:09.5–0:10.5".to_owned(),
                shaded: true,
                ..Mark::default()
            },
        ],
        more_marks: 3,
    };
    let fact = |name, before: &str, after: &str| Fact {
        name,
        values: [before, after].map(|one| Some(one.to_owned())),
    };
    let kick = File {
        path: "tracks/drums/kick.wav".to_owned(),
        group: "Track drums".to_owned(),
        status: Status::Changed,
        bytes: [Some(3_456_044), Some(3_888_044)],
        headline: "inserted 0:03.0–0:04.5, and 1 edit more".to_owned(),
        facts: vec![fact("Length", "0:12.0", "0:13.5"), fact("Peak", "−3.1 dBFS", "−3.1 dBFS")],
        recording: Some(recording),
        ..File::default()
    };
    let item = |kind, place: &str, values: [Option<&str>; 2]| Item {
        kind,
        place: place.to_owned(),
        values: values.map(|value| value.map(str::to_owned)),
    };
    let song = File {
        path: "song.json".to_owned(),
        status: Status::Changed,
        bytes: [Some(900), Some(930)],
        headline: "3 keys changed".to_owned(),
        notes: vec!["Before: ends too soon".to_owned()],
        lists: vec![List {
            title: "Keys".to_owned(),
            items: vec![
                item(ItemKind::Changed, "tempo", [Some("96"), Some("98")]),
                item(ItemKind::Added, "tags[1]", [None, Some("wide")]),
                item(ItemKind::Removed, "key", [Some("F♯ minor"), None]),
            ],
            more: 2,
        }],
        share: Some(Share { common: 600, of: 930 }),
        ..File::default()
    };
    let gone = File {
        path: "old.txt".to_owned(),
        status: Status::Removed,
        bytes: [Some(12), None],
        headline: "2 lines".to_owned(),
        ..File::default()
    };
    let same = File { path: "mix.json".to_owned(), bytes: [Some(2); 2], ..File::default() };
    Page {
        entry: Entry {
            reference: "stash@{0}".to_owned(),
            message: "WIP chorus".to_owned(),
            branch: "main".to_owned(),
            time: "2026-11-01 18:20 UTC".to_owned(),
        },
        versions: ["HEAD".to_owned(), "stash@{0}".to_owned()],
        files: vec![kick, song, gone, same],
        tool: "stem 0.1.0".to_owned(),
        ..Page::default()
    }
}

#[test]
fn the_text_of_a_small_page() {
    let page = html(&small(), &Bounds::default());
    tags(&page);
    insta::assert_snapshot!("page", text(&without_sounds(&page)));
}

#[test]
fn hostile_text_stays_text() {
    let bounds = Bounds::default();
    let files = sample::files(2);
    let plain = tags(&html(&sample::page(&files, &bounds), &bounds));
    let page = html(&sample::hostile(&files, &bounds), &bounds);
    let found = tags(&page);
    for tag in ["script", "img", "iframe", "object", "form", "b"] {
        assert!(!found.iter().any(|found| found == tag), "{tag}");
    }
    let kinds = |tags: &[String]| tags.iter().cloned().collect::<std::collections::BTreeSet<_>>();
    let more: Vec<_> = kinds(&found).difference(&kinds(&plain)).cloned().collect();
    assert!(more.is_empty(), "{more:?}");
    assert!(!page.contains(|c: char| c.is_control() && c != '\n'), "no control characters");
    assert!(!page.contains(|c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')));
    assert!(!page.contains("NaN") && !page.contains("inf\""));
    for attribute in ["src=", "href="] {
        for value in page.split(&format!(" {attribute}\"")).skip(1) {
            assert!(value.starts_with("data:") || value.starts_with('#'), "{attribute}{}", &value[..20]);
        }
    }
}

#[test]
fn sounds_have_limits_that_the_page_names() {
    let bounds = Bounds { clips: 5, clip_bytes: 300_000, clip_seconds: 1, ..Bounds::default() };
    let page = sample::page(&sample::files(6), &bounds);
    let clips: Vec<_> = page
        .files
        .iter()
        .filter_map(|file| file.recording.as_ref())
        .flat_map(|recording| recording.marks.iter().flat_map(|mark| mark.clips.iter().flatten()))
        .collect();
    assert_eq!(clips.len(), 4, "pairs are not torn apart");
    assert!(clips.iter().map(|clip| clip.wav.len()).sum::<usize>() <= 300_000);
    for clip in clips {
        assert!(clip.span[1] - clip.span[0] <= 1.0 + 1e-6 && clip.wav.starts_with(b"RIFF"));
    }
    let written = html(&page, &bounds);
    assert!(written.contains("at most 5 clips, each of at most 1 seconds, and 293 KiB"), "said");
    assert!(written.contains("not embedded"));
    tags(&written);
}

#[test]
fn what_is_not_drawn_is_said_to_be_missing() {
    let bounds = Bounds { drawn: 1, ..Bounds::default() };
    let page = sample::page(&sample::files(2), &bounds);
    assert_eq!(page.files.iter().filter(|file| file.recording.is_some()).count(), 1);
    assert!(html(&page, &bounds).contains("Not drawn: a page draws at most 1 recordings."));
}

#[test]
fn ten_thousand_files_do_not_make_a_page_that_no_browser_opens() {
    let bounds = Bounds { files: 2000, text: 1 << 20, ..Bounds::default() };
    let file = |number: usize| File {
        path: format!("tracks/{}/{number}", "x".repeat(3000)),
        group: format!("Track {}", number / 10),
        status: if number.is_multiple_of(2) { Status::Changed } else { Status::Same },
        headline: "y".repeat(100_000),
        ..File::default()
    };
    let files = (0..4000).map(file).collect();
    let page = Page { files, more_files: 6000, ..Page::default() };
    let written = html(&page, &bounds);
    assert!(written.len() < 8 << 20, "{}", written.len());
    assert!(written.contains("files are only named: the page would be too large."));
    assert!(written.contains("6,000 files are left out"));
    tags(&written);
}

#[test]
fn nothing_at_all_is_a_page_too() {
    let written = html(&Page::default(), &Bounds::default());
    tags(&written);
    assert!(
        written.contains("There is no file to compare.")
            && written.contains("Nothing: every file is the same in both.")
    );
}
