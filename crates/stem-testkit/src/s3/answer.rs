//! What the service does.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use super::http::{Answer, Request};
use super::{Shared, State, Stored, Upload};

/// All parts but the last are at least this long, as S3 has it.
const PART: usize = 5 << 20;

pub(super) fn answer(request: &Request, shared: &Shared) -> Answer {
    let Some(rest) = request.path.strip_prefix("/bucket") else { return error(404, "NoSuchBucket") };
    let key = rest.trim_start_matches('/').to_owned();
    if let Some(answer) = check_body(request) {
        return answer;
    }
    let mut state = shared.state();
    let has = |name: &str| request.query.contains_key(name);
    match request.method.as_str() {
        "GET" if has("list-type") => list(request, &state, shared),
        "GET" | "HEAD" => get(request, &state, &key, shared),
        "PUT" if has("uploadId") => put_part(request, &mut state),
        "PUT" => put(request, &mut state, key, shared),
        "POST" if has("uploads") => {
            state.next_upload += 1;
            let id = state.next_upload.to_string();
            let body = format!(
                "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
            );
            state.uploads.insert(id, Upload { key, parts: std::collections::BTreeMap::new() });
            ok(body.into_bytes())
        }
        "POST" if has("uploadId") => complete(request, &mut state),
        "POST" if has("delete") => {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let mut told = String::new();
            for part in body.split("<Key>").skip(1) {
                if let Some((key, _)) = part.split_once("</Key>") {
                    state.objects.remove(key);
                    let _ = write!(told, "<Deleted><Key>{key}</Key></Deleted>");
                }
            }
            ok(format!("<DeleteResult>{told}</DeleteResult>").into_bytes())
        }
        "DELETE" if has("uploadId") => {
            if let Some(id) = request.query.get("uploadId") {
                state.uploads.remove(id);
            }
            Answer { status: 204, headers: Vec::new(), body: Vec::new(), length: None }
        }
        "DELETE" => {
            state.objects.remove(&key);
            Answer { status: 204, headers: Vec::new(), body: Vec::new(), length: None }
        }
        _ => error(405, "MethodNotAllowed"),
    }
}

fn ok(body: Vec<u8>) -> Answer {
    Answer { status: 200, headers: vec![("content-type", "application/xml".to_owned())], body, length: None }
}

fn error(status: u16, code: &str) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>").into_bytes();
    Answer { status, headers: Vec::new(), body, length: None }
}

/// What was signed and what came must be the same.
fn check_body(request: &Request) -> Option<Answer> {
    let digest = Sha256::digest(&request.body);
    if let Some(signed) = request.headers.get("x-amz-content-sha256")
        && signed.len() == 64
        && *signed != hex(&digest)
    {
        return Some(error(400, "XAmzContentSHA256Mismatch"));
    }
    if let Some(sum) = request.headers.get("x-amz-checksum-sha256")
        && *sum != base64(&digest)
    {
        return Some(error(400, "BadDigest"));
    }
    None
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let word =
            group.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for position in 0..4 {
            let letter = usize::try_from(word >> (18 - 6 * position) & 63).unwrap_or(0);
            out.push(if position <= group.len() { char::from(LETTERS[letter]) } else { '=' });
        }
    }
    out
}

fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", &hex(&Sha256::digest(bytes))[..32])
}

/// The time, in seconds since the epoch.
pub(super) fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// A time as HTTP and as XML have it.
fn written(secs: u64) -> (String, String) {
    let (day, rest) = (secs / 86_400, secs % 86_400);
    let (hour, minute, second) = (rest / 3600, rest % 3600 / 60, rest % 60);
    // Days since the epoch as a date, by counting years and months.
    let (mut year, mut left) = (1970, day);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let weekday = days[usize::try_from(day % 7).unwrap_or(0)];
    let date = left + 1;
    (
        format!("{weekday}, {date:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT", names[month]),
        format!("{year}-{:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.000Z", month + 1),
    )
}

fn get(request: &Request, state: &State, key: &str, shared: &Shared) -> Answer {
    let Some(Stored { bytes, at }) = state.objects.get(key) else { return error(404, "NoSuchKey") };
    let clock = shared.options.clock;
    let (date, _) = written(seconds().saturating_add_signed(clock));
    let (modified, _) = written(at.saturating_add_signed(clock));
    let mut headers = vec![
        ("etag", etag(bytes)),
        ("last-modified", modified),
        ("date", date),
        ("accept-ranges", "bytes".to_owned()),
    ];
    if request.method == "HEAD" {
        return Answer { status: 200, headers, body: Vec::new(), length: Some(bytes.len()) };
    }
    let range = request.headers.get("range").and_then(|range| range.strip_prefix("bytes="));
    let Some((from, to)) = range.and_then(|range| range.split_once('-')) else {
        return Answer { status: 200, headers, body: bytes.to_vec(), length: None };
    };
    let from: usize = from.parse().unwrap_or(0);
    let to = to.parse().unwrap_or(usize::MAX - 1).min(bytes.len().saturating_sub(1)) + 1;
    let Some(part) = bytes.get(from..to).filter(|part| !part.is_empty()) else {
        return error(416, "InvalidRange");
    };
    headers.push(("content-range", format!("bytes {from}-{}/{}", to - 1, bytes.len())));
    Answer { status: 206, headers, body: part.to_vec(), length: None }
}

fn put(request: &Request, state: &mut State, key: String, shared: &Shared) -> Answer {
    let only_new = request.headers.get("if-none-match").is_some_and(|value| value == "*");
    if only_new && shared.options.conditional && state.objects.contains_key(&key) {
        return error(412, "PreconditionFailed");
    }
    let tag = etag(&request.body);
    state.objects.insert(key, Stored::new(request.body.clone()));
    Answer { status: 200, headers: vec![("etag", tag)], body: Vec::new(), length: None }
}

fn put_part(request: &Request, state: &mut State) -> Answer {
    let number = request.query.get("partNumber").and_then(|number| number.parse().ok());
    let upload = request.query.get("uploadId").and_then(|id| state.uploads.get_mut(id));
    let (Some(number), Some(upload)) = (number, upload) else { return error(404, "NoSuchUpload") };
    upload.parts.insert(number, request.body.clone());
    Answer { status: 200, headers: vec![("etag", etag(&request.body))], body: Vec::new(), length: None }
}

fn complete(request: &Request, state: &mut State) -> Answer {
    let Some(upload) = request.query.get("uploadId").and_then(|id| state.uploads.remove(id)) else {
        return error(404, "NoSuchUpload");
    };
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let mut bytes = Vec::new();
    let named: Vec<u32> =
        body.split("<PartNumber>").skip(1).filter_map(|part| part.split_once('<')?.0.parse().ok()).collect();
    for (position, number) in named.iter().enumerate() {
        let Some(part) = upload.parts.get(number) else { return error(400, "InvalidPart") };
        if position + 1 < named.len() && part.len() < PART {
            return error(400, "EntityTooSmall");
        }
        bytes.extend_from_slice(part);
    }
    if !named.is_sorted() || named.len() != upload.parts.len() {
        return error(400, "InvalidPartOrder");
    }
    let tag = etag(&bytes);
    state.objects.insert(upload.key, Stored::new(bytes));
    ok(format!(
        "<CompleteMultipartUploadResult><ETag>{}</ETag></CompleteMultipartUploadResult>",
        tag.replace('"', "&quot;")
    )
    .into_bytes())
}

fn list(request: &Request, state: &State, shared: &Shared) -> Answer {
    let prefix = request.query.get("prefix").cloned().unwrap_or_default();
    let after = request.query.get("continuation-token").or_else(|| request.query.get("start-after"));
    let mut page = String::new();
    let (mut count, mut last, mut more) = (0, String::new(), false);
    for (key, Stored { bytes, at }) in &state.objects {
        if !key.starts_with(&prefix)
            || after.is_some_and(|after| key <= after)
            || state.unlisted.contains(key)
        {
            continue;
        }
        if count == shared.options.page {
            more = true;
            break;
        }
        count += 1;
        last.clone_from(key);
        let (_, date) = written(at.saturating_add_signed(shared.options.clock));
        let _ = write!(
            page,
            "<Contents><Key>{key}</Key><LastModified>{date}</LastModified><ETag>&quot;{count}&quot;</ETag><Size>{}</Size></Contents>",
            bytes.len()
        );
    }
    let next =
        if more { format!("<NextContinuationToken>{last}</NextContinuationToken>") } else { String::new() };
    ok(format!("<ListBucketResult><IsTruncated>{more}</IsTruncated>{next}{page}</ListBucketResult>")
        .into_bytes())
}
