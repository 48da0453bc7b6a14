#!/usr/bin/env bash
# Builds every bench and runs each once on little data, answers checked: what CI wants to know. No figure comes of it.
# The profile is the tests' one, so that what they have built is not built again with link-time optimisation.
set -euo pipefail
cd "$(dirname "$0")/.."
STEM_BENCH_QUICK=1 cargo bench --quiet --profile dev -p stemvault-benches -- --test
