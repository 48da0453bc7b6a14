#!/usr/bin/env bash
# The program is killed at its N-th call of each system call that changes files, for every N, in every verb; and every
# such call fails once with EIO, ENOSPC, EMFILE and EINTR, as far as it can. Afterwards nothing may be lost, and the verb
# must work when it is run again. In the order of a shuffle that is always the same, until the time is up.
source "$(dirname "$0")/common.sh"
need strace
build
make_scratch
strace -qq -o /dev/null true 2>/dev/null || skip "strace may not trace here"

calls=(write pwrite64 openat renameat renameat2 unlinkat mkdirat fsync syncfs fchmod utimensat ftruncate
    copy_file_range fdatasync linkat)

# Every point of every verb: how often one thread makes each call, at most.
for line in "${verbs[@]}"; do
    read -r name kind list command <<<"$line"
    prepare "$name" "$kind" "$list"
    cp -a "$scratch/$name" "$scratch/run"
    # shellcheck disable=SC2086
    strace -f -qq -e signal=none -e "trace=$(IFS=,; echo "${calls[*]/#/?}")" -o "$scratch/trace" \
        "$STEM" -C "$scratch/run" -q $command
    rm -rf "$scratch/run"
    sed -n 's/^\([0-9]*\) *\([a-z0-9_]*\)(.*/\1 \2/p' "$scratch/trace" | sort | uniq -c | sort -k3,3 -k1,1nr |
        awk '!seen[$3]++ { print $3, $1 }' | while read -r call count; do
        for ((n = 1; n <= count; n++)); do
            echo "$name $call signal=KILL $n"
            case $call in
                openat) echo "$name $call error=EMFILE $n" ;;
                write | pwrite64 | ftruncate | copy_file_range | mkdirat | renameat | renameat2)
                    echo "$name $call error=ENOSPC $n" && echo "$name $call error=EIO $n" ;;
                *) echo "$name $call error=EIO $n" ;;
            esac
            case $call in write | pwrite64 | fsync | openat | syncfs) echo "$name $call error=EINTR $n" ;; esac
        done
    done >>"$scratch/points"
done
total=$(wc -l <"$scratch/points")
shuf --random-source=<(yes stem) "$scratch/points" >"$scratch/order"

declare -A commands
for line in "${verbs[@]}"; do
    read -r name kind list command <<<"$line"
    commands[$name]=$command
done

# A run that ends by itself takes a fraction of a second.
done_=0 killed=0 failed=0 stuck=0
while read -r name call what n; do
    over && break
    run=$scratch/run
    rm -rf "$run"
    cp -a "$scratch/$name" "$run"
    code=0
    # shellcheck disable=SC2086
    { timeout -s KILL 30 strace -f -qq -o /dev/null -e "trace=$call" --inject="$call:$what:when=$n" \
        "$STEM" -C "$run" -q ${commands[$name]} </dev/null >/dev/null 2>"$scratch/said" || code=$?; } 2>/dev/null
    point="$name, $call number $n, $what"
    case $code in
        0) ;;
        137) case $what in
            signal=KILL) killed=$((killed + 1)) ;;
            *) stuck=$((stuck + 1)) && echo "HANGS after $point" ;;
        esac ;;
        1 | 2 | 3 | 4) failed=$((failed + 1)) ;;
        *) lost=$((lost + 1)) && echo "exit code $code after $point: $(cat "$scratch/said")" ;;
    esac
    check "$run" "$name" "$point"
    # Again: it works, or there is nothing left to do.
    code=0
    # shellcheck disable=SC2086
    "$STEM" -C "$run" -q ${commands[$name]} </dev/null >/dev/null 2>"$scratch/said" || code=$?
    if is_stuck "$code" "$name"; then
        stuck=$((stuck + 1))
        echo "STUCK after $point: exit code $code, $(cat "$scratch/said")"
    fi
    check "$run" "$name" "$point, and again"
    done_=$((done_ + 1))
done <"$scratch/order"
echo "strace: $done_ of $total points in ${#verbs[@]} verbs: $killed killed, $failed failed, $((done_ - killed - failed)) succeeded; $lost lost, $stuck stuck"
[ "$lost" -eq 0 ] && [ "$stuck" -eq 0 ]
