//! `--html`: one page for an entry, written whole or not at all, and never into a repository's own directory.

use crate::sandbox::Sandbox;

/// Half a second of a tone, 16 bits, mono, at `rate` of `loud`.
fn tone(loud: i16) -> Vec<u8> {
    let samples: Vec<u8> =
        (0..4000_u32).flat_map(|at| (if at / 20 % 2 == 0 { loud } else { -loud }).to_le_bytes()).collect();
    let size = u32::try_from(samples.len()).unwrap();
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + size).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
    wav.extend(size.to_le_bytes());
    wav.extend(samples);
    wav
}

/// A repository with an entry: a recording is louder, text is new, and one name wants to be markup.
fn stashed() -> Sandbox {
    let sandbox = Sandbox::bare();
    sandbox.run(&["init"]);
    sandbox.write("tracks/drums/kick.wav", &tone(8000));
    sandbox.write("notes.txt", b"one\ntwo\n");
    assert!(sandbox.run(&["snapshot", "-m", "HEAD"]).status.success());
    sandbox.write("tracks/drums/kick.wav", &tone(16_000));
    sandbox.write("notes.txt", b"one\nthree\n");
    sandbox.write("tracks/<img src=x>/a.wav", &tone(100));
    assert!(sandbox.run(&["stash", "push", "-m", "<script>louder</script>"]).status.success());
    sandbox
}

#[test]
fn an_entry_becomes_one_page() {
    let sandbox = stashed();
    let file = sandbox.root().join("entry.html");
    std::fs::write(&file, "what was there before").unwrap();
    let output = sandbox.run(&["stash", "show", "--html", "entry.html"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("Written: entry.html"), "{output:?}");
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    for text in [
        "<h1><bdi>&lt;script&gt;louder&lt;/script&gt;</bdi></h1>",
        "default-src 'none'",
        "<h2><bdi>Track drums</bdi></h2>",
        "+6.0 dB",
        "<audio controls",
        "<del>two</del>",
        "<ins>three</ins>",
        "Track &lt;img src=x&gt;",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(
        !page.contains("<script")
            && !page.contains("<img")
            && !page.contains("http:")
            && !page.contains("https:")
    );
    let left = std::fs::read_dir(sandbox.root()).unwrap().count();
    assert_eq!(left, 3, "the page, .muse and the working tree; nothing temporary");
}

#[test]
fn a_difference_becomes_one_too() {
    let sandbox = stashed();
    let output = sandbox.run(&["stash", "diff", "0", "tracks/drums", "--html", "diff.html"]);
    assert!(output.status.success(), "{output:?}");
    let page = std::fs::read_to_string(sandbox.root().join("diff.html")).unwrap();
    // From the entry to the working tree, where HEAD is back.
    assert!(page.contains("−6.0 dB") && page.contains("the working tree") && !page.contains("notes.txt"));
}

#[test]
fn nothing_is_written_where_it_must_not_be() {
    let sandbox = stashed();
    for (file, code) in [
        (".muse/entry.html", 1),
        (".muse/objects/../entry.html", 1),
        ("nowhere/entry.html", 1),
        ("muse-work", 1),
    ] {
        let output = sandbox.run(&["stash", "show", "--html", file]);
        assert_eq!(output.status.code(), Some(code), "{file}: {output:?}");
        assert!(!sandbox.root().join(".muse/entry.html").exists());
    }
}
