#!/usr/bin/env bash
# Builds every fuzz target and runs each for the given number of seconds (default 20), or only those that are named after
# it. Seeds and earlier findings are read from seeds/ and findings/; the growing corpus stays in corpus/, which git
# ignores. Ends with one line per target: executions, coverage, features, corpus.
# FUZZ_SEED=N draws the same inputs each time, as far as a target and the time let it: for a check of a change, which is not
# to fail by what another draw finds in code that it did not touch. Without it every run looks elsewhere.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-20}
shift || true
cargo +nightly fuzz build
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    mapfile -t targets < <(cargo +nightly fuzz list)
fi
# Stores are made and thrown away thousands of times: in memory where that is there.
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
    TMPDIR=$(mktemp -d /dev/shm/stem-fuzz-XXXXXX)
else
    TMPDIR=$(mktemp -d)
fi
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
summary=()
for target in "${targets[@]}"; do
    printf -- '-- %s\n' "$target"
    mkdir -p "corpus/$target" "seeds/$target" "findings/$target"
    options=(-max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 -malloc_limit_mb=512 -print_final_stats=1)
    options+=(${FUZZ_SEED:+-seed="$FUZZ_SEED"})
    threads=0
    case $target in
    stash_entry | commit_json | own_records | undo_record | muse_stash) options+=(-dict="$PWD/json.dict") ;;
    pack_scan) options+=(-max_len=16384) ;;
    # Each reading has threads of its own; one that is just ending looks like a leak.
    bundle) options+=(-max_len=16384 -detect_leaks=0) ;;
    # Faults strike where the program says only if one thread does the work.
    pack_store) options+=(-max_len=16384) threads=1 ;;
    store_ops) options+=(-max_len=300) threads=1 ;;
    esac
    RAYON_NUM_THREADS=$threads cargo +nightly fuzz run "$target" "corpus/$target" "seeds/$target" \
        "findings/$target" -- "${options[@]}" >"$TMPDIR/log" 2>&1 || true
    grep -E 'ERROR|panicked|Test unit written|SUMMARY' "$TMPDIR/log" || true
    summary+=("$(printf '%-16s %s' "$target" "$(grep -E '^#[0-9]+.*cov:' "$TMPDIR/log" | tail -n 1 | cut -c1-90)")")
    # grep must not hide a finding, nor a target that did not run at all.
    if compgen -G "artifacts/$target/crash-*" >/dev/null || compgen -G "artifacts/$target/oom-*" >/dev/null ||
        compgen -G "artifacts/$target/timeout-*" >/dev/null || compgen -G "artifacts/$target/leak-*" >/dev/null ||
        ! grep -q 'number_of_executed_units' "$TMPDIR/log"; then
        tail -n 40 "$TMPDIR/log"
        echo "found: $(ls "artifacts/$target" 2>/dev/null)"
        exit 1
    fi
done
printf '%s\n' "${summary[@]}"
