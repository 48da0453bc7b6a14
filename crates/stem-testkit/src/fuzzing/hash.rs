//! Many files hashed at once.

use sha2::Digest as _;
use stem_hash::{Algorithm, Checksum, FileJob, HashOptions, Silent, hash_many};

use super::accepted;

/// Many files through the interleaved lanes, of lengths that the first bytes choose, against the `sha2` crate.
///
/// # Panics
///
/// When a digest is wrong.
pub fn check_hash_many(data: &[u8]) {
    thread_local! {
        static DIR: tempfile::TempDir = accepted(tempfile::tempdir());
    }
    let Some((&count, rest)) = data.split_first() else { return };
    let count = usize::from(count % 8) + 1;
    let Some((lengths, bytes)) = rest.split_at_checked(count * 2) else { return };
    let mut rest = bytes;
    let messages: Vec<Vec<u8>> = lengths
        .chunks_exact(2)
        .map(|length| {
            // Short of bytes, a message repeats what there is: lanes should run for many blocks.
            let length = usize::from(length[0]) << 8 | usize::from(length[1]);
            let message =
                bytes.iter().chain(rest).copied().cycle().take(if bytes.is_empty() { 0 } else { length });
            rest = rest.get(1..).unwrap_or_default();
            message.collect()
        })
        .collect();
    DIR.with(|dir| {
        let open = |(index, message): (usize, &Vec<u8>)| {
            let path = dir.path().join(index.to_string());
            accepted(std::fs::write(&path, message));
            accepted(std::fs::File::open(&path))
        };
        let files: Vec<std::fs::File> = messages.iter().enumerate().map(open).collect();
        let jobs: Vec<FileJob<'_>> = files
            .iter()
            .zip(&messages)
            .map(|(file, message)| FileJob::new(file, message.len() as u64))
            .collect();
        let options = HashOptions::new(Algorithm::Sha256).and_checksum();
        for (result, message) in hash_many(&jobs, &options, &Silent).into_iter().zip(&messages) {
            let digest = accepted(result);
            assert_eq!(digest.id.as_bytes()[..], sha2::Sha256::digest(message)[..]);
            assert_eq!(digest.checksum, Some(Checksum::of(message)));
            assert_eq!(digest.len, message.len() as u64);
        }
    });
}
