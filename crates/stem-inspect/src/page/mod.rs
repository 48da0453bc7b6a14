//! One page that shows, and lets hear, how the files of two versions differ.
//!
//! [`html`] is a pure function of a [`Page`]: no clock, no file, no store. The same page is the same text, byte for byte, so
//! tests compare it. Whatever it is told, also by hostile files, becomes text and never markup: names, messages and values
//! go through the shell that all pages of the program share (`stem-page`), and everything has a bound ([`Bounds`]), which
//! the page names wherever it left something out.
//!
//! No script: `<audio controls>` and `<details>` are all that is needed, and a page without scripts can be opened without
//! a second thought. Waveforms stretch to the width of the window, their labels do not: shapes are nested SVGs without an
//! aspect ratio, labels stand beside them at percentages. Drawing each twice, for wide and narrow pages as the report of
//! `stem bench` does, would double the size of a page that has hundreds of them.

mod article;
mod bounds;
mod document;
mod embed;
mod examine;
mod facts;
mod lists;
mod model;
mod players;
mod style;
mod wave;

pub use bounds::Bounds;
pub use document::html;
pub use embed::{Opened, embed};
pub use examine::examine;
pub use model::{
    Clip, Entry, Fact, File, Item, ItemKind, List, Mark, Page, Recording, Rest, Shape, Share, Status,
};
