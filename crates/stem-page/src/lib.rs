//! What all pages that the program writes have in common.
//!
//! A page is one file that opens in any browser, on paper, on a phone, and needs nothing else: no script, no font, no
//! request. It says so itself in its Content-Security-Policy, so that it can be mailed to a collaborator who opens it
//! without a second thought. Templates in files and a template engine were rejected: a page has a handful of shapes, and
//! what matters about them, that every text from elsewhere is escaped, is easier to see in [`escape`], which every text
//! goes through.

mod shell;
pub mod style;
mod text;
pub mod units;

pub use shell::{Shell, end};
pub use text::{escape, name, readable};
