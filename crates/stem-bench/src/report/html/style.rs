//! The style sheet.
//!
//! One set of colours for light, one for dark; paper is always light. Contrast of text is 4.5 to 1 or more in both. The
//! colours of the plots are attributes in the SVG, and are mapped to the dark theme here.

use std::fmt::Write as _;

use super::plots::{PALETTE, hex};

/// The whole sheet.
pub(super) fn sheet() -> String {
    let mut out = String::from(SHEET);
    out.push_str("@media screen and (prefers-color-scheme:dark){");
    out.push_str(DARK);
    for (color, name) in PALETTE {
        let color = hex(color);
        let _ = write!(
            out,
            ".plot [fill=\"{color}\"]{{fill:var({name})}}.plot [stroke=\"{color}\"]{{stroke:var({name})}}"
        );
    }
    out.push_str("}\n");
    out
}

const SHEET: &str = "\
:root{color-scheme:light dark;--page:#fff;--raised:#f5f7f9;--ink:#1c2026;--muted:#555c67;--line:#d5dae0;\
--accent:#1f5fbf;--good:#14622f;--good-back:#e3f4e7;--bad:#9b1c31;--bad-back:#fdecee;--note-back:#fff6e0;--note:#6b4e00}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,\
\"Noto Sans\",\"DejaVu Sans\",sans-serif}
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
.answers{display:grid;grid-template-columns:repeat(auto-fit,minmax(290px,1fr));gap:14px;margin:14px 0 8px;padding:0;\
list-style:none}
.answers li{border:1px solid var(--line);border-top:4px solid var(--accent);border-radius:8px;background:var(--raised);\
padding:14px 16px 12px}
.answers h3{margin:0;font-size:.88rem;font-weight:600;color:var(--muted)}
.answers .who{font-size:1.2rem;font-weight:700;line-height:1.3;margin:.15rem 0 .4rem}
.answers p{margin:0}
.callout{border-left:4px solid var(--note);background:var(--note-back);padding:10px 14px;margin:12px 0;\
border-radius:0 6px 6px 0;max-width:none}
.callout.bad{border-color:var(--bad);background:var(--bad-back)}
.scroll{position:relative;overflow-x:auto;margin:12px 0 6px;border:1px solid var(--line);border-radius:8px}
table{border-collapse:separate;border-spacing:0;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;padding:10px 12px 4px;font-weight:600;caption-side:top}
caption span{position:sticky;left:12px;display:inline-block;max-width:calc(100vw - 60px)}
th,td{padding:8px 12px;text-align:right;vertical-align:top;border-top:1px solid var(--line)}
thead th{border-top:0;vertical-align:bottom;white-space:nowrap;font-weight:600;line-height:1.3}
tbody th{font-weight:600;background:var(--page)}
th:first-child,td.text,th.text{text-align:left}
th:first-child{position:sticky;left:0;background:var(--page);min-width:120px}
td{white-space:nowrap}
td.text{white-space:normal;min-width:14rem;overflow-wrap:anywhere}
.unit,.range,.about{display:block;font-weight:400;color:var(--muted);font-size:.88em}
.about{max-width:20rem}
td.best{background:var(--good-back);font-weight:700;color:var(--good)}
td.best .range{color:var(--good)}
.mark{margin-right:.25em}
.failed{color:var(--bad);font-weight:600}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
figure{margin:14px 0 6px}
figcaption{font-weight:600;margin-bottom:4px}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:18px}
.plot{display:block;width:100%;height:auto;font-family:inherit}
.plot text{font-family:inherit;font-variant-numeric:tabular-nums;unicode-bidi:plaintext}
.plot.narrow,.swipe{display:none}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;padding:0;margin:6px 0;font-size:.9rem}
.legend li{display:flex;align-items:baseline}
.numbers{columns:15rem auto;font-size:.9rem;margin:6px 0;padding-left:2.2rem}
.swatch{flex:none;width:14px;height:14px;border:1px solid var(--ink);margin-right:6px;transform:translateY(2px);\
print-color-adjust:exact;-webkit-print-color-adjust:exact}
dl{display:grid;grid-template-columns:minmax(8rem,max-content) 1fr;gap:6px 18px;margin:12px 0}
dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere}
code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;overflow-wrap:anywhere}
footer{margin-top:3rem;padding-bottom:40px;color:var(--muted);font-size:.88rem}
@media screen and (max-width:760px){
main,header,footer{padding-left:16px;padding-right:16px}
header{padding-top:22px}
h2{margin-top:2.4rem}
.pair{grid-template-columns:1fr}
.plot.wide{display:none}
.plot.narrow{display:block;width:100%;max-width:460px}
.about{display:none}
th,td{padding:7px 9px}
th:first-child{min-width:96px;max-width:132px}
.swipe{display:block;color:var(--muted);font-size:.82rem;margin:12px 0 -8px}
dl{grid-template-columns:1fr;gap:0}
dd{margin-bottom:8px}
}
@media print{
@page{margin:14mm}
body{font-size:10.5pt}
main,header,footer{max-width:none;padding:0}
.skip,.swipe{display:none}
.plot.wide{display:block}
dl{grid-template-columns:max-content 1fr;gap:2pt 12pt}
h2{margin-top:1.6rem}
.plot.narrow{display:none}
.pair{grid-template-columns:1fr 1fr}
.scroll{overflow:visible;border:0}
table{font-size:7.6pt}
th,td{padding:3pt 4pt}
th:first-child{position:static;min-width:0}
thead th{white-space:normal}
.about{display:none}
td.text{min-width:0}
td.best{print-color-adjust:exact;-webkit-print-color-adjust:exact}
h2,h3,h2+p,figcaption,caption,thead{break-after:avoid}
p,tr,dt,figure,.answers li,.callout{break-inside:avoid}
.answers{grid-template-columns:repeat(2,1fr)}
}
@media (forced-colors:active){.swatch,.plot{forced-color-adjust:none}.plot{background:#fff}}
";

const DARK: &str = "\
:root{--page:#14171b;--raised:#1c2026;--ink:#e8ebef;--muted:#a9b1bc;--line:#363d47;--accent:#7fb2ff;--good:#8fe0a8;\
--good-back:#16301f;--bad:#ff9fb0;--bad-back:#38171d;--note-back:#302811;--note:#e6c76a;--grid:#2c323b;\
--reference:#ff9fb0;--series-1:#7fb2ff;--series-2:#ffab73;--series-3:#74d99a;--series-4:#d9a3f0;--series-5:#ff9aac;\
--series-6:#6fd6e3;--series-7:#e0cb6a;--series-8:#c3c9d2}";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::plots::{
        CLASS_FILLS, KEPT, ON_FILL, PALETTE, REST, SAVED_BY_CODEC, SAVED_BY_DEDUP, hex,
    };
    use super::*;

    /// The colours that a sheet's first rule names, as `#rrggbb`.
    fn colors(sheet: &str) -> BTreeMap<String, String> {
        let rule = sheet.split_once('{').unwrap().1.split_once('}').unwrap().0;
        rule.split(';')
            .filter_map(|part| part.split_once(":#"))
            .map(|(name, color)| {
                let long = if color.len() == 3 {
                    color.chars().flat_map(|c| [c, c]).collect()
                } else {
                    color.to_owned()
                };
                (name.to_owned(), long)
            })
            .collect()
    }

    /// Relative luminance, WCAG 2.
    fn luminance(color: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a.trim_start_matches('#')), luminance(b.trim_start_matches('#')));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_and_points_can_be_read_in_both_themes() {
        let light = colors(SHEET);
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
                ("--good", "--good-back"),
                ("--bad", "--page"),
            ] {
                let ratio = contrast(&colors[text], &colors[behind]);
                assert!(ratio >= 4.5, "{theme}: {text} on {behind} has {ratio:.2}");
            }
        }
        for (color, name) in PALETTE.into_iter().filter(|(_, name)| *name != "--grid") {
            let ratios = [contrast(&hex(color), &light["--page"]), contrast(&dark[name], &dark["--page"])];
            assert!(ratios.iter().all(|&ratio| ratio >= 4.5), "{name}: {ratios:?}");
        }
        for fill in CLASS_FILLS.into_iter().chain([KEPT, REST, SAVED_BY_CODEC, SAVED_BY_DEDUP]) {
            let ratio = contrast(&hex(ON_FILL), &hex(fill));
            assert!(ratio >= 4.5, "{fill:?}: {ratio:.2}");
        }
    }

    #[test]
    fn no_two_colours_are_one_to_the_style_sheet() {
        let mut all: Vec<String> = PALETTE.iter().map(|(color, _)| hex(*color)).collect();
        all.extend(CLASS_FILLS.map(hex));
        all.push(hex(ON_FILL));
        let number = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), number);
    }
}
