//! The marker of a store: which version, algorithm and layout. The codec is pure and bounded; what makes and compares it is below.

use std::io;

use serde::{Deserialize, Serialize};
use stem_hash::Algorithm;

use crate::client::Client;
use crate::error::told;
use crate::layout::{MARKER, PACKS};
use crate::settings::Layout;

/// The longest marker that is read.
pub(crate) const MAX_LEN: u64 = 4096;
const FORMAT: &str = "stemvault-remote";
const VERSION: u64 = 1;

/// What a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) algorithm: Algorithm,
    pub(crate) layout: Layout,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    format: String,
    version: u64,
    algorithm: String,
    layout: String,
}

impl Marker {
    /// Its bytes, which follow from its values alone.
    pub(crate) fn encode(&self) -> io::Result<Vec<u8>> {
        let fields = Fields {
            format: FORMAT.to_owned(),
            version: VERSION,
            algorithm: self.algorithm.name().to_owned(),
            layout: self.layout.name().to_owned(),
        };
        let mut bytes = serde_json::to_vec(&fields).map_err(io::Error::other)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a marker; the error is for people.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() as u64 > MAX_LEN {
            return Err(format!("its marker has more than {MAX_LEN} bytes"));
        }
        let fields: Fields = serde_json::from_slice(bytes).map_err(|error| {
            // The words of the library may quote what stands there.
            format!("its marker is none of this version (line {}, column {})", error.line(), error.column())
        })?;
        if fields.format != FORMAT {
            return Err("its marker is of another program".to_owned());
        }
        if fields.version != VERSION {
            let version = fields.version;
            return Err(format!("it was made by a newer version (format {version}); update this program"));
        }
        let algorithm = fields.algorithm.parse();
        let algorithm = algorithm.map_err(|_| "its marker names an unknown algorithm".to_owned())?;
        let layout = Layout::parse(&fields.layout).ok_or("its marker names an unknown layout")?;
        Ok(Self { algorithm, layout })
    }
}

/// The marker of the store, if it has one.
pub(crate) fn fetch(client: &Client) -> io::Result<Option<Marker>> {
    match client.read(MARKER, MAX_LEN)? {
        None => Ok(None),
        Some(bytes) => Marker::decode(&bytes)
            .map(Some)
            .map_err(|problem| told(io::ErrorKind::InvalidData, format!("'{MARKER}' there: {problem}"))),
    }
}

/// Makes the marker, or compares it if it is there by now.
pub(crate) fn make(client: &Client, marker: &Marker) -> io::Result<()> {
    if fetch(client)?.is_none() {
        if client.any_below(PACKS)? {
            return Err(told(
                io::ErrorKind::InvalidData,
                format!("there is something under '{PACKS}/' and no '{MARKER}'; choose an empty prefix"),
            ));
        }
        client.create(MARKER, marker.encode()?)?;
    }
    // Read back whoever wrote it: another client may have been faster, or overwritten it.
    match fetch(client)? {
        Some(found) if found == *marker => Ok(()),
        Some(found) => Err(told(
            io::ErrorKind::InvalidData,
            format!(
                "another client just made this store, with ids by {} and layout '{}'; open it again",
                found.algorithm,
                found.layout.name()
            ),
        )),
        None => Err(told(
            io::ErrorKind::Other,
            format!(
                "'{MARKER}' was written and is not there; the service does not keep what it acknowledges"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DOCUMENT: &str = include_str!("../../../docs/format/remote.md");

    #[test]
    fn markers_survive_and_are_the_same_every_time() {
        for algorithm in [Algorithm::Sha256, Algorithm::Blake3] {
            for layout in [Layout::Packs, Layout::Sharded] {
                let marker = Marker { algorithm, layout };
                let bytes = marker.encode().unwrap();
                assert_eq!(Marker::decode(&bytes), Ok(marker));
            }
        }
        let marker = Marker { algorithm: Algorithm::Sha256, layout: Layout::Packs };
        assert_eq!(
            marker.encode().unwrap(),
            b"{\"format\":\"stemvault-remote\",\"version\":1,\"algorithm\":\"sha256\",\"layout\":\"packs\"}\n"
        );
        for key in ["`format`", "`version`", "`algorithm`", "`layout`", "`stemvault-remote`", "4,096"] {
            assert!(DOCUMENT.contains(key), "{key}");
        }
    }

    #[test]
    fn whatever_else_is_refused() {
        let good = r#""format":"stemvault-remote","version":1,"algorithm":"sha256","layout":"packs""#;
        for bad in [
            String::new(),
            "{}".to_owned(),
            format!("{{{good},\"more\":1}}"),
            format!("{{{good},\"version\":1}}"),
            format!("{{{good}}} x"),
            format!("{{{}}}", good.replace(":1,", ":2,")),
            format!("{{{}}}", good.replace("sha256", "md5")),
            format!("{{{}}}", good.replace("packs", "heap")),
            format!("{{{}}}", good.replace("-remote", "-local")),
            format!("{{{good}}}{}", " ".repeat(5000)),
        ] {
            assert!(Marker::decode(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Marker::decode(&bytes);
        }
    }
}
