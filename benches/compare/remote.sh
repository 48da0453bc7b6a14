#!/usr/bin/env bash
# A store in a bucket against `rclone copy`, on Ceph's gateway on this machine, in turns: 12 stems of 32 MiB and 20,000 small files, up and
# down; then a stem from a service that takes 40 ms for each answer, beside one plain request. Needs rclone, and what tests/servers/ceph.sh needs.
#
# Prints what each round took, and at the end medians, their ratios and peak memory. STEM_ROUNDS (5), STEM_KINDS ("stems small latency"), STEM_STEM_MIB
# (32), STEM_HOW ("audio audio-fast raw"): fewer of each is faster. What was measured is removed after each round, for the gateway keeps it in memory.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ "${1:-}" != inside ]; then
    command -v rclone >/dev/null || {
        echo "SKIPPED: rclone is not installed"
        exit 77
    }
    [ -n "${STEM_TRANSFER:-}" ] || cargo build --quiet --release --package stem-remote --example transfer
    STEM_TRANSFER=${STEM_TRANSFER:-${CARGO_TARGET_DIR:-target}/release/examples/transfer}
    export STEM_TRANSFER
    STEM_CEPH_RUN="bash benches/compare/remote.sh inside" exec bash tests/servers/ceph.sh
fi

read -r _ bucket endpoint _ <<<"$STEM_TEST_REMOTE"
# rclone takes it for a mistake, and nothing here is reached by TLS.
unset AWS_CA_BUNDLE
export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_C_TYPE=s3 RCLONE_CONFIG_C_PROVIDER=Ceph RCLONE_CONFIG_C_ENDPOINT=$endpoint \
    RCLONE_CONFIG_C_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID RCLONE_CONFIG_C_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rounds=${STEM_ROUNDS:-5}
how=${STEM_HOW:-audio audio-fast raw}

# Runs a command and notes "KIND WAY WHAT SECONDS MIB": whoever is measured, seconds are those of the whole process, seen from outside.
timed() {
    local kind=$1 way=$2 what=$3 bytes=$4 begin end
    shift 4
    begin=$(date +%s.%N)
    cut=
    /usr/bin/env time -q -f '%M %U %S' -o "$work/used" "$@" >"$work/said" 2>&1 || {
        # What does not end is told as what it took until it was stopped.
        [ $? = 124 ] || {
            cat "$work/said"
            exit 1
        }
        cut=", stopped"
    }
    end=$(date +%s.%N)
    read -r memory user system <"$work/used"
    awk -v k="$kind" -v w="$way" -v what="$what" -v b="$begin" -v e="$end" -v n="$bytes" -v m="$memory" -v c="$user" -v s="$system" -v t="$work/times" -v cut="$cut" \
        'BEGIN { printf "%-6s %-5s %-16s %6.2f s, %4.0f MB/s, processor %.2f s, peak %d MiB%s\n", k, w, what, e - b, n / 1e6 / (e - b), c + s, m / 1024, cut
                 printf "%s %s %s %.4f %d\n", k, w, what, e - b, m / 1024 >>t }'
}

store() { # NAME CACHE
    echo "s3://$bucket/$1?endpoint=$endpoint&compression=${1%%-[0-9]*}&cache=$work/$2"
}

for kind in ${STEM_KINDS:-stems small latency}; do
    [ "$kind" != latency ] || continue
    "$STEM_TRANSFER" make "$work/$kind" "$kind" "${STEM_STEM_MIB:-32}" >/dev/null
    # Or the first flush of whoever is measured first waits for these files.
    sync -f "$work"
    bytes=$(du -sb --apparent-size "$work/$kind" | cut -f1)
    # Small files are not coded by what they hold, and take rclone long.
    [ "$kind" = stems ] && ways=$how || ways=audio
    for round in $(seq "$rounds"); do
        [ "$kind" = stems ] || [ "$round" -le "${STEM_SMALL_ROUNDS:-1}" ] || break
        echo "-- $kind, round $round"
        for way in $ways; do
            timed "$kind" up "stem-$way" "$bytes" "$STEM_TRANSFER" put "$work/$kind" "$(store "$way-$round" cache-up)" "$work/ids-$way"
            rm -rf "$work"/cache-*
        done
        timed "$kind" up rclone "$bytes" rclone copy "$work/$kind" "c:$bucket/rclone"
        for way in $ways; do
            timed "$kind" down "stem-$way" "$bytes" "$STEM_TRANSFER" get "$(store "$way-$round" cache-down)" "$work/ids-$way" "$work/down"
            diff -rq "$work/$kind" "$work/down"
            rm -rf "$work/down" "$work"/cache-*
        done
        timed "$kind" down rclone "$bytes" timeout "${STEM_RCLONE_LIMIT:-300}" rclone copy "c:$bucket/rclone" "$work/down"
        [ -n "$cut" ] || diff -rq "$work/$kind" "$work/down"
        rm -rf "$work/down"
        rclone purge "c:$bucket" >/dev/null 2>&1 || true
        rclone mkdir "c:$bucket"
        # What is removed stays for hours otherwise, in memory.
        CEPH_CONF=$STEM_CEPH_CONF radosgw-admin -n client.rgw.a gc process --include-all >/dev/null 2>&1 || true
    done
    rm -rf "${work:?}/$kind"
done

if [[ " ${STEM_KINDS:-stems small latency} " = *" latency "* ]]; then
    echo "-- a stem at 40 ms, in the program's own process"
    for line in "" 100; do
        "$STEM_TRANSFER" latency 64 "$rounds" 40 $line
    done
fi

[ -s "$work/times" ] || exit 0
echo "-- medians; throughput of stem divided by that of rclone"
sort -k1,1 -k2,2r -k3,3 -k4,4n "$work/times" | awk '
    { key = $1 " " $2; id = key " " $3; n[id]++; t[id, n[id]] = $4; if ($5 > peak[id]) peak[id] = $5
      if (!(id in seen)) { seen[id] = 1; order[++count] = id; of[id] = key } }
    function median(id) { m = n[id]; return m % 2 ? t[id, (m + 1) / 2] : (t[id, m / 2] + t[id, m / 2 + 1]) / 2 }
    END { for (i = 1; i <= count; i++) {
        id = order[i]; split(id, w, " "); base = of[id] " rclone"
        printf "%-6s %-5s %-16s median %7.2f s [%.2f, %.2f], peak %4d MiB", w[1], w[2], w[3], median(id), t[id, 1], t[id, n[id]], peak[id]
        if (id != base && (base in seen)) printf ", ratio %.2f", median(base) / median(id)
        printf "\n" } }'
