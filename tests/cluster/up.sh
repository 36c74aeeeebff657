#!/bin/bash
# Brings up a Kubernetes of namespaces and waits until pods can run: up.sh STATE [NODES [IMAGE...]].
# Each node has the archives IMAGE beside our own images.
#
#                    fabric: a bridge, 198.18.0.1 and 203.0.113.1
#       |                 |                  |                    |
#   laptop            node1              node2 …              outside
#   198.18.0.100      198.18.0.11        198.18.0.12          203.0.113.5, external.example.test
#   API server only   API server, pods   pods 10.244.2.0/24   a web server
#                     10.244.1.0/24
#
# Two clusters never see each other, though they have the same addresses. STATE/pids has the first
# process of each; in.sh runs a program in one, down.sh ends them all.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
[ $# -ge 1 ] || { echo "usage: up.sh STATE [NODES [IMAGE...]]" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "a cluster of namespaces needs root: run it with sudo" >&2; exit 2; }
state=$(realpath -m "$1") nodes=${2:-1} begun=$(date +%s.%3N)
[ ! -e "$state/pids" ] || { echo "a cluster is there already: down.sh $state" >&2; exit 2; }
for program in containerd runc ctr nft ip openssl curl unshare nsenter; do
    command -v $program > /dev/null || {
        echo "$program is missing: apt-get install containerd runc containernetworking-plugins nftables iproute2 openssl curl busybox-static" >&2
        exit 2
    }
done
made=$("$here/build.sh")
mkdir -p "$state/log" "$state/pids" "$state/images"
ln -s "$made"/images/*.tar "$state/images/"
for image in "${@:3}"; do ln -s "$(realpath "$image")" "$state/images/"; done
ln -sfn "$made" "$state/made"
echo "mirrord-test-$(basename "$state")-$$" > "$state/cgroup"
cp "$here/node/dns.yaml" "$state/dns.yaml"
export PATH=$made/bin:/usr/sbin:/usr/bin:/sbin:/bin

hold() { # NAME UNSHARE_OPTIONS... -- COMMAND...: its first process is written down
    local name=$1 options=() starter child
    shift
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    setsid unshare "${options[@]}" "$@" > "$state/log/$name" 2>&1 < /dev/null &
    starter=$!
    if [[ " ${options[*]} " == *" -f "* ]]; then
        for _ in $(seq 200); do
            child=$(pgrep -P $starter || true)
            [ -n "$child" ] && break
            sleep 0.02
        done
        echo "$starter" > "$state/pids/$name-starter"
        starter=$child
    fi
    echo "$starter" > "$state/pids/$name"
}
pid() { cat "$state/pids/$1"; }
inside() { nsenter -t "$(pid "$1")" -n "${@:2}"; }
join() { # NAME ADDRESS: a cable from the fabric's bridge
    for _ in $(seq 200); do # until it has left our own network namespace
        [ "$(readlink /proc/self/ns/net)" != "$(readlink "/proc/$(pid "$1")/ns/net")" ] && break
        sleep 0.02
    done
    inside fabric ip link add "to-$1" type veth peer name eth0 netns "$(pid "$1")"
    inside fabric ip link set "to-$1" master bridge up
    inside "$1" ip link set lo up
    inside "$1" ip address add "$2" dev eth0
    inside "$1" ip link set eth0 up
}

hold fabric -n -- sleep infinity
for _ in $(seq 200); do
    [ "$(readlink /proc/self/ns/net)" != "$(readlink "/proc/$(pid fabric)/ns/net")" ] && break
    sleep 0.02
done
inside fabric ip link add bridge type bridge
inside fabric ip address add 198.18.0.1/24 dev bridge
inside fabric ip address add 203.0.113.1/24 dev bridge
inside fabric ip link set bridge up
inside fabric sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'

control=198.18.0.11
echo "127.0.0.1 localhost" > "$state/hosts"
names=()
for n in $(seq "$nodes"); do
    echo "198.18.0.$((10 + n)) node$n" >> "$state/hosts"
    names+=("node$n=198.18.0.$((10 + n))")
done
"$here/node/pki.sh" "$state/pki" $control "${names[@]}"

# The laptop knows one machine of the cluster, and of that one port.
hold laptop -n -- sleep infinity
join laptop 198.18.0.100/32
inside laptop ip route add $control/32 dev eth0
inside laptop nft -f - << N
table ip only {
    chain output {
        type filter hook output priority filter; policy drop;
        oif lo accept
        ip daddr $control tcp dport 6443 accept
        reject with icmp net-unreachable
    }
}
N

hold outside -n -- sleep infinity
join outside 203.0.113.5/24
inside outside ip route add default via 203.0.113.1

for n in $(seq "$nodes"); do
    mkdir -p "$state/node$n"
    echo "10.244.$n.0/24" > "$state/node$n/pods"
    hold "node$n" -m -n -p -u -i -f --propagation private -- bash -c \
        'until [ -e "$1/node$2/joined" ]; do sleep 0.02; done; exec "$3/node/init.sh" "$1" "node$2" "198.18.0.$((10 + $2))" "$4"' \
        bash "$state" "$n" "$here" "$control"
    join "node$n" "198.18.0.$((10 + n))/24"
    inside "node$n" ip route add default via 198.18.0.1
    inside fabric ip route add "10.244.$n.0/24" via "198.18.0.$((10 + n))"
    touch "$state/node$n/joined"
done

await() { # WHAT SECONDS COMMAND...
    local deadline=$((SECONDS + $2))
    until "${@:3}" > /dev/null 2>&1; do
        for name in "${names[@]%%=*}"; do
            [ -d "/proc/$(pid "$name")" ] || { echo "$name ended: $(tail -n 3 "$state/log/$name")" >&2; exit 1; }
        done
        if [ $SECONDS -ge $deadline ]; then
            echo "the cluster has no $1 after $2 s; its logs are in $state/log" >&2
            exit 1
        fi
        sleep 0.1
    done
    printf '%6.2f s %s\n' "$(echo "$(date +%s.%3N) $begun" | awk '{print $1 - $2}')" "$1"
}
kube() { inside node1 kubectl --kubeconfig="$state/pki/admin.kubeconfig" "$@"; }
await "API server" 60 kube get --raw /readyz
for n in $(seq "$nodes"); do
    await "node$n" 60 kube wait --for=condition=Ready "node/node$n" --timeout=5s
done
await "service account for pods" 60 kube get serviceaccount default
