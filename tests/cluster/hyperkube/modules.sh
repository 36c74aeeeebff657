#!/bin/sh
# Writes go.mod for another Kubernetes: modules.sh v1.34.4, then `go mod tidy`.
# k8s.io/kubernetes is no library: its staging modules are replaced by folders of its repository,
# so each needs the published module of the same release in its place.
set -eu
version=$1
staging=v0.${version#v1.}
cd "$(dirname "$0")"
source=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
{
    echo "module mirrord.test/hyperkube"
    echo
    grep '^go ' "$source"
    echo
    echo "require k8s.io/kubernetes $version"
    echo
    echo "replace ("
    sed -n "s#^[[:space:]]*\(k8s.io/[a-z-]*\) => ./staging.*#	\1 => \1 $staging#p" "$source"
    echo ")"
} > go.mod
