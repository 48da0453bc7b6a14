//! The page: one file that opens in any browser, on paper, on a phone, and needs nothing else.
//!
//! No script, no font, no request: the page says so itself in its Content-Security-Policy, so that a report can be mailed to
//! a collaborator who opens it without a second thought. Templates in files and a template engine were rejected: the page
//! has a handful of shapes, and what matters about them, that every text from elsewhere is escaped, is easier to see in
//! [`escape`], which every text goes through.

mod page;
mod plots;
mod style;
mod tables;

use crate::model::Comparison;

use super::units;

pub use plots::PlotError;

/// The comparison as a page. The same comparison gives the same page, byte for byte.
///
/// # Errors
///
/// [`PlotError`] when a plot cannot be drawn; no figures are known that lead there.
pub fn html(comparison: &Comparison) -> Result<String, PlotError> {
    page::page(comparison)
}

/// Text as HTML, in content and in quoted attributes. Control characters and marks of direction become visible.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in units::clean(text, usize::MAX).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// A name from elsewhere: escaped, and its direction of writing kept to itself.
fn name(text: &str) -> String {
    format!("<bdi>{}</bdi>", escape(text))
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn escapes() {
        assert_eq!(
            escape("<b a=\"1\" c='2'>&\u{202e}\0"),
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;\\u{202e}\\u{0}"
        );
    }
}
