#!/usr/bin/env bash
# Builds every fuzz target and runs each for the given number of seconds (default 20). Seeds and earlier findings are
# read from seeds/ and findings/; the growing corpus stays in corpus/, which git ignores.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-20}
cargo +nightly fuzz build
for target in $(cargo +nightly fuzz list); do
    printf -- '-- %s\n' "$target"
    mkdir -p "corpus/$target" "seeds/$target" "findings/$target"
    cargo +nightly fuzz run "$target" "corpus/$target" "seeds/$target" "findings/$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 2>&1 |
        grep -E 'stat::number_of_executed_units|ERROR|panicked|Test unit written|SUMMARY' || true
    # grep must not hide a finding: libFuzzer leaves it in artifacts/.
    if compgen -G "artifacts/$target/*" >/dev/null; then
        echo "found: $(ls "artifacts/$target")"
        exit 1
    fi
done
