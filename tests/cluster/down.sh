#!/bin/bash
# Ends a cluster and removes its state: down.sh STATE
set -uo pipefail
state=$(realpath "${1:?usage: down.sh STATE}")
[ -d "$state/pids" ] || { echo "there is no cluster in $state" >&2; exit 2; }
pids=$(cat "$state"/pids/*)
# Only what up.sh wrote down; the kernel ends the rest of a node with its first process.
for pid in $pids; do kill -9 "$pid" 2> /dev/null; done
for pid in $pids; do
    for _ in $(seq 200); do [ -d "/proc/$pid" ] || break; sleep 0.05; done
done
for group in /sys/fs/cgroup/*/"$(cat "$state/cgroup")"-* /sys/fs/cgroup/"$(cat "$state/cgroup")"-*; do
    [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} \;
done
rm -rf "$state"
