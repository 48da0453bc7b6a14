#!/usr/bin/env bash
# Real power cuts: ext4 and XFS on loop devices are shut down, without writing their logs, at random moments of each verb
# (xfs_io's shutdown works on both). After the next mount, which replays the log, nothing may be lost, and the verb must
# work when it is run again. A file without a flush comes back empty there, and a rename without one is undone.
source "$(dirname "$0")/common.sh"
[ "$(id -u)" -eq 0 ] || skip "only root can mount"
need xfs_io mkfs.ext4 mkfs.xfs mount umount
build
make_scratch
unset RAYON_NUM_THREADS
mnt=$scratch/mnt
mkdir "$mnt"
cleanup() {
    umount -l "$mnt" 2>/dev/null || true
    rm -rf "$scratch"
}
trap cleanup EXIT

for line in "${verbs[@]}"; do
    read -r name kind list command <<<"$line"
    prepare "$name" "$kind" "$list"
done

run_fs() {
    local fs=$1 end=$2 image=$scratch/$1.image cuts=0 early=0 stuck=0
    truncate -s 320M "$image"
    case $fs in
        ext4) mkfs.ext4 -q -F "$image" ;;
        xfs) mkfs.xfs -q -f "$image" ;;
    esac
    if ! mount -o loop "$image" "$mnt" 2>"$scratch/said"; then
        echo "$fs: skipped, it cannot be mounted: $(cat "$scratch/said")"
        return
    fi
    local before=$lost
    # How long each verb takes here, in microseconds: the cuts come within that and a little more.
    local -A lasts
    for line in "${verbs[@]}"; do
        read -r name kind list command <<<"$line"
        cp -a "$scratch/$name" "$mnt/run"
        sync -f "$mnt"
        local begin=${EPOCHREALTIME/./}
        # shellcheck disable=SC2086
        "$STEM" -C "$mnt/run" -q $command </dev/null >/dev/null
        lasts[$name]=$((${EPOCHREALTIME/./} - begin))
        rm -rf "$mnt/run"
    done
    while [ "$SECONDS" -lt "$end" ]; do
        for line in "${verbs[@]}"; do
            [ "$SECONDS" -lt "$end" ] || break
            read -r name kind list command <<<"$line"
            local run=$mnt/run
            rm -rf "$run"
            cp -a "$scratch/$name" "$run"
            sync -f "$mnt"
            local pause
            pause=$(printf '0.%06d' $(((RANDOM * 32768 + RANDOM) % (${lasts[$name]} * 11 / 10))))
            # shellcheck disable=SC2086
            "$STEM" -C "$run" -q $command </dev/null >/dev/null 2>&1 &
            local child=$!
            sleep "$pause"
            kill -0 "$child" 2>/dev/null || early=$((early + 1))
            xfs_io -x -c shutdown "$mnt"
            wait "$child" || true
            umount "$mnt"
            mount -o loop "$image" "$mnt"
            cuts=$((cuts + 1))
            check "$run" "$name" "a power cut on $fs in $name after $pause s"
            local code=0
            # shellcheck disable=SC2086
            "$STEM" -C "$run" -q $command </dev/null >/dev/null 2>"$scratch/said" || code=$?
            if is_stuck "$code" "$name"; then
                stuck=$((stuck + 1))
                echo "STUCK after a power cut on $fs in $name after $pause s: exit code $code, $(cat "$scratch/said")"
            fi
            check "$run" "$name" "a power cut on $fs in $name after $pause s, and again"
        done
    done
    umount "$mnt"
    echo "power cuts on $fs: $cuts, $early of them after the verb had ended; $((lost - before)) lost, $stuck stuck"
    [ "$stuck" -eq 0 ] || lost=$((lost + 1))
}

run_fs ext4 $((SECONDS + (seconds - SECONDS) / 2))
run_fs xfs "$seconds"
[ "$lost" -eq 0 ]
