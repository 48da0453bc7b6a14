#!/usr/bin/env bash
# A store in a bucket against `rclone copy`, on Ceph's gateway on this machine, in turns: 12 stems of 32 MiB and 20,000 small files, up and
# down. Needs rclone, and what tests/servers/ceph.sh needs. Prints seconds, throughput of the files' bytes, and peak memory.
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
rounds=${STEM_ROUNDS:-3}

# What rclone takes, told as transfer tells it.
timed() {
    local label=$1 bytes=$2 begin end
    shift 2
    begin=$(date +%s.%N)
    /usr/bin/env time -f '%M' -o "$work/memory" "$@" 2>/dev/null || "$@"
    end=$(date +%s.%N)
    awk -v label="$label" -v b="$begin" -v e="$end" -v n="$bytes" -v m="$(cat "$work/memory" 2>/dev/null || echo 0)" \
        'BEGIN { printf "%-24s %.2f s, %.0f MB/s, peak %d MiB\n", label, e - b, n / 1e6 / (e - b), m / 1024 }'
}

for kind in ${STEM_KINDS:-stems small}; do
    "$STEM_TRANSFER" make "$work/$kind" "$kind" >/dev/null
    bytes=$(du -sb --apparent-size "$work/$kind" | cut -f1)
    for round in $(seq "$rounds"); do
        echo "-- $kind, round $round"
        url="s3://$bucket/stem-$kind-$round?endpoint=$endpoint"
        printf '%-24s ' "stem up"
        "$STEM_TRANSFER" put "$work/$kind" "$url&cache=$work/cache-up" "$work/ids"
        printf '%-24s ' "stem up, raw"
        "$STEM_TRANSFER" put "$work/$kind" "s3://$bucket/raw-$kind-$round?endpoint=$endpoint&compression=raw&cache=$work/cache-raw" "$work/ids-raw"
        timed "rclone up" "$bytes" rclone copy "$work/$kind" "c:$bucket/rclone-$kind-$round"
        printf '%-24s ' "stem down"
        "$STEM_TRANSFER" get "$url&cache=$work/cache-down" "$work/ids" "$work/down"
        diff -rq "$work/$kind" "$work/down"
        rm -rf "$work/down"
        printf '%-24s ' "stem down, raw"
        "$STEM_TRANSFER" get "s3://$bucket/raw-$kind-$round?endpoint=$endpoint&cache=$work/cache-raw-down" "$work/ids-raw" "$work/down"
        diff -rq "$work/$kind" "$work/down"
        rm -rf "$work/down" "$work"/cache-*
        timed "rclone down" "$bytes" rclone copy "c:$bucket/rclone-$kind-$round" "$work/down"
        diff -rq "$work/$kind" "$work/down"
        rm -rf "$work/down"
    done
done
