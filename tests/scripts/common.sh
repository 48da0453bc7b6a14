# What the scripts in this directory share. Each prints what it did and how often, ends with 0, 1 (something was lost),
# or 77 (skipped: something that it needs is missing). STEM_SECONDS bounds how long each runs, 150 unless told.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
seconds=${STEM_SECONDS:-150}

skip() {
    echo "skipped: $1"
    exit 77
}

need() {
    for program in "$@"; do
        command -v "$program" >/dev/null || PATH=$PATH:/usr/sbin:/sbin
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
}

# Builds the program and the checker, unless STEM and STEM_CHECK name them.
build() {
    if [ -z "${STEM:-}" ] || [ -z "${STEM_CHECK:-}" ]; then
        (cd "$root" && cargo build --quiet --package stem-cli --package stemvault-tests --bins)
        local target=${CARGO_TARGET_DIR:-$root/target}
        STEM=$target/debug/stem STEM_CHECK=$target/debug/stemvault-check
    fi
    export STEM STEM_CHECK
    SECONDS=0
    # One thread does the work, so that a point in a run is the same point in the next.
    export RAYON_NUM_THREADS=1 NO_COLOR=1
}

# Some bytes: how many, and of which kind.
bytes() {
    (yes "$2" || true) | head -c "$1"
}

# A HEAD and a day's work on it, in $1.
make_day() {
    local work=$1/muse-work
    "$STEM" init "$1" >/dev/null
    mkdir -p "$work/tracks/drums" "$work/sections/verse"
    for take in kick snare gone hat; do bytes 9000 "HEAD's $take" >"$work/tracks/drums/$take.wav"; done
    bytes 300 "HEAD's melody" >"$work/sections/verse/melody.mid"
    "$STEM" -C "$1" -q snapshot -m HEAD
    bytes 70000 "today's kick" >"$work/tracks/drums/kick.wav"
    bytes 9000 "today's snare" >"$work/tracks/drums/snare.wav"
    bytes 200000 "a new take" >"$work/tracks/new.wav"
    bytes 200000 "a new take" >"$work/tracks/twin.wav"
    bytes 50 "today's melody" >"$work/sections/verse/melody.mid"
    rm "$work/tracks/drums/gone.wav"
}

make_pushed() {
    make_day "$1"
    "$STEM" -C "$1" -q stash push
}

make_stack() {
    make_pushed "$1"
    bytes 5000 "a second take" >"$1/muse-work/tracks/second.wav"
    "$STEM" -C "$1" -q stash push
    bytes 5000 "a third take" >"$1/muse-work/tracks/third.wav"
}

# Newer work where the entry's files were.
make_newer() {
    make_pushed "$1"
    bytes 65000 "newer than the entry" >"$1/muse-work/tracks/drums/kick.wav"
    bytes 700 "newer, and not in HEAD" >"$1/muse-work/tracks/new.wav"
}

make_popped() {
    make_newer "$1"
    "$STEM" -C "$1" -q stash pop
}

make_packed() {
    make_stack "$1"
    "$STEM" -C "$1" -q pack --all
}

# The entry at the bottom of the stack, in the tree again and worked on.
make_applied() {
    make_pushed "$1"
    "$STEM" -C "$1" -q stash apply
    bytes 600 "one more" >"$1/muse-work/one-more.wav"
}

# Name, repository, what must be held afterwards (all that can be had, or the working tree's contents alone), and the
# command. A new verb is a line here.
verbs=(
    "push day all stash push"
    "push-keep day all stash push --keep"
    "push-track day all stash push --track drums"
    "push-again applied all stash push"
    "pop pushed all stash pop"
    "apply pushed all stash apply"
    "pop-newer newer all stash pop"
    "drop stack all stash drop"
    "clear stack all stash clear -y"
    "undo-push pushed all stash undo"
    "undo-pop popped all stash undo"
    "snapshot day all snapshot"
    "gc stack all gc"
    "verify stack all verify --repair"
    "pack stack all pack --all"
    "unpack packed all unpack"
    "push-packed packed all stash push"
    "pop-packed packed all stash pop"
)

# Makes the repository of a line of `verbs` in $scratch/NAME, and notes in $scratch/NAME.list what it must keep.
prepare() {
    local name=$1 kind=$2 list=$3
    [ -e "$scratch/$name" ] && return
    "make_$kind" "$scratch/$name"
    "$STEM_CHECK" "$list" "$scratch/$name" >"$scratch/$name.list"
}

# Whether the repository $1 of verb $2 holds what it must; says so and counts when not.
lost=0
check() {
    "$STEM_CHECK" check "$1" "$scratch/$2.list" 2>"$scratch/problem" && return
    lost=$((lost + 1))
    echo "LOST after $3: $(cat "$scratch/problem")"
}

# Whether an exit code of the second run of a verb says that it cannot go on. 1: there is nothing left to do. An undo that
# had been done goes one step further back, where newer work may stand: 4.
is_stuck() {
    case $1,$2 in
        0,* | 1,* | 4,undo-*) return 1 ;;
        *) return 0 ;;
    esac
}

# A place in memory for many small repositories.
make_scratch() {
    scratch=$(mktemp -d -p "$([ -d /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")" stem-test.XXXXXX)
    trap 'rm -rf "$scratch"' EXIT
}

over() {
    [ "$SECONDS" -ge "$seconds" ]
}
