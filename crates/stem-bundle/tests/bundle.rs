//! Bundles in memory: written, read, damaged, cut short, continued.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::io::{self, Read};

use stem_bundle::{
    Compression, Error, FOOTER_LEN, Front, HEADER_LEN, ROW_LEN, ReadError, Reader, Row, Target, WriteError,
    Writer, Written,
};
use stem_corpus::Session;
use stem_hash::{Algorithm, Hasher, ObjectId};

type Objects = BTreeMap<ObjectId, Vec<u8>>;

fn id_of(bytes: &[u8]) -> ObjectId {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(bytes);
    hasher.finish().id
}

fn objects(all: &[&[u8]]) -> Objects {
    all.iter().map(|bytes| (id_of(bytes), bytes.to_vec())).collect()
}

fn front(objects: &Objects, left_out: &[ObjectId]) -> Front {
    let row = |(id, bytes): (&ObjectId, &Vec<u8>)| Row {
        id: *id,
        len: bytes.len() as u64,
        left_out: left_out.contains(id),
    };
    Front {
        algorithm: Algorithm::Sha256,
        compression: Compression::Audio,
        entry: b"the entry".to_vec(),
        rows: objects.iter().map(row).collect(),
    }
}

/// A file in memory whose writing may fail after so many bytes.
#[derive(Default)]
struct Memory {
    bytes: Vec<u8>,
    room: Option<usize>,
    cut_to: Vec<u64>,
}

impl Target for Memory {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = self.bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        // Never more than a few at a time.
        let len = rest.len().min(buf.len()).min(1000);
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        if len < self.len() {
            self.cut_to.push(len);
        }
        self.bytes.truncate(usize::try_from(len).unwrap());
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room =
            self.room.map_or(bytes.len(), |room| room.saturating_sub(self.bytes.len()).min(bytes.len()));
        self.bytes.extend_from_slice(&bytes[..room]);
        if room < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

fn write_to(target: &mut Memory, front: &Front, objects: &Objects) -> Result<Written, WriteError> {
    let mut writer = Writer::begin(target, front)?;
    while let Some(row) = writer.next_row() {
        writer.object(&row, &mut &objects[&row.id][..])?;
    }
    writer.finish()
}

fn bundle(front: &Front, objects: &Objects) -> Vec<u8> {
    let mut target = Memory::default();
    let written = write_to(&mut target, front, objects).unwrap();
    assert_eq!((written.len, written.kept), (target.bytes.len() as u64, 0));
    target.bytes
}

fn read_all(bytes: &[u8]) -> Result<Objects, ReadError<io::Error>> {
    let mut found = Objects::new();
    let reader = Reader::open(bytes)?;
    assert_eq!(reader.front().entry, b"the entry");
    let summary = reader.objects(&|_| true, |row, source| {
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes)?;
        found.insert(row.id, bytes);
        Ok(())
    })?;
    assert_eq!(summary.len, bytes.len() as u64);
    Ok(found)
}

/// 24-bit audio of a few blocks, text, nothing, and noise that nothing makes smaller.
fn session() -> Objects {
    let mut audio = Vec::new();
    Session::stems(7, 10 << 20).files()[0].write_to(&mut audio).unwrap();
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
    .take(5_000_000)
    .collect();
    objects(&[&audio, b"notes", b"", &noise])
}

fn small() -> Objects {
    objects(&[b"one bar of silence", b"", &[7; 300], b"kick"])
}

#[test]
fn what_is_written_is_read() {
    let objects = session();
    let audio: usize = objects.values().map(Vec::len).max().unwrap();
    let raw: usize = objects.values().map(Vec::len).sum();
    for compression in [Compression::Audio, Compression::None] {
        let front = Front { compression, ..front(&objects, &[]) };
        let bytes = bundle(&front, &objects);
        assert_eq!(read_all(&bytes).unwrap(), objects);
        if compression == Compression::Audio {
            assert!(bytes.len() < raw - audio / 4, "{} of {raw}", bytes.len());
        }
        assert_eq!(bundle(&front, &objects), bytes, "the same every time");
    }
}

#[test]
fn what_is_left_out_is_not_there_and_what_is_not_wanted_is_not_given() {
    let objects = small();
    let left_out = id_of(&[7; 300]);
    let bytes = bundle(&front(&objects, &[left_out]), &objects);
    let mut rest = objects.clone();
    rest.remove(&left_out).unwrap();
    assert_eq!(read_all(&bytes).unwrap(), rest);
    let mut found = Vec::new();
    let all = bundle(&front(&objects, &[]), &objects);
    let reader = Reader::open(&all[..]).unwrap();
    let wanted = reader.front().rows[2].id;
    reader
        .objects(&|at| at == 2, |row, _| {
            found.push(row.id);
            Ok::<_, ()>(())
        })
        .unwrap();
    assert_eq!(found, [wanted]);
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let objects = small();
    let bytes = bundle(&front(&objects, &[id_of(b"kick")]), &objects);
    for at in 0..bytes.len() {
        for bit in [0x01, 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] ^= bit;
            assert!(read_all(&damaged).is_err(), "byte {at}");
            // Nor does it go unnoticed where nobody wants the objects.
            let skipped = Reader::open(&damaged[..])
                .map_err(ReadError::Bundle)
                .and_then(|reader| reader.objects(&|_| false, |_, _| Ok::<_, ()>(())));
            assert!(skipped.is_err(), "byte {at}");
        }
        match read_all(&bytes[..at]) {
            Err(ReadError::Bundle(Error::Truncated { offset, .. })) => assert_eq!(offset, at as u64),
            other => panic!("cut at {at}: {other:?}"),
        }
    }
    let mut longer = bytes.clone();
    longer.push(0);
    let trailing = read_all(&longer);
    assert!(
        matches!(trailing, Err(ReadError::Bundle(Error::Trailing { offset })) if offset == bytes.len() as u64)
    );
}

#[test]
fn what_is_no_bundle_is_called_so() {
    for other in [&b"RIFF....WAVEfmt and so on"[..], b"STEMPACK0000000000000000000"] {
        assert!(matches!(Reader::open(other), Err(Error::NotABundle)));
    }
    assert!(matches!(Reader::open(&b""[..]), Err(Error::Truncated { offset: 0, .. })));
}

#[test]
fn a_full_disk_leaves_what_the_next_run_goes_on_from() {
    let objects = session();
    let front = front(&objects, &[]);
    let whole = bundle(&front, &objects);
    let (half, most) = (whole.len() / 2, whole.len() * 9 / 10);
    for room in [0, 5, HEADER_LEN, HEADER_LEN + 300, half, most, whole.len() - FOOTER_LEN, whole.len() - 1] {
        let mut target = Memory { room: Some(room), ..Memory::default() };
        assert!(matches!(write_to(&mut target, &front, &objects), Err(WriteError::Target(_))));
        target.room = None;
        let there = target.bytes.len() as u64;
        let written = write_to(&mut target, &front, &objects).unwrap();
        assert_eq!(target.bytes, whole, "room for {room}");
        assert!(written.kept <= there);
        if room >= most {
            assert!(written.kept > half as u64, "{} of {room} were kept", written.kept);
        }
    }
}

#[test]
fn nothing_of_an_old_file_is_trusted() {
    let objects = session();
    let wanted = front(&objects, &[]);
    let whole = bundle(&wanted, &objects);
    let table = HEADER_LEN + wanted.entry.len() + wanted.rows.len() * ROW_LEN;
    // Damage is cut off with everything behind it; the rest stays.
    for at in [3, HEADER_LEN + 2, table + 30, table + 200, whole.len() / 2, whole.len() - 20] {
        let mut target = Memory { bytes: whole.clone(), ..Memory::default() };
        target.bytes[at] ^= 4;
        write_to(&mut target, &wanted, &objects).unwrap();
        assert_eq!(target.bytes, whole, "damage at {at}");
        assert!(target.cut_to.iter().all(|&cut| cut <= at as u64), "{:?} for {at}", target.cut_to);
    }
    // Another export, and what is no bundle at all, are replaced.
    let other = bundle(&front(&small(), &[]), &small());
    for bytes in [other, vec![0; 100_000], whole[..table].repeat(2)] {
        let mut target = Memory { bytes, ..Memory::default() };
        write_to(&mut target, &wanted, &objects).unwrap();
        assert_eq!(target.bytes, whole);
    }
    // One made without compression is another bundle.
    let raw = Front { compression: Compression::None, ..wanted.clone() };
    let mut target = Memory { bytes: bundle(&raw, &objects), ..Memory::default() };
    write_to(&mut target, &wanted, &objects).unwrap();
    assert_eq!(target.bytes, whole);
}

#[test]
fn an_object_of_another_length_is_an_error() {
    let objects = small();
    let mut front = front(&objects, &[]);
    let longest = front.rows.iter().position(|row| row.len == 300).unwrap();
    for len in [299, 301, 0, 1 << 40] {
        front.rows[longest].len = len;
        assert!(matches!(write_to(&mut Memory::default(), &front, &objects), Err(WriteError::Source(_))));
    }
}

#[test]
fn a_taker_may_stop_or_leave_bytes_unread() {
    let objects = session();
    let bytes = bundle(&front(&objects, &[]), &objects);
    let stopped = Reader::open(&bytes[..]).unwrap().objects(&|_| true, |_, _| Err("enough"));
    assert!(matches!(stopped, Err(ReadError::Taker("enough"))));
    let mut seen = 0;
    let passed = Reader::open(&bytes[..]).unwrap().objects(&|_| true, |_, source| {
        seen += source.read(&mut [0; 10]).map_err(|_| "broken")?;
        Ok::<_, &str>(())
    });
    assert_eq!(passed.unwrap().len, bytes.len() as u64);
    assert_eq!(seen, 10 + 5 + 10);
}

/// Gives a few bytes at a time and is interrupted in between, as pipes do.
struct Awkward<'b>(&'b [u8], bool);

impl Read for Awkward<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = buf.len().min(7);
        self.0.read(&mut buf[..len])
    }
}

#[test]
fn a_pipe_gives_what_a_file_gives() {
    let objects = small();
    let bytes = bundle(&front(&objects, &[]), &objects);
    let mut found = Objects::new();
    let taken = Reader::open(Awkward(&bytes, false)).unwrap().objects(&|_| true, |row, source| {
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes)?;
        found.insert(row.id, bytes);
        Ok::<_, io::Error>(())
    });
    taken.unwrap();
    assert_eq!(found, objects);
}

#[test]
fn claims_reserve_no_memory() {
    // A header that is right in itself and claims half a gigabyte of entry, of which nothing comes.
    let objects = small();
    let bytes = bundle(&front(&objects, &[]), &objects);
    let huge = Front { entry: vec![b'x'; 4 << 20], ..front(&objects, &[]) };
    let mut claimed = bundle(&huge, &objects);
    claimed.truncate(HEADER_LEN + 10);
    assert!(matches!(
        Reader::open(&claimed[..]),
        Err(Error::Truncated { offset, within: "entry" }) if offset == (HEADER_LEN + 10) as u64
    ));
    assert!(bytes.len() < 2000);
}
