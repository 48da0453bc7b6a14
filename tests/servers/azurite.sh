#!/usr/bin/env bash
# Remote stores on Azurite, which speaks Azure's blob protocol: installs it from npm into a temporary directory, starts it, runs the tests
# that want a real service against it, stops and removes it. Ends with 77, the code for "skipped", where it cannot be had.
# Arguments are passed to the tests.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
    printf 'SKIPPED: %s\n' "$1"
    exit 77
}
command -v npm >/dev/null && command -v node >/dev/null || skip "there is no npm and no node"

work=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        # It writes until it ends.
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap stop EXIT
(cd "$work" && timeout 300 npm install --no-audit --no-fund --silent azurite@3.37.0 >/dev/null 2>&1) ||
    skip "Azurite cannot be installed from npm"

# The key that Azurite is documented to have: no secret.
export AZURE_STORAGE_ACCOUNT_NAME=devstoreaccount1
export AZURE_STORAGE_ACCOUNT_KEY=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==
port=
for _ in 1 2 3 4 5; do
    try=$((20000 + RANDOM % 20000))
    node "$work/node_modules/azurite/dist/src/blob/main.js" --blobHost 127.0.0.1 --blobPort "$try" \
        --location "$work/data" --skipApiVersionCheck --silent >"$work/log" 2>&1 &
    server=$!
    for _ in $(seq 1 60); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$try") 2>/dev/null; then
            port=$try
            break 2
        fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.5
    done
    kill "$server" 2>/dev/null || true
    server=
done
[ -n "$port" ] || {
    tail -n 40 "$work/log"
    skip "Azurite does not start on this machine; above is what it said"
}

# The container, by a request signed with the shared key.
node - "$port" <<'JS'
const [http, crypto] = [require("http"), require("crypto")];
const port = Number(process.argv[2]);
const account = process.env.AZURE_STORAGE_ACCOUNT_NAME;
const date = new Date().toUTCString();
const version = "2021-12-02";
const text = ["PUT", "", "", "", "", "", "", "", "", "", "", "", `x-ms-date:${date}`, `x-ms-version:${version}`,
    `/${account}/${account}/stem-tests`, "restype:container"].join("\n");
const key = Buffer.from(process.env.AZURE_STORAGE_ACCOUNT_KEY, "base64");
const signature = crypto.createHmac("sha256", key).update(text, "utf8").digest("base64");
const headers = { "x-ms-date": date, "x-ms-version": version, "content-length": 0,
    authorization: `SharedKey ${account}:${signature}` };
const request = { host: "127.0.0.1", port, method: "PUT", path: `/${account}/stem-tests?restype=container`, headers };
http.request(request, (answer) => process.exit(answer.statusCode === 201 ? 0 : 1)).on("error", () => process.exit(1)).end();
JS

echo "-- Azurite on port $port"
export STEM_TEST_REMOTE="az stem-tests http://127.0.0.1:$port/devstoreaccount1 devstoreaccount1"
cargo test --quiet --package stem-remote --test servers -- --ignored --test-threads=2 "$@"
