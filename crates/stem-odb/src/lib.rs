//! Store URLs, the registry of backends, and a repository's configuration.
//!
//! A program names a store by URL ([`StoreUrl`]) and gets it open ([`open_store`]); which backends exist is known here
//! and nowhere else. What a repository chose stands in its `.muse/stem/config.toml` ([`Config`]). What can be done to any
//! store, whoever it belongs to, is here too: [`mod@gc`] and [`mod@verify`].

mod age;
mod config;
mod error;
pub mod gc;
mod layered;
mod pack_options;
mod registry;
mod secret;
pub mod transfer;
mod url;
pub mod verify;

pub use age::parse_age;
pub use config::{Config, DatabaseSetting, StashChoice, WorkTreePath};
pub use error::{Error, Result};
pub use registry::{
    AnyStore, Base, RepositoryStores, backends, erase_measured, is_remote, is_within_repository,
    open_existing, open_repository, open_store,
};
pub use secret::hide_passwords;
pub use url::StoreUrl;
