#!/usr/bin/env bash
# Opens the page of `stem bench --html` in Chromium: no message on the console, no request, nothing wider than the window,
# and no text of a hostile comparison becomes an element. A page that breaks each of these rules is opened first: what
# the script cannot see there, it could not see in the report either.
. "$(dirname "$0")/common.sh"

browser=
for program in chromium chromium-browser google-chrome chrome; do
    if command -v "$program" >/dev/null; then
        browser=$program
        break
    fi
done
[ -n "$browser" ] || skip "no Chromium is installed"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
fail() {
    echo "FAILED: $1"
    failed=1
}

# Opens the page $1 in a window that is $2 wide; $scratch has what it said, what it asked for, and what became of it.
open() {
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$scratch/profile" --no-first-run \
        --disable-background-networking --disable-component-update --disable-sync --disable-default-apps \
        --host-resolver-rules='MAP * ~NOTFOUND' --window-size="$2",900 --enable-logging=stderr \
        --log-net-log="$scratch/net" --dump-dom "file://$1" >"$scratch/dom" 2>"$scratch/said"
}
messages() { grep -c 'CONSOLE' "$scratch/said" || true; }
# Requests of a page name the page's origin; those of the browser itself have none.
requests() { { grep -o '"initiator":"[^"]*"' "$scratch/net" || true; } | grep -vc '"not an origin"' || true; }
# Whether the page is wider than the window. The page itself permits no script, so a copy without that rule is asked.
too_wide() {
    sed 's/<meta http-equiv="Content-Security-Policy"[^>]*>//' "$1" >"$scratch/copy.html"
    printf '%s' '<script>console.log("wide by " + (document.documentElement.scrollWidth - innerWidth))</script>' \
        >>"$scratch/copy.html"
    open "$scratch/copy.html" "$2"
    ! grep -q 'CONSOLE.*"wide by [-0]' "$scratch/said"
}

cat >"$scratch/control.html" <<'PAGE'
<!DOCTYPE html><title>control</title><div style="width:3000px">wide</div><img src="http://127.0.0.1:9/x.png">
<script>console.error("a message")</script>
PAGE
open "$scratch/control.html" 900 || skip "$browser does not start here: $(tail -n 1 "$scratch/said")"
[ "$(messages)" -eq 1 ] || skip "$browser does not tell what pages say"
[ "$(requests)" -gt 0 ] || skip "$browser does not tell what pages ask for"
too_wide "$scratch/control.html" 900 || fail "a page that is too wide is not noticed"

(cd "$root" && cargo build --quiet --package stem-bench --example report)
report=${CARGO_TARGET_DIR:-$root/target}/debug/examples/report
"$report" "$scratch/plain.html"
STEM_BENCH_SAMPLE=hostile "$report" "$scratch/hostile.html"

opened=0
for kind in plain hostile; do
    page=$scratch/$kind.html
    open "$page" 900
    [ "$(messages)" -eq 0 ] || fail "$kind: the console says $(grep -m 1 CONSOLE "$scratch/said")"
    [ "$(requests)" -eq 0 ] || fail "$kind: the page asks for something"
    ! grep -Eqi '<(script|img|iframe|object|form|b|i|u)[ >]| on[a-z]+=["'\'']' "$scratch/dom" ||
        fail "$kind: text became an element"
    plots=$(grep -o '<svg ' "$scratch/dom" | wc -l)
    [ "$plots" -ge 10 ] || fail "$kind: only $plots plots"
    for width in 390 900 1600; do
        ! too_wide "$page" "$width" || fail "$kind: wider than a window of $width: $(grep -m 1 CONSOLE "$scratch/said")"
        opened=$((opened + 1))
    done
done
[ "$failed" -eq 0 ] || exit 1
echo "the page was opened $((opened + 2)) times: nothing on the console, no request, not too wide, no markup from names"
