//! The style sheet: what this page adds to that of all pages.

use stem_page::style::{self, BASE};

/// The whole sheet.
pub(super) fn sheet() -> String {
    format!("{BASE}{SHEET}{}", style::dark(DARK))
}

const SHEET: &str = "\
:root{--wave-before:#6b7686;--wave-after:#1f5fbf;--wave-rest:#b3541e;--ground:#f0f3f6;--grid:#dfe4ea;--mark:#ffd24d;\
--edge:#8a5a00;--added:#14622f;--added-back:#e3f4e7;--changed:#1b4f9c;--changed-back:#e6effb;--removed:#9b1c31;\
--removed-back:#fdecee}
.eyebrow{color:var(--muted);font-size:.92rem;margin:0 0 .2rem;font-variant-numeric:tabular-nums}
h1{overflow-wrap:anywhere}
h2{border-top:1px solid var(--line);padding-top:1.6rem}
h2#files{border:0;padding-top:0;margin-top:1.6rem}
h2:focus{outline:0}
.group{margin:1.1rem 0 .2rem;color:var(--muted);font-size:.9rem}
.contents,.plain,.marks,.diff{list-style:none;margin:0;padding:0}
.contents li{display:grid;grid-template-columns:5.4rem minmax(8rem,16rem) 1fr auto;gap:2px 12px;align-items:baseline;\
padding:5px 0;border-top:1px solid var(--line)}
.contents a{overflow-wrap:anywhere}
.what{overflow-wrap:anywhere}
.bytes,.time{color:var(--muted);font-size:.88rem;font-variant-numeric:tabular-nums}
.badge{display:inline-block;justify-self:start;font-size:.75rem;font-weight:600;line-height:1.5;padding:1px 9px;\
border-radius:99px;border:1px solid currentColor;vertical-align:2px}
.badge.added{color:var(--added);background:var(--added-back)}
.badge.changed{color:var(--changed);background:var(--changed-back)}
.badge.removed{color:var(--removed);background:var(--removed-back)}
article{margin:22px 0 0;padding:18px 20px 16px;border:1px solid var(--line);border-radius:12px;scroll-margin-top:12px}
article:target{border-color:var(--accent);box-shadow:0 0 0 1px var(--accent)}
article h3{margin:0;font-size:1.08rem;line-height:1.4;overflow-wrap:anywhere}
article h3 .badge{margin-right:8px}
.directory{font-weight:400;color:var(--muted)}
.headline{font-size:1.12rem;margin:.35rem 0 .7rem;max-width:none;overflow-wrap:anywhere}
.waves{margin:12px 0 4px}
.lane{margin-top:10px}
.lane-name{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 14px;margin:0 0 3px;max-width:none;\
font-size:.9rem;line-height:1.4}
.lane-name bdi{color:var(--muted);margin-left:.45em}
.wave{display:block;overflow:hidden;border-radius:6px}
.scale{display:block;overflow:visible}
.scale text{fill:var(--muted);font-size:11.5px;font-variant-numeric:tabular-nums}
.wave .ground{fill:var(--ground)}
.wave line{stroke:var(--grid)}
.wave .zero{stroke:var(--wave-before);opacity:.35}
.wave.before .shape{fill:var(--wave-before)}
.wave.after .shape{fill:var(--wave-after)}
.wave.rest .shape{fill:var(--wave-rest)}
.wave .mark{fill:var(--mark);opacity:.42}
.wave .edge{stroke:var(--edge);stroke-width:1.5}
.wave .edge.none{stroke-dasharray:4 3}
.wave .number{fill:var(--ink);font-size:12px;font-weight:700;paint-order:stroke;stroke:var(--ground);stroke-width:3px;\
stroke-linejoin:round}
.marks{counter-reset:mark;margin:12px 0 6px}
.marks li{counter-increment:mark;padding:8px 0 8px 34px;position:relative;border-top:1px solid var(--line)}
.marks li:first-child{border-top:0}
.marks li::before{content:counter(mark);position:absolute;left:0;top:8px;width:22px;height:22px;border-radius:50%;\
background:var(--mark);color:#1c2026;font-size:.8rem;font-weight:700;line-height:22px;text-align:center;\
print-color-adjust:exact;-webkit-print-color-adjust:exact}
.marks li.whole{padding-left:0}
.marks li.whole::before{content:none}
.words{margin:0;max-width:none;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.players{display:grid;grid-template-columns:repeat(auto-fit,minmax(250px,1fr));gap:8px 18px;margin:6px 0 2px;max-width:720px}
.player p{margin:0 0 2px;font-size:.88rem;line-height:1.4}
audio{display:block;width:100%;height:40px}
.fold{margin:10px 0}
summary{cursor:pointer;font-weight:600;padding:4px 0}
.count{font-weight:400;color:var(--muted)}
.diff{font-size:.92rem}
.diff li{display:grid;grid-template-columns:1.4em 1fr;border-top:1px solid var(--line);padding:4px 0}
.item{overflow-wrap:anywhere;min-width:0}
.sign{font-weight:700;font-variant-numeric:tabular-nums}
.diff .added .sign,ins{color:var(--added)}
.diff .removed .sign,del{color:var(--removed)}
.diff .changed .sign{color:var(--changed)}
ins{text-decoration:none}
.place{margin-right:.4em}
.arrow{color:var(--muted)}
.share{max-width:none}
.bar{display:block;border-radius:5px;margin-bottom:5px}
.bar .rest{fill:var(--ground)}
.bar .part{fill:var(--wave-after)}
.facts{border-collapse:collapse;font-size:.9rem;line-height:1.45;margin:12px 0 0;width:100%;max-width:720px;\
font-variant-numeric:tabular-nums;table-layout:fixed}
.facts th,.facts td{text-align:left;vertical-align:top;padding:2px 10px 2px 0;border-top:1px solid var(--line);\
overflow-wrap:anywhere}
.facts thead th{border-top:0;color:var(--muted);font-weight:600}
.facts tbody th{font-weight:400;color:var(--muted)}
.facts .differs{font-weight:700}
.plain li{padding:2px 0;overflow-wrap:anywhere}
.plain.about li{padding:3px 0;max-width:76ch;color:var(--muted);font-size:.92rem}
@media screen and (max-width:760px){
.contents li{grid-template-columns:5.1rem 1fr;column-gap:10px}
.contents .what{grid-column:2}
.contents .bytes{grid-column:2}
article{padding:14px 14px 12px;margin-left:-4px;margin-right:-4px}
.minor{display:none}
.facts{font-size:.86rem}
.players{grid-template-columns:1fr}
}
@media print{
article{border:0;border-top:1px solid var(--line);border-radius:0;padding:10pt 0}
audio,.players,.marks li.whole{display:none}
.waves,.facts,.lane,.marks li,.diff li,tr{break-inside:avoid}
.badge,.wave{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}
@media (forced-colors:active){.wave,.bar,.scale{forced-color-adjust:none}.wave{background:#fff}}
";

/// The dark colours.
const DARK: &str = "\
:root{--wave-before:#8a95a5;--wave-after:#7fb2ff;--wave-rest:#f0965c;--ground:#1d2229;--grid:#2c333d;--mark:#d9a514;\
--edge:#ffd875;--added:#8fe0a8;--added-back:#16301f;--changed:#9cc4ff;--changed-back:#182a44;--removed:#ff9fb0;\
--removed-back:#38171d}
.wave .mark{opacity:.3}
audio{color-scheme:dark}
";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stem_page::style::{DARK as BASE_DARK, colors, contrast};

    use super::*;

    #[test]
    fn text_and_shapes_can_be_seen_in_both_themes() {
        let mut light: BTreeMap<_, _> = colors(BASE).into_iter().collect();
        light.extend(colors(SHEET));
        let mut dark = light.clone();
        dark.extend(colors(BASE_DARK));
        dark.extend(colors(DARK));
        for (theme, colors) in [("light", &light), ("dark", &dark)] {
            for (what, behind, least) in [
                ("--added", "--added-back", 4.5),
                ("--changed", "--changed-back", 4.5),
                ("--removed", "--removed-back", 4.5),
                ("--added", "--page", 4.5),
                ("--removed", "--page", 4.5),
                ("--changed", "--page", 4.5),
                ("--ink", "--ground", 4.5),
                // What is not text: WCAG 1.4.11.
                ("--wave-before", "--ground", 3.0),
                ("--wave-after", "--ground", 3.0),
                ("--wave-rest", "--ground", 3.0),
                ("--edge", "--ground", 3.0),
            ] {
                let ratio = contrast(&colors[what], &colors[behind]);
                assert!(ratio >= least, "{theme}: {what} on {behind} has {ratio:.2}");
            }
        }
    }
}
