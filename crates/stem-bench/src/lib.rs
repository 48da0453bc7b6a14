//! Compares storage strategies on people's own files.

pub mod model;
