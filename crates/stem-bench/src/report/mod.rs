//! What a comparison found, for people: as a table, as sentences, as a page, and saved.
//!
//! Everything here is a function of a [`Comparison`](crate::model::Comparison) and of nothing else: no clock, no machine,
//! no file. So a saved file gives the same report everywhere, and tests compare it as text. A report takes any value of the
//! type, also one that [`load`] would refuse: what cannot be computed is left out.

mod html;
mod judge;
mod measure;
mod saved;
pub mod stats;
mod strict;
mod summary;
mod table;
mod words;

use stem_page::units;

pub use html::{PlotError, html};
pub use saved::{LoadError, load, save};
pub use summary::{Goal, Sentence, summary};
pub use table::{TableStyle, sentences, table};
