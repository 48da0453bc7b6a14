//! What pages look like: one set of colours for light, one for dark; paper is always light.
//!
//! Contrast of text is 4.5 to 1 or more in both. A page puts [`BASE`] before its own rules, and [`DARK`] with its own dark
//! colours into [`dark`].

/// The rules that all pages share.
pub const BASE: &str = "\
:root{color-scheme:light dark;--page:#fff;--raised:#f5f7f9;--ink:#1c2026;--muted:#555c67;--line:#d5dae0;\
--accent:#1f5fbf;--good:#14622f;--good-back:#e3f4e7;--bad:#9b1c31;--bad-back:#fdecee;--note-back:#fff6e0;\
--note:#6b4e00}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);\
font:16px/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",\"DejaVu Sans\",sans-serif}
main,header,footer{max-width:1068px;margin:0 auto;padding:0 24px}
header{padding-top:36px}
h1{font-size:clamp(1.55rem,1.1rem + 2vw,2.25rem);line-height:1.2;margin:0 0 .4rem;letter-spacing:-.01em}
h2{font-size:1.35rem;line-height:1.3;margin:3rem 0 .3rem}
h3{font-size:1rem;margin:1.6rem 0 .3rem}
p{margin:.3rem 0 .8rem;max-width:76ch}
.lead{color:var(--muted);font-size:1.02rem}
.small{color:var(--muted);font-size:.88rem}
bdi{overflow-wrap:anywhere}
a{color:var(--accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.skip{position:absolute;left:-999em}
.skip:focus{position:static;display:inline-block;padding:8px}
.callout{border-left:4px solid var(--note);background:var(--note-back);padding:10px 14px;margin:12px 0;\
border-radius:0 6px 6px 0;max-width:none}
.callout.bad{border-color:var(--bad);background:var(--bad-back)}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
figure{margin:14px 0 6px}
figcaption{font-weight:600;margin-bottom:4px}
dl{display:grid;grid-template-columns:minmax(8rem,max-content) 1fr;gap:6px 18px;margin:12px 0}
dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere}
code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;\
overflow-wrap:anywhere}
footer{margin-top:3rem;padding-bottom:40px;color:var(--muted);font-size:.88rem}
@media screen and (max-width:760px){
main,header,footer{padding-left:16px;padding-right:16px}
header{padding-top:22px}
h2{margin-top:2.4rem}
dl{grid-template-columns:1fr;gap:0}
dd{margin-bottom:8px}
}
@media print{
@page{margin:14mm}
body{font-size:10.5pt}
main,header,footer{max-width:none;padding:0}
dl{grid-template-columns:max-content 1fr;gap:2pt 12pt}
h2{margin-top:1.6rem}
h2,h3,h2+p,figcaption,caption,thead{break-after:avoid}
p,tr,dt,figure,.callout{break-inside:avoid}
.skip{display:none}
}
";

/// The dark colours of what [`BASE`] names.
pub const DARK: &str = "\
:root{--page:#14171b;--raised:#1c2026;--ink:#e8ebef;--muted:#a9b1bc;--line:#363d47;--accent:#7fb2ff;--good:#8fe0a8;\
--good-back:#16301f;--bad:#ff9fb0;--bad-back:#38171d;--note-back:#302811;--note:#e6c76a}\n";

/// The rules for dark screens: the shared colours, and what a page adds.
pub fn dark(rules: &str) -> String {
    format!("@media screen and (prefers-color-scheme:dark){{\n{DARK}{rules}}}\n")
}

/// The colours that the first rule of a sheet names, as `#rrggbb`: for tests of contrast.
pub fn colors(sheet: &str) -> Vec<(String, String)> {
    let rule = sheet.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(rule, _)| rule);
    rule.split(';')
        .filter_map(|part| part.split_once(":#"))
        .map(|(name, color)| {
            let short = color.len() == 3;
            (
                name.to_owned(),
                if short { color.chars().flat_map(|c| [c, c]).collect() } else { color.to_owned() },
            )
        })
        .collect()
}

/// The contrast of two colours (`#rrggbb`), 1 to 21, by WCAG 2; what is no colour counts as black.
pub fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a.trim_start_matches('#')), luminance(b.trim_start_matches('#')));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Relative luminance.
fn luminance(color: &str) -> f64 {
    let channel = |at: usize| {
        let value = color.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or(0);
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn text_can_be_read_in_both_themes() {
        let light: BTreeMap<_, _> = colors(BASE).into_iter().collect();
        let mut dark = light.clone();
        dark.extend(colors(DARK));
        for (theme, colors) in [("light", &light), ("dark", &dark)] {
            for (text, behind) in [
                ("--ink", "--page"),
                ("--ink", "--raised"),
                ("--ink", "--note-back"),
                ("--ink", "--bad-back"),
                ("--muted", "--page"),
                ("--muted", "--raised"),
                ("--accent", "--page"),
                ("--accent", "--raised"),
                ("--good", "--good-back"),
                ("--bad", "--page"),
                ("--bad", "--bad-back"),
                ("--note", "--note-back"),
            ] {
                let ratio = contrast(&colors[text], &colors[behind]);
                assert!(ratio >= 4.5, "{theme}: {text} on {behind} has {ratio:.2}");
            }
        }
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
    }
}
