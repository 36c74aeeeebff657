#!/bin/bash
# Builds what a cluster is made of, once for each state of the sources, and prints the folder:
# bin/ (hyperkube, coredns and links to the components), images/ (archives for containerd).
# A cold build takes some eight minutes on two cores; with nothing to do it takes no time.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
cd "$here"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mirrord-server

# Prints what a part is made from, as one word.
sources() { { cat "$@"; go version; } | sha256sum | cut -c1-16; }

# The flags that Kubernetes' own build gives: the version is what `kubectl version` and the
# components' checks of each other read.
version_flags() {
    local version minor at
    version=$(sed -n 's/^\tk8s.io\/kubernetes \(v[0-9.]*\)$/\1/p' hyperkube/go.mod)
    minor=$(cut -d. -f2 <<< "$version")
    for at in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        printf ' -X %s.%s' "$at" "gitVersion=$version" "$at" gitMajor=1 "$at" "gitMinor=$minor" \
            "$at" gitTreeState=clean "$at" buildDate=2020-01-01T00:00:00Z
    done
}

program() { # NAME FLAGS
    local name=$1 flags=$2 folder
    folder=$cache/cluster-$name-$(sources "$name"/*.go "$name/go.mod" "$name/go.sum" build.sh)
    if [ ! -x "$folder/$name" ]; then
        echo "building $name (once; minutes)" >&2
        mkdir -p "$folder"
        (cd "$name" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w$flags" -o "$folder/$name.part" .) >&2
        mv "$folder/$name.part" "$folder/$name"
    fi
    echo "$folder/$name"
}

mkdir -p "$cache"
exec 9> "$cache/cluster.lock" # two builds at once would only be slower
flock 9
hyperkube=$(program hyperkube "$(version_flags)")
coredns=$(program coredns "")
images=$("$here/images/build.sh" "$cache")

made=$cache/cluster-$(printf '%s\n' "$hyperkube" "$coredns" "$images" | sha256sum | cut -c1-16)
if [ ! -d "$made" ]; then
    rm -rf "$made.part"
    mkdir -p "$made.part/bin"
    ln -s "$coredns" "$made.part/bin/coredns"
    for name in hyperkube etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do
        ln -s "$hyperkube" "$made.part/bin/$name"
    done
    ln -s "$images" "$made.part/images"
    mv "$made.part" "$made"
fi
echo "$made"
