use super::*;

const DOCUMENT: &str = include_str!("../../../../docs/format/remote.md");
const GOLDEN: &[u8] = include_bytes!("../../../../tests/golden/shelf/v1.entry");
const HEAD: &[u8] = b"{\"stash_id\":\"stash-2026-11-22T083413597654Z0000-0badcafe\"}";

fn text() -> Vec<u8> {
    b"{\n  \"stash_id\": \"stash-2026-11-22T083413597654Z0000-0badcafe\",\n  \"branch\": \"main\"\n}".to_vec()
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let front = front(&bytes).unwrap();
    let end = FRONT + front.head;
    let check = digest([&bytes[..32], &bytes[FRONT..end]]);
    bytes[32..64].copy_from_slice(&check);
    let check = digest([&bytes[end..], &[]]);
    bytes[64..96].copy_from_slice(&check);
    bytes
}

#[test]
fn what_was_written_is_read_back() {
    for text in [text(), Vec::new(), b"x".repeat(3 << 20)] {
        let bytes = encode(HEAD, &text).unwrap();
        assert_eq!(decode(&bytes).unwrap(), Shelved { head: HEAD.to_vec(), text });
        assert_eq!(decode_head(&bytes[..FRONT + HEAD.len()]).unwrap(), Ok(HEAD));
        assert_eq!(decode_head(&bytes[..=FRONT]).unwrap(), Err(FRONT + HEAD.len()));
    }
}

#[test]
fn the_golden_entry_is_understood_for_ever() {
    assert_eq!(decode(GOLDEN).unwrap(), Shelved { head: HEAD.to_vec(), text: text() });
}

#[test]
fn nothing_but_a_whole_entry_is_taken() {
    let bytes = encode(HEAD, &text()).unwrap();
    for len in 0..bytes.len() {
        assert!(decode(&bytes[..len]).is_err(), "{len}");
    }
    for at in 0..bytes.len() {
        for bit in [0x01, 0x80] {
            let mut other = bytes.clone();
            other[at] ^= bit;
            assert!(decode(&other).is_err(), "{at}");
            assert_ne!(decode_head(&other), Ok(Ok(b"".as_slice())));
        }
    }
    assert!(decode(&[&bytes[..], &[0]].concat()).is_err());
    let mut newer = bytes;
    newer[8] = 2;
    assert_eq!(decode(&newer), Err(BadEntry::Version(2)));
}

#[test]
fn what_is_sealed_with_a_wrong_length_is_refused() {
    let bytes = encode(HEAD, &text()).unwrap();
    let len = text().len() as u64;
    for wrong in [0, len - 1, len + 1, MOST_TEXT, MOST_TEXT + 1, u64::MAX] {
        let mut other = bytes.clone();
        other[24..32].copy_from_slice(&wrong.to_le_bytes());
        assert!(front(&other).is_err() || decode(&sealed(other)).is_err(), "{wrong}");
    }
    // A second frame behind the first.
    let mut other = [&bytes[..], &zstd::bulk::compress(b"more", 1).unwrap()].concat();
    let stored = (other.len() - FRONT - HEAD.len()) as u64;
    other[16..24].copy_from_slice(&stored.to_le_bytes());
    assert!(decode(&sealed(other)).is_err());
}

#[test]
fn a_bomb_gives_no_more_than_it_says() {
    let body = zstd::bulk::compress(&vec![0; 64 << 20], 1).unwrap();
    assert!(body.len() < 1 << 20);
    assert!(unpack(&body, 100).is_none());
    assert!(unpack(&body, 64 << 20).is_some());
    // A frame that asks for a window of a gigabyte.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (30 - 10) << 3];
    frame.extend([0x01, 0x00, 0x00]);
    assert!(unpack(&frame, 0).is_none());
}

#[test]
fn what_is_beyond_the_limits_is_not_written() {
    assert!(encode(&[], b"x").is_err());
    assert!(encode(&vec![b' '; MOST_HEAD + 1], b"x").is_err());
    assert!(encode(&vec![b' '; MOST_HEAD], b"x").is_ok());
}

#[test]
fn names_are_those_of_the_page() {
    let digits = "0123456789abcdef".repeat(2);
    assert!(is_name(&format!("20261122T083413597654Z-{digits}")));
    for foreign in [
        String::new(),
        digits.clone(),
        format!("20261122T083413597654-{digits}"),
        format!("2026-1122T083413597654Z-{digits}"),
        format!("20261122T083413597654Z-{}", digits.to_uppercase()),
        format!("20261122T083413597654Z-{digits}0"),
        format!("20261122T083413597654Z-{digits}/x"),
        format!("../{digits}"),
    ] {
        assert!(!is_name(&foreign), "{foreign}");
    }
}

#[test]
fn the_page_says_what_is_done() {
    for text in [
        "| 0 | 8 | magic `STEMSHLF` |",
        "| 8 | 4 | version, `1` |",
        "| 12 | 4 | length *h* of the head in bytes, 1 to 16,384 |",
        "| 16 | 8 | length *c* of the body as it is stored, at most 512 MiB |",
        "| 24 | 8 | length of the body in plain text, at most 512 MiB |",
        "| 32 | 32 | BLAKE3 of bytes 0 to 31 and of the head |",
        "| 64 | 32 | BLAKE3 of the body as it is stored |",
        "| 96 | *h* | head |",
        "| 96 + *h* | *c* | body: one zstd frame |",
        "| head of an entry; body | 16,384 bytes; 512 MiB |",
        "lists of roots; condemned lists; entries in a store | 65,536 each |",
    ] {
        assert!(DOCUMENT.contains(text), "{text}");
    }
    assert_eq!((FRONT, MOST_HEAD, MOST_TEXT, MOST_ENTRIES), (96, 16_384, 512 << 20, 65_536));
}

/// Writes the golden file; run by hand when the format gets a new version.
#[test]
#[ignore = "writes a file of the repository"]
fn write_the_golden_entry() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/shelf/v1.entry");
    std::fs::write(path, encode(HEAD, &text()).unwrap()).unwrap();
}
