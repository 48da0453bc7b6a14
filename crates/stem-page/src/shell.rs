//! The beginning and the end of a page.

use std::fmt::Write as _;

use crate::text::escape;

/// What differs from page to page in their heads. Texts are escaped here.
#[derive(Debug, Clone, Copy)]
pub struct Shell<'a> {
    /// What a browser shows in its list of windows.
    pub title: &'a str,
    /// The id of the first thing that matters, and how it is called in the link that leads there: `To the answers`.
    pub skip: (&'a str, &'a str),
    /// The whole style sheet.
    pub sheet: &'a str,
    /// Whether sounds are embedded.
    pub sounds: bool,
}

impl Shell<'_> {
    /// Everything up to the page's `<header>`.
    pub fn begin(&self, out: &mut String) {
        let _ = write!(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
             {media}base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>{title}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{sheet}</style>\n\
             </head>\n<body>\n<a class=\"skip\" href=\"#{id}\">{to}</a>\n",
            media = if self.sounds { "media-src data:; " } else { "" },
            title = escape(self.title),
            sheet = self.sheet,
            id = escape(self.skip.0),
            to = escape(self.skip.1),
        );
    }
}

/// The end of a page, with what stands at its foot. The text is escaped here.
pub fn end(out: &mut String, foot: &str) {
    let _ = write!(
        out,
        "<footer><p>{} This page is complete in itself: it loads nothing and sends nothing.</p></footer>\n</body>\n</html>\n",
        escape(foot)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_load_nothing() {
        let mut out = String::new();
        let shell = Shell { title: "<t>", skip: ("main", "On"), sheet: "", sounds: false };
        shell.begin(&mut out);
        end(&mut out, "Made by \"x\".");
        assert!(out.contains("default-src 'none'") && !out.contains("media-src"), "{out}");
        assert!(
            out.contains("<title>&lt;t&gt;</title>") && out.contains("Made by &quot;x&quot;. This"),
            "{out}"
        );
        Shell { sounds: true, ..shell }.begin(&mut out);
        assert!(out.contains("media-src data:; base-uri"), "{out}");
    }
}
