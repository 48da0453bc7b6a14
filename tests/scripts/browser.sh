# What the scripts have in common that open a page in Chromium. A page that breaks each of the rules is opened first: what
# a script cannot see there, it could not see elsewhere either.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

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
opened=0
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
# Whether the page is wider than $2. The page itself permits no script, so a copy without that rule is asked; in a frame,
# for a window of a phone's width cannot be had everywhere.
too_wide() {
    sed 's/<meta http-equiv="Content-Security-Policy"[^>]*>//' "$1" >"$scratch/copy.html"
    printf '%s' '<script>console.log("at " + innerWidth + " wide by " + (document.documentElement.scrollWidth - innerWidth))</script>' \
        >>"$scratch/copy.html"
    printf '<!DOCTYPE html><title>frame</title><iframe src="copy.html" style="border:0;width:%spx;height:900px"></iframe>' "$2" \
        >"$scratch/frame.html"
    open "$scratch/frame.html" 2000
    ! grep -q "CONSOLE.*\"at $2 wide by [-0]" "$scratch/said"
}

cat >"$scratch/control.html" <<'PAGE'
<!DOCTYPE html><title>control</title><div style="width:3000px">wide</div><img src="http://127.0.0.1:9/x.png">
<script>console.error("a message")</script>
PAGE
open "$scratch/control.html" 900 || skip "$browser does not start here: $(tail -n 1 "$scratch/said")"
[ "$(messages)" -eq 1 ] || skip "$browser does not tell what pages say"
[ "$(requests)" -gt 0 ] || skip "$browser does not tell what pages ask for"
too_wide "$scratch/control.html" 900 || fail "a page that is too wide is not noticed"

# Opens the page $1, of the kind $2, at the widths $3…: nothing on the console, no request, not too wide.
opens_quietly() {
    local page=$1 kind=$2 width
    shift 2
    open "$page" 900
    opened=$((opened + 1))
    [ "$(messages)" -eq 0 ] || fail "$kind: the console says $(grep -m 1 CONSOLE "$scratch/said")"
    [ "$(requests)" -eq 0 ] || fail "$kind: the page asks for something"
    # Values of attributes may hold anything; what follows a `<` elsewhere is a tag.
    ! sed -E 's/="[^"]*"/=""/g' "$scratch/dom" |
        grep -Ei '<(script|img|iframe|object|form|b|i|u)[ >]|<[a-z][^>]* on[a-z]+=' >"$scratch/markup" ||
        fail "$kind: text became an element: $(head -c 200 "$scratch/markup")"
    cp "$scratch/dom" "$scratch/$kind.dom"
    for width in "$@"; do
        ! too_wide "$page" "$width" || fail "$kind: wider than a window of $width: $(grep -m 1 CONSOLE "$scratch/said")"
        opened=$((opened + 1))
    done
}
