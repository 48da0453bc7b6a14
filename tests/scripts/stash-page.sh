#!/usr/bin/env bash
# Opens the page of `stem stash show --html` in Chromium: no message on the console, no request, nothing wider than the
# window, no text of a hostile entry becomes an element, waveforms are drawn, and every player has something to play, under
# the page's own rules about what it may load.
. "$(dirname "$0")/browser.sh"

# Says of the page $1 how many players there are, and how many of them can play.
players() {
    # The page permits no script; a copy permits that, and nothing else.
    sed "s/default-src 'none';/default-src 'none'; script-src 'unsafe-inline';/" "$1" >"$scratch/copy.html"
    cat >>"$scratch/copy.html" <<'SCRIPT'
<script>
addEventListener("load", () => {
    const all = [...document.querySelectorAll("audio")];
    const playable = all.filter(audio => audio.readyState > 0 && audio.duration > 0.1 && !audio.error);
    console.log("players " + all.length + " playable " + playable.length);
});
</script>
SCRIPT
    open "$scratch/copy.html" 900
    opened=$((opened + 1))
    grep -o 'players [0-9]* playable [0-9]*' "$scratch/said" || echo "players unknown"
}

printf '%s' '<!DOCTYPE html><title>control</title><audio controls src="data:audio/wav;base64,UklGRg=="></audio>' \
    >"$scratch/control.html"
[ "$(players "$scratch/control.html")" = "players 1 playable 0" ] || fail "a player that cannot play is not noticed"

(cd "$root" && cargo build --quiet --package stem-inspect --example page)
page=${CARGO_TARGET_DIR:-$root/target}/debug/examples/page
"$page" "$scratch/plain.html"
STEM_PAGE_SAMPLE=hostile "$page" "$scratch/hostile.html"

for kind in plain hostile; do
    opens_quietly "$scratch/$kind.html" "$kind" 360 800 1400
    waves=$(grep -o 'class="shape"' "$scratch/$kind.dom" | wc -l)
    [ "$waves" -ge 12 ] || fail "$kind: only $waves waveforms"
    found=$(players "$scratch/$kind.html")
    [[ $found =~ ^players\ ([0-9]+)\ playable\ ([0-9]+)$ ]] || fail "$kind: $found"
    [ "${BASH_REMATCH[1]:-0}" -ge 8 ] && [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ] || fail "$kind: $found"
done
[ "$failed" -eq 0 ] || exit 1
echo "the page was opened $opened times: nothing on the console, no request, not too wide, no markup from names, all players play"
