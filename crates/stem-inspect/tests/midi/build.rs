//! MIDI files, byte by byte.

/// An event and when it is.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) tick: u32,
    pub(crate) bytes: Vec<u8>,
}

impl Event {
    pub(crate) fn at(tick: u32, bytes: Vec<u8>) -> Self {
        Self { tick, bytes }
    }
}

pub(crate) fn note(start: u32, length: u32, channel: u8, key: u8, velocity: u8) -> Vec<Event> {
    let end = Event::at(start + length, vec![0x80 | channel, key, 64]);
    vec![Event::at(start, vec![0x90 | channel, key, velocity]), end]
}

pub(crate) fn name(text: &str) -> Event {
    let length = u8::try_from(text.len()).unwrap();
    Event::at(0, [&[0xff, 3, length][..], text.as_bytes()].concat())
}

pub(crate) fn tempo(tick: u32, bpm: f64) -> Event {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
    let [_, a, b, c] = ((60e6 / bpm).round() as u32).to_be_bytes();
    Event::at(tick, vec![0xff, 0x51, 3, a, b, c])
}

pub(crate) fn meter(tick: u32, beats: u8, power: u8) -> Event {
    Event::at(tick, vec![0xff, 0x58, 4, beats, power, 24, 8])
}

pub(crate) fn varint(number: u32) -> Vec<u8> {
    let digits = [21, 14, 7, 0].map(|shift| u8::try_from(number >> shift & 0x7f).unwrap());
    let first = digits.iter().position(|&digit| digit > 0).unwrap_or(3);
    digits
        .iter()
        .enumerate()
        .skip(first)
        .map(|(at, digit)| if at < 3 { digit | 0x80 } else { *digit })
        .collect()
}

/// The content of a track.
pub(crate) fn track(events: &[Event]) -> Vec<u8> {
    let mut events = events.to_vec();
    // What ends at a tick ends before anything begins there.
    events.sort_by_key(|event| (event.tick, event.bytes[0] & 0xf0 != 0x80));
    let (mut bytes, mut at) = (Vec::new(), 0);
    for event in events {
        bytes.extend(varint(event.tick - at));
        bytes.extend(&event.bytes);
        at = event.tick;
    }
    bytes.extend([0, 0xff, 0x2f, 0]);
    bytes
}

pub(crate) fn smf(format: u8, ticks: u16, tracks: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"MThd\0\0\0\x06\0".to_vec();
    bytes.push(format);
    bytes.extend(u16::try_from(tracks.len()).unwrap().to_be_bytes());
    bytes.extend(ticks.to_be_bytes());
    for track in tracks {
        bytes.extend(b"MTrk");
        bytes.extend(u32::try_from(track.len()).unwrap().to_be_bytes());
        bytes.extend(track);
    }
    bytes
}
