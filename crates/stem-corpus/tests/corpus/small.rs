use stem_corpus::midi::{self, Score};
use stem_corpus::preset::{self, Preset, Subject};

/// Reads a MIDI file to the last byte; returns the number of notes.
fn read_midi(bytes: &[u8]) -> usize {
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let half = |at: usize| u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap());
    assert_eq!((&bytes[..4], word(4), half(8), half(12)), (&b"MThd"[..], 6, 1, 480));
    let mut at = 14;
    let mut notes = 0;
    for _ in 0..half(10) {
        assert_eq!(&bytes[at..at + 4], b"MTrk");
        let end = at + 8 + word(at + 4);
        notes += read_track(&bytes[at + 8..end]);
        at = end;
    }
    assert_eq!(at, bytes.len());
    notes
}

fn read_track(mut rest: &[u8]) -> usize {
    fn variable(rest: &mut &[u8]) -> usize {
        let mut value = 0;
        loop {
            let (byte, after) = rest.split_first().unwrap();
            *rest = after;
            value = value << 7 | usize::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                return value;
            }
        }
    }
    let mut sounding = 0_usize;
    let mut notes = 0;
    loop {
        variable(&mut rest);
        let (status, after) = rest.split_first().unwrap();
        rest = after;
        let body = match status & 0xF0 {
            0xF0 => {
                assert_eq!(*status, 0xFF);
                let kind = rest[0];
                rest = &rest[1..];
                let len = variable(&mut rest);
                if kind == 0x2F {
                    assert!(len == 0 && rest.is_empty() && sounding == 0, "the end of the track");
                    return notes;
                }
                len
            }
            0x90 => {
                (sounding, notes) = (sounding + 1, notes + 1);
                2
            }
            0x80 => {
                sounding -= 1;
                2
            }
            0xC0 => 1,
            other => panic!("unexpected status {other:#x}"),
        };
        assert!(*status == 0xFF || rest[..body].iter().all(|byte| *byte < 0x80));
        rest = &rest[body..];
    }
}

/// A JSON reader that keeps nothing: panics unless `text` is one value.
fn read_json(text: &str) {
    let rest = json_value(text.trim_start());
    assert_eq!(rest.trim_start(), "");
}

fn json_value(text: &str) -> &str {
    match text.as_bytes()[0] {
        b'{' => json_list(&text[1..], '}', |item| {
            let rest = json_value(item).trim_start();
            json_value(rest.strip_prefix(':').unwrap().trim_start())
        }),
        b'[' => json_list(&text[1..], ']', json_value),
        b'"' => {
            let end = text[1..].find('"').unwrap();
            assert!(!text[1..=end].contains(['\\', '\n']));
            &text[end + 2..]
        }
        _ => {
            let end = text.find([',', '}', ']', '\n', ' ']).unwrap();
            assert!(text[..end].parse::<f64>().is_ok() || ["true", "false"].contains(&&text[..end]));
            &text[end..]
        }
    }
}

fn json_list(text: &str, close: char, item: fn(&str) -> &str) -> &str {
    let mut rest = text.trim_start();
    if let Some(after) = rest.strip_prefix(close) {
        return after;
    }
    loop {
        rest = item(rest).trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None => return rest.strip_prefix(close).unwrap(),
        }
    }
}

#[test]
fn midi_files_parse_at_every_length() {
    for len in (0..1_200).chain([6_001, 12_345, 32_768, 300_001]) {
        let score = Score::new(len, len);
        let bytes = score.to_bytes();
        assert_eq!(bytes.len() as u64, score.len());
        assert_eq!(score.len(), len.max(midi::MIN_LEN));
        assert!(read_midi(&bytes) > 0, "{len}");
    }
    assert_eq!(Score::new(1, u64::MAX).to_bytes().len() as u64, midi::MAX_LEN);
}

#[test]
fn documents_parse_at_every_length() {
    for subject in [Subject::Preset, Subject::Project] {
        for len in (0..900).chain([4_096, 32_768, 1 << 20]) {
            let preset = Preset::new(len, len, subject);
            let text = String::from_utf8(preset.to_bytes()).unwrap();
            assert_eq!(text.len() as u64, len.max(preset::MIN_LEN), "{text}");
            read_json(&text);
        }
    }
}

#[test]
fn a_revision_changes_a_few_bytes_and_keeps_the_length() {
    let differing = |a: &[u8], b: &[u8]| {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).filter(|(a, b)| a != b).count()
    };
    for len in [205, 300, 2_000, 30_000] {
        let score = Score::new(4, len);
        let revised = score.clone().revised();
        let count = differing(&score.to_bytes(), &revised.to_bytes());
        assert!(count > 0 && count * 20 < 2_000.max(score.to_bytes().len()), "{count} of {len}");
        assert!(differing(&revised.to_bytes(), &revised.clone().revised().to_bytes()) > 0);
        for subject in [Subject::Preset, Subject::Project] {
            let preset = Preset::new(4, len, subject);
            let revised = preset.clone().revised();
            let count = differing(&preset.to_bytes(), &revised.to_bytes());
            assert!(count > 0 && count * 20 < 2_000.max(preset.to_bytes().len()), "{count} of {len}");
        }
    }
}
