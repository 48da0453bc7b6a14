//! Requests and answers on one connection.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

use super::Shared;
use super::answer::answer;
use super::fault::{Injury, Match};

/// The longest line of a head, and how many there may be.
const LINE: u64 = 16 << 10;
const LINES: usize = 100;
/// The longest body.
const BODY: usize = 1 << 30;

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Decoded.
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Request {
    fn kind(&self) -> Match {
        match self.method.as_str() {
            "GET" if self.query.contains_key("list-type") => Match::List,
            "GET" => Match::Get,
            "PUT" => Match::Put,
            "POST" if self.query.contains_key("uploadId") => Match::Complete,
            _ => Match::Any,
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// Of a `HEAD`: the length that the body would have.
    pub(super) length: Option<usize>,
}

/// Serves a connection until its end.
pub(super) fn serve(connection: &TcpStream, shared: &Shared) {
    let _ = connection.set_nodelay(true);
    let mut reader = BufReader::with_capacity(64 << 10, connection);
    while let Ok(Some(head)) = read_head(&mut reader) {
        if !serve_one(head, &mut reader, connection, shared).unwrap_or(false) {
            let _ = connection.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// Reads a head; `None`: the connection ended, or what came is no request.
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.take(LINE).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    });
    let mut request = Request {
        method: method.to_owned(),
        path: decode(path),
        query: query.collect(),
        headers: BTreeMap::new(),
        body: Vec::new(),
    };
    for _ in 0..LINES {
        let mut line = String::new();
        reader.take(LINE).read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(Some(request));
        }
        if let Some((name, value)) = line.split_once(':') {
            request.headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    Ok(None)
}

fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16)).unwrap_or(0);
        match byte {
            b'%' => {
                let (high, low) = (digit(bytes.next()), digit(bytes.next()));
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
            }
            b'+' => out.push(b' '),
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Serves a request; `false`: the connection is over.
fn serve_one(
    mut request: Request,
    reader: &mut impl Read,
    connection: &TcpStream,
    shared: &Shared,
) -> io::Result<bool> {
    {
        let mut state = shared.state();
        state.requests += 1;
        let entry = format!("{} {}", request.method, request.path);
        state.log.push(entry);
    }
    let injury = shared.faults.strike(request.kind());
    let len: usize = request.headers.get("content-length").and_then(|len| len.parse().ok()).unwrap_or(0);
    if len > BODY {
        return Ok(false);
    }
    if let Some(Injury::CutRequest(at)) = injury {
        io::copy(&mut reader.take(at.min(len) as u64), &mut io::sink())?;
        return Ok(false);
    }
    request.body = vec![0; len];
    reader.read_exact(&mut request.body)?;
    std::thread::sleep(shared.options.latency);
    let head = request.method == "HEAD";
    let mut answer = match injury {
        Some(Injury::Status(status)) => Answer {
            status,
            headers: Vec::new(),
            body: b"<Error><Code>Injected</Code></Error>".to_vec(),
            length: None,
        },
        _ => answer(&request, shared),
    };
    match injury {
        Some(Injury::Short(by)) => answer.body.truncate(answer.body.len().saturating_sub(by)),
        Some(Injury::Flip(part)) => {
            let at = answer.body.len() * usize::from(part) / 256;
            if let Some(byte) = answer.body.get_mut(at) {
                *byte ^= 4;
            }
        }
        _ => {}
    }
    let length = answer.length.unwrap_or(answer.body.len());
    let mut bytes = format!("HTTP/1.1 {} X\r\ncontent-length: {length}\r\n", answer.status).into_bytes();
    for (name, value) in &answer.headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    if !head {
        bytes.append(&mut answer.body);
    }
    let mut out = connection;
    match injury {
        Some(Injury::Cut(at)) => {
            out.write_all(bytes.get(..at).unwrap_or(&bytes))?;
            out.flush()?;
            return Ok(false);
        }
        Some(Injury::Trickle) => {
            for piece in bytes.chunks(1500) {
                out.write_all(piece)?;
                out.flush()?;
            }
        }
        _ if shared.options.line.is_some() => {
            for piece in bytes.chunks(64 << 10) {
                shared.pass(piece.len());
                out.write_all(piece)?;
            }
        }
        _ => out.write_all(&bytes)?,
    }
    Ok(true)
}
