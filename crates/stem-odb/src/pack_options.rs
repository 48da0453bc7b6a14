//! The options of a `pack:` URL.

use stem_pack::{Chunking, CodecLevel, Compression, PackOptions};

use crate::url::StoreUrl;

/// The options that say how packs are made, whatever holds them.
#[cfg(feature = "remote")]
pub(crate) const KEYS: &[&str] = &["hash", "compression", "chunk", "dictionary"];

/// Reads them; the error is for people.
pub(crate) fn pack_options(url: &StoreUrl) -> Result<PackOptions, String> {
    let mut options = PackOptions::default();
    for (key, value) in &url.options {
        match key.as_str() {
            "hash" => {
                let found = value.parse().map_err(|e: stem_hash::UnknownAlgorithm| e.to_string())?;
                options.algorithm = Some(found);
            }
            "compression" => options.compression = compression(value)?,
            "chunk" => options.chunking = chunking(value)?,
            "dictionary" => options.dictionary = switch(value)?,
            _ => return Err(format!("the option '{key}' is unknown")),
        }
    }
    Ok(options)
}

/// `raw`, `zstd`, `zstd-LEVEL`, `audio`, `audio-fast`, `audio-high`.
fn compression(text: &str) -> Result<Compression, String> {
    let audio = |samples| Compression::Audio { samples, zstd: DEFAULT_ZSTD };
    match text {
        "raw" => Ok(Compression::Raw),
        "zstd" => Ok(Compression::Zstd(DEFAULT_ZSTD)),
        "audio" => Ok(Compression::default()),
        "audio-fast" => Ok(audio(CodecLevel::Fast)),
        "audio-high" => Ok(audio(CodecLevel::High)),
        _ => {
            let level = text.strip_prefix("zstd-").and_then(|level| level.parse().ok());
            level.filter(|level| (1..=19).contains(level)).map(Compression::Zstd).ok_or_else(|| {
                format!(
                    "'{text}' is no compression; there are raw, zstd, zstd-1 to zstd-19, audio, audio-fast, audio-high"
                )
            })
        }
    }
}

/// zstd's own default.
const DEFAULT_ZSTD: i32 = 3;

/// `whole`, or an average such as `256K` or `1M`.
fn chunking(text: &str) -> Result<Chunking, String> {
    if text == "whole" {
        return Ok(Chunking::Whole);
    }
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        _ => (text, 0),
    };
    digits
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .filter(|bytes| (4 << 10..=4 << 20).contains(bytes))
        .map(Chunking::Average)
        .ok_or_else(|| format!("'{text}' is no length for a chunk: write 4K to 4M, or whole"))
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(format!("'{text}' is neither yes nor no")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stem_hash::Algorithm;

    fn read(url: &str) -> Result<PackOptions, String> {
        pack_options(&url.parse().unwrap())
    }

    #[test]
    fn every_option_is_read() {
        assert_eq!(read("pack:").unwrap(), PackOptions::default());
        let options = read("pack:x?hash=blake3&compression=zstd-9&chunk=256K&dictionary=no").unwrap();
        assert_eq!(options.algorithm, Some(Algorithm::Blake3));
        assert_eq!(options.compression, Compression::Zstd(9));
        assert_eq!(options.chunking, Chunking::Average(256 << 10));
        assert!(!options.dictionary);
        assert_eq!(read("pack:?chunk=whole").unwrap().chunking, Chunking::Whole);
        assert_eq!(read("pack:?compression=raw").unwrap().compression, Compression::Raw);
        let high = Compression::Audio { samples: CodecLevel::High, zstd: 3 };
        assert_eq!(read("pack:?compression=audio-high").unwrap().compression, high);
    }

    #[test]
    fn mistakes_are_told() {
        for (url, word) in [
            ("pack:?hash=md5", "md5"),
            ("pack:?compression=zstd-20", "zstd-19"),
            ("pack:?compression=zstd-x", "zstd-x"),
            ("pack:?chunk=5M", "4M"),
            ("pack:?chunk=M", "4K"),
            ("pack:?chunk=99999999999999999999M", "4M"),
            ("pack:?dictionary=1", "neither"),
            ("pack:?level=3", "level"),
        ] {
            let problem = read(url).unwrap_err();
            assert!(problem.contains(word), "{url} → {problem}");
        }
    }
}
