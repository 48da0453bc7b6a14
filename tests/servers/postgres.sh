#!/usr/bin/env bash
# HEAD and history from Muse's database on a real Postgres: makes a throwaway cluster on this machine, with TLS by an
# authority of its own and passwords by SCRAM, runs tests/tests/postgres.rs against it, stops and removes it.
#
# Installs Debian's package when Postgres is not there and this may install it. Ends with 77, the code for "skipped", where
# it cannot be had. Arguments are passed to the tests: `postgres.sh --nocapture`.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
    printf 'SKIPPED: %s\n' "$1"
    exit 77
}

# Debian keeps the programs of each version apart.
find_programs() {
    local dir
    for dir in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) "$(dirname "$(command -v postgres || true)")"; do
        if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && [ -x "$dir/pg_ctl" ]; then
            programs=$dir
            return 0
        fi
    done
    return 1
}

programs=
if ! find_programs; then
    command -v apt-get >/dev/null || skip "Postgres is not installed, and there is no apt-get to install it"
    [ "$(id -u)" = 0 ] || skip "Postgres is not installed, and only root can install it"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; } >/dev/null 2>&1 ||
        skip "Debian's package postgresql cannot be installed"
    find_programs || skip "Debian's package postgresql has not what is looked for"
fi
command -v openssl >/dev/null || skip "there is no openssl to make certificates with"
command -v psql >/dev/null || skip "there is no psql"

# Postgres does not run as root.
work=$(mktemp -d)
as=()
if [ "$(id -u)" = 0 ]; then
    user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    command -v setpriv >/dev/null || skip "there is no setpriv to leave root with"
    as=(setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups)
    chown "$user" "$work"
fi
chmod 755 "$work"

stop() {
    if [ -s "$work/data/postmaster.pid" ]; then
        "${as[@]}" "$programs/pg_ctl" -D "$work/data" -m immediate -w stop >/dev/null 2>&1 || true
    fi
    rm -rf "$work"
}
trap stop EXIT

echo "-- $("$programs/postgres" --version)"
# An authority, a certificate of it for this machine, and an authority that has nothing to do with either.
for name in ca other; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=stem test $name" \
        -keyout "$work/$name.key" -out "$work/$name.crt" 2>/dev/null
done
openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout "$work/server.key" -out "$work/server.csr" 2>/dev/null
printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' >"$work/server.ext"
openssl x509 -req -days 2 -in "$work/server.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -CAcreateserial \
    -extfile "$work/server.ext" -out "$work/server.crt" 2>/dev/null
chmod 600 "$work"/*.key
chmod 644 "$work"/*.crt
[ "${#as[@]}" = 0 ] || chown "$user" "$work"/*

password=$(openssl rand -hex 12)
printf '%s\n' "$password" >"$work/password"
chmod 600 "$work/password"
[ "${#as[@]}" = 0 ] || chown "$user" "$work/password"
cd "$work"
"${as[@]}" "$programs/initdb" -D "$work/data" -U muse --auth=scram-sha-256 --pwfile="$work/password" -E UTF8 \
    --locale=C.UTF-8 --no-sync >"$work/initdb.log" 2>&1 || {
    cat "$work/initdb.log"
    exit 1
}
# Passwords everywhere, and one user who is only let in with TLS.
cat >"$work/data/pg_hba.conf" <<HBA
local   all all scram-sha-256
hostnossl all tlsonly 127.0.0.1/32 reject
host    all all 127.0.0.1/32 scram-sha-256
HBA

# A port that is free now; somebody else may take it until the server does, so more than one is tried.
port=
for _ in 1 2 3 4 5; do
    try=$((20000 + RANDOM % 20000))
    "${as[@]}" "$programs/pg_ctl" -D "$work/data" -w -t 30 -l "$work/server.log" -o \
        "-c listen_addresses=127.0.0.1 -p $try -k $work -c fsync=off -c ssl=on -c ssl_cert_file=$work/server.crt \
         -c ssl_key_file=$work/server.key -c max_connections=30" start >/dev/null && {
        port=$try
        break
    }
done
if [ -z "$port" ]; then
    cat "$work/server.log"
    exit 1
fi
cd - >/dev/null

export STEM_TEST_POSTGRES_URL="postgresql://muse:$password@localhost:$port/postgres"
export STEM_TEST_POSTGRES_FILES=$work
cargo test --quiet --package stemvault-tests --test postgres -- --ignored --test-threads=2 "$@"
