//! Who a client is: the name under which it publishes what it needs (`docs/format/client.md`).
//!
//! Two clients of one name would take away each other's lists, and a collector then objects that one of them needs. So the name is computed,
//! from random digits that are kept and from the place where they are kept: a copy of a repository, which has the digits too, has another
//! name without anybody having to notice that it is one. Rejected: writing the place beside a name and making up a new one where it does not
//! fit, for two processes that find that out at once would have to agree on who replaces the file.

use std::fmt;
use std::io;
use std::sync::OnceLock;

use stem_fs::{Dir, Publish, RelPath};
use stem_hash::{Algorithm, Hasher};
use uuid::Uuid;

use crate::error::told;

/// The name of the file.
pub(crate) const FILE: &str = "client";
const FIRST_LINE: &str = "stemvault client 1";
/// The longest file that is read.
const MAX_FILE: u64 = 256;

/// 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientId([u8; 16]);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a client's digits are kept, and who it is, once that was asked for: a store that is only read has no need of it.
#[derive(Debug)]
pub(crate) struct Identity {
    /// What the client is bound to.
    place: Dir,
    /// The directory of the file, below.
    below: Option<RelPath>,
    known: OnceLock<ClientId>,
}

impl Identity {
    /// That of a repository, whose directory `.muse` is.
    pub(crate) fn of_repository(muse: &Dir) -> Self {
        Self { place: muse.clone(), below: plain("stem"), known: OnceLock::new() }
    }

    /// That of a user, by the directory that the store has in the cache.
    pub(crate) fn of_cache(cache: &Dir) -> Self {
        Self { place: cache.clone(), below: None, known: OnceLock::new() }
    }

    /// The client's id; its file is made if there is none.
    pub(crate) fn id(&self) -> io::Result<ClientId> {
        if let Some(known) = self.known.get() {
            return Ok(*known);
        }
        let failed = |error: stem_fs::Error| told(error.kind(), error.to_string());
        let dir = match &self.below {
            None => self.place.clone(),
            Some(below) => self.place.ensure_dir(below).map_err(failed)?,
        };
        let id = name_of(&Self::digits(&dir)?, &self.place).map_err(failed)?;
        Ok(*self.known.get_or_init(|| id))
    }

    /// The digits of the file. Of several processes that make it at once all take those of the one that came first.
    fn digits(dir: &Dir) -> io::Result<String> {
        let failed = |error: stem_fs::Error| told(error.kind(), error.to_string());
        let Some(name) = plain(FILE) else { return Err(io::ErrorKind::InvalidFilename.into()) };
        let read = || -> io::Result<Option<String>> {
            let Some(bytes) = dir.read(&name, MAX_FILE).map_err(failed)? else { return Ok(None) };
            parse(&bytes).map(Some).ok_or_else(|| {
                told(
                    io::ErrorKind::InvalidData,
                    format!(
                        "the file '{}' is damaged or was made by something newer; without it a new one is made",
                        dir.full(&name).display()
                    ),
                )
            })
        };
        if let Some(digits) = read()? {
            return Ok(digits);
        }
        let fresh = format!("{FIRST_LINE}\n{}\n", Uuid::new_v4().simple());
        let temporaries = match plain("tmp") {
            Some(tmp) => dir.ensure_dir(&tmp).map_err(failed)?,
            None => dir.clone(),
        };
        match dir.write_durable(&name, fresh.as_bytes(), &temporaries, Publish::New) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        read()?.ok_or_else(|| told(io::ErrorKind::Other, "the file of this client vanished; try again"))
    }
}

fn plain(name: &str) -> Option<RelPath> {
    RelPath::new(name).ok()
}

/// The digits in the text of the file, which must be exactly as it is written.
fn parse(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let digits = text.strip_prefix(FIRST_LINE)?.strip_prefix('\n')?.strip_suffix('\n')?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (digits.len() == 32 && digits.bytes().all(is_digit)).then(|| digits.to_owned())
}

/// Digits and place make the name.
fn name_of(digits: &str, place: &Dir) -> stem_fs::Result<ClientId> {
    let stat = place.stat_self()?;
    let machine = stem_fs::machine_id().unwrap_or_default();
    let mut hasher = Hasher::new(Algorithm::Blake3);
    hasher.update(format!("{FIRST_LINE}\n{digits}\n{}\n{}\n{machine}\n", stat.device, stat.inode).as_bytes());
    let digest = hasher.finish().id;
    let mut id = [0; 16];
    id.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    Ok(ClientId(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../docs/format/client.md");

    fn muse(path: &std::path::Path) -> Dir {
        std::fs::create_dir_all(path.join(".muse")).unwrap();
        Dir::open(&path.join(".muse")).unwrap()
    }

    #[test]
    fn a_repository_keeps_its_name_and_a_copy_has_another() {
        let dir = tempfile::tempdir().unwrap();
        let one = dir.path().join("one");
        let first = Identity::of_repository(&muse(&one)).id().unwrap();
        assert_eq!(Identity::of_repository(&muse(&one)).id().unwrap(), first);
        assert_eq!(first.to_string().len(), 32);
        let text = std::fs::read_to_string(one.join(".muse/stem/client")).unwrap();
        // A copy, digit for digit.
        let copy = dir.path().join("copy");
        std::fs::create_dir_all(copy.join(".muse/stem")).unwrap();
        std::fs::write(copy.join(".muse/stem/client"), &text).unwrap();
        let second = Identity::of_repository(&muse(&copy)).id().unwrap();
        assert_ne!(second, first);
        // One that is moved stays who it was.
        let moved = dir.path().join("moved");
        std::fs::rename(&one, &moved).unwrap();
        assert_eq!(Identity::of_repository(&muse(&moved)).id().unwrap(), first);
    }

    #[test]
    fn many_at_once_agree() {
        let dir = tempfile::tempdir().unwrap();
        let muse = muse(dir.path());
        let ids: Vec<ClientId> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..16).map(|_| scope.spawn(|| Identity::of_repository(&muse).id().unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let left = std::fs::read_dir(dir.path().join(".muse/stem/tmp")).unwrap().count();
        assert_eq!(left, 0, "temporary files stayed");
    }

    #[test]
    fn a_file_that_is_none_is_an_error_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let muse = muse(dir.path());
        std::fs::create_dir_all(dir.path().join(".muse/stem")).unwrap();
        let path = dir.path().join(".muse/stem/client");
        let digits = "0123456789abcdef".repeat(2);
        for text in [
            String::new(),
            digits.clone(),
            format!("{FIRST_LINE}\n{digits}"),
            format!("{FIRST_LINE}\n{}\n", digits.to_uppercase()),
            format!("stemvault client 2\n{digits}\n"),
            format!("{FIRST_LINE}\n{digits}\n\n"),
        ] {
            std::fs::write(&path, &text).unwrap();
            let error = Identity::of_repository(&muse).id().unwrap_err();
            assert!(error.to_string().contains("client"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        std::fs::write(&path, format!("{FIRST_LINE}\n{digits}\n")).unwrap();
        assert!(Identity::of_repository(&muse).id().is_ok());
    }

    #[test]
    fn the_page_says_what_is_done() {
        assert!(DOCUMENT.contains(FIRST_LINE));
        assert!(DOCUMENT.contains("at most 256 bytes"));
    }
}
