#!/usr/bin/env bash
# The Python module as its users get it: builds the wheel, installs it into an empty virtual environment, runs the
# README's example there, then the tests of crates/stem-python and the type checker.
#
# Needs python3 (3.9 or later, with venv) and maturin, pytest and mypy from the package index; ends with 77, the code for
# "skipped", where they cannot be had. STEM_PYTHONS="python3.9 python3.13" tests the one wheel with other interpreters.
# Arguments are passed to `maturin build`: `python.sh --release`.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
    printf 'SKIPPED: %s\n' "$1"
    exit 77
}

command -v python3 >/dev/null || skip "there is no python3"
python3 -c 'import sys, venv; sys.exit(sys.version_info < (3, 9))' 2>/dev/null ||
    skip "python3 is older than 3.9 or has no venv"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools" >/dev/null 2>&1 || skip "python3 cannot make virtual environments"
"$work/tools/bin/pip" install --quiet --disable-pip-version-check 'maturin>=1.9,<2' 2>"$work/pip.log" ||
    skip "maturin cannot be installed: $(tail -n 1 "$work/pip.log")"

echo "-- wheel"
"$work/tools/bin/maturin" build --quiet --manifest-path crates/stem-python/Cargo.toml --out "$work/wheels" "$@"
wheels=("$work"/wheels/*.whl)
if [ "${#wheels[@]}" != 1 ]; then
    echo "one wheel was expected, there are ${#wheels[@]}" >&2
    exit 1
fi
case ${wheels[0]} in
*-cp39-abi3-*) ;;
*)
    echo "not a wheel for the stable ABI of Python 3.9: ${wheels[0]}" >&2
    exit 1
    ;;
esac

awk '/^```python$/ { inside = 1; next } /^```/ { inside = 0 } inside' README.md >"$work/readme.py"
if [ ! -s "$work/readme.py" ]; then
    echo "README.md has no Python example" >&2
    exit 1
fi

# -I in what follows: neither the current directory nor the user's own packages may stand in for the wheel.
tested=0
for python in ${STEM_PYTHONS:-python3}; do
    "$python" -c '' 2>/dev/null || {
        echo "-- $python: SKIPPED, it is not there"
        continue
    }
    echo "-- $("$python" --version)"
    env=$work/env-${python##*/}
    "$python" -m venv "$env"
    "$env/bin/pip" install --quiet --disable-pip-version-check --no-index "${wheels[0]}"
    mkdir -p "$env/example"
    (cd "$env/example" && "$env/bin/python" -I -W error "$work/readme.py")
    "$env/bin/pip" install --quiet --disable-pip-version-check pytest ||
        skip "pytest cannot be installed"
    "$env/bin/python" -I -m pytest -q -p no:cacheprovider crates/stem-python/tests
    tested=$((tested + 1))
done
[ "$tested" -gt 0 ] || skip "none of the interpreters '${STEM_PYTHONS:-python3}' is there"

echo "-- types"
if "$work/tools/bin/pip" install --quiet --disable-pip-version-check mypy pytest 2>"$work/pip.log"; then
    "$work/tools/bin/pip" install --quiet --disable-pip-version-check --no-index "${wheels[0]}"
    (cd crates/stem-python && "$work/tools/bin/mypy" --cache-dir "$work/mypy")
else
    echo "types: SKIPPED, mypy cannot be installed"
fi
echo "the Python module: ok"
