//! HEAD and history from Muse's database: a [`HeadSource`](stem_stash::HeadSource) on SQLite and Postgres.
//!
//! Muse keeps its commits in a database, and a branch's ref names a commit that only the database knows. [`Database`]
//! asks it, when such a commit is needed and not before: a URL that nobody needs is not even looked at. It only reads,
//! through one connection that lasts as long as one question. What is read and how is told to users in
//! `docs/database.md`.
//!
//! It is a crate of its own, and each kind of database a feature of it, because the libraries weigh more than the engine:
//! a program that embeds the engine without them builds neither SQLite nor a TLS implementation. Without a feature a URL
//! of that kind is understood, and refused.
//!
//! Rejected: an ORM or a driver-independent layer, for five columns of two tables; connection pools, for a connection
//! that is used once.

mod secret;
mod session;
mod source;

mod url;

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use secret::SecretText;
pub use source::{Database, DatabaseOptions, NoDatabase, Origin};

pub use url::DatabaseUrl;
