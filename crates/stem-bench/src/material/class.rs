//! Of which kind a file is.
//!
//! Whether samples are integers or floats only the header says, so files that are called audio are opened. Files with a
//! name that says what they are, are not: a session has tens of thousands of presets.

use stem_audio::{Encoding, HEAD_LEN, probe};
use stem_fs::{Dir, RelPath};

use crate::model::Class;

/// What most headers fit into.
const GLANCE: usize = 4096;

const COMPRESSED: &[&str] = &["flac", "mp3", "ogg", "oga", "opus", "m4a", "aac", "wma", "wv", "ape"];
const MIDI: &[&str] = &["mid", "midi", "smf", "kar", "rmi"];
const PROJECT: &[&str] = &[
    "als",
    "adg",
    "adv",
    "alc",
    "ask",
    "agr",
    "amxd",
    "asd",
    "aupreset",
    "aup",
    "aup3",
    "ardour",
    "band",
    "bwproject",
    "bwpreset",
    "cpr",
    "cst",
    "exs",
    "flp",
    "fst",
    "fxb",
    "fxp",
    "json",
    "kontakt",
    "logic",
    "logicx",
    "lso",
    "musicxml",
    "mscz",
    "mscx",
    "mxl",
    "nki",
    "nkm",
    "nksf",
    "npr",
    "pkf",
    "plist",
    "ptx",
    "ptf",
    "reapeaks",
    "rns",
    "rpp",
    "rpl",
    "sesx",
    "sfz",
    "song",
    "toml",
    "txt",
    "vstpreset",
    "xml",
    "yaml",
    "yml",
];
const WAV: &[&str] = &["wav", "wave", "bwf", "rf64", "w64"];
const AIFF: &[&str] = &["aif", "aiff", "aifc"];

/// The class of a file; without `root` by its name alone.
pub(super) fn of(root: Option<&Dir>, path: &RelPath, size: u64) -> Class {
    let extension = extension(path);
    let is = |list: &[&str]| list.contains(&extension.as_str());
    if is(COMPRESSED) {
        Class::CompressedAudio
    } else if is(MIDI) {
        Class::Midi
    } else if is(PROJECT) {
        Class::Project
    } else if let Some(class) = root.and_then(|root| look(root, path, size)) {
        class
    } else if root.is_none() && is(WAV) {
        Class::IntegerWav
    } else if root.is_none() && is(AIFF) {
        Class::Aiff
    } else {
        Class::Other
    }
}

fn extension(path: &RelPath) -> String {
    let name = path.file_name();
    match name.iter().rposition(|&byte| byte == b'.') {
        Some(at) if at > 0 => {
            String::from_utf8_lossy(name.get(at + 1..).unwrap_or_default()).to_ascii_lowercase()
        }
        _ => String::new(),
    }
}

/// What the beginning of the file says.
fn look(root: &Dir, path: &RelPath, size: u64) -> Option<Class> {
    let file = root.open_file(path).ok()??;
    let mut head = vec![0; GLANCE];
    let mut filled = fill(&file, &mut head);
    let mut class = tell(head.get(..filled)?, size);
    let container = matches!(head.first_chunk(), Some(b"RIFF" | b"RF64" | b"BW64" | b"FORM"));
    if class == Class::Other && container && filled == GLANCE {
        head.resize(HEAD_LEN, 0);
        filled = fill(&file, &mut head);
        class = tell(head.get(..filled)?, size);
    }
    Some(class)
}

fn fill(file: &stem_fs::OpenFile, head: &mut [u8]) -> usize {
    let mut filled = 0;
    while let Some(rest) = head.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    filled
}

fn tell(head: &[u8], size: u64) -> Class {
    if let Some(audio) = probe(head, Some(size)) {
        return match (head.first_chunk(), audio.format.encoding()) {
            (Some(b"FORM"), _) => Class::Aiff,
            (_, Encoding::Float) => Class::FloatWav,
            (_, Encoding::Signed | Encoding::Unsigned) => Class::IntegerWav,
        };
    }
    match head.first_chunk::<4>() {
        Some(b"fLaC" | b"OggS" | [b'I', b'D', b'3', _]) => Class::CompressedAudio,
        Some(b"MThd") => Class::Midi,
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_names_can_say_and_heads_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let root = Dir::open(dir.path()).unwrap();
        let mut float =
            b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\x03\0\x01\0\x80\xbb\0\0\0\xee\x02\0\x04\0\x20\0data\x08\0\0\0"
                .to_vec();
        float.extend([0; 8]);
        let mut far = b"RIFF\xff\xff\0\0WAVEJUNK\0\x20\0\0".to_vec();
        far.extend(vec![0; 8192]);
        far.extend(&float[12..]);
        for (name, bytes, class) in [
            ("a.wav", &float[..], Class::FloatWav),
            ("far.wav", &far[..], Class::FloatWav),
            ("a.WAV.bak", &float[..], Class::FloatWav),
            ("broken.wav", b"RIFF", Class::Other),
            ("empty.wav", b"", Class::Other),
            ("x.MID", b"", Class::Midi),
            ("noname", b"MThd\0\0\0\x06", Class::Midi),
            ("live.als", b"\x1f\x8b", Class::Project),
            ("song.flac", b"fLaC", Class::CompressedAudio),
            ("song", b"OggS", Class::CompressedAudio),
            (".json", b"{}", Class::Other),
        ] {
            std::fs::write(dir.path().join(name), bytes).unwrap();
            let path = RelPath::new(name).unwrap();
            assert_eq!(of(Some(&root), &path, bytes.len() as u64), class, "{name}");
        }
        assert_eq!(of(None, &RelPath::new("a.wav").unwrap(), 9), Class::IntegerWav);
        assert_eq!(of(None, &RelPath::new("a.aif").unwrap(), 9), Class::Aiff);
    }
}
