//! What the files of an entry, or of the working tree, are and how they differ from another state of them.
//!
//! The engine says which bytes belong to a file, `stem-inspect` what they mean; here the two meet. [`pairs`] lists files
//! with both states, in the groups that musicians work in; everything that draws or prints takes that list.

pub(crate) mod canvas;
pub(crate) mod json;
pub(crate) mod look;
pub(crate) mod page;
pub(crate) mod pairs;
pub(crate) mod stat;
pub(crate) mod table;
pub(crate) mod wave;
