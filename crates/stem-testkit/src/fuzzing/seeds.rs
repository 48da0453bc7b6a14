//! What the fuzzer starts from, made by the encoders themselves.
//!
//! `cargo test -p stemvault-tests --test fuzz_replay -- --ignored` writes them to `fuzz/seeds`. They are committed, so that
//! what they once were is replayed also when the encoders have changed.

use std::path::Path;

use stem_audio::flac::{Encoder, Format, Level};
use stem_audio::{CodecLevel, Encoding, SampleFormat, Scratch, codec};
use stem_bundle::{Compression, Front, Row, Stream, Writer};
use stem_fs::{RelPath, Timestamp};
use stem_hash::{Algorithm, Checksum, ObjectId};
use stem_pack::format::{ChunkListBuilder, Kind, PackHeader, PackId, chunk_id};
use stem_pack::{Chunking, PackOptions, PackStore};
use stem_stash::format::entry;
use stem_stash::format::idlist::{self, IdList, ListKind};
use stem_stash::format::stamp::Stamp;
use stem_stash::format::summary::{self, EntrySummary};
use stem_stash::format::undo::{
    self, EntryChange, FileChange, FileState, UndoId, UndoKind, UndoRecord, UndoVerb,
};
use stem_store::{Durability, FileMetadata, ObjectStore as _, PutOptions};

use super::accepted;
use crate::source::{digest, noise};

/// A document to start from.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The target that it is for.
    pub target: &'static str,
    /// The name of its file.
    pub name: String,
    /// What stands in it.
    pub bytes: Vec<u8>,
}

/// All seeds that an encoder makes; `root` is the root of the workspace, where the golden packs lie.
pub fn seeds(root: &Path) -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target, name: &str, bytes: &[u8]| {
        seeds.push(Seed { target, name: name.to_owned(), bytes: bytes.to_vec() });
    };
    records(&mut add);
    texts(&mut add);
    audio(&mut add);
    packs(root, &mut add);
    programs(&mut add);
    bundles(root, &mut add);
    shelved(root, &mut add);
    inspected(root, &mut add);
    seeds
}

/// Files of a session, each with an edit: what becomes of the second version, where, how long, and by what.
fn inspected(root: &Path, add: &mut Add<'_>) {
    let edited = |how: u8, at: u16, bytes: &[u8]| [&[how][..], &at.to_le_bytes(), &[9, 5], bytes].concat();
    for how in 0..4 {
        add("inspect_audio", &format!("wav-{how}"), &edited(how, 400, &wav(700)));
    }
    for name in ["flac", "mp3", "ogg"] {
        let tone =
            accepted(std::fs::read(root.join("crates/stem-inspect/tests/data/tone").with_extension(name)));
        // Enough for the decoder to begin.
        add("inspect_audio", name, &edited(1, 3000, tone.get(..5000).unwrap_or(&tone)));
    }
    let score = stem_corpus::midi::Score::new(7, 600).to_bytes();
    let patterns = [&score[..9], &[2], &score[10..]].concat();
    let film = [&score[..12], &[0xe7, 40], &score[14..]].concat();
    for (name, file) in [("score", score), ("patterns", patterns), ("film", film)] {
        add("inspect_midi", &format!("{name}-gone"), &edited(2, 300, &file));
        add("inspect_midi", &format!("{name}-other"), &edited(1, 400, &file));
    }
    let track = b"\x01\x01\xe0\0\x90\x3c\x40\x60\x3e\x40\x60\x3c\0\0\xff\x51\x03\x07\xa1\x20\0\xff\x58\x04\x03\x02\x18\x08\x60\x3e\0\0\xff\x2f\0";
    add("inspect_midi", "track", &edited(0x83, 8, track));
    let json = br#"{"tempo": 120, "tracks": [{"name": "drums", "volume": 1.0}, {"name": "b\u00e4ss", "mute": null}], "a": [1, 2, 3, -1.5e3]}"#;
    for how in 1..4 {
        add("inspect_text", &format!("json-{how}"), &edited(how, 70, json));
        add(
            "inspect_text",
            &format!("lines-{how}"),
            &edited(how, 20, b"verse one\nverse two\r\nchorus\nverse one\nend"),
        );
    }
    let set = br#"<Ableton Creator="Ableton Live 11.3.4"><LiveSet><Tracks><AudioTrack Id="8"><Name><EffectiveName Value="Drums &amp; Co"/></Name></AudioTrack><MidiTrack Id="9"><Name><UserName Value="Bass"/></Name></MidiTrack></Tracks><MasterTrack><DeviceChain><Mixer><Tempo><Manual Value="120"/></Tempo></Mixer></DeviceChain></MasterTrack></LiveSet></Ableton>"#;
    for (name, how) in [("plain", 0x41), ("packed", 0xd9), ("packed-gone", 0xd2), ("packed-twice", 0xdb)] {
        add("inspect_project", name, &edited(how, 110, set));
    }
    add(
        "inspect_project",
        "texts",
        &edited(0x41, 30, b"<a x='1'>one &amp; two<!-- c --><b/><![CDATA[<]]><b>three</b></a>"),
    );
}

/// An entry for other machines, and a head alone.
fn shelved(root: &Path, add: &mut Add<'_>) {
    let text = b"{\n  \"stash_id\": \"stash-2026-11-22T083413597654Z0000-0badcafe\",\n  \"branch\": \"main\",\n  \"message\": \"WIP\",\n  \"created_at\": \"2026-11-22T08:34:13.597654+00:00\",\n  \"track\": null,\n  \"section\": null,\n  \"manifest\": {}\n}";
    let head = summary::encode(&EntrySummary::of(&accepted(entry::decode(text))));
    add("shelved_entry", "head", &head);
    add("shelved_entry", "entry", &accepted(stem_bundle::shelved::encode(&head, text)));
    add("shelved_entry", "golden", &accepted(std::fs::read(root.join("tests/golden/shelf/v1.entry"))));
}

/// Small bundles with records of every codec, an object that is left out and one that is empty.
fn bundles(root: &Path, add: &mut Add<'_>) {
    let entry =
        br#"{"stash_id": "stash-1", "branch": "main", "message": "", "created_at": "", "manifest": {}}"#;
    let pcm: Vec<u8> = (0..400_u16).flat_map(|n| (n % 50 * 300).to_le_bytes()).collect();
    let mut wav = b"RIFF\x44\x03\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data\x20\x03\0\0".to_vec();
    wav.extend_from_slice(&pcm);
    let mut objects = [wav, vec![7; 900], noise(1, 60), Vec::new(), b"left out".to_vec()]
        .map(|bytes| (digest(Algorithm::Sha256, &bytes).id, bytes));
    objects.sort();
    for (name, compression) in [("audio", Compression::Audio), ("none", Compression::None)] {
        let row = |(id, bytes): &(ObjectId, Vec<u8>)| Row {
            id: *id,
            len: bytes.len() as u64,
            left_out: bytes == b"left out",
        };
        let rows = objects.iter().map(row).collect();
        let front = Front { algorithm: Algorithm::Sha256, compression, entry: entry.to_vec(), rows };
        let mut out = Vec::new();
        let mut target = Stream(&mut out);
        let mut writer = accepted(Writer::begin(&mut target, &front));
        for (_, bytes) in objects.iter().filter(|(_, bytes)| bytes != b"left out") {
            let row = writer.next_row().unwrap_or_else(|| panic!("there is a row for each"));
            accepted(writer.object(&row, &mut &bytes[..]));
        }
        accepted(writer.finish());
        add("bundle", name, &out);
    }
    add("bundle", "golden", &accepted(std::fs::read(root.join("tests/golden/bundle/v1.stem"))));
}

type Add<'a> = dyn FnMut(&'static str, &str, &[u8]) + 'a;

fn path(text: &str) -> RelPath {
    accepted(RelPath::new(text))
}

fn records(add: &mut Add<'_>) {
    let stamp = accepted(Stamp::from_micros(1_795_336_453_597_654));
    let state = |number: u8| FileState {
        id: ObjectId::from_bytes([number; 32]),
        size: Some(u64::from(number) << 20),
        mtime: Some(Timestamp { secs: 1_795_336_453, nanos: 7 }),
        mode: Some(0o644),
    };
    let bare = |number: u8| FileState { size: None, mtime: None, mode: None, ..state(number) };
    let change = |name: &str, before, after| FileChange { path: path(name), before, after };
    let mut record = UndoRecord {
        kind: UndoKind::Verb,
        verb: UndoVerb::Pop,
        of: None,
        message: "On main: before the mix".into(),
        entries: vec![EntryChange {
            file: path("stash-20261122T083413597654Z-0a1b2c3d.json"),
            held: path("undo-held.json"),
            added: false,
        }],
        files: vec![
            change("drums/kick.wav", Some(state(1)), Some(state(2))),
            change("keys.mid", None, Some(bare(3))),
            change("vox", Some(bare(4)), None),
            change("vox/take 1.wav", None, Some(state(5))),
        ],
    };
    record.sort();
    add("undo_record", "pop.json", &accepted(undo::encode(&record)));
    let id = UndoId::new(stamp, 0x0a1b_2c3d);
    let undone = UndoRecord { kind: UndoKind::Undo, of: Some(id.clone()), ..record };
    add("undo_record", "undo.json", &accepted(undo::encode(&undone)));
    let empty = UndoRecord { entries: Vec::new(), files: Vec::new(), ..undone };
    add("undo_record", "empty.json", &accepted(undo::encode(&empty)));
    add("undo_record", "file-name", id.file_name(true).as_bytes());
    add("undo_record", "file-name-closed", id.file_name(false).as_bytes());

    let rows = |time| (1..4).map(|n| (ObjectId::from_bytes([n; 32]), time)).collect();
    for (kind, name, time) in [
        (ListKind::Condemned, "condemned", -5),
        (ListKind::Seen, "seen", 0),
        (ListKind::Verified, "verified", 0),
    ] {
        let list = IdList { time: 7, subject: idlist::subject_of("sharded:.muse/objects"), rows: rows(time) };
        add("id_lists", name, &accepted(idlist::encode(kind, &list)));
        let none = IdList { rows: Vec::new(), ..list };
        add("id_lists", &format!("{name}-empty"), &accepted(idlist::encode(kind, &none)));
    }
}

fn texts(add: &mut Add<'_>) {
    let id = "0f".repeat(32);
    let one = format!(
        "{{\"snapshot_id\": \"{id}\", \"manifest\": {{\"na\\u00efve.mid\": \"{id}\", \"a/b.wav\": \"{id}\"}}, \"branch\": \"main\", \"stashed_at\": \"2026-11-22T08:34:13+00:00\"}}"
    );
    add("muse_stash", "two.json", format!("[{one}, {{\"manifest\": {{}}}}]").as_bytes());
    add("muse_stash", "none.json", b"[]");
    add("muse_stash", "climbs.json", format!("[{{\"manifest\": {{\"../x\": \"{id}\"}}}}]").as_bytes());
    let ignore = b"[global]\npatterns = [\"*.tmp\", \"/cache/*\", \"!keep.tmp\"]\n\n[domain.midi]\npatterns = [\"renders/\", \"**/peaks/*.dat\"]\n";
    add("museignore", "plain", ignore);
    add(
        "museignore",
        "classes",
        b"[global]\npatterns = [\"[!a-c-e]?.mid\", \"[]]\", \"[z-a!b]\", \"a[\", \"[^x&&y]\"]\n",
    );
    add("museignore", "pattern-and-path", b"**/cac?e/*.[dm]at__a/b/cache/index.dat");
    add("museignore", "not-toml", b"*.tmp\nnode_modules/\n");
    add("muse_stash", "repo.json", b"{\"repo_id\": \"x\", \"schema_version\": \"1\"}");
    let config = b"version = 1\n[store]\nurl = \"sharded:objects?hash=blake3\"\n[worktree]\npath = \"mix\"\n[hash]\nmmap = false\n[gc]\ngrace = \"12h\"\n[undo]\nexpire = \"2w\"\n";
    add("config", "every-key.toml", config);
    add("config", "smallest.toml", b"version = 1\n");
    add("config", "mistaken.toml", b"[gc]\ngrace = 14\n");
    for (name, text) in [
        ("url", "sharded:/a%20b/%C3%A4?hash=blake3&x=%26"),
        ("url-bare", "memory:"),
        ("url-packs", "pack:.muse/stem/packs"),
        ("age", "14d"),
        ("age-zero", " 0 "),
    ] {
        add("config", name, text.as_bytes());
    }
}

/// A slow wave in a WAV file.
fn wav(frames: u16) -> Vec<u8> {
    let samples: Vec<u8> =
        (0..frames).flat_map(|n| [n % 200 * 7, n % 90]).flat_map(u16::to_le_bytes).collect();
    let size = u32::try_from(samples.len()).unwrap_or(0).to_le_bytes();
    let mut bytes =
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x02\0\x80\xbb\0\0\0\xee\x02\0\x04\0\x10\0data"
            .to_vec();
    bytes.extend_from_slice(&size);
    bytes.extend_from_slice(&samples);
    bytes
}

fn audio(add: &mut Add<'_>) {
    let as_it_is = |bytes: &[u8]| [&[0; 4], bytes].concat();
    add("audio_probe", "wav", &as_it_is(&wav(20)));
    add(
        "audio_probe",
        "rf64",
        &as_it_is(b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0\0\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0fmt \x10\0\0\0\x03\0\x01\0\x80\xbb\0\0\0\xee\x02\0\x04\0\x20\0data\xff\xff\xff\xff"),
    );
    add(
        "audio_probe",
        "aiff",
        &as_it_is(b"FORM\0\0\0\x3eAIFFCOMM\0\0\0\x12\0\x02\0\0\0\x04\0\x10\x40\x0e\xac\x44\0\0\0\0\0\0SSND\0\0\0\x18\0\0\0\0\0\0\0\0abcdefghijklmnop"),
    );
    for number in 0..8_u8 {
        let recipe = [&[1, number][..], &noise(u64::from(number), 80)].concat();
        add("audio_probe", &format!("built-{number}"), &recipe);
        let recipe = [&[number, number >> 1, number % 4][..], &noise(40 + u64::from(number), 60)].concat();
        add("chunker", &format!("runs-{number}"), &recipe);
    }
    let mut scratch = Scratch::new();
    for (number, (encoding, bits, container)) in
        [(Encoding::Signed, 16, 2), (Encoding::Signed, 24, 3), (Encoding::Float, 32, 4)]
            .into_iter()
            .enumerate()
    {
        let Some(format) = SampleFormat::new(encoding, bits, container, 2, false, 48_000) else { continue };
        let sample = |n: u16| match encoding {
            Encoding::Float => f32::from(n % 50).to_le_bytes(),
            _ => u32::from(n % 50 * 5).to_le_bytes(),
        };
        let raw: Vec<u8> = (0..300).flat_map(|n| sample(n).into_iter().take(container.into())).collect();
        let mut payload = Vec::new();
        if let Some(codec) = codec::encode(&raw, &format, CodecLevel::Default, &mut scratch, &mut payload) {
            let [a, b, ..] = raw.len().to_le_bytes();
            let head = [1, codec.id() - 1, a, b, 0];
            add("sample_codec", &format!("payload-{number}"), &[&head[..], &payload].concat());
        }
    }
    for number in 0..6_u8 {
        // Level, format, what signal.
        let head = [0, number, number, number, 0, number / 2, 0, 0, 0, 0, 0, number % 4, number, 1];
        add(
            "sample_codec",
            &format!("signal-{number}"),
            &[&head[..], &noise(u64::from(number), 300)].concat(),
        );
    }
    let planes: [Vec<i32>; 2] =
        [(0..200).map(|n| n % 70 * 11).collect(), (0..200).map(|n| n % 70 * 10).collect()];
    for (number, level) in [Level::Fast, Level::Default, Level::High].into_iter().enumerate() {
        let format = Format { channels: 2, bits: 16, rate: 44_100 };
        let mut frames = Vec::new();
        accepted(Encoder::new(level).encode(&format, &[&planes[0], &planes[1]], &mut frames));
        add("flac", &format!("frames-{number}"), &[&[1, 1, 12, 0, 199, 0][..], &frames].concat());
        // The subframes alone, to be put into a frame whose checks are right: a header of 7 bytes before, 2 behind.
        let inner = frames.get(7..frames.len() - 2).unwrap_or_default();
        let [a, b, ..] = inner.len().to_le_bytes();
        add("flac", &format!("sealed-{number}"), &[&[2, 1, 12, 0, 0, 199, 0, 0, a, b][..], inner].concat());
        let head = [0, 1, 12, 0, u8::try_from(number).unwrap_or(0), 2, 3, 0, 200, 1];
        add("flac", &format!("signal-{number}"), &[&head[..], &noise(3, 100)].concat());
    }
}

fn packs(root: &Path, add: &mut Add<'_>) {
    let golden = |name: &str| accepted(std::fs::read(root.join("crates/stem-pack/tests/golden").join(name)));
    let pack = golden("small-v1.pack");
    add("pack_scan", "golden", &pack);
    for (name, flags) in [("as-it-is", 0_u8), ("sealed", 1), ("true", 2), ("true-with-index", 6)] {
        add("pack_store", &format!("golden-{name}"), &[&[flags, 0, 0][..], &pack].concat());
    }
    add("pack_index", "golden", &[&[0][..], &golden("small-v1.idx")].concat());
    add("pack_index", "golden-multi", &[&[0][..], &golden("small-v1.multi-pack-index")].concat());
    for number in 0..9_u8 {
        let recipe =
            [&[number % 3 + 1][..], &noise(70 + u64::from(number), 30 + 40 * usize::from(number))].concat();
        add("pack_index", &format!("recipe-{number}"), &recipe);
    }
    let place = |which: u8, bytes: &[u8]| {
        [&[which][..], b"a small pack ...", &48_u32.to_le_bytes(), &[0], bytes].concat()
    };
    add("pack_structures", "pack-header", &place(0, &pack[..48]));
    add("pack_structures", "record-header", &place(1, &pack[48..120]));
    add("pack_structures", "footer", &place(2, &pack[pack.len() - 48..]));
    add("pack_structures", "tombstones", &place(4, &golden("small-v1.removed")));
    add("pack_structures", "attributes", &place(6, &[1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0xa4, 1, 0, 0]));
    add("pack_structures", "name", &place(0, b"pack-000102030405060708090a0b0c0d0e0f.pack"));
    // The metadata are the first record, the chunk list the last one before the footer.
    let stored = usize::from(u16::from_le_bytes([pack[56], pack[57]]));
    add("pack_structures", "metadata", &place(5, &pack[120..120 + stored]));
    let list = pack.len() - 120 - (64 + 2 * 48);
    add("pack_structures", "chunk-list", &place(3, &pack[list..pack.len() - 120]));
    bombs(add);
    let made = real_pack();
    add("pack_scan", "real", &made);
    add("pack_store", "real", &[&[2, 0, 0][..], &made].concat());
    add("pack_store", "real-with-damaged-index", &[&[14, 90, 4][..], &made].concat());
}

/// A zstd frame of so many blocks of 128 KiB, each the byte `x` again and again and 4 bytes long (RFC 8878).
fn bomb(blocks: u32) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x38];
    for number in 1..=blocks {
        let [a, b, c, _] = (1_u32 << 20 | 1 << 1 | u32::from(number == blocks)).to_le_bytes();
        frame.extend_from_slice(&[a, b, c, b'x']);
    }
    frame
}

/// A record without its checks, which the target makes.
fn record(kind: Kind, codec: u8, id: &ObjectId, raw_len: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xa5, kind.number(), codec, 0, 0, 0, 0, 0];
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&raw_len.to_le_bytes());
    bytes.extend_from_slice(id.as_bytes());
    bytes.extend_from_slice(&[0; 16]);
    bytes.extend_from_slice(payload);
    bytes
}

/// Packs that unfold: to more than they say, to as much as they may, and to one chunk again and again.
fn bombs(add: &mut Add<'_>) {
    let id = PackId::from_bytes(*b"a pack of bombs.");
    let header = accepted(PackHeader { id, algorithm: Algorithm::Sha256 }.encode());
    let pack = |records: &[Vec<u8>]| [&[1, 0, 0][..], &header, &records.concat()].concat();
    let object = ObjectId::from_bytes([3; 32]);
    let lie = record(Kind::Object, 1, &object, 4000, &bomb(512));
    add("pack_store", "bomb-of-more-than-it-says", &pack(&[lie]));
    let chunk = vec![b'x'; 16 << 20];
    let whole = record(Kind::Object, 1, &digest(Algorithm::Sha256, &chunk).id, 16 << 20, &bomb(128));
    add("pack_store", "bomb-of-what-is-allowed", &pack(&[whole]));
    let mut list = ChunkListBuilder::new();
    for _ in 0..60 {
        accepted(list.push(chunk_id(&chunk), 16 << 20));
    }
    let checksum = Checksum::of(b"of no object");
    let entries = accepted(list.finish(&object, Algorithm::Sha256, checksum, None)).to_vec();
    let records = [
        record(Kind::Chunk, 1, &chunk_id(&chunk), 16 << 20, &bomb(128)),
        record(Kind::ChunkList, 0, &object, list.len(), &entries),
    ];
    add("pack_store", "bomb-of-one-chunk", &pack(&records));
}

/// A pack as the store writes it: text that compresses, a file of zeros in chunks, samples.
fn real_pack() -> Vec<u8> {
    let temp = accepted(tempfile::tempdir());
    let dir = temp.path().join("packs");
    let options = PackOptions {
        chunking: Chunking::Average(4096),
        algorithm: Some(Algorithm::Blake3),
        ..PackOptions::default()
    };
    let store = accepted(PackStore::open(&dir, &options));
    let metadata = Some(FileMetadata { mode: 0o640, mtime: Timestamp { secs: 1_795_336_453, nanos: 5 } });
    let options = PutOptions { durability: Durability::AtSync, metadata, ..PutOptions::default() };
    for bytes in [b"one take, ".repeat(30), vec![0; 90_000], wav(4000), noise(1, 200)] {
        accepted(store.put(&mut &bytes[..], &options));
    }
    accepted(store.sync());
    let mut packs: Vec<Vec<u8>> = accepted(std::fs::read_dir(&dir))
        .map(|entry| accepted(entry).path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pack"))
        .map(|path| accepted(std::fs::read(path)))
        .collect();
    packs.pop().unwrap_or_default()
}

/// Programs for every backend. An operation is its number and what it takes; see `store_ops`.
fn programs(add: &mut Add<'_>) {
    let put = |blob: u8, how: u8| vec![0, blob, how];
    let (sync, quiet) = (vec![13, 0], vec![19, 0, 0, 0]);
    let kill = |at: u8| vec![19, 1, at, 0];
    let fail = |at: u8| vec![19, 2, at, 0];
    let story: Vec<Vec<u8>> = vec![
        put(0, 0),
        put(2, 1),
        put(3, 1),
        put(7, 1),
        vec![4, 4, 6],
        sync.clone(),
        put(8, 1),
        put(10, 0),
        vec![11, 2],
        vec![15, 0, 0],
        quiet.clone(),
        vec![8, 3, 1],
        vec![9, 10, 0],
        vec![5, 7],
        vec![6, 7, 9, 9, 1, 0, 40],
    ];
    let faults: Vec<Vec<u8>> = vec![
        put(7, 0),
        fail(6),
        put(8, 1),
        put(9, 1),
        sync.clone(),
        sync.clone(),
        kill(14),
        put(8, 1),
        put(5, 0),
        sync.clone(),
        quiet.clone(),
        vec![4, 6, 3],
        vec![11, 7],
        kill(3),
        vec![15, 0, 0],
        quiet.clone(),
    ];
    let damage: Vec<Vec<u8>> = vec![
        put(7, 0),
        put(2, 0),
        put(4, 0),
        vec![17, 0, 1, 3, 100, 9],
        vec![5, 7],
        put(7, 0),
        put(8, 0),
        vec![15, 0, 0],
        vec![17, 0, 0, 2, 0, 0],
        quiet.clone(),
        vec![18, 0, 1, 0],
        put(2, 1),
        vec![16, 4],
        sync,
    ];
    for backend in 0..4_u8 {
        for (name, program) in [("story", &story), ("faults", &faults), ("damage", &damage)] {
            let name = format!("{name}-{backend}");
            add("store_ops", &name, &[vec![backend | (backend % 2) << 4], program.concat()].concat());
        }
    }
}
