//! Requests and answers on one connection.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

use super::Shared;
use super::answer::answer;
use super::fault::{Injury, Match, Moment};

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
            "HEAD" => Match::Head,
            "PUT" if self.query.contains_key("uploadId") => Match::Part,
            "PUT" => Match::Whole,
            "POST" if self.query.contains_key("uploads") => Match::Begin,
            "POST" if self.query.contains_key("uploadId") => Match::Complete,
            "DELETE" if self.query.contains_key("uploadId") => Match::Abort,
            "DELETE" => Match::Remove,
            "POST" if self.query.contains_key("delete") => Match::Remove,
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
    let kind = request.kind();
    if let Some(action) = shared.hook.strike(kind, Moment::Before) {
        action();
        return Ok(false);
    }
    let injury = shared.faults.strike(kind);
    let len: usize = request.headers.get("content-length").and_then(|len| len.parse().ok()).unwrap_or(0);
    if len > BODY {
        return Ok(false);
    }
    match injury {
        Some(Injury::CutRequest(at)) => {
            io::copy(&mut reader.take(at.min(len) as u64), &mut io::sink())?;
            return Ok(false);
        }
        Some(Injury::Early) => {
            let mut out = connection;
            out.write_all(b"HTTP/1.1 500 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
            return Ok(false);
        }
        Some(Injury::WholeBody) => drop(request.headers.remove("range")),
        _ => {}
    }
    request.body = vec![0; len];
    reader.read_exact(&mut request.body)?;
    std::thread::sleep(shared.options.latency);
    if let Some(Injury::Stall(millis)) = injury {
        std::thread::sleep(std::time::Duration::from_millis(millis));
    }
    let head = request.method == "HEAD";
    let mut answer = refused(injury, &request).unwrap_or_else(|| answer(&request, shared));
    if let Some(action) = shared.hook.strike(kind, Moment::After) {
        action();
        return Ok(false);
    }
    let mut beyond = 0;
    match injury {
        Some(Injury::Short(by)) => answer.body.truncate(answer.body.len().saturating_sub(by)),
        Some(Injury::Long(by)) => beyond = by,
        Some(Injury::OtherRange(by)) => shift_range(&mut answer, by),
        Some(Injury::Flip(part)) => {
            let at = answer.body.len() * usize::from(part) / 256;
            if let Some(byte) = answer.body.get_mut(at) {
                *byte ^= 4;
            }
        }
        _ => {}
    }
    let length = answer.length.unwrap_or(answer.body.len()) + beyond;
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
    Ok(beyond == 0)
}

/// The answer to what is not carried out.
fn refused(injury: Option<Injury>, request: &Request) -> Option<Answer> {
    let mut headers = Vec::new();
    let (status, body) = match injury? {
        Injury::Status(status) => (status, "<Error><Code>Injected</Code></Error>"),
        Injury::Busy(seconds) => {
            headers.push(("retry-after", seconds.to_string()));
            (503, "<Error><Code>SlowDown</Code></Error>")
        }
        Injury::RedirectHere => {
            let query: Vec<String> =
                request.query.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let host = request.headers.get("host").map_or("", String::as_str);
            headers.push(("location", format!("http://{host}{}?{}", request.path, query.join("&"))));
            (307, "")
        }
        Injury::RedirectAway => {
            headers.push(("location", "http://127.0.0.1:1/elsewhere".to_owned()));
            (307, "")
        }
        Injury::RedirectBare => (301, ""),
        Injury::Says(words) => (200, words),
        _ => return None,
    };
    Some(Answer { status, headers, body: body.as_bytes().to_vec(), length: None })
}

fn shift_range(answer: &mut Answer, by: u64) {
    for (name, value) in &mut answer.headers {
        if *name == "content-range"
            && let Some((from, rest)) = value.trim_start_matches("bytes ").split_once('-')
            && let Some((to, all)) = rest.split_once('/')
            && let (Ok(from), Ok(to)) = (from.parse::<u64>(), to.parse::<u64>())
        {
            *value = format!("bytes {}-{}/{all}", from + by, to + by);
        }
    }
}
