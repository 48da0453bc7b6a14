//! Store URLs, the registry of backends, and a repository's configuration.
//!
//! A program names a store by URL ([`StoreUrl`]) and gets it open ([`open_store`]); which backends exist is known here
//! and nowhere else. What a repository chose stands in its `.muse/stem/config.toml` ([`Config`]).

mod config;
mod error;
mod registry;
mod url;

pub use config::Config;
pub use error::{Error, Result};
pub use registry::{AnyStore, Base, open_store};
pub use url::StoreUrl;
