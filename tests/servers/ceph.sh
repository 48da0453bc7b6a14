#!/usr/bin/env bash
# Remote stores on Ceph's gateway: makes a throwaway cluster on this machine (one monitor, one OSD in memory, one gateway), runs the tests
# that want a real service against it, stops and removes it.
#
# Installs Debian's packages when they are not there and this may install them. Ends with 77, the code for "skipped", where they
# cannot be had. Arguments are passed to the tests: `ceph.sh --nocapture`. With STEM_CEPH_RUN=COMMAND that runs instead of the tests, with the
# same environment.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
    printf 'SKIPPED: %s\n' "$1"
    exit 77
}

have() {
    local program
    for program in ceph-mon ceph-osd ceph radosgw radosgw-admin monmaptool ceph-authtool uuidgen; do
        command -v "$program" >/dev/null || return 1
    done
}

if ! have; then
    command -v apt-get >/dev/null || skip "Ceph is not installed, and there is no apt-get to install it"
    [ "$(id -u)" = 0 ] || skip "Ceph is not installed, and only root can install it"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends \
        radosgw ceph-mon ceph-osd ceph-common uuid-runtime; } >/dev/null 2>&1 ||
        skip "Debian's packages of Ceph cannot be installed"
    have || skip "Debian's packages of Ceph have not what is looked for"
fi

work=$(mktemp -d)
stop() {
    local file
    for file in "$work"/*.pid; do
        [ -s "$file" ] && kill "$(cat "$file")" 2>/dev/null || true
    done
    sleep 1
    for file in "$work"/*.pid; do
        [ -s "$file" ] && kill -9 "$(cat "$file")" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap stop EXIT

# Ports that are free now; somebody else may take them until the servers do, so more than one pair is tried.
start() {
    local fsid osd uuid try
    rm -rf "${work:?}"/*
    mkdir -p "$work"/{mon,osd,rgw}
    fsid=$(uuidgen)
    cat >"$work/c" <<CONF
[global]
fsid=$fsid
mon host=[v1:127.0.0.1:$1]
ms bind msgr2=false
public addr=127.0.0.1
auth cluster required=none
auth service required=none
auth client required=none
osd pool default size=1
osd pool default pg num=8
osd crush chooseleaf type=0
osd objectstore=memstore
memstore device bytes=8589934592
mon allow pool size one=true
# By default it gives up where less than a twentieth of the disk is free, however large that is.
mon data avail warn=1
mon data avail crit=0
mon data=$work/mon
osd data=$work/osd
keyring=$work/k
log file=$work/\$name.log
pid file=$work/\$name.pid
admin socket=$work/\$name.\$pid.asok
[client.rgw.a]
rgw data=$work/rgw
rgw frontends=beast endpoint=127.0.0.1:$2
CONF
    export CEPH_CONF=$work/c
    ceph-authtool --create-keyring "$work/k" --gen-key -n mon. --cap mon 'allow *' >/dev/null
    monmaptool --create --addv a "[v1:127.0.0.1:$1]" --fsid "$fsid" "$work/m" >/dev/null
    ceph-mon --mkfs -i a --monmap "$work/m" --keyring "$work/k" && ceph-mon -i a || return 1
    uuid=$(uuidgen)
    osd=$(timeout 60 ceph osd new "$uuid") || return 1
    ceph-osd -i "$osd" --mkfs --osd-uuid "$uuid" >/dev/null 2>&1 || return 1
    for try in 1 2 3 4 5 6 7 8 9 10; do
        # The first try may be refused.
        ceph-osd -i "$osd" >/dev/null 2>&1 && break
        [ "$try" != 10 ] || return 1
        sleep 1
    done
    timeout 120 radosgw-admin -n client.rgw.a user create --uid t --display-name t --access-key "$key" \
        --secret-key "$secret" >/dev/null 2>&1 || return 1
    radosgw -n client.rgw.a || return 1
    for try in $(seq 1 120); do
        (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null && return 0
        sleep 0.5
    done
    return 1
}

key=$(uuidgen | tr -d -)
secret=$(uuidgen | tr -d -)$(uuidgen | tr -d -)
port=
for _ in 1 2 3; do
    try=$((20000 + RANDOM % 20000))
    if start "$try" $((try + 1)) >"$work.log" 2>&1; then
        port=$((try + 1))
        break
    fi
    for file in "$work"/*.pid; do [ -s "$file" ] && kill "$(cat "$file")" 2>/dev/null || true; done
    sleep 1
done
[ -n "$port" ] || {
    tail -n 40 "$work.log"
    rm -f "$work.log"
    skip "Ceph's servers do not start on this machine; above is what they said"
}
rm -f "$work.log"
echo "-- $(ceph --version | cut -d' ' -f1-3), gateway on port $port"

export AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret AWS_REGION=us-east-1
export STEM_CEPH_CONF=$CEPH_CONF
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3 CEPH_CONF
endpoint=http://127.0.0.1:$port
bucket=stem-tests
command -v curl >/dev/null && command -v openssl >/dev/null || skip "there is no curl and no openssl to make a bucket with"
date=$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S GMT')
# The old kind of signature, which takes one line.
signature=$(printf 'PUT\n\n\n%s\n/%s' "$date" "$bucket" | openssl dgst -sha1 -hmac "$secret" -binary | base64)
curl --silent --show-error --fail -X PUT -H "Date: $date" -H "Authorization: AWS $key:$signature" "$endpoint/$bucket" >/dev/null
export STEM_TEST_REMOTE="s3 $bucket $endpoint"
if [ -n "${STEM_CEPH_RUN:-}" ]; then
    bash -c "$STEM_CEPH_RUN"
else
    cargo test --quiet --package stem-remote --test servers -- --ignored --test-threads=2 "$@"
fi
