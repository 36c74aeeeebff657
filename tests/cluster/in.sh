#!/bin/bash
# Runs a program in a cluster's network: in.sh STATE PLACE COMMAND...
# PLACE is laptop, outside, node1, node2 … (network only), or node1: with a colon (all of its namespaces).
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: in.sh STATE PLACE COMMAND..." >&2; exit 2; }
state=$(realpath "$1") place=$2
shift 2
export KUBECONFIG=${KUBECONFIG:-$state/pki/admin.kubeconfig} PATH=$state/made/bin:$PATH
case $place in
    *:) exec nsenter -t "$(cat "$state/pids/${place%:}")" -n -m -p -u -i "$@" ;;
    *) exec nsenter -t "$(cat "$state/pids/$place")" -n "$@" ;;
esac
