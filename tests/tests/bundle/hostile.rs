//! What is refused.

use super::*;

#[test]
fn every_flip_and_every_cut_of_a_bundle_is_noticed() {
    let (from, to) = (Repo::in_memory(), Repo::in_memory());
    from.write("kick.wav", b"kick");
    from.write("empty", b"");
    from.push();
    let bytes = bundle(&from);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(import(&to, &damaged).is_err(), "byte {at}");
        let error = import(&to, &bytes[..at]).unwrap_err();
        assert_eq!(error.name(), "truncated_bundle", "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            cause.contains(&format!("after {at} bytes")) && cause.contains("Transfer it again"),
            "{cause}"
        );
        assert!(to.list().is_empty());
    }
    to.assert_sound();
    assert!(import(&to, &bytes).unwrap().added);
    to.assert_sound();
}

/// A bundle of this entry text and these objects, whatever they are.
fn forge(entry: &str, objects: &[(ObjectId, Vec<u8>)]) -> Vec<u8> {
    let mut rows: Vec<_> = objects.to_vec();
    rows.sort_by_key(|(id, _)| *id);
    let row = |(id, bytes): &(ObjectId, Vec<u8>)| Row { id: *id, len: bytes.len() as u64, left_out: false };
    let front = Front {
        algorithm: Algorithm::Sha256,
        compression: Compression::Audio,
        entry: entry.as_bytes().to_vec(),
        rows: rows.iter().map(row).collect(),
    };
    let mut out = Vec::new();
    let mut target = Stream(&mut out);
    let mut writer = Writer::begin(&mut target, &front).unwrap();
    for (_, bytes) in &rows {
        let row = writer.next_row().unwrap();
        writer.object(&row, &mut &bytes[..]).unwrap();
    }
    writer.finish().unwrap();
    out
}

fn id(bytes: &[u8]) -> ObjectId {
    hex(bytes).parse().unwrap()
}

#[test]
fn hostile_entries_are_refused() {
    let (from, to) = (Repo::new(), Repo::new());
    from.write("kick.wav", b"kick");
    from.write("more.wav", b"more");
    from.push();
    let good = from.entry_text(0);
    let objects = vec![(id(b"kick"), b"kick".to_vec()), (id(b"more"), b"more".to_vec())];
    assert_eq!(forge(&good, &objects), bundle(&from));
    let paths = [
        "../x",
        "/x",
        "a/../../x",
        ".muse/HEAD",
        ".MUSE/HEAD",
        ".git/config",
        "a/.GIT/config",
        "./x",
        "a//x",
        "",
        "..",
        "a\\u0000b",
        "a\\u001b[2J",
        "a\\nb",
        "\\u007f",
        "more.wav",
        "more.wav/x",
        "\\ud800",
    ];
    for path in paths {
        let text = good.replacen("\"kick.wav\"", &format!("\"{path}\""), 1);
        assert_ne!(text, good);
        assert_refused(&to, &forge(&text, &objects), "refused_bundle");
    }
    for (what, text) in [
        ("no JSON", "{".to_owned()),
        ("white space", format!("{good} ")),
        ("a key that is not known", good.replacen("\"branch\"", "\"more\": 1,\n  \"branch\"", 1)),
        ("a record of the future", good.replacen("\"version\": 1", "\"version\": 3", 1)),
        ("an id that is none", good.replacen(&hex(b"kick"), &hex(b"kick").to_uppercase(), 1)),
        ("an object that is not in the table", good.replacen(&hex(b"kick"), &hex(b"other"), 1)),
        (
            "a deleted path outside",
            good.replacen("\"deleted\": []", "\"deleted\": [\n      \"../x\"\n    ]", 1),
        ),
    ] {
        assert_ne!(text, good, "{what}");
        assert_refused(&to, &forge(&text, &objects), "refused_bundle");
    }
    assert!(to.objects().is_empty(), "an entry is judged before anything is stored");
    let more = [&objects[..], &[(id(b"extra"), b"extra".to_vec())]].concat();
    assert_refused(&to, &forge(&good, &more), "refused_bundle");
    assert_refused(&to, &forge(&good, &objects[..1]), "refused_bundle");
    // Bytes that are not those of their id, under checks that are all right.
    let lie = vec![(id(b"kick"), b"lies".to_vec()), objects[1].clone()];
    let error = assert_refused(&to, &forge(&good, &lie), "refused_bundle");
    assert!(error.to_string().contains("'kick.wav'"), "{error}");
    assert!(!to.objects().contains_key(&hex(b"kick")));
    // A path with a control character is not exported either.
    from.write("Icon\r", b"of a folder");
    from.push();
    let mut out = Vec::new();
    let error = from.vault.export_to("0", &mut out, &ExportOptions::default(), &Silent).unwrap_err();
    assert_eq!((error.name(), out.len()), ("invalid_input", 0));
}

#[test]
fn set_uid_bits_of_somebody_else_do_not_arrive() {
    let (from, to) = (Repo::new(), Repo::new());
    from.write("tool", b"#!/bin/sh");
    from.push();
    let text = from.entry_text(0);
    let at = text.find("[9, ").unwrap();
    let row_end = at + text[at..].find(", \"").unwrap();
    let mode_at = text[..row_end].rfind(' ').unwrap() + 1;
    let text = format!("{}{}{}", &text[..mode_at], 0o6755, &text[row_end..]);
    let bundle = forge(&text, &[(id(b"#!/bin/sh"), b"#!/bin/sh".to_vec())]);
    import(&to, &bundle).unwrap();
    assert_eq!(to.entry(0).stem.unwrap().files[0].mode, 0o755);
    to.pop("0");
    assert!(matches!(to.tree()[&b"tool"[..]], tree::Node::File { mode: 0o755, .. }));
}

#[test]
fn claims_of_size_are_not_believed() {
    let (from, to) = (Repo::new(), Repo::new());
    let zeros = vec![0; 4 << 20];
    from.write("zeros", &zeros);
    from.push();
    let (entry, zeros_id) = (from.entry_text(0), id(&zeros));
    let front = |len| Front {
        algorithm: Algorithm::Sha256,
        compression: Compression::Audio,
        entry: entry.clone().into_bytes(),
        rows: vec![Row { id: zeros_id, len, left_out: false }],
    };
    // The front of a bundle of `len` zeros with the records of one of 4 MiB, which are small.
    let forge = |len: u64| {
        let mut out = Vec::new();
        let mut target = Stream(&mut out);
        let mut writer = Writer::begin(&mut target, &front(len)).unwrap();
        let row = Row { len: zeros.len() as u64, ..writer.next_row().unwrap() };
        writer.object(&row, &mut &zeros[..]).unwrap();
        writer.finish().unwrap();
        out
    };
    assert!(forge(4 << 20).len() < 10_000);
    // More than there is room for: said before anything is stored.
    let error = import(&to, &forge(1 << 60)).unwrap_err();
    assert_eq!(error.name(), "no_space", "{error}");
    // More, or less, than comes. The footer is shorter than the record that should be there.
    assert_eq!(import(&to, &forge(5 << 20)).unwrap_err().name(), "truncated_bundle");
    assert_eq!(import(&to, &forge((4 << 20) - 1)).unwrap_err().name(), "damaged_bundle");
    assert!(to.objects().is_empty() && to.list().is_empty());
    assert!(import(&to, &forge(4 << 20)).unwrap().added);
}

#[test]
fn other_ids_and_other_files_are_refused() {
    let to = Repo::new();
    let front = Front {
        algorithm: Algorithm::Blake3,
        compression: Compression::Audio,
        entry: b"{}".to_vec(),
        rows: Vec::new(),
    };
    let mut out = Vec::new();
    Writer::begin(&mut Stream(&mut out), &front).unwrap().finish().unwrap();
    assert_eq!(import(&to, &out).unwrap_err().name(), "other_ids");
    let error = import(&to, b"RIFF....WAVEfmt ").unwrap_err();
    assert_eq!((error.name(), error.kind()), ("not_a_bundle", ErrorKind::User));
}
