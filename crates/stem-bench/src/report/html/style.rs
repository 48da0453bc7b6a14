//! The style sheet: what this page adds to that of all pages.
//!
//! The colours of the plots are attributes in the SVG, and are mapped to the dark theme here.

use std::fmt::Write as _;

use stem_page::style::{self, BASE};

use super::plots::{PALETTE, hex};

/// The whole sheet.
pub(super) fn sheet() -> String {
    let mut dark = String::from(DARK);
    for (color, name) in PALETTE {
        let color = hex(color);
        let _ = write!(
            dark,
            ".plot [fill=\"{color}\"]{{fill:var({name})}}.plot [stroke=\"{color}\"]{{stroke:var({name})}}"
        );
    }
    format!("{BASE}{SHEET}{}", style::dark(&dark))
}

const SHEET: &str = "\
.answers{display:grid;grid-template-columns:repeat(auto-fit,minmax(290px,1fr));gap:14px;margin:14px 0 8px;\
padding:0;list-style:none}
.answers li{border:1px solid var(--line);border-top:4px solid var(--accent);border-radius:8px;\
background:var(--raised);padding:14px 16px 12px}
.answers h3{margin:0;font-size:.88rem;font-weight:600;color:var(--muted)}
.answers .who{font-size:1.2rem;font-weight:700;line-height:1.3;margin:.15rem 0 .4rem}
.answers p{margin:0}
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
.pair{display:grid;grid-template-columns:1fr 1fr;gap:18px}
.plot{display:block;width:100%;height:auto;font-family:inherit}
.plot text{font-family:inherit;font-variant-numeric:tabular-nums;unicode-bidi:plaintext}
.plot.narrow,.swipe{display:none}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;padding:0;margin:6px 0;font-size:.9rem}
.legend li{display:flex;align-items:baseline}
.numbers{columns:15rem auto;font-size:.9rem;margin:6px 0;padding-left:2.2rem}
.swatch{flex:none;width:14px;height:14px;border:1px solid var(--ink);margin-right:6px;transform:translateY(2px);\
print-color-adjust:exact;-webkit-print-color-adjust:exact}
@media screen and (max-width:760px){
.pair{grid-template-columns:1fr}
.plot.wide{display:none}
.plot.narrow{display:block;width:100%;max-width:460px}
.about{display:none}
th,td{padding:7px 9px}
th:first-child{min-width:96px;max-width:132px}
.swipe{display:block;color:var(--muted);font-size:.82rem;margin:12px 0 -8px}
}
@media print{
.swipe{display:none}
.plot.wide{display:block}
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
.answers{grid-template-columns:repeat(2,1fr)}
.answers li{break-inside:avoid}
}
@media (forced-colors:active){.swatch,.plot{forced-color-adjust:none}.plot{background:#fff}}
";

/// The dark colours of the plots.
const DARK: &str = "\
:root{--grid:#2c323b;--reference:#ff9fb0;--series-1:#7fb2ff;--series-2:#ffab73;--series-3:#74d99a;--series-4:#d9a3f0;\
--series-5:#ff9aac;--series-6:#6fd6e3;--series-7:#e0cb6a;--series-8:#c3c9d2}";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stem_page::style::{colors, contrast};

    use super::super::plots::{
        CLASS_FILLS, KEPT, ON_FILL, PALETTE, REST, SAVED_BY_CODEC, SAVED_BY_DEDUP, hex,
    };
    use super::*;

    #[test]
    fn points_can_be_read_in_both_themes() {
        let light: BTreeMap<_, _> = colors(BASE).into_iter().collect();
        let mut dark = light.clone();
        dark.extend(colors(style::DARK));
        dark.extend(colors(DARK));
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
