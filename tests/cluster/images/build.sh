#!/bin/bash
# Makes the images of the test pods and prints their folder: build.sh CACHE
# pause (holds a pod's namespaces) and web (busybox with its web server, curl and bash).
set -euo pipefail
here=$(dirname "$(realpath "$0")")
hash=$( (cat "$here"/*; sha256sum /bin/busybox "$(command -v curl)" "$(command -v bash)") | sha256sum | cut -c1-16)
images=$1/cluster-images-$hash
if [ ! -d "$images" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$images.part" "$work/pause"
    gcc -static -Os -o "$work/pause/pause" "$here/pause.c"
    "$here/pack.py" docker.io/local/pause:1 "$images.part/pause.tar" "$work/pause" --cmd /pause
    "$here/rootfs.sh" "$work/web" curl bash
    mkdir "$work/web/www"
    echo "from the pod" > "$work/web/www/index.html"
    "$here/pack.py" docker.io/local/web:1 "$images.part/web.tar" "$work/web" --cmd httpd -f -p 8080 -h /www
    mv "$images.part" "$images"
fi
echo "$images"
