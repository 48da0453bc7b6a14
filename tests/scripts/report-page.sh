#!/usr/bin/env bash
# Opens the page of `stem bench --html` in Chromium: no message on the console, no request, nothing wider than the window,
# and no text of a hostile comparison becomes an element.
. "$(dirname "$0")/browser.sh"

(cd "$root" && cargo build --quiet --package stem-bench --example report)
report=${CARGO_TARGET_DIR:-$root/target}/debug/examples/report
"$report" "$scratch/plain.html"
STEM_BENCH_SAMPLE=hostile "$report" "$scratch/hostile.html"

for kind in plain hostile; do
    opens_quietly "$scratch/$kind.html" "$kind" 390 900 1600
    plots=$(grep -o '<svg ' "$scratch/$kind.dom" | wc -l)
    [ "$plots" -ge 10 ] || fail "$kind: only $plots plots"
done
[ "$failed" -eq 0 ] || exit 1
echo "the page was opened $opened times: nothing on the console, no request, not too wide, no markup from names"
